"""Bare ASGI, for the routes where a framework costs three times the work."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from comity.interfaces.shared.problems import PROBLEM_TYPE, BodyTooLarge, retry_after_seconds, to_problem
from comity.kernel.errors import Invalid
from comity.kernel.telemetry import get_logger

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON_TYPE = b"application/json"

log = get_logger()


class BodyIncomplete(Invalid):
    """The connection ended before the body did."""


def header(scope: Scope, name: bytes) -> str | None:
    """Return a request header, its name given in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes:
    """Return the whole body. Raises BodyTooLarge as soon as it is known to be.

    A body that is as long as was declared is whole: asking whether more comes is one more way to the server.
    """
    told = header(scope, b"content-length")
    declared = int(told) if told is not None and told.isdigit() else -1
    if declared > bytes_max:
        raise BodyTooLarge(details={"bytes_max": bytes_max, "found": declared})
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BodyIncomplete
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise BodyTooLarge(details={"bytes_max": bytes_max})
        parts.append(part)
        if size == declared or not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_json(
    send: Send,
    status: int,
    body: bytes,
    *,
    content_type: bytes = JSON_TYPE,
    retry_after: int | None = None,
    challenge: bool = False,
    allow: str | None = None,
) -> None:
    """Send an answer; with `challenge`, say that a bearer key is wanted, with `allow`, which method is."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    if challenge:
        headers.append((b"www-authenticate", b"Bearer"))
    if allow is not None:
        headers.append((b"allow", allow.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, error: BaseException, **more: Any) -> None:
    """Send an error as problem details, `more` beside them; what is our own fault is logged whole."""
    problem = to_problem(error)
    if problem.status == 500:
        log.error("request_failed", code=problem.code, exc_info=error)
    await send_json(
        send,
        problem.status,
        msgspec.json.encode(msgspec.structs.asdict(problem) | more if more else problem),
        content_type=PROBLEM_TYPE,
        retry_after=retry_after_seconds(error),
        challenge=problem.status == 401,
    )


def split_place(error: BaseException) -> tuple[str, str]:
    """Return what a decoder found wrong, and where (`$.data`): `Expected ... - at `$.x`` taken apart."""
    message, _, place = str(error).partition(" - at `")
    return _plain(message), place.rstrip("`") or "$"


def _plain(message: str) -> str:
    if "matching regex" in message:
        return "Expected text without control characters, and not only spaces"
    return message
