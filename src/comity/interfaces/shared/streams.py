"""Which systems and streams events are taken for; follows the definitions without a restart."""

import asyncio

from comity.definitions import api as definitions
from comity.kernel.clock import Clock
from comity.kernel.database import Database
from comity.kernel.errors import Invalid

REFRESH_SECONDS = 1.0


class StreamUnknown(Invalid):
    """No mapping takes events of this system and stream."""


class KnownStreams:
    """The (system, stream) pairs with a mapping, on one event loop; at most a second behind the definitions."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        """Collaborators of one process."""
        self._database = database
        self._clock = clock
        self._pairs: frozenset[tuple[str, str]] = frozenset()
        self._revision = -1
        self._loaded_at = float("-inf")

    async def refresh_when_old(self) -> None:
        """Look whether the definitions have moved on, once a second; the requests in between do not wait."""
        if self._clock.monotonic() - self._loaded_at < REFRESH_SECONDS:
            return
        is_first = self._revision < 0
        if not is_first:
            self._loaded_at = self._clock.monotonic()
        await asyncio.to_thread(self._refresh)
        self._loaded_at = self._clock.monotonic()

    def require(self, system: str, stream: str) -> None:
        """Raise StreamUnknown when nobody mapped this stream of this system."""
        if (system, stream) not in self._pairs:
            known = sorted(f"{known_system}/{known_stream}" for known_system, known_stream in self._pairs)
            raise StreamUnknown(
                f"No mapping takes events of system {system!r}, stream {stream!r} - at `$.system`, `$.stream`.",
                details={"remedy": "Correct the names, or apply a mapping for this stream.", "known": known[:50]},
            )

    def _refresh(self) -> None:
        with self._database.transaction() as tx:
            revision = definitions.get_revision(tx)
            if revision != self._revision:
                current = definitions.get_definitions(tx)
                self._pairs = frozenset((mapping.system, mapping.stream) for mapping in current.mappings.values())
                self._revision = revision
