"""How fast a system may be called: a token bucket, and a daily quota that keeps a reserve for what cannot wait."""

from datetime import UTC, datetime, timedelta
from threading import Lock

from comity.connect.types import Budget, CallFailed, ErrorClass
from comity.kernel.clock import Clock


class TokenBucket:
    """At most `rate_per_second` calls in the long run and `burst_count` at once.

    Waits for a permission that comes within `wait_seconds_max`, otherwise raises `CallFailed` (limit_short).
    """

    def __init__(
        self, *, clock: Clock, rate_per_second: float, burst_count: int = 1, wait_seconds_max: float = 5.0
    ) -> None:
        """Start full."""
        if rate_per_second <= 0 or burst_count < 1:
            raise ValueError("A token bucket needs a positive rate and a burst of at least one call.")
        self._clock = clock
        self._rate_per_second = rate_per_second
        self._burst_count = burst_count
        self._wait_seconds_max = wait_seconds_max
        self._tokens = float(burst_count)
        self._filled_at = clock.monotonic()
        self._lock = Lock()

    def spend(self, calls_count: int = 1) -> None:
        """Take permission, waiting for it outside the lock so that others queue in order."""
        with self._lock:
            now = self._clock.monotonic()
            gained = (now - self._filled_at) * self._rate_per_second
            self._tokens = min(float(self._burst_count), self._tokens + gained)
            self._filled_at = now
            wait_seconds = max(0.0, (calls_count - self._tokens) / self._rate_per_second)
            if wait_seconds > self._wait_seconds_max:
                raise CallFailed(
                    error_class=ErrorClass.LIMIT_SHORT,
                    message="The call rate set for this system is used up.",
                    retry_after_seconds=wait_seconds,
                )
            self._tokens -= calls_count
        if wait_seconds > 0:
            self._clock.sleep(wait_seconds)

    def report(self, *, used_count: int, maximum: int) -> None:
        """A daily use says nothing about the rate."""


class DailyQuota:
    """At most `maximum` calls a day (UTC), of which the last `reserve_count` are for urgent callers only.

    Counts what this process spends and corrects itself by what the system reports.
    """

    def __init__(self, *, clock: Clock, maximum: int, reserve_count: int = 0) -> None:
        """Start the day unspent."""
        self._clock = clock
        self._maximum = maximum
        self._reserve_count = reserve_count
        self._used_count = 0
        self._day_on = clock.now().date()
        self._lock = Lock()

    def spend(self, calls_count: int = 1) -> None:
        """Take permission from the ordinary part of the quota."""
        self._spend(calls_count, self._maximum - self._reserve_count)

    def report(self, *, used_count: int, maximum: int) -> None:
        """Take the system's own count; the smaller of the two maxima holds."""
        with self._lock:
            self._used_count = max(self._used_count, used_count)
            self._maximum = min(self._maximum, maximum)

    def urgent(self) -> Budget:
        """The same quota, reserve included."""
        return _UrgentQuota(self)

    @property
    def remaining_count(self) -> int:
        """What is left of the day, reserve included."""
        return max(0, self._maximum - self._used_count)

    def spend_urgent(self, calls_count: int = 1) -> None:
        """Take permission from the whole quota."""
        self._spend(calls_count, self._maximum)

    def _spend(self, calls_count: int, maximum: int) -> None:
        with self._lock:
            now = self._clock.now()
            if now.date() != self._day_on:
                self._day_on, self._used_count = now.date(), 0
            if self._used_count + calls_count > maximum:
                midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
                raise CallFailed(
                    error_class=ErrorClass.LIMIT_LONG,
                    message="The daily number of calls set for this system is used up.",
                    retry_after_seconds=(midnight - now).total_seconds(),
                )
            self._used_count += calls_count


class _UrgentQuota:
    def __init__(self, quota: DailyQuota) -> None:
        self._quota = quota

    def spend(self, calls_count: int = 1) -> None:
        self._quota.spend_urgent(calls_count)

    def report(self, *, used_count: int, maximum: int) -> None:
        self._quota.report(used_count=used_count, maximum=maximum)


class Budgets:
    """Several budgets that must all agree. Put the quota first: a refused call then takes no token."""

    def __init__(self, *budgets: Budget) -> None:
        """Take the budgets in the order they are asked."""
        self._budgets = budgets

    def spend(self, calls_count: int = 1) -> None:
        """Take permission from each."""
        for budget in self._budgets:
            budget.spend(calls_count)

    def report(self, *, used_count: int, maximum: int) -> None:
        """Tell each."""
        for budget in self._budgets:
            budget.report(used_count=used_count, maximum=maximum)
