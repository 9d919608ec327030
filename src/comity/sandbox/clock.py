"""A clock that can be moved forward, so that expiry and retention can be tried."""

from datetime import datetime, timedelta

from comity.kernel.clock import Clock


class ShiftedClock:
    """Another clock, ahead by what it was told."""

    def __init__(self, clock: Clock) -> None:
        """Start level with the other clock."""
        self._clock = clock
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the current time of the sandbox."""
        return self._clock.now() + self._ahead

    def advance(self, *, seconds: float) -> None:
        """Move the sandbox forward; it never goes back."""
        if seconds < 0:
            raise ValueError("The clock of the sandbox only moves forward.")
        self._ahead += timedelta(seconds=seconds)
