"""Waiting, with an end."""

import time
from collections.abc import Callable
from typing import TypeVar

from comity.kernel.errors import Unavailable

T = TypeVar("T")

POLL_SECONDS = 0.05


class TookTooLong(Unavailable):
    """What was waited for did not come in time."""


class Patience:
    """Goes on as long as something moves, up to a bound."""

    def __init__(self, *, still_seconds_max: float, seconds_max: float, began: float) -> None:
        """Begin at a moment of the monotonic clock."""
        self._still_seconds_max = still_seconds_max
        self._seconds_max = seconds_max
        self._began = self._moved_at = began
        self._before: object = None

    def find_end(self, seen: object, *, at: float) -> str | None:
        """Return why to give up, having seen this at a moment; None to go on."""
        if seen != self._before:
            self._before, self._moved_at = seen, at
        if at - self._moved_at > self._still_seconds_max:
            return f"nothing moved for {self._still_seconds_max:g} s"
        return f"it was not done within {self._seconds_max:g} s" if at - self._began > self._seconds_max else None


def wait_for(
    look: Callable[[], T | None], *, what: str, seconds_max: float, every_seconds: float = POLL_SECONDS
) -> tuple[T, float]:
    """Return what `look` finds, once it is true, and the seconds it took. Raises TookTooLong."""
    began = time.monotonic()
    while True:
        found = look()
        elapsed = time.monotonic() - began
        if found:
            return found, elapsed
        if elapsed > seconds_max:
            raise TookTooLong(f"{what}: not within {seconds_max:g} s.", details={"waited_seconds": round(elapsed, 1)})
        time.sleep(every_seconds)


def wait_while_moving(
    look: Callable[[], int],
    *,
    wanted: int,
    what: str,
    still_seconds_max: float,
    seconds_max: float,
    every_seconds: float = POLL_SECONDS,
) -> float:
    """Return the seconds it took until a count is what is wanted. Raises TookTooLong once it grows no more."""
    began = time.monotonic()
    patience = Patience(still_seconds_max=still_seconds_max, seconds_max=seconds_max, began=began)
    while True:
        count, now = look(), time.monotonic()
        if count >= wanted:
            return now - began
        if end := patience.find_end(count, at=now):
            raise TookTooLong(f"{what}: {count:,} of {wanted:,}, then {end}.")
        time.sleep(every_seconds)
