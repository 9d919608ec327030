"""Below the HTTP client: connections that keep a deadline, and that may refuse addresses inside the house."""

import functools
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpcore2
import httpx2

KEEP_ALIVE_SECONDS = 15.0
TRANSLATED = ipaddress.ip_network("64:ff9b::/96")

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class TargetRefused(Exception):
    """The target lies in a network that calls to user-given addresses may not reach."""


class Deadline:
    """The moment a call has to be over, whatever it is waiting for."""

    def __init__(self, moment: float) -> None:
        """Take a moment of the monotonic clock."""
        self._moment = moment

    def bound(self, timeout: float | None, error: type[Exception]) -> float:
        """The time left, at most `timeout`. Raises the given error when there is none."""
        left = self._moment - time.monotonic()
        if left <= 0:
            message = "the time for the whole call is over"
            raise error(message)
        return left if timeout is None else min(left, timeout)


def make_transport(
    *, ca_file: str | None, proxy: str | None, allow_private: bool, connections_max: int, deadlines: threading.local
) -> httpx2.HTTPTransport:
    """Make a pool of connections. Raises OSError or ValueError for a CA file or a proxy that cannot be used."""
    return _Transport(
        context=_tls_context(ca_file),
        proxy=proxy,
        backend=_Backend(allow_private=allow_private, deadlines=deadlines),
        connections_max=connections_max,
    )


def refuse_private(host: str, port: int) -> list[str]:
    """Give the public addresses of a host. Raises TargetRefused when it has none, and httpx2.ConnectError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = f"the name {host} is not known: {error}"
        raise httpx2.ConnectError(message) from error
    addresses = [str(entry[4][0]) for entry in found]
    public = [address for address in addresses if is_public(address)]
    if not public:
        message = f"{host} is {', '.join(addresses)}, inside the hub's own network; such targets are not allowed"
        raise TargetRefused(message)
    return public


def is_public(text: str) -> bool:
    """True for an address of the open internet: not private, loopback, link-local, multicast, nor one in disguise."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _Transport(httpx2.HTTPTransport):
    """httpx2's transport with a pool of our own below: its constructor has no place for a network backend."""

    def __init__(  # pyright: ignore[reportMissingSuperCall] (it would only make a pool to throw away)
        self, *, context: ssl.SSLContext, proxy: str | None, backend: httpcore2.NetworkBackend, connections_max: int
    ) -> None:
        shared: dict[str, Any] = {
            "ssl_context": context,
            "max_connections": connections_max,
            "max_keepalive_connections": connections_max,
            "keepalive_expiry": KEEP_ALIVE_SECONDS,
            "http1": True,
            "http2": False,
            "network_backend": backend,
        }
        if proxy is None:
            self._pool = httpcore2.ConnectionPool(**shared)
            return
        target = httpx2.Proxy(proxy)
        if target.url.scheme not in {"http", "https"} or not target.url.host:
            message = "a proxy's address begins with http:// or https://"
            raise ValueError(message)
        self._pool = httpcore2.HTTPProxy(
            proxy_url=httpcore2.URL(
                scheme=target.url.raw_scheme, host=target.url.raw_host, port=target.url.port, target=b"/"
            ),
            proxy_auth=target.raw_auth,
            proxy_ssl_context=context if target.url.scheme == "https" else None,
            **shared,
        )


class _Backend(httpcore2.NetworkBackend):
    """Connects to the very address that was judged, so that a name cannot change its mind in between."""

    def __init__(self, *, allow_private: bool, deadlines: threading.local) -> None:
        self._allow_private = allow_private
        self._deadlines = deadlines
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.NetworkStream:
        options = [*(socket_options or ()), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        failure: Exception | None = None
        for address in [host] if self._allow_private else refuse_private(host, port):
            bounded = self._bound(timeout)
            try:
                stream = self._inner.connect_tcp(address, port, bounded, local_address, options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadlines)
        assert failure is not None  # noqa: S101 (there is at least one address, and each returns or fails)
        raise failure

    def _bound(self, timeout: float | None) -> float | None:
        return _bounded(self._deadlines, timeout, httpcore2.ConnectTimeout)


class _Stream(httpcore2.NetworkStream):
    """A connection whose every wait is bounded by the deadline of the call that uses it now."""

    def __init__(self, inner: httpcore2.NetworkStream, deadlines: threading.local) -> None:
        self._inner = inner
        self._deadlines = deadlines

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _bounded(self._deadlines, timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _bounded(self._deadlines, timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        bounded = _bounded(self._deadlines, timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, bounded), self._deadlines)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _bounded(deadlines: threading.local, timeout: float | None, error: type[Exception]) -> float | None:
    deadline: Deadline | None = getattr(deadlines, "current", None)
    return timeout if deadline is None else deadline.bound(timeout, error)


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trust the given file alone, or the system's certificates; SSL_CERT_FILE and its kin are not looked at."""
    return _made_context(ca_file, 0 if ca_file is None else Path(ca_file).stat().st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _made_context(ca_file: str | None, _changed_at: int) -> ssl.SSLContext:
    """Made once for all clients: the system's certificates take 0.1 s and a megabyte each time."""
    if ca_file is None:
        return httpx2.create_ssl_context(verify=True, trust_env=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=ca_file)
    return context
