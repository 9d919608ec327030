"""Time is passed in: the only place that reads the machine's clock."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time as an aware datetime in UTC."""

    def now(self) -> datetime:
        """Return the current time."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the monotonic clock in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        time.sleep(seconds)


class ManualClock:
    """A clock that moves only when told to, for tests and simulations."""

    def __init__(self, start: datetime) -> None:
        """Start at an aware datetime."""
        self._now = start
        self._start = start

    def now(self) -> datetime:
        """Return the time set last."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds since the start."""
        return (self._now - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        """Advance instead of waiting."""
        self.advance(seconds=seconds)

    def advance(self, *, seconds: float) -> None:
        """Move the time forward."""
        self._now += timedelta(seconds=seconds)
