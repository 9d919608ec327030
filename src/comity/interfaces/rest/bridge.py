"""ASGI on RSGI: what the framework behind the hot routes is served with."""

from collections.abc import AsyncIterator, MutableMapping
from typing import Any
from urllib.parse import quote

from litestar.types import ASGIApp

from comity.interfaces.rest.http import Exchange, Scope, Stream, declared_length

Message = MutableMapping[str, Any]


async def serve_asgi(app: ASGIApp, scope: Scope, exchange: Exchange) -> None:
    """Answer one request with an ASGI application."""
    crossing: Any = _Crossing(scope, exchange)
    told: Any = to_asgi_scope(scope)
    await app(told, crossing.receive, crossing.send)


def to_asgi_scope(scope: Scope) -> dict[str, Any]:
    """Return a request's scope as ASGI has it."""
    headers = [(name.encode(), value.encode()) for name, value in scope.headers.items()]
    if scope.authority and "host" not in scope.headers:
        headers.insert(0, (b"host", scope.authority.encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": scope.http_version,
        "server": _split_address(scope.server),
        "client": _split_address(scope.client),
        "scheme": scope.scheme,
        "method": scope.method,
        "root_path": "",
        "path": scope.path,
        "raw_path": quote(scope.path).encode(),
        "query_string": scope.query_string.encode(),
        "headers": headers,
        "state": {},
    }


def _split_address(address: str) -> tuple[str, int | None]:
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdigit() else (address, None)


class _Crossing:
    """One request and its answer, in the messages of ASGI."""

    def __init__(self, scope: Scope, exchange: Exchange) -> None:
        self._exchange = exchange
        self._missing = declared_length(scope.headers) or 0
        self._parts: AsyncIterator[bytes] | None = None
        self._is_read = False
        self._status = 500
        self._headers: list[tuple[str, str]] = []
        self._stream: Stream | None = None

    async def receive(self) -> Message:
        """Return the next part of the body, or tell that the caller is gone."""
        if self._is_read:
            await self._exchange.client_disconnect()
            return {"type": "http.disconnect"}
        if self._parts is None:
            self._parts = aiter(self._exchange)
        try:
            part = await anext(self._parts)
        except StopAsyncIteration:
            self._is_read = True
            if self._missing > 0:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": b"", "more_body": False}
        self._missing -= len(part)
        return {"type": "http.request", "body": part, "more_body": True}

    async def send(self, message: Message) -> None:
        """Answer: at once where the body comes whole, else piece by piece."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(str(name, "latin-1"), str(value, "latin-1")) for name, value in message["headers"]]
            return
        body, is_more = message.get("body", b""), message.get("more_body", False)
        if self._stream is not None:
            await self._stream.send_bytes(body)
        elif is_more:
            self._stream = self._exchange.response_stream(self._status, self._headers)
            await self._stream.send_bytes(body)
        else:
            self._exchange.response_bytes(self._status, self._headers, body)
