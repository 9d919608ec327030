"""Bare RSGI, for the routes where a framework costs three times the work."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from granian.rsgi import ProtocolClosed  # pyright: ignore[reportPrivateImportUsage] - part of RSGI.

from comity.interfaces.shared.problems import PROBLEM_TYPE, BodyTooLarge, retry_after_seconds, to_problem
from comity.kernel.errors import Invalid
from comity.kernel.telemetry import get_logger

JSON_TYPE = "application/json"
JSON_HEADERS = [("content-type", JSON_TYPE)]

log = get_logger()


class Headers(Protocol):
    """The headers of a request; a value with other characters than visible ASCII is told as missing by `get`."""

    def get(self, key: str, default: Any = None) -> str | None:
        """Return the first value of a header, its name given in lower case."""
        ...

    def items(self) -> Sequence[tuple[str, str]]:
        """Return all of them."""
        ...

    def __contains__(self, key: str, /) -> bool: ...


class Scope(Protocol):
    """What a request says before its body."""

    @property
    def method(self) -> str: ...  # noqa: D102 - as RSGI has it.
    @property
    def path(self) -> str: ...  # noqa: D102 - as RSGI has it.
    @property
    def query_string(self) -> str: ...  # noqa: D102 - as RSGI has it.
    @property
    def headers(self) -> Headers: ...  # noqa: D102 - as RSGI has it.
    @property
    def http_version(self) -> str: ...  # noqa: D102 - as RSGI has it.
    @property
    def scheme(self) -> str: ...  # noqa: D102 - as RSGI has it.
    @property
    def authority(self) -> str | None: ...  # noqa: D102 - as RSGI has it.
    @property
    def client(self) -> str: ...  # noqa: D102 - as RSGI has it.
    @property
    def server(self) -> str: ...  # noqa: D102 - as RSGI has it.


class Stream(Protocol):
    """An answer that is sent piece by piece."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a piece."""


class Exchange(Protocol):
    """The body of a request and the way to answer it."""

    def __call__(self) -> Awaitable[bytes]:
        """Return the whole body, however large."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def client_disconnect(self) -> Awaitable[None]:
        """Wait until the caller is gone."""
        ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer."""

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Stream:
        """Answer piece by piece."""
        ...


class Bodiless:
    """The answer to a HEAD: its headers only. Over HTTP/2 a body would be an error of protocol."""

    def __init__(self, exchange: Exchange) -> None:
        """Answer by the exchange of the server."""
        self._exchange = exchange

    def __call__(self) -> Awaitable[bytes]:
        """Return the whole body of the request."""
        return self._exchange()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body of the request."""
        return aiter(self._exchange)

    def client_disconnect(self) -> Awaitable[None]:
        """Wait until the caller is gone."""
        return self._exchange.client_disconnect()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:  # noqa: ARG002 - it is left out.
        """Answer without the body."""
        self._exchange.response_bytes(status, headers, b"")

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Stream:
        """Answer at once; what is sent piece by piece goes nowhere."""
        self._exchange.response_bytes(status, headers, b"")
        return self

    async def send_bytes(self, data: bytes) -> None:
        """Send nothing."""


HotRoute = Callable[[Scope, Exchange], Awaitable[None]]


class BodyIncomplete(Invalid):
    """The connection ended before the body did."""


class HeaderUnreadable(Invalid):
    """A header holds other characters than those of ASCII that can be seen."""


def header(scope: Scope, name: str) -> str | None:
    """Return a request header, its name given in lower case. Raises HeaderUnreadable."""
    value = scope.headers.get(name)
    if value is None and name in scope.headers:
        raise HeaderUnreadable(
            f"The header {name} holds other characters than visible ASCII.",
            details={"field": name, "remedy": "Send letters, digits and signs of ASCII, such as a UUID."},
        )
    return value


def declared_length(headers: Headers) -> int | None:
    """Return how long the body is said to be; None where the server holds nobody to it."""
    told = headers.get("content-length")
    if told is None or not told.isdigit() or "transfer-encoding" in headers:
        return None
    return int(told)


async def read_body(scope: Scope, exchange: Exchange, *, bytes_max: int) -> bytes:
    """Return the whole body. Raises BodyTooLarge as soon as it is known to be, and BodyIncomplete."""
    declared = declared_length(scope.headers)
    if declared is not None:
        if declared > bytes_max:
            raise BodyTooLarge(details={"bytes_max": bytes_max, "found": declared})
        try:
            return await exchange()
        except ProtocolClosed:
            raise BodyIncomplete from None
    parts: list[bytes] = []
    size = 0
    async for part in exchange:
        size += len(part)
        if size > bytes_max:
            raise BodyTooLarge(details={"bytes_max": bytes_max})
        parts.append(part)
    return b"".join(parts)


def send_json(exchange: Exchange, status: int, body: bytes) -> None:
    """Answer with JSON."""
    exchange.response_bytes(status, JSON_HEADERS, body)


def send_problem(exchange: Exchange, error: BaseException, **more: Any) -> None:
    """Answer with an error as problem details, `more` beside them; what is our own fault is logged whole."""
    problem = to_problem(error)
    if problem.status == 500:
        log.error("request_failed", code=problem.code, exc_info=error)
    retry_after = retry_after_seconds(error)
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    if problem.status == 401:
        headers["www-authenticate"] = "Bearer"
    send_told(
        exchange,
        problem.status,
        msgspec.json.encode(msgspec.structs.asdict(problem) | more if more else problem),
        headers,
    )


def send_told(exchange: Exchange, status: int, problem: bytes, headers: Mapping[str, str]) -> None:
    """Answer with problem details that are written already."""
    exchange.response_bytes(status, [("content-type", PROBLEM_TYPE.decode()), *headers.items()], problem)


def split_place(error: BaseException) -> tuple[str, str]:
    """Return what a decoder found wrong, and where (`$.data`): `Expected ... - at `$.x`` taken apart."""
    message, _, place = str(error).partition(" - at `")
    return _plain(message), place.rstrip("`") or "$"


def _plain(message: str) -> str:
    if "[A-Z]{3}" in message:
        return "Expected a currency code of three capitals, such as EUR"
    if "matching regex" in message:
        return "Expected text without control characters, and not only spaces"
    return message
