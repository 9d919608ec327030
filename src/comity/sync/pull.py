"""Reading from systems: pages with their cursor, hints with their records. No transaction is held over a call."""

from collections import defaultdict
from collections.abc import Sequence

from comity.connect.types import CallFailed, Connector, Hint, HookRequest, ReadChange
from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.kernel import leases
from comity.kernel.clock import Clock
from comity.kernel.database import Database, Tx
from comity.kernel.leases import Lease
from comity.kernel.wakeups import notify
from comity.sync import store
from comity.sync.runtime import StreamMapping
from comity.sync.types import RunBooks
from comity.systems import api as systems

HINTS_CHANNEL = "comity_hints"
HINTS_MAX = 500
PAGES_MAX = 200
"""Pages of one turn; a longer stream goes on in the next turn, so that hints and other streams are not starved."""


class Puller:
    """Reads one system."""

    def __init__(self, *, database: Database, clock: Clock, system: str, connector: Connector, lease: Lease) -> None:
        """Collaborators of one system's thread; whoever holds the lease moves the cursors."""
        self._database = database
        self._lease = lease
        self._clock = clock
        self.system = system
        self._connector = connector

    def pull(self, stream: StreamMapping) -> RunBooks:
        """Read a stream from its cursor on and store what is new. Raises CallFailed with everything before it kept."""
        name = stream.spec.stream
        with self._database.transaction() as tx:
            cursor = systems.get_cursor(tx, system=self.system, stream=name)
        read = new = 0
        for page in self._connector.read(name, cursor, fields=stream.vendor_fields, limit_pages=PAGES_MAX):
            changes = to_changes(self.system, page.changes)
            now = self._clock.now()
            with leases.held(self._database, lease=self._lease) as tx:
                new += len(inbox.accept_changes(tx, changes=changes, now=now))
                systems.save_cursor(
                    tx,
                    system=self.system,
                    stream=name,
                    cursor=page.cursor,
                    read_count=len(changes),
                    is_last=page.is_last,
                    now=now,
                )
                systems.note_success(tx, system=self.system, is_write=False, now=now)
            read += len(changes)
        books = RunBooks(read_count=read, applied_count=new, unchanged_count=read - new)
        if new:
            with self._database.transaction() as tx:
                store.note_run(tx, kind="pull", system=self.system, books=books, now=self._clock.now())
        return books

    def follow_hints(self, streams: Sequence[StreamMapping]) -> int:
        """Fetch the records that a system only hinted at; returns how many hints were followed."""
        with self._database.transaction() as tx:
            hints = store.list_hints(tx, system=self.system, count_max=HINTS_MAX)
        by_stream: dict[str, list[str]] = defaultdict(list)
        for hint in hints:
            by_stream[hint.stream].append(hint.external_id)
        found: list[ReadChange] = []
        for stream in streams:
            wanted = by_stream.get(stream.spec.stream)
            if wanted:
                found.extend(self._connector.fetch(stream.spec.stream, wanted, fields=stream.vendor_fields))
        if hints:
            now = self._clock.now()
            with leases.held(self._database, lease=self._lease) as tx:
                inbox.accept_changes(tx, changes=to_changes(self.system, found), now=now)
                store.drop_hints(tx, hint_ids=[hint.hint_id for hint in hints])
                systems.note_success(tx, system=self.system, is_write=False, now=now)
        return len(hints)

    def note_failure(self, error: CallFailed, *, failures_in_row: int) -> None:
        """Keep why reading failed and leave the system alone for a while."""
        with self._database.transaction() as tx:
            systems.note_failure(
                tx,
                system=self.system,
                is_write=False,
                message=error.message,
                failures_in_row=failures_in_row,
                retry_after_seconds=error.retry_after_seconds,
                now=self._clock.now(),
            )


def to_changes(system: str, read: Sequence[ReadChange]) -> list[NewChange]:
    """Give changes that a connector read their place in the inbox."""
    return [
        NewChange(
            system=system,
            stream=change.stream,
            external_id=change.external_id,
            version=change.version,
            kind=change.kind.value,
            source_at=change.source_at,
            survivor_id=change.survivor_id,
            payload=change.payload,
        )
        for change in read
    ]


def receive_hook(tx: Tx, *, system: str, connector: Connector, request: HookRequest) -> int:
    """Verify a webhook and store what it tells, changes in the inbox and hints beside it; returns how many.

    Raises SignatureInvalid or HookMalformed, and then nothing is stored.
    """
    received = connector.receive(request)
    changes = [item for item in received if isinstance(item, ReadChange)]
    hints = [
        (item.stream, external_id) for item in received if isinstance(item, Hint) for external_id in item.external_ids
    ]
    inbox.accept_changes(tx, changes=to_changes(system, changes), now=request.now)
    if hints:
        store.put_hints(tx, system=system, records=hints, now=request.now)
        notify(tx, channel=HINTS_CHANNEL, payload=system)
    return len(changes) + len(hints)
