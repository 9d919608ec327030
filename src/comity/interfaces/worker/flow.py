"""Unify and reactions: the loops in the middle of the flow."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

from comity import wiring
from comity.inbox import api as inbox
from comity.kernel import leases, readers
from comity.kernel.leases import Lease, LeaseLost
from comity.kernel.readers import Position
from comity.sync import api as sync

LEASE_SECONDS = 30.0


class LeaseKeeper:
    """Holds one lease for one loop; renews it before it ends."""

    def __init__(self, *, hub: wiring.Hub, name: str, holder: UUID) -> None:
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
                self._lease = leases.acquire(tx, name=self._name, holder=self._holder, seconds=LEASE_SECONDS)
            self._renew_at = now + LEASE_SECONDS / 3
        if self._lease is None:
            self._renew_at = now + 1.0
            raise LeaseLost(details={"lease": self._name})
        return self._lease

    def drop(self) -> None:
        """Let it go, so that another worker need not wait."""
        if self._lease is not None:
            with self._hub.database.transaction() as tx:
                leases.release(tx, lease=self._lease)
            self._lease = None


class UnifyLoop:
    """Works through the inbox. While the database applies a batch, the next one is read and mapped on a thread."""

    def __init__(self, *, hub: wiring.Hub, holder: UUID) -> None:
        """Collaborators of one worker."""
        self._hub = hub
        self._keeper = LeaseKeeper(hub=hub, name="unify", holder=holder)
        self._ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="unify-ahead")
        self._next: Future[sync.Prepared] | None = None

    def step(self) -> bool:
        """Apply one batch; True when there may be more."""
        lease = self._keeper.get()
        prepared = self._take_next()
        if not prepared.batch.changes:
            self._skip(prepared, lease)
            return False
        is_full = len(prepared.batch.changes) >= self._hub.settings.unify_batch_max
        if is_full:
            self._next = self._ahead.submit(self._prepare, prepared.batch.end)
        try:
            with self._hub.database.transaction() as tx:
                runtime = self._hub.runtimes.get(tx)
                if runtime.revision != prepared.revision:
                    prepared = sync.prepare(prepared.batch, runtime)
                sync.apply_batch(
                    tx, prepared=prepared, runtime=runtime, lease=lease, ids=self._hub.ids, now=self._hub.clock.now()
                )
        except BaseException:
            self._forget_next()
            raise
        return True

    def close(self) -> None:
        """Let go of thread and lease."""
        self._ahead.shutdown(wait=True)
        self._keeper.drop()

    def _take_next(self) -> sync.Prepared:
        if self._next is not None:
            future, self._next = self._next, None
            prepared = future.result()
            if prepared.batch.changes:
                return prepared
        with self._hub.database.transaction() as tx:
            position = readers.peek_position(tx, name=sync.READER)
        return self._prepare(position)

    def _prepare(self, position: Position) -> sync.Prepared:
        with self._hub.database.transaction() as tx:
            runtime = self._hub.runtimes.get(tx)
            batch = inbox.read_changes(tx, position=position, count_max=self._hub.settings.unify_batch_max)
        return sync.prepare(batch, runtime)

    def _skip(self, prepared: sync.Prepared, lease: Lease) -> None:
        """Move over a stretch of the log that holds nothing, so that the next look is short."""
        if prepared.batch.end.xid > prepared.batch.start.xid + 1000:
            with self._hub.database.transaction() as tx:
                leases.check(tx, lease=lease)
                readers.advance(tx, name=sync.READER, position=prepared.batch.end)

    def _forget_next(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None


def build_reaction_step(hub: wiring.Hub, reaction: sync.Reaction, keeper: LeaseKeeper) -> Callable[[], bool]:
    """Return the step of a reader of the event log."""

    def step() -> bool:
        lease = keeper.get()
        with hub.database.transaction() as tx:
            runtime = hub.runtimes.get(tx)
            count = sync.run_reaction(tx, reaction=reaction, runtime=runtime, lease=lease, now=hub.clock.now())
        return count >= sync.EVENTS_MAX

    return step
