"""Webhook signatures, checked on the raw bytes in constant time.

A refusal says what is at fault as far as it can be told: `reason` is header_missing, header_malformed, time_unreadable,
time_far or mismatch. Nothing of it depends on the secret but whether the signature fits; secret, address and body
cannot be told apart.
"""

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
_HEX = re.compile(r"[0-9a-fA-F]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_DIGEST_BYTES = {"sha1": 20, "sha256": 32, "sha512": 64}
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
        raise _missing(header)
    if not given.startswith(prefix):
        remedy = "Compare `prefix` in the system's settings with what the system sends."
        raise _refusal("header_malformed", f"The header {header} does not start with {prefix!r}.", remedy)
    timestamp = None
    if timestamp_header is not None:
        timestamp = request.header(timestamp_header)
        check_time(request, timestamp, header=timestamp_header, tolerance_seconds=tolerance_seconds)
    url = public_url or request.url
    message = _message(request, template, timestamp=timestamp, url=url)
    signature = given.removeprefix(prefix)
    _check_form(signature, header=header, digest=digest, how=encoding)
    if not _matches(signature, message, secrets=[s.encode() for s in secrets], digest=digest, how=encoding):
        raise _mismatch(header, url=url if "{url}" in template else None)


def verify_standard_webhooks(
    request: HookRequest, *, secrets: Sequence[str], tolerance_seconds: float = TOLERANCE_SECONDS
) -> str:
    """Check a Standard Webhooks signature (v1) and return the message id. Raises `SignatureInvalid`."""
    message_id, timestamp = request.header("webhook-id"), request.header("webhook-timestamp")
    given = request.header("webhook-signature")
    if not message_id or not given:
        raise _missing("webhook-signature" if message_id else "webhook-id")
    check_time(request, timestamp, header="webhook-timestamp", tolerance_seconds=tolerance_seconds)
    message = f"{message_id}.{timestamp}.".encode() + request.body
    keys = [_standard_key(secret) for secret in secrets]
    signatures = [part[3:] for part in given.split(" ")[:SIGNATURES_MAX] if part.startswith("v1,")]
    if not signatures:
        remedy = "Have the system sign with version 1 of Standard Webhooks: `v1,` and base64."
        raise _refusal("header_malformed", "The header webhook-signature holds no signature v1.", remedy)
    if not any(_matches(each, message, secrets=keys, digest="sha256", how="base64") for each in signatures):
        raise _mismatch("webhook-signature", url=None)
    return message_id


def check_token(request: HookRequest, *, tokens: Sequence[str], header: str, prefix: str = "") -> None:
    """Check that a header holds one of the tokens, for systems that cannot sign. Raises `SignatureInvalid`."""
    given = request.header(header)
    if given is None:
        raise _missing(header)
    shown = given.encode("utf-8", "surrogateescape")
    matches = [hmac.compare_digest(shown, f"{prefix}{token}".encode()) for token in tokens]
    if not any(matches):
        remedy = f"Compare the token on both sides; the header is to hold {prefix + 'TOKEN'!r}."
        raise _refusal("mismatch", f"The header {header} does not hold the webhook's token.", remedy)


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
    if value is None:
        raise _missing(header)
    if not value.isascii() or not value.isdecimal() or len(value) > TIME_DIGITS_MAX:
        remedy = "Have the system send seconds or milliseconds since 1970 in it, as digits."
        raise _refusal("time_unreadable", f"The header {header} holds no time.", remedy)
    number = int(value)
    seconds = number / 1000 if number >= 100_000_000_000 else float(number)
    if abs(request.now.timestamp() - seconds) > tolerance_seconds:
        side = "behind" if request.now.timestamp() > seconds else "ahead of"
        remedy = "Set the clocks of both machines. What was only late on its way is to be sent again with a new time."
        text = f"The time in {header} is more than {tolerance_seconds:.0f} seconds {side} ours."
        raise _refusal("time_far", text, remedy)


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


def _check_form(given: str, *, header: str, digest: Digest, how: Encoding) -> None:
    """Refuse what cannot be a signature of this kind, so that nobody looks for the fault in the secret."""
    form = _HEX if how == "hex" else _BASE64
    length = _DIGEST_BYTES[digest] * 2 if how == "hex" else (_DIGEST_BYTES[digest] + 2) // 3 * 4
    if len(given) != length or not form.fullmatch(given):
        text = f"The header {header} holds no signature: expected {length} characters, {digest} as {how}."
        remedy = "Compare digest, encoding and prefix with what the system sends."
        raise _refusal("header_malformed", text, remedy)


def _missing(header: str) -> SignatureInvalid:
    remedy = "Have the system send it, and see that no proxy takes it away."
    return _refusal("header_missing", f"The header {header} is missing.", remedy)


def _mismatch(header: str, *, url: str | None) -> SignatureInvalid:
    address = f" The address is signed, too, and taken to be {url} (COMITY_PUBLIC_URL, or `public_url`)." if url else ""
    remedy = f"Compare the secret on both sides.{address} And see that no proxy changes the body."
    return _refusal("mismatch", f"The signature in {header} does not fit what was sent.", remedy)


def _refusal(reason: str, message: str, remedy: str) -> SignatureInvalid:
    return SignatureInvalid(message, details={"reason": reason, "remedy": remedy})


def _matches(given: str, message: bytes, *, secrets: Sequence[bytes], digest: Digest, how: Encoding) -> bool:
    if not secrets or not all(secrets):
        raise SettingsInvalid("Set the secret that webhooks are signed with; an empty one would let anybody in.")
    matches = False
    for secret in secrets:
        raw = hmac.digest(secret, message, digest)
        expected = raw.hex() if how == "hex" else b64encode(raw).decode()
        shown = given.lower() if how == "hex" else given
        matches |= hmac.compare_digest(expected.encode(), shown.encode("utf-8", "surrogateescape"))
    return matches
