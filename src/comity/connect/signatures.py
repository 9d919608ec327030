"""Webhook signatures, checked on the raw bytes in constant time."""

import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Literal

from comity.connect.types import HookRequest, SettingsInvalid, SignatureInvalid

TOLERANCE_SECONDS = 300.0
SIGNATURES_MAX = 10
TIME_DIGITS_MAX = 16
_PLACE = re.compile(r"\{([a-zA-Z0-9:_-]+)\}")

Digest = Literal["sha256", "sha512", "sha1"]
Encoding = Literal["hex", "base64"]


def verify_hmac(
    request: HookRequest,
    *,
    secrets: Sequence[str],
    header: str,
    template: str = "{body}",
    digest: Digest = "sha256",
    encoding: Encoding = "hex",
    prefix: str = "",
    timestamp_header: str | None = None,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    public_url: str | None = None,
) -> None:
    """Check an HMAC over a declared template of `{body}`, `{method}`, `{url}`, `{timestamp}`, `{header:NAME}`.

    Any of `secrets` may have signed, so that a secret can be exchanged without a gap. With `timestamp_header` (epoch
    seconds or milliseconds) an old or future time is refused. Raises `SignatureInvalid`.
    """
    given = request.header(header)
    if given is None:
        raise SignatureInvalid(f"The header {header} is missing.")
    if not given.startswith(prefix):
        raise SignatureInvalid(f"The header {header} does not start with {prefix!r}.")
    timestamp = None
    if timestamp_header is not None:
        timestamp = request.header(timestamp_header)
        check_time(request, timestamp, header=timestamp_header, tolerance_seconds=tolerance_seconds)
    message = _message(request, template, timestamp=timestamp, url=public_url or request.url)
    _compare(given.removeprefix(prefix), message, secrets=[s.encode() for s in secrets], digest=digest, how=encoding)


def verify_standard_webhooks(
    request: HookRequest, *, secrets: Sequence[str], tolerance_seconds: float = TOLERANCE_SECONDS
) -> str:
    """Check a Standard Webhooks signature (v1) and return the message id. Raises `SignatureInvalid`."""
    message_id, timestamp = request.header("webhook-id"), request.header("webhook-timestamp")
    given = request.header("webhook-signature")
    if not message_id or not given:
        raise SignatureInvalid("The headers webhook-id, webhook-timestamp and webhook-signature must all be there.")
    check_time(request, timestamp, header="webhook-timestamp", tolerance_seconds=tolerance_seconds)
    message = f"{message_id}.{timestamp}.".encode() + request.body
    keys = [_standard_key(secret) for secret in secrets]
    signatures = [part[3:] for part in given.split(" ")[:SIGNATURES_MAX] if part.startswith("v1,")]
    for signature in signatures:
        try:
            _compare(signature, message, secrets=keys, digest="sha256", how="base64")
        except SignatureInvalid:
            continue
        return message_id
    raise SignatureInvalid


def verify_hubspot_v3(
    request: HookRequest,
    *,
    secret: str,
    public_url: str | None = None,
    tolerance_seconds: float = TOLERANCE_SECONDS,
) -> None:
    """Check HubSpot's signature v3: base64 HMAC-SHA256 over method, full URL, raw body and time in milliseconds.

    `public_url` is the address HubSpot calls, which differs from ours behind a reverse proxy. Future times are
    refused as well. Raises `SignatureInvalid`.
    """
    verify_hmac(
        request,
        secrets=[secret],
        header="X-HubSpot-Signature-v3",
        template="{method}{url}{body}{timestamp}",
        encoding="base64",
        timestamp_header="X-HubSpot-Request-Timestamp",
        tolerance_seconds=tolerance_seconds,
        public_url=public_url,
    )


def check_time(request: HookRequest, value: str | None, *, header: str, tolerance_seconds: float) -> None:
    """Refuse a webhook whose time is missing, unreadable or further away than the tolerance."""
    if value is None or not value.isascii() or not value.isdecimal() or len(value) > TIME_DIGITS_MAX:
        raise SignatureInvalid(f"The header {header} holds no time.")
    number = int(value)
    seconds = number / 1000 if number >= 100_000_000_000 else float(number)
    if abs(request.now.timestamp() - seconds) > tolerance_seconds:
        raise SignatureInvalid(f"The time in {header} is more than {tolerance_seconds:.0f} seconds away from ours.")


def check_template(template: str) -> None:
    """Raise `SettingsInvalid` for a place the template may not use, and for one that leaves the body unsigned."""
    if "{body}" not in template:
        raise SettingsInvalid("A signature template holds {body}; without it anybody could put in another one.")
    for place in _PLACE.findall(template):
        if place not in {"body", "method", "url", "timestamp"} and not place.startswith("header:"):
            known = "{body}, {method}, {url}, {timestamp}, {header:NAME}"
            raise SettingsInvalid(f"A signature template knows {known}, not {{{place}}}.")


def _message(request: HookRequest, template: str, *, timestamp: str | None, url: str) -> bytes:
    known = {"body": request.body, "method": request.method.encode(), "url": url.encode()}
    known["timestamp"] = (timestamp or "").encode()
    parts: list[bytes] = []
    for at, part in enumerate(_PLACE.split(template)):
        if at % 2 == 0:
            parts.append(part.encode())
        elif part.startswith("header:"):
            parts.append((request.header(part.removeprefix("header:")) or "").encode())
        else:
            parts.append(known[part])
    return b"".join(parts)


def _standard_key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix("whsec_"), validate=True)
    except Base64Error as error:
        raise SettingsInvalid("A Standard Webhooks secret is base64, usually after whsec_.") from error


def _compare(given: str, message: bytes, *, secrets: Sequence[bytes], digest: Digest, how: Encoding) -> None:
    if not secrets or not all(secrets):
        raise SettingsInvalid("Set the secret that webhooks are signed with; an empty one would let anybody in.")
    matches = False
    for secret in secrets:
        raw = hmac.digest(secret, message, digest)
        expected = raw.hex() if how == "hex" else b64encode(raw).decode()
        shown = given.lower() if how == "hex" else given
        matches |= hmac.compare_digest(expected.encode(), shown.encode("utf-8", "surrogateescape"))
    if not matches:
        raise SignatureInvalid
