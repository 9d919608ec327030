"""When the fields of a mapping are written: at once, or at the ticks of their cadence."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from comity.kernel import schedules


class Ticks:
    """The ticks of one stream's fields, as of one moment."""

    def __init__(self, cadences: Mapping[str, str], *, now: datetime) -> None:
        """Take the cadences by field of the system; a field without one is always due."""
        self._cadences = cadences
        self._now = now
        self._known: dict[tuple[str, datetime], datetime] = {}

    def find_waits(self, fields: Iterable[str], *, since: datetime) -> dict[str, datetime]:
        """Return the fields that are not due yet, and their ticks: the first since the person has waited."""
        waits: dict[str, datetime] = {}
        for field in fields if self._cadences else ():
            cadence = self._cadences.get(field)
            tick = self._find_tick(cadence, since) if cadence is not None else self._now
            if tick > self._now:
                waits[field] = tick
        return waits

    def _find_tick(self, cadence: str, since: datetime) -> datetime:
        key = (cadence, since)
        if key not in self._known:  # Those of a batch have mostly come together.
            self._known[key] = schedules.next_tick(cadence, at=since)
        return self._known[key]
