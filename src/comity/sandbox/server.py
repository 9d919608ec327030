"""Serves an ASGI application with granian, on a thread of its own inside this process."""

import asyncio
import gc
import socket
import threading
import time
import weakref
from typing import Any

from granian.constants import Interfaces, SSLProtocols
from granian.server.embed import Server

from comity.sandbox.tls import TlsFiles

START_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 10.0
BACKLOG = 1024


class ServerThread:
    """A listening server; it answers until `close`."""

    def __init__(self, *, application: Any, host: str, port: int, tls: TlsFiles | None) -> None:
        """Start listening; port 0 takes a free one. Raises OSError when the port is taken."""
        self.host = host
        self.port = _claim_port(host, port)
        self._target: _Target | None = _Target(application)
        self._lent: list[weakref.ref[Any]] = [weakref.ref(self._target)]
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"sandbox-{self.port}", daemon=True)
        self._thread.start()
        self._await_listening()

    def close(self) -> None:
        """Stop listening and wait for the thread."""
        if self._loop and self._server and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(STOP_SECONDS_MAX)
        self._server = self._loop = self._target = None
        # The server's own threads end a little after it says so. One that still holds our objects while the
        # interpreter shuts down aborts the process, so wait until they have let go.
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while any(lent() is not None for lent in self._lent) and time.monotonic() < deadline:
            gc.collect()
            time.sleep(0.005)

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        self._lent.append(weakref.ref(loop))
        asyncio.set_event_loop(loop)
        try:
            self._server = Server(
                self._target,
                address=self.host,
                port=self.port,
                interface=Interfaces.ASGINL,
                websockets=False,
                backlog=BACKLOG,
                log_enabled=False,
                ssl_cert=self._tls.certificate_file if self._tls else None,
                ssl_key=self._tls.key_file if self._tls else None,
                ssl_protocol_min=SSLProtocols.tls12,
            )
            self._loop = loop
            loop.run_until_complete(self._server.serve())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for the start.
            self._failure = error
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def _await_listening(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._failure:
                raise self._failure
            try:
                socket.create_connection((self.host, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.005)
            else:
                return
        raise TimeoutError(f"The sandbox did not listen on {self.host}:{self.port} in {START_SECONDS_MAX:g} s.")


class _Target:
    """What the server is given, so that it can be told when the server has let go of it."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._application(scope, receive, send)


def _claim_port(host: str, port: int) -> int:
    """Return the port to listen on; the server shares ports, so a taken one has to be noticed here."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])
