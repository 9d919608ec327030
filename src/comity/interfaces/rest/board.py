"""The status of the hub, looked up once for all who look at about the same time.

It sums the whole ledger and counts everybody: at a million members that takes a second, and a page that is open on
ten screens asks five times a second.
"""

from threading import Lock

from comity import wiring
from comity.interfaces.shared.views import StatusView, view_status

AGE_SECONDS_MIN = 0.25
COST_FACTOR = 5.0
"""How many times as long as it took to look up a status is shown; so that looking takes a sixth of a core at most."""


class Board:
    """The latest status; used from the threads of one process."""

    def __init__(self, hub: wiring.Hub) -> None:
        """Nothing has been looked up."""
        self._hub = hub
        self._lock = Lock()
        self._status: StatusView | None = None
        self._good_until = float("-inf")

    def look(self) -> StatusView:
        """Return the status, at most a moment old. Raises Unavailable."""
        asked_at = self._hub.clock.monotonic()
        with self._lock:
            if self._status is None or asked_at >= self._good_until:
                started = self._hub.clock.monotonic()
                self._status = view_status(self._hub)
                ended = self._hub.clock.monotonic()
                self._good_until = ended + max(AGE_SECONDS_MIN, COST_FACTOR * (ended - started))
            return self._status
