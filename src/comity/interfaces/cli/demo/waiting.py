"""Waiting, with an end."""

import time
from collections.abc import Callable
from typing import TypeVar

from comity.kernel.errors import Unavailable

T = TypeVar("T")

POLL_SECONDS = 0.05


class TookTooLong(Unavailable):
    """What was waited for did not come in time."""


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
