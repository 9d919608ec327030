"""The one HTTP client. Every call that leaves Comity goes through here.

It trusts nothing it was not told: no variables of the environment, no redirects, no cookies, no endless bodies. When a
call fails it says whether the other side may have acted on it, since that decides whether it may be made again.
"""

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from types import TracebackType
from typing import Any, Literal, Self

import httpx2
import msgspec

from comity.kernel.egress_network import Deadline, TargetRefused, make_transport, refuse_private
from comity.kernel.errors import Invalid, Unavailable
from comity.kernel.telemetry import EGRESS_SECONDS

FailureKind = Literal["connect", "timeout", "reset", "tls", "size", "target"]

BODY_BYTES_MAX = 20 * 1024 * 1024
CONNECT_SECONDS_MAX = 10.0
TIMEOUT_SECONDS = 30.0
EXCERPT_CHARACTERS_MAX = 300
_HALVES = re.compile(rb"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})")
"""Escaped backslashes, whole pairs of UTF-16 surrogates, and (named) halves of pairs."""
READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class EgressFailed(Unavailable):
    """The call to the other system got no complete answer."""

    def __init__(self, message: str, *, kind: FailureKind, is_maybe_applied: bool) -> None:
        """Say how it failed and whether the other side may have acted on the request all the same."""
        super().__init__(message, details={"kind": kind, "is_maybe_applied": is_maybe_applied})
        self.kind: FailureKind = kind
        self.is_maybe_applied = is_maybe_applied


class RequestUnusable(Invalid):
    """The request cannot be sent as it is; nothing was sent."""


def decode_body(body: bytes) -> Any:
    """Return JSON from outside. Raises `msgspec.DecodeError`.

    Half an emoji, left where a system cut a text short, becomes the replacement character: it would make the whole body
    unreadable, and with it every other record in it.
    """
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        repaired = _HALVES.sub(_replace_half, body)
        if repaired == body:
            raise
        return msgspec.json.decode(repaired)


