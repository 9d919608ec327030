"""The processes of a hub under one roof: started, restarted when they die, ended together, no orphan left."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec

from comity.interfaces.shared.lifetime import WITH_PARENT
from comity.kernel.errors import Conflict
from comity.kernel.telemetry import get_logger

log = get_logger()

POLL_SECONDS = 0.2
RESTART_SECONDS_MIN = 1.0
RESTART_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0
"""Who ran for so long before it died starts again at once; the others wait, twice as long each time."""

STOP_SECONDS_MAX = 30.0


class PortTaken(Conflict):
    """Somebody else listens on this address already."""


class _Running(msgspec.Struct, kw_only=True):
    process: subprocess.Popen[bytes]
    started_at: float
    pause_seconds: float = RESTART_SECONDS_MIN
    restart_at: float | None = None


class Supervisor:
    """Keeps modules of this package running as processes."""

    def __init__(
        self, *, modules: Sequence[str], environment: Mapping[str, str], tell: Callable[[Mapping[str, object]], None]
    ) -> None:
        """Start them all. Their standard input is a pipe of ours: when we are gone, it ends, and so do they.

        `tell` hears who died and who was started again.
        """
        self._environment = dict(environment)
        self._tell = tell
        self._running = {
            module: _Running(process=self._start(module), started_at=time.monotonic()) for module in modules
        }

    def keep(self, *, stopping: threading.Event) -> None:
        """Restart who dies, until `stopping` is set."""
        while not stopping.wait(POLL_SECONDS):
            for module, running in self._running.items():
                self._look_after(module, running)

    def wait_until_listening(self, *, host: str, port: int, stopping: threading.Event) -> bool:
        """Wait until somebody accepts connections there; False when asked to stop before."""
        near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where we listen, not where we go.
        while not stopping.is_set():
            with suppress(OSError), socket.create_connection((near, port), timeout=1.0):
                return True
            for module, running in self._running.items():
                self._look_after(module, running)
            stopping.wait(0.05)
        return False

    def stop(self) -> None:
        """End all, politely first; whatever is left of them after that is killed."""
        processes = [running.process for running in self._running.values()]
        for process in processes:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + STOP_SECONDS_MAX
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, until - time.monotonic()))
            _kill_group(process)

    def _look_after(self, module: str, running: _Running) -> None:
        now = time.monotonic()
        if running.restart_at is None:
            if running.process.poll() is None:
                return
            _kill_group(running.process)
            is_steady = now - running.started_at >= STEADY_SECONDS
            running.pause_seconds = (
                RESTART_SECONDS_MIN if is_steady else min(RESTART_SECONDS_MAX, running.pause_seconds * 2)
            )
            running.restart_at = now if is_steady else now + running.pause_seconds / 2
            log.error("process_died", process=module, exit_code=running.process.returncode)
            self._tell({"event": "process_died", "process": module, "exit_code": running.process.returncode})
        if now >= running.restart_at:
            running.process, running.started_at, running.restart_at = self._start(module), now, None
            log.info("process_restarted", process=module)
            self._tell({"event": "process_restarted", "process": module})

    def _start(self, module: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own module.
            [sys.executable, "-m", module, WITH_PARENT],
            env=self._environment,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )


def require_free(*, host: str, port: int) -> None:
    """Raise PortTaken when somebody listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise PortTaken(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            details={"remedy": "End the other process, or choose another address: --port, --host."},
        ) from error


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process and of its children."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
