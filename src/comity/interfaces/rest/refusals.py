"""Webhooks that were refused: counted here, written together. A flood of them costs one write a second a system."""

import asyncio
from contextlib import suppress
from datetime import datetime

import msgspec

from comity.connect.types import HookMalformed
from comity.kernel.clock import Clock
from comity.kernel.database import Database
from comity.kernel.errors import ComityError, Unavailable
from comity.kernel.telemetry import get_logger
from comity.systems import api as systems

WRITE_SECONDS = 1.0

log = get_logger()


class _Refused(msgspec.Struct):
    count: int
    reason: str
    at: datetime


class Refusals:
    """The refusals of one process that are not written yet; used on its event loop only.

    Only systems that are defined are noted, so that it stays as small as their number. Nothing of a request is kept.
    """

    def __init__(self, *, database: Database, clock: Clock) -> None:
        """Nothing was refused."""
        self._database = database
        self._clock = clock
        self._refused: dict[str, _Refused] = {}
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def note(self, system: str, error: ComityError) -> None:
        """Count a webhook of a system that is defined; it is written within a second."""
        reason = (HookMalformed.__doc__ or "") if isinstance(error, HookMalformed) else error.message
        known = self._refused.get(system)
        count = known.count + 1 if known else 1
        self._refused[system] = _Refused(count=count, reason=reason, at=self._clock.now())
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._keep_writing())

    async def close(self) -> None:
        """Write what is not written yet. Repeating is harmless."""
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def _keep_writing(self) -> None:
        while self._refused:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), WRITE_SECONDS)
            await self._write()

    async def _write(self) -> None:
        refused, self._refused = self._refused, {}
        try:
            await asyncio.to_thread(self._store, refused)
        except Unavailable as error:  # A count is not worth more than that; the refusals themselves were answered.
            log.warning("refusals_not_counted", systems=sorted(refused), cause=error.message)

    def _store(self, refused: dict[str, _Refused]) -> None:
        with self._database.transaction() as tx:
            for system, each in sorted(refused.items()):
                systems.note_refused_hooks(
                    tx, system=system, refused_count=each.count, reason=each.reason, refused_at=each.at
                )
