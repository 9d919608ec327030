"""How fast a system may be called: a token bucket, a daily quota with a reserve."""

from typing import Protocol


class Budget(Protocol):
    """Permission to call a system. One object per system, shared by everything that calls it."""

    def spend(self, calls_count: int = 1) -> None:
        """Take permission for calls, waiting or raising `CallFailed` (limit_short, limit_long) when there is none."""
        ...

    def report(self, *, used_count: int, maximum: int) -> None:
        """Learn the daily use as the system itself counts it."""
        ...
