"""Bare ASGI, for the routes where a framework costs three times the work."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from comity.interfaces.shared.problems import PROBLEM_TYPE, retry_after_seconds, to_problem
from comity.kernel.errors import Broken, Invalid
from comity.kernel.telemetry import get_logger

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON_TYPE = b"application/json"

log = get_logger()


class BodyTooLarge(Invalid):
    """The body is larger than this route takes."""


def header(scope: Scope, name: bytes) -> str | None:
    """Return a request header, its name given in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


async def read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes:
    """Return the whole body. Raises BodyTooLarge as soon as it is known to be."""
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > bytes_max:
        raise BodyTooLarge(details={"bytes_max": bytes_max, "found": int(declared)})
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Invalid("The connection ended before the body did.", code="body_incomplete")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise BodyTooLarge(details={"bytes_max": bytes_max})
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def send_json(
    send: Send, status: int, body: bytes, *, content_type: bytes = JSON_TYPE, retry_after: int | None = None
) -> None:
    """Send an answer."""
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, error: BaseException) -> None:
    """Send an error as problem details; what is our own fault is logged whole."""
    problem = to_problem(error)
    if problem.status == 500 or isinstance(error, Broken):
        log.error("request_failed", code=problem.code, exc_info=error)
    await send_json(
        send,
        problem.status,
        msgspec.json.encode(problem),
        content_type=PROBLEM_TYPE,
        retry_after=retry_after_seconds(error),
    )