def _replace_half(found: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if found["half"] else found[0]


@dataclass(frozen=True, kw_only=True)
class Response:
    """A complete answer, whatever its status. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def json(self) -> Any:
        """The body as JSON. Raises ValueError when it is none."""
        try:
            return decode_body(self.body)
        except msgspec.DecodeError as error:
            message = f"The answer (HTTP {self.status}) is no JSON: {error}. It begins: {self.excerpt(80)}"
            raise ValueError(message) from error

    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    def header(self, name: str) -> str | None:
        """A header's value, whatever the case of its name."""
        return self.headers.get(name.lower())

    def excerpt(self, characters_max: int = EXCERPT_CHARACTERS_MAX) -> str:
        """The beginning of the body on one line, for logs and error messages; peers send pages of HTML."""
        start = self.body[: characters_max * 8].decode("utf-8", "replace")
        words = " ".join(start.split())
        shown = "".join(letter if letter.isprintable() else "." for letter in words)
        return shown if len(shown) <= characters_max else shown[: characters_max - 3] + "..."


class Egress:
    """A pool of kept-alive HTTP/1.1 connections. Threads may share it."""

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        proxy: str | None = None,
        allow_private: bool = True,
        body_bytes_max: int = BODY_BYTES_MAX,
        connections_max: int = 32,
    ) -> None:
        """Take whom to trust and where to go.

        `ca_file` replaces the certificates of the system. `allow_private=False` is for addresses that users typed:
        it refuses the hub's own network, judged by the address connected to and not by the name. Raises
        RequestUnusable for a file or proxy that cannot be used.
        """
        self._allow_private = allow_private
        self._proxy = proxy
        self._body_bytes_max = body_bytes_max
        self._agent = f"comity/{_version()}"
        self._deadlines = threading.local()
        try:
            self._transport = make_transport(
                ca_file=ca_file,
                proxy=proxy,
                allow_private=allow_private or proxy is not None,
                connections_max=connections_max,
                deadlines=self._deadlines,
            )
        except (OSError, ValueError, httpx2.InvalidURL) as error:
            raise RequestUnusable(f"The CA file {ca_file!r} or the proxy {proxy!r} cannot be used: {error}") from error

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | str | None = None,
        form: Mapping[str, Any] | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> Response:
        """Make one call and give the complete answer, whatever its status; redirects are answers too.

        `timeout_seconds` bounds the whole call, so a peer that sends a byte now and then cannot hold it. A read that
        finds a kept-alive connection closed is made once more; a write never is. Raises EgressFailed,
        RequestUnusable.
        """
        request = self._build(method, url, headers=headers, params=params, json=json, content=content, form=form)
        began = time.monotonic()
        outcome = "unusable"
        try:
            response = self._send_with_care(request, began + timeout_seconds, timeout_seconds)
            outcome = f"{response.status // 100}xx"
            return response
        except EgressFailed as error:
            outcome = error.kind
            raise
        finally:
            EGRESS_SECONDS.labels(request.method, outcome).observe(time.monotonic() - began)

    def close(self) -> None:
        """Close the connections. Repeating does nothing."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Give the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def _build(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None,
        params: Mapping[str, Any] | None,
        json: Any,
        content: bytes | str | None,
        form: Mapping[str, Any] | None,
    ) -> httpx2.Request:
        if sum(given is not None for given in (json, content, form)) > 1:
            raise RequestUnusable("A request has one body: json, content or form.")
        standard = {"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": "gzip"}
        try:
            target = httpx2.URL(url)
            if target.scheme not in {"http", "https"} or not target.host:
                raise RequestUnusable(f"{url!r} is no address of the web; it begins with https:// and names a host.")
            if target.userinfo:
                raise RequestUnusable(f"The address of {target.host} carries a password; give it in a header.")
            if params:
                target = target.copy_merge_params(_flat(params))
            if json is not None:
                content, standard["Content-Type"] = msgspec.json.encode(json), "application/json"
            all_headers = httpx2.Headers(standard)
            all_headers.update(headers)
            return httpx2.Request(method.upper(), target, headers=all_headers, content=content, data=_form(form))
        except (httpx2.InvalidURL, UnicodeError, TypeError) as error:
            raise RequestUnusable(f"The request to {url.partition('?')[0]} cannot be sent: {error}") from error

    def _send_with_care(self, request: httpx2.Request, deadline: float, timeout_seconds: float) -> Response:
        while True:
            progress = _Progress()
            try:
                return self._send(request, deadline, progress)
            except (httpx2.TransportError, TargetRefused) as error:
                is_stale = progress.is_sent and not progress.is_connected and not progress.is_answered
                if is_stale and request.method in READ_METHODS and isinstance(error, _CLOSED):
                    # The peer closed a kept-alive connection as we took it. The next one is tried, and then a new one.
                    continue
                raise self._explain(request, error, progress, timeout_seconds) from error

    def _send(self, request: httpx2.Request, deadline: float, progress: "_Progress") -> Response:
        if self._proxy is not None and not self._allow_private:
            refuse_private(request.url.host, request.url.port or 443)
        self._deadlines.current = Deadline(deadline)
        remaining = max(0.001, deadline - time.monotonic())
        connect = min(CONNECT_SECONDS_MAX, remaining)
        request.extensions = {
            "timeout": {"connect": connect, "read": remaining, "write": remaining, "pool": remaining},
            "trace": progress.note,
        }
        try:
            answer = self._transport.handle_request(request)
            try:
                body = self._read(request, answer)
            finally:
                answer.close()
        finally:
            self._deadlines.current = None
        return Response(status=answer.status_code, headers=dict(answer.headers), body=body)

    def _read(self, request: httpx2.Request, answer: httpx2.Response) -> bytes:
        body = bytearray()
        try:
            for part in answer.iter_bytes():
                body += part
                if len(body) > self._body_bytes_max:
                    raise EgressFailed(
                        f"{_place(request)}: the answer (HTTP {answer.status_code}) is larger than "
                        f"{self._body_bytes_max} bytes.",
                        kind="size",
                        is_maybe_applied=True,
                    )
        except httpx2.DecodingError as error:
            raise httpx2.ReadError(f"the answer's compression is broken: {error}") from error
        return bytes(body)

    def _explain(
        self,
        request: httpx2.Request,
        error: httpx2.TransportError | TargetRefused,
        progress: "_Progress",
        timeout_seconds: float,
    ) -> EgressFailed | RequestUnusable:
        place = _place(request)
        if isinstance(error, httpx2.LocalProtocolError | httpx2.UnsupportedProtocol):
            return RequestUnusable(f"{place}: the request cannot be sent: {error}")
        kind, words = _judge(error, progress, timeout_seconds)
        return EgressFailed(f"{place}: {words}", kind=kind, is_maybe_applied=progress.is_sent)


class _Progress:
    """How far a request came, as the connection tells it."""

    def __init__(self) -> None:
        self.is_connected = False
        self.is_sent = False
        self.is_answered = False

    def note(self, name: str, info: Mapping[str, Any]) -> None:
        request = info.get("request")
        if request is not None and request.method == b"CONNECT":
            return  # Between us and the proxy; the other side has seen nothing yet.
        if name == "connection.connect_tcp.started":
            self.is_connected = True
        elif name == "http11.send_request_headers.started":
            self.is_sent = True
        elif name == "http11.receive_response_headers.complete":
            self.is_answered = True


_CLOSED = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)


def _judge(
    error: httpx2.TransportError | TargetRefused, progress: _Progress, timeout_seconds: float
) -> tuple[FailureKind, str]:
    text = str(error) or type(error).__name__
    if isinstance(error, TargetRefused):
        return "target", text
    if _is_tls(error):
        return "tls", f"the certificate or the encryption is not accepted: {text}"
    if isinstance(error, httpx2.TimeoutException):
        if isinstance(error, httpx2.PoolTimeout):
            return "timeout", f"no connection became free within {timeout_seconds:g} s"
        where = "after the request was sent" if progress.is_sent else "before the request was sent"
        return "timeout", f"no complete answer within {timeout_seconds:g} s; the time ran out {where}"
    if progress.is_sent:
        return "reset", f"the connection broke: {text}"
    return "connect", f"no connection: {text}"


def _is_tls(error: BaseException) -> bool:
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _place(request: httpx2.Request) -> str:
    """Method and address without the query, where keys are often found."""
    url = request.url
    return f"{request.method} {url.scheme}://{url.netloc.decode()}{url.path}"


def _flat(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if _is_many(value) else value for name, value in params.items() if value is not None}


def _form(form: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if form is None else _flat(form)


def _is_many(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _version() -> str:
    try:
        return metadata.version("comity")
    except metadata.PackageNotFoundError:
        return "0"
