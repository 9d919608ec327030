"""The little HTTP a simulator needs: a parsed request, an answer, a route table. No behaviour of any vendor."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import parse_qs, unquote

import msgspec

JsonObject = dict[str, Any]


class Request(msgspec.Struct, kw_only=True):
    """One call as a simulator sees it: path segments decoded one by one, so that %2F stays inside its segment."""

    method: str
    path: str
    segments: tuple[str, ...]
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    raw_target_bytes: int = 0
    params: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    is_locked: bool = False
    """A lock fault is set for this call: rows it writes are held by somebody else."""

    def argument(self, name: str) -> str | None:
        """Return the first value of a query argument, or None."""
        values = self.query.get(name)
        return values[0] if values else None

    def has_flag(self, name: str) -> bool:
        """True when a query argument says true, in whatever case (clients differ)."""
        return (self.argument(name) or "").lower() == "true"

    def arguments(self, name: str) -> list[str]:
        """Return a list argument, given as repeated arguments, as a comma list, or both."""
        return [part for value in self.query.get(name, []) for part in value.split(",") if part]


class Response(msgspec.Struct, kw_only=True):
    """One answer."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = msgspec.field(default_factory=list[tuple[str, str]])


class Refusal(Exception):
    """Stops a handler with this answer."""

    def __init__(self, response: Response) -> None:
        """Carry the answer."""
        super().__init__(response.status)
        self.response = response


Handler = Callable[[Request], Response]

_encoder = msgspec.json.Encoder()


def encode(value: Any) -> bytes:
    """Encode a value as JSON."""
    return _encoder.encode(value)


def answer(status: int, value: Any = None) -> Response:
    """Build a JSON answer, or one without a body when the value is None."""
    if value is None:
        return Response(status=status)
    return Response(status=status, body=encode(value), headers=[("content-type", "application/json;charset=UTF-8")])


def parse_request(*, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Request:
    """Parse a request target (path and query, as sent) into a request."""
    path, _, query = target.partition("?")
    return Request(
        method=method,
        path=path,
        segments=tuple(unquote(part) for part in path.split("/") if part),
        query=parse_qs(query, keep_blank_values=True) if query else {},
        headers=headers,
        body=body,
        raw_target_bytes=len(target),
    )


def decode_object(body: bytes) -> JsonObject | None:
    """Decode a JSON object, or return None when the bytes are not one."""
    try:
        value = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return as_object(value)


def as_object(value: Any) -> JsonObject | None:
    """Return a JSON value as an object, or None."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """Return a JSON value as a list, or None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


class _Node:
    """A place in the route tree."""

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.wildcard: _Node | None = None
        self.handlers: dict[str, tuple[Handler, tuple[str, ...]]] = {}


class Routes:
    """A tree of paths. A literal segment wins over a `{name}`."""

    def __init__(self) -> None:
        """Start without routes."""
        self._root = _Node()

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Add a route, for example `/objects/{type}/{id}`."""
        node = self._root
        names: list[str] = []
        for part in pattern.strip("/").split("/"):
            if part.startswith("{"):
                names.append(part[1:-1])
                node.wildcard = node.wildcard or _Node()
                node = node.wildcard
            else:
                node = node.children.setdefault(part, _Node())
        node.handlers[method] = (handler, tuple(names))

    def find(self, request: Request) -> Handler | None:
        """Return the handler of a request and set its `params`, or None when no route fits method and path."""
        for node, values in self._matches(self._root, request.segments, ()):
            found = node.handlers.get(request.method)
            if found:
                request.params = dict(zip(found[1], values, strict=True))
                return found[0]
        return None

    def methods(self, request: Request) -> list[str]:
        """List the methods the path of a request knows."""
        return sorted(
            {method for node, _ in self._matches(self._root, request.segments, ()) for method in node.handlers}
        )

    def _matches(
        self, node: _Node, segments: Sequence[str], values: tuple[str, ...]
    ) -> list[tuple[_Node, tuple[str, ...]]]:
        if not segments:
            return [(node, values)] if node.handlers else []
        head, rest = segments[0], segments[1:]
        matches: list[tuple[_Node, tuple[str, ...]]] = []
        if head in node.children:
            matches += self._matches(node.children[head], rest, values)
        if node.wildcard:
            matches += self._matches(node.wildcard, rest, (*values, head))
        return matches
