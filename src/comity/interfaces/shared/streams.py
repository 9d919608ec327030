"""Which systems and streams events are taken for; follows the definitions without a restart."""

import asyncio

from comity.definitions import api as definitions
from comity.interfaces.shared.flights import Flights
from comity.kernel.clock import Clock
from comity.kernel.database import Database
from comity.kernel.errors import Invalid, Unavailable

REFRESH_SECONDS = 1.0
"""How old the knowledge may be for streams that are known."""

LOOK_AGAIN_SECONDS = 0.1
"""How often a stream that is not known makes us look again; definitions applied a moment ago count at once."""

KNOWN_SHOWN_MAX = 50


class StreamUnknown(Invalid):
    """No mapping takes events of this system and stream."""


class KnownStreams:
    """The (system, stream) pairs with a mapping, on one event loop; at most a second behind the definitions."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        """Collaborators of one process."""
        self._database = database
        self._clock = clock
        self._pairs: frozenset[tuple[str, str]] = frozenset()
        self._loaded_at = float("-inf")
        self._flights: Flights[None, None] = Flights()
        self.revision = -1

    async def refresh_when_old(self) -> None:
        """Look whether the definitions have moved on, once a second; one request waits for it, the others do not.

        Raises Unavailable only when nothing is known yet: the database being away shows in what comes next anyway.
        """
        is_old = self._clock.monotonic() - self._loaded_at >= REFRESH_SECONDS
        if not is_old or (self.revision >= 0 and self._flights.is_flying(None)):
            return
        try:
            await self._flights.join(None, self._refresh)
        except Unavailable:
            if self.revision < 0:
                raise

    async def look_again(self, *, seen_revision: int) -> bool:
        """After a stream was not known: look at the definitions again; True when they are no longer those seen.

        Who asks right after a look waits for the next one: what was applied in between counts.
        """
        asked_at = self._clock.monotonic()
        while self.revision == seen_revision and self._loaded_at < asked_at:
            if not self._flights.is_flying(None):
                await asyncio.sleep(self._loaded_at + LOOK_AGAIN_SECONDS - self._clock.monotonic())
            await self._flights.join(None, self._refresh)
        return self.revision != seen_revision

    def require(self, system: str, stream: str) -> None:
        """Raise StreamUnknown when nobody mapped this stream of this system."""
        if (system, stream) not in self._pairs:
            known = sorted(f"{known_system}/{known_stream}" for known_system, known_stream in self._pairs)
            is_system = any(system == known_system for known_system, _ in self._pairs)
            field, what = ("$.stream", f"stream {stream!r} of {system!r}") if is_system else ("$.system", repr(system))
            raise StreamUnknown(
                f"No mapping takes events of system {system!r}, stream {stream!r} - at `{field}`.",
                details={
                    "field": field,
                    "remedy": f"Use a name that is known, or apply a mapping for {what}.",
                    "known": known[:KNOWN_SHOWN_MAX],
                },
            )

    def _refresh(self) -> None:
        looked_at = self._clock.monotonic()
        with self._database.transaction() as tx:
            revision = definitions.get_revision(tx)
            if revision != self.revision:
                current = definitions.get_definitions(tx)
                self._pairs = frozenset((mapping.system, mapping.stream) for mapping in current.mappings.values())
                self.revision = current.revision
        self._loaded_at = looked_at
