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

AT_ONCE = 0.0
BEHIND_SECONDS_MIN = 0.002
BEHIND_SECONDS_MAX = 0.2

Step = Callable[[], float | None]
"""Does some work and says in how many seconds there is more (AT_ONCE: there may be more now), None for nobody knows."""


class Patience:
    """Short pauses while something stands in a log that cannot be read before an older transaction ends."""

    def __init__(self) -> None:
        """Start impatient."""
        self._seconds = BEHIND_SECONDS_MIN

    def pause(self) -> float:
        """Return the next pause; each is twice the one before."""
        seconds, self._seconds = self._seconds, min(self._seconds * 2, BEHIND_SECONDS_MAX)
        return seconds

    def forget(self) -> None:
        """Something could be read."""
        self._seconds = BEHIND_SECONDS_MIN


class Loop:
    """Runs a step again and again on a thread of its own."""

    def __init__(
        self, *, name: str, step: Step, wake: threading.Event, idle_seconds: float, is_daemon: bool = True
    ) -> None:
        """Between two steps the loop waits for `wake`, or for the time the step told, `idle_seconds` at most."""
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
                    pause = self._step()
                failures = 0
            except (LeaseLost, NotReady):
                pause = None
            except Exception as error:  # A loop never dies of one step; it says why and waits.
                failures += 1
                wait = min(FAILURE_SECONDS_MAX, FAILURE_SECONDS_MIN * 2.0 ** min(failures, 10))
                if isinstance(error, Unavailable):
                    log.warning("loop_waits", loop=self.name, cause=str(error), details=error.details, seconds=wait)
                else:
                    log.exception("loop_failed", loop=self.name, seconds=wait)
                self._stopping.wait(wait)
                continue
            if pause is None or pause > AT_ONCE:
                self._wake.wait(self._idle_seconds if pause is None else min(pause, self._idle_seconds))
