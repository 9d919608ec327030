"""A lane takes one batch of unify after the other from the inbox to the outbox, step by step as it is told."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from comity.identity.types import Touched
from comity.inbox import api as inbox
from comity.kernel.database import Database
from comity.kernel.errors import Broken
from comity.kernel.ids import Ids
from comity.kernel.leases import Lease
from comity.kernel.readers import Position
from comity.sync import api as sync


class DefinitionsMoved(Exception):
    """A batch was mapped by definitions that are in force no more."""


class Heading(msgspec.Struct, frozen=True):
    """What a lane tells of a batch it has read: up to where, how many changes, whether it `can_part`.

    `revision` is that of the definitions it was mapped by. `turn` is the one after which the lane recalled what is
    stored of the batch; None where it did not.
    """

    end: Position
    count: int
    can_part: bool
    revision: int
    turn: int | None


class Lane:
    """Holds one batch at a time; what is known of it stays here between the steps. Whoever asks tells the time."""

    def __init__(self, *, database: Database, runtimes: sync.RuntimeSource, ids: Ids) -> None:
        """No batch yet."""
        self._database = database
        self._runtimes = runtimes
        self._ids = ids
        self._prepared: sync.Prepared | None = None
        self._identified: sync.Identified | None = None

    def read(self, position: Position, count_max: int) -> Heading:
        """Read and map the batch after a place, and recall what is stored of it."""
        with self._database.transaction() as tx:
            runtime = self._runtimes.get(tx)
            batch = inbox.read_changes(tx, position=position, count_max=count_max)
        prepared = sync.prepare(batch, runtime)
        can_part = sync.can_part(prepared)
        if can_part and len(batch.changes) >= count_max:
            with self._database.transaction() as tx:
                prepared = sync.recall(tx, prepared, runtime)
        self._prepared, self._identified = prepared, None
        return Heading(
            end=prepared.end,
            count=len(batch.changes),
            can_part=can_part,
            revision=prepared.revision,
            turn=prepared.recalled.turn if prepared.recalled else None,
        )

    def identify(self, lease: Lease, trail: Sequence[Touched], now: datetime) -> Touched:
        """Do the first part. Raises DefinitionsMoved, LeaseLost."""
        prepared = self._at_hand()
        with self._database.transaction() as tx:
            runtime = self._runtimes.get(tx)
            if runtime.revision != prepared.revision:
                raise DefinitionsMoved
            self._identified = sync.identify(
                tx,
                prepared=prepared,
                runtime=runtime,
                lease=lease,
                ids=self._ids,
                now=now,
                trail=trail,
            )
        return self._identified.touched

    def write(self, lease: Lease, now: datetime) -> None:
        """Do the second part. Raises DefinitionsMoved, LeaseLost."""
        prepared, identified = self._at_hand(), self._identified
        if identified is None:
            raise Broken("The batch has not been identified.")
        with self._database.transaction() as tx:
            runtime = self._runtimes.get(tx)
            if runtime.revision != prepared.revision:
                raise DefinitionsMoved
            sync.apply_values(
                tx,
                prepared=prepared,
                identified=identified,
                runtime=runtime,
                lease=lease,
                ids=self._ids,
                now=now,
            )

    def apply(self, lease: Lease, now: datetime) -> None:
        """Do both in one transaction. Raises DefinitionsMoved, LeaseLost."""
        prepared = self._at_hand()
        with self._database.transaction() as tx:
            runtime = self._runtimes.get(tx)
            if runtime.revision != prepared.revision:
                raise DefinitionsMoved
            sync.apply_batch(tx, prepared=prepared, runtime=runtime, lease=lease, ids=self._ids, now=now)

    def _at_hand(self) -> sync.Prepared:
        if self._prepared is None:
            raise Broken("No batch has been read.")
        return self._prepared
