"""Start a simulated vendor system."""

import os
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from comity.kernel.clock import Clock, SystemClock
from comity.kernel.ids import SeededIds
from comity.sandbox.application import Application
from comity.sandbox.clock import ShiftedClock
from comity.sandbox.hubspot.app import HubSpot
from comity.sandbox.people import read_people
from comity.sandbox.salesforce.app import Salesforce
from comity.sandbox.server import ServerThread
from comity.sandbox.simulator import Simulator
from comity.sandbox.tls import write_tls_files
from comity.sandbox.types import SandboxKind, SandboxOptions, SandboxReady

__all__ = ["Sandbox", "SandboxKind", "SandboxOptions", "SandboxReady", "leave", "serve"]


def leave(code: int = 0) -> NoReturn:
    """End this process, whose sandboxes are closed, without the interpreter's own farewell.

    A thread of the server that is still on its way out and asks a dying interpreter for its lock aborts the process, or
    lets it hang.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Sandbox:
    """A running simulated system. Close it, or use it as a context manager."""

    def __init__(
        self,
        *,
        ready: SandboxReady,
        simulator: Simulator,
        server: ServerThread,
        folder: tempfile.TemporaryDirectory[str],
    ) -> None:
        """Hold what `serve` started."""
        self.ready = ready
        self._simulator = simulator
        self._server = server
        self._folder = folder
        self._is_closed = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.ready.url

    @property
    def token(self) -> str:
        """Bearer token that does not expire."""
        return self.ready.token

    @property
    def ca_file(self) -> str | None:
        """Certificate authority to trust; None without TLS."""
        return self.ready.ca_file

    def close(self) -> None:
        """Stop listening, deliver the webhooks that wait (a few seconds at most), forget the state."""
        if not self._is_closed.is_set():
            self._is_closed.set()
            self._server.close()
            self._simulator.close()
            self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    *,
    kind: SandboxKind,
    port: int = 0,
    host: str = "127.0.0.1",
    tls: bool = False,
    seed: int = 1,
    people_csv: Path | None = None,
    options: SandboxOptions | None = None,
    clock: Clock | None = None,
) -> Sandbox:
    """Start a simulated system on a thread of this process and return when it listens.

    The same seed gives the same ids, stamps and token. Port 0 takes a free port. People of the CSV file are loaded
    before it listens. Raises OSError when the port is taken and ValueError when the CSV file cannot be used.
    """
    options = options or SandboxOptions()
    shifted = ShiftedClock(clock or SystemClock())
    ids = SeededIds(seed)
    folder = tempfile.TemporaryDirectory(prefix="comity-sandbox-")
    try:
        files = write_tls_files(folder=Path(folder.name), host=host, now=shifted.now()) if tls else None
        simulator: Salesforce | HubSpot
        if kind == "salesforce":
            simulator = Salesforce(clock=shifted, ids=ids, seed=seed, options=options)
        else:
            simulator = HubSpot(clock=shifted, ids=ids, seed=seed, options=options)
        people_count = 0
        if people_csv:
            people_count = simulator.load(kind=options.people_object, rows=read_people(people_csv))
        server = ServerThread(
            application=Application(simulator=simulator, clock=shifted), host=host, port=port, tls=files
        )
    except BaseException:
        folder.cleanup()
        raise
    shown_host = f"[{host}]" if ":" in host else host
    url = f"{'https' if tls else 'http'}://{shown_host}:{server.port}"
    simulator.public_url = url
    ready = SandboxReady(
        kind=kind,
        url=url,
        token=simulator.token,
        ca_file=str(files.ca_file) if files else None,
        client_secret=simulator.client_secret,
        app_id=simulator.app_id,
        portal_id=simulator.portal_id,
        people_count=people_count,
    )
    return Sandbox(ready=ready, simulator=simulator, server=server, folder=folder)
