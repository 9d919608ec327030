"""Unify and reactions: the loops in the middle of the flow."""

import gc
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar
from uuid import UUID

import msgspec

from comity import wiring
from comity.inbox import api as inbox
from comity.inbox.types import ChangeBatch
from comity.interfaces.worker.flights import Flights
from comity.interfaces.worker.lane import DefinitionsMoved, Lane
from comity.interfaces.worker.lanes import GC_THRESHOLDS, Lanes
from comity.interfaces.worker.loop import AT_ONCE, Patience, Step
from comity.kernel import leases, readers
from comity.kernel.database import Tx, is_data_fault
from comity.kernel.leases import Lease, LeaseLost
from comity.kernel.readers import Position
from comity.kernel.telemetry import get_logger
from comity.sync import api as sync

log = get_logger()

T = TypeVar("T")

LEASE_SECONDS = 30.0
SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter from another. With Python's own 5 ms each answer of the database waits
that long for the threads of other loops."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds the leases of this process; `show` gives the sign of life that others can check, while there is one."""

    holder_id: UUID
    show: Callable[[], int | None]


class LeaseKeeper:
    """Holds one lease for one loop; renews it before it ends."""

    def __init__(self, *, hub: wiring.Hub, name: str, holder: Holder) -> None:
        """Nothing is taken before `get`."""
        self._hub = hub
        self._name = name
        self._holder = holder
        self._lease: Lease | None = None
        self._renew_at = float("-inf")

    def get(self) -> Lease:
        """Return the lease. Raises LeaseLost while another worker holds it."""
        now = self._hub.clock.monotonic()
        if self._lease is None or now >= self._renew_at:
            with self._hub.database.transaction() as tx:
                self._lease = leases.acquire(
                    tx,
                    name=self._name,
                    holder=self._holder.holder_id,
                    seconds=LEASE_SECONDS,
                    presence=self._holder.show(),
                )
            self._renew_at = now + LEASE_SECONDS / 3
        if self._lease is None:
            self._renew_at = now + 1.0
            raise LeaseLost(details={"lease": self._name})
        return self._lease

    def run(self, work: Callable[[Lease], T]) -> T:
        """Do some work under the lease; one that was lost is taken anew next time. Raises LeaseLost."""
        lease = self.get()
        try:
            return work(lease)
        except LeaseLost:
            self._lease, self._renew_at = None, float("-inf")
            raise

    def drop(self) -> None:
        """Let it go, so that another worker need not wait."""
        if self._lease is not None:
            with self._hub.database.transaction() as tx:
                leases.release(tx, lease=self._lease)
            self._lease = None


