"""A hub in one process, stepped by hand, in simulated time: the worker's own loops without their threads."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from comity import wiring
from comity.connect.types import Connector, ReadChange, Verdict, WriteItem
from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.interfaces.worker.edges import SystemEdge
from comity.interfaces.worker.flow import Holder, LeaseKeeper, UnifyLoop, build_reaction_step
from comity.interfaces.worker.housekeeping import Housekeeping
from comity.kernel.clock import ManualClock
from comity.kernel.database import Database
from comity.kernel.ids import SeededIds
from comity.outbox import api as outbox
from comity.settings import Settings
from comity.sync import api as sync
from tests.scenario.conftest import connect
from tests.scenario.project import starter
from tests.scenario.rehearsal import Simulated, put_in_force

CYCLES_MAX = 60


class Interrupted(Connector):
    """A connector between whose calls something happens."""

    def __init__(self, inner: Connector) -> None:
        self.inner = inner
        self.name = inner.name  # pyright: ignore[reportAttributeAccessIssue]
        self.before_write: Callable[[], None] | None = None
        self.after_write: Callable[[], None] | None = None
        self.automation: Callable[[], None] | None = None
        """What the system itself does after every write, before anybody can look."""

    def check(self):
        return self.inner.check()

    def discover(self, stream):
        return self.inner.discover(stream)

    def read(self, stream, cursor, *, fields=(), limit_pages=100):
        return self.inner.read(stream, cursor, fields=fields, limit_pages=limit_pages)

    def fetch(self, stream: str, ids: Sequence[str], *, fields: Sequence[str] = ()) -> list[ReadChange]:
        return self.inner.fetch(stream, ids, fields=fields)

    def receive(self, request):
        return self.inner.receive(request)

    def write(self, stream: str, batch: Sequence[WriteItem]) -> list[Verdict]:
        before, self.before_write = self.before_write, None
        after, self.after_write = self.after_write, None
        if before:
            before()
        try:
            return self.inner.write(stream, batch)
        finally:
            if self.automation:
                self.automation()
            if after:
                after()


class StagedHub(wiring.Hub):
    """A hub whose connectors can be interrupted."""

    interrupted: dict[str, Interrupted]

    def get_connector(self, name, spec):
        inner = super().get_connector(name, spec)
        known = self.interrupted.setdefault(name, Interrupted(inner))
        known.inner = inner
        return known


class Stage:
    """Systems, a hub, and a clock that moves only when told to."""

    def __init__(
        self, *, database: Database, folder: Path, clock: ManualClock, seed: int = 1, batch_max: int = 1000
    ) -> None:
        self.database = database
        self.folder = folder
        self.clock = clock
        self.systems: dict[str, Simulated] = {}
        settings = Settings(database_url=database.dsn, project_dir=folder, unify_batch_max=batch_max)
        self.hub = StagedHub(database=database, settings=settings, clock=clock, ids=SeededIds(seed), server=None)
        self.hub.interrupted = {}
        self._begin()
        self.write(**starter())

    def _begin(self) -> None:
        holder = Holder(holder_id=self.hub.ids.uuid7(self.clock.now()), show=lambda: None)
        self._holder = holder
        self._unify = UnifyLoop(hub=self.hub, holder=holder)
        keepers = [
            LeaseKeeper(hub=self.hub, name=f"reaction:{each.reader}", holder=holder) for each in wiring.REACTIONS
        ]
        self._reactions = [
            build_reaction_step(self.hub, reaction, keeper)
            for reaction, keeper in zip(wiring.REACTIONS, keepers, strict=True)
        ]
        self._housekeeping = Housekeeping(
            hub=self.hub, keeper=LeaseKeeper(hub=self.hub, name="housekeeping", holder=holder)
        )
        self._edges: dict[str, SystemEdge] = {}

    def restart(self) -> None:
        """The process was killed: another one takes its work over, with nothing but what is in the database."""
        with self.database.transaction() as tx:
            tx.execute("update kernel.lease set expires_at = '-infinity'")
        self._unify.close()
        self._begin()

    def close(self) -> None:
        self._unify.close()
        self.hub.close()

    def write(self, **files: str) -> None:
        """Write files of the project; names without suffix."""
        for name, text in files.items():
            (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    def replace(self, file: str, old: str, new: str) -> None:
        """Change the text of a file of the project."""
        text = (self.folder / f"{file}.yaml").read_text()
        assert old in text, f"{old!r} is not in {file}"
        self.write(**{file: text.replace(old, new)})

    def connect(self, kind: str, name: str, system: Simulated, *, create: str = "never") -> None:
        """Write a system into the project."""
        connect(self, kind, name, system.sandbox, create=create)
        self.systems[name] = system

    def apply(self, *, removes: bool = False) -> sync.ApplyEffects:
        return put_in_force(self.hub, self.folder, removes=removes)

    def _edge(self, name: str) -> SystemEdge:
        if name not in self._edges:
            self._edges[name] = SystemEdge(hub=self.hub, system=name, holder=self._holder)
        return self._edges[name]

    def read(self, name: str) -> None:
        """One turn of a system's reader, with every stream due."""
        self.clock.advance(seconds=1.1)
        self._edge(name).read_step()

    def unify(self) -> None:
        while self._unify.step() is not None:
            pass

    def push(
        self, system: str, stream: str, external_id: str, version: str, data: Any, *, kind: str = "upsert"
    ) -> None:
        """What a caller pushes; taken in at once."""
        self.clock.advance(seconds=1)
        now = self.clock.now()
        payload = data if isinstance(data, bytes) else json.dumps(data).encode()
        change = NewChange(
            system=system, stream=stream, external_id=external_id, version=version, kind=kind, payload=payload
        )
        with self.database.transaction() as tx:
            inbox.accept_changes(tx, changes=[change], now=now)
        self.unify()

    def react(self) -> None:
        for step in self._reactions:
            step()

    def keep(self) -> None:
        self._housekeeping.step()

    def deliver(self, name: str) -> None:
        """Deliver until nothing is due."""
        for _ in range(20):
            if self._edge(name).deliver_step() != 0.0:
                return
        raise AssertionError(f"deliveries to {name} do not end")

    def interrupt(self, name: str) -> Interrupted:
        """Return the connector of a system, to let something happen between its calls."""
        spec = self.hub.get_runtime().systems[name]
        return self.hub.get_connector(name, spec)

    def cycle(self) -> None:
        """Everything once, in the order of the flow."""
        for name in self.systems:
            self.read(name)
        self.unify()
        self.react()
        for name in self.systems:
            self.clock.advance(seconds=0.2)
            self.deliver(name)
        self.unify()
        self.react()

    def settle(self, *, cycles_max: int = CYCLES_MAX) -> int:
        """Go round until nothing waits and a whole round changes nothing; returns the number of rounds."""
        quiet = 0
        for number in range(cycles_max):
            before = self.fingerprint()
            self.cycle()
            if self.fingerprint() != before:
                quiet = 0
            elif self.waiting():
                quiet = 0
                self._skip_to_what_is_due()
            else:
                quiet += 1
            if quiet == 2:
                return number + 1
        raise AssertionError(f"not settled after {cycles_max} rounds; waiting: {self.waiting()}")

    def _skip_to_what_is_due(self) -> None:
        """Nothing happens before a wait is over."""
        [(due_at,)] = self.query(
            "select min(greatest(s.due_at, coalesce(y.blocked_until, s.due_at))) "
            "from outbox.stale s join systems.system y using (system) where s.parked_code is null"
        )
        if due_at is not None and due_at > self.clock.now():
            self.clock.advance(seconds=(due_at - self.clock.now()).total_seconds())

    def fingerprint(self) -> tuple[Any, ...]:
        """What changes when anything happens: writes of all systems, length of the inbox."""
        with self.database.transaction() as tx:
            count = tx.execute("select count(*) from inbox.change").fetchone()[0]
        return (count, *self.writes().values())

    def writes(self) -> dict[str, int]:
        """Records written over the API so far, by system."""
        return {name: system.state()["writes"]["api"]["records"] for name, system in self.systems.items()}

    def waiting(self) -> list[Any]:
        with self.database.transaction() as tx:
            marks = outbox.count_stale(tx, systems=self.hub.runtimes.get(tx).written_systems, now=self.clock.now())
        return [each for each in marks if each.waiting_count or each.unread_count]

    def parked(self, name: str) -> list[tuple[str, str]]:
        """Code and message of what is parked on the way to a system."""
        with self.database.transaction() as tx:
            found = outbox.list_parked(tx, system=name, count_max=100)
        return [(item.code, item.message) for item in found]

    def query(self, text: str, *params: Any) -> list[tuple[Any, ...]]:
        with self.database.transaction() as tx:
            return tx.execute(text, params or None).fetchall()
