"""One loop: a step, a wake-up, a wait. All background work has this shape."""

import threading
from collections.abc import Callable

from comity.kernel.errors import Unavailable
from comity.kernel.leases import LeaseLost
from comity.kernel.telemetry import get_logger, span
from comity.sync.types import NotReady

log = get_logger()

FAILURE_SECONDS_MIN = 0.2
FAILURE_SECONDS_MAX = 30.0


class Loop:
    """Runs a step again and again on a thread of its own."""

    def __init__(
        self, *, name: str, step: Callable[[], bool], wake: threading.Event, idle_seconds: float, is_daemon: bool = True
    ) -> None:
        """`step` returns True when there may be more to do at once; otherwise the loop waits for `wake` or the time."""
        self.name = name
        self._step = step
        self._wake = wake
        self._idle_seconds = idle_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=is_daemon)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end after the step it is in."""
        self._stopping.set()
        self._wake.set()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end; False when it has not come in time."""
        self._thread.join(timeout=timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                with span("loop", loop=self.name.partition(":")[0]):
                    has_more = self._step()
                failures = 0
            except (LeaseLost, NotReady):
                has_more = False
            except Exception as error:  # A loop never dies of one step; it says why and waits.
                failures += 1
                wait = min(FAILURE_SECONDS_MAX, FAILURE_SECONDS_MIN * 2.0 ** min(failures, 10))
                if isinstance(error, Unavailable):
                    log.warning("loop_waits", loop=self.name, cause=str(error), seconds=wait)
                else:
                    log.exception("loop_failed", loop=self.name, seconds=wait)
                self._stopping.wait(wait)
                continue
            if not has_more:
                self._wake.wait(self._idle_seconds)