class UnifyLoop:
    """Works through the inbox: a batch here, or while there is plenty, batches in lanes side by side."""

    def __init__(self, *, hub: wiring.Hub, holder: Holder) -> None:
        """Collaborators of one worker."""
        self._hub = hub
        self._keeper = LeaseKeeper(hub=hub, name="unify", holder=holder)
        sys.setswitchinterval(SWITCH_SECONDS)
        gc.set_threshold(*GC_THRESHOLDS)
        self._lanes = Lanes(hub.database.dsn, make=self._make_lane)
        self._flights = Flights(hub.clock)
        self._patience = Patience()

    def _make_lane(self) -> Lane:
        hub = self._hub
        return Lane(database=hub.database, runtimes=hub.runtimes, ids=hub.ids)

    def step(self) -> float | None:
        """Apply one batch; a change that makes it fail by itself is found and parked, the others go on.

        When this is not at once to be called again, everything read so far is in effect.
        """
        try:
            return self._keeper.run(self._step)
        except BaseException:
            self._flights.abandon()
            raise

    def _step(self, lease: Lease) -> float | None:
        count_max = self._hub.settings.unify_batch_max
        if not self._flights:
            batch = self._read(count_max)
            if len(batch.changes) < count_max:
                return self._apply_here(batch, lease)
        self._patience.forget()
        if self._fly(lease, count_max=count_max):
            return AT_ONCE
        self._flights.abandon()
        return self._apply_here(self._read(count_max), lease)

    def _fly(self, lease: Lease, *, count_max: int) -> bool:
        """Apply the next batch in a lane, and set others on their way; False where it is to be applied here."""
        hands = self._lanes.choose(count_max)
        try:
            if self._flights:
                self._flights.follow(hands)
            else:
                self._flights.start(hands, self._peek(), count_max=count_max)
            return self._flights.finish_first(lease)
        except BrokenProcessPool:
            log.exception("lanes_given_up")
            self._flights.abandon()
            self._lanes.give_up()
        except Exception as error:
            if not isinstance(error, DefinitionsMoved) and not is_data_fault(error):
                raise
            log.warning("unify_lane_refused", cause=f"{type(error).__name__}: {error}")
        return False

    def _peek(self) -> Position:
        with self._hub.database.transaction() as tx:
            return readers.peek_position(tx, name=sync.READER)

    def _read(self, count_max: int) -> ChangeBatch:
        with self._hub.database.transaction() as tx:
            position = readers.peek_position(tx, name=sync.READER)
            return inbox.read_changes(tx, position=position, count_max=count_max)

    def _apply_here(self, batch: ChangeBatch, lease: Lease) -> float | None:
        """Apply a batch in one transaction."""
        prepared = sync.prepare(batch, self._hub.get_runtime())
        if not batch.changes:
            return self._skip(prepared, lease)
        self._patience.forget()
        self._apply_somehow(prepared, lease)
        return AT_ONCE

    def _apply_somehow(self, prepared: sync.Prepared, lease: Lease) -> None:
        """Apply a batch in one transaction, or where data of some change keeps it from that, without that change."""
        try:
            self._apply(prepared, lease)
        except Exception as error:
            if not is_data_fault(error):
                raise
            log.exception("unify_step_failed", changes=len(prepared.change_ids))
            self._apply_by_halves(prepared, lease)

    def _apply(self, prepared: sync.Prepared, lease: Lease) -> None:
        with self._hub.database.transaction() as tx:
            runtime = self._hub.runtimes.get(tx)
            prepared = _follow(tx, prepared, runtime)
            sync.apply_batch(
                tx, prepared=prepared, runtime=runtime, lease=lease, ids=self._hub.ids, now=self._hub.clock.now()
            )

    def _apply_by_halves(self, prepared: sync.Prepared, lease: Lease) -> None:
        """Apply what can be applied, in order; what fails alone is parked with what was said about it."""
        with self._hub.database.transaction() as tx:
            waiting = [_read_again(tx, prepared)]
        while waiting:
            part = waiting.pop()
            try:
                self._apply(sync.prepare(part, self._hub.get_runtime()), lease)
            except Exception as error:
                if not is_data_fault(error):
                    raise
                if len(part.changes) > 1:
                    first, second = part.halve()
                    waiting += [second, first]
                else:
                    log.exception("change_unusable", change_id=part.changes[0].change_id)
                    self._apply(sync.give_up(part, error, self._hub.get_runtime()), lease)

    def close(self) -> None:
        """Let go of lanes and lease."""
        self._flights.abandon()
        self._lanes.close()
        self._keeper.drop()

    def _skip(self, prepared: sync.Prepared, lease: Lease) -> float | None:
        """Move over a stretch of the log that holds nothing, so that the next look is short.

        Something may stand there that has to wait for an older transaction: nobody will tell when that ends.
        """
        with self._hub.database.transaction() as tx:
            if prepared.end.xid > prepared.start.xid + 1000:
                leases.check(tx, lease=lease)
                readers.advance(tx, name=sync.READER, position=prepared.end)
            if inbox.has_unread(tx, position=prepared.start):
                return self._patience.pause()
        self._patience.forget()
        return None


def _follow(tx: Tx, prepared: sync.Prepared, runtime: sync.Runtime) -> sync.Prepared:
    """Map a batch anew if the definitions have moved since it was."""
    return prepared if runtime.revision == prepared.revision else sync.prepare(_read_again(tx, prepared), runtime)


def _read_again(tx: Tx, prepared: sync.Prepared) -> ChangeBatch:
    """Read the changes of a batch whose payloads are not at hand any more."""
    return inbox.read_changes(tx, position=prepared.start, count_max=len(prepared.change_ids))


def build_reaction_step(hub: wiring.Hub, reaction: sync.Reaction, keeper: LeaseKeeper) -> Step:
    """Return the step of a reader of the event log."""
    patience = Patience()

    def step(lease: Lease) -> float | None:
        with hub.database.transaction() as tx:
            runtime = hub.runtimes.get(tx)
            count = sync.run_reaction(tx, reaction=reaction, runtime=runtime, lease=lease, now=hub.clock.now())
            if count == 0 and sync.is_behind(tx, reaction=reaction):
                return patience.pause()
        patience.forget()
        return AT_ONCE if count >= sync.EVENTS_MAX else None

    return lambda: keeper.run(step)
