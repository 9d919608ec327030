"""A hub that hears of two systems and a shop from a list of changes alone, and everything it then holds."""

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec

from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.interfaces.worker.lane import Lane
from comity.kernel import readers
from comity.kernel.database import Database
from comity.kernel.ids import Ids
from comity.kernel.leases import Lease
from comity.sync import api as sync
from comity.sync.types import RunBooks
from tests.conftest import NOW
from tests.scenario.project import SALESFORCE, SHOP, mapping_of
from tests.scenario.stage import Stage

BATCH = 5
SYSTEMS = ("crm-a", "crm-b")
NAMES = [("Ada", "Byron"), ("Max", "Planck"), ("Emmy", "Noether"), ("Lise", "Meitner")]
BIRTH_DATES = ["1815-12-10", "1858-04-23", None]
PHONES = ["+49301234567", "+4315330", None]
CITIES = ["Ulm", "Wien", "Graz", "Bonn"]

HELD = {
    "records": "select external_id, system, profile_id, features::text, is_deleted, rule from identity.record",
    "people": "select to_jsonb(p) - 'created_at' from identity.profile p",
    "edges": "select record_a, record_b, rule, value from identity.edge",
    "keys": "select key_hash, record_id, rule_tag from identity.identifier",
    "reviews": "select kind, rule, value, record_a, record_b, closed_at is null from identity.review",
    "observations": "select to_jsonb(o) from profile.observation o",
    "golden": "select to_jsonb(g) - 'updated_at' from profile.golden g",
    "purchases": "select business_key, profile_id, amount_minor, is_cancelled, occurred_at from activity.purchase",
    "reports": "select to_jsonb(r) from activity.report r",
    "events": (
        "select kind, case when kind like 'activity.%' then payload - array['purchase_id', 'profile_id'] "
        "else payload end from kernel.event"
    ),
    "people to be told of anywhere": (
        "select distinct coalesce(p.merged_into, p.profile_id) from outbox.change c "
        "join identity.profile p using (profile_id) where c.system is null"
    ),
    "records to be looked at": "select distinct record_id, lane from outbox.change where record_id is not null",
    "waiting merges": "select survivor_id, loser_id from sync.merge",
    "parked": "select change_id, code, field, message from inbox.parked where closed_at is null",
    "books": "select sum(read_count), sum(applied_count), sum(parked_count) from sync.run",
}
"""What a hub holds, in no order. Who had a purchase or a record when it was told of may depend on who was quicker; so
may which of two batches that concern one person finds that the golden values change."""


class Clerk:
    """Writes changes as two systems and a shop would send them."""

    def __init__(self, seed: int = 0, *, slips: bool = False) -> None:
        self._random = random.Random(seed)
        self._slips = slips
        self._still_at = 0
        self._count = 0

    def stand_still(self) -> None:
        """All versions to come tell of this moment."""
        self._still_at = self._still_at or self._count

    def contact(self, system: str, number: int, **fields: Any) -> NewChange:
        """A version of a record."""
        self._count += 1
        seconds = self._still_at or self._count
        if self._slips:  # Now and then two versions share a time, or the later one tells of an earlier one.
            seconds = self._random.choice([0, -2, *[seconds] * 6])
        stated_at = NOW - timedelta(days=1) + timedelta(seconds=seconds)
        record_id = f"003{number:015d}"
        payload = {"Id": record_id, "SystemModstamp": stated_at.isoformat(), **fields}
        return NewChange(
            system=system, stream="Contact", external_id=record_id, version=str(self._count), source_at=stated_at,
            payload=msgspec.json.encode(payload),
        )  # fmt: skip

    def end(self, system: str, number: int, *, into: int | None = None) -> NewChange:
        """A record was deleted, or merged into another one."""
        self._count += 1
        return NewChange(
            system=system, stream="Contact", external_id=f"003{number:015d}", version=str(self._count),
            kind="delete" if into is None else "merge", survivor_id=None if into is None else f"003{into:015d}",
            payload=b"{}",
        )  # fmt: skip

    def order(self, number: int, person: int, *, total: str = "10.00") -> NewChange:
        """A purchase of a person by their record in crm-a."""
        self._count += 1
        payload = {
            "number": f"A-{number}", "sold_at": (NOW - timedelta(days=2)).isoformat(), "total": total,
            "currency": "EUR", "customer": f"003{person:015d}",
        }  # fmt: skip
        return NewChange(
            system="shop", stream="order", external_id=f"A-{number}", version=str(self._count),
            payload=msgspec.json.encode(payload),
        )  # fmt: skip

    def draw(self, count: int, *, ends: float = 0.04) -> list[NewChange]:
        """A history: people arrive, are edited, renamed, deleted and merged, and buy, also before they are known."""
        return [self._draw_one(ends) for _ in range(count)]

    def _draw_one(self, ends: float) -> NewChange:
        dice = self._random
        kind = dice.random()
        system, number = dice.choice(SYSTEMS), dice.randrange(14)
        if kind < ends:
            return self.end(system, number, into=dice.choice([None, (number + 1) % 14]))
        if kind < 0.25:
            bought = dice.randrange(30)
            return self.order(bought, bought % 14, total=dice.choice(["10.00", "12.50"]))
        if kind < 0.28:
            return self.contact(system, number, Birthdate="soon")
        given, family = dice.choice(NAMES) if dice.random() < 0.3 else NAMES[number % len(NAMES)]
        mail = f"{given}.{number % 5}@x.example" if dice.random() < 0.7 else None
        return self.contact(
            system, number, FirstName=given, LastName=family, Email=mail, Birthdate=dice.choice(BIRTH_DATES),
            Phone=dice.choice(PHONES), MailingCity=dice.choice(CITIES),
        )  # fmt: skip


class Conveyor:
    """The unify loop of a hub with batches of few changes."""

    def __init__(self, stage: Stage, *, systems: tuple[str, ...] = SYSTEMS) -> None:
        self.stage = stage
        self.hub = stage.hub
        self.database: Database = stage.database
        self.hub.settings = msgspec.structs.replace(self.hub.settings, unify_batch_max=BATCH)
        self._steps = ThreadPoolExecutor(1)
        stage.replace("rules", "salesforce-emea", systems[0])
        stage.replace("rules", "hubspot-us", systems[1])
        for name in systems:
            text = SALESFORCE.format(name=name, url="http://127.0.0.1:9", every="1s", create="never")
            stage.write(**{f"system-{name}": text, f"mapping-{name}": mapping_of("salesforce", name)})
        stage.write(shop=SHOP.format(name="shop", person_system=systems[0], person_stream="Contact"))
        stage.apply()

    def accept(self, *changes: NewChange) -> None:
        with self.database.transaction() as tx:
            inbox.accept_changes(tx, changes=list(changes), now=self.hub.clock.now())

    def accept_in_parts(self, changes: list[NewChange]) -> None:
        """As from many deliveries: within one the versions of a record follow each other."""
        for start in range(0, len(changes), BATCH + 2):
            self.accept(*changes[start : start + BATCH + 2])

    def step(self) -> float | None:
        return self.stage._unify.step()

    def begin_step(self) -> Future[float | None]:
        """A step on a thread of its own."""
        return self._steps.submit(self.step)

    def make_lane(self) -> Lane:
        return self.stage._unify._make_lane()

    def lease(self) -> Lease:
        return self.stage._unify._keeper.get()

    def run(self) -> None:
        """Until nothing is left to do."""
        self.stage.unify()

    def position(self) -> readers.Position:
        with self.database.transaction() as tx:
            return readers.peek_position(tx, name=sync.READER)

    def prepare(self, position: readers.Position | None = None) -> sync.Prepared:
        """Read and map the next batch, or the one at a position."""
        start = position or self.position()
        with self.database.transaction() as tx:
            batch = inbox.read_changes(tx, position=start, count_max=BATCH)
        return sync.prepare(batch, self.hub.get_runtime())

    def identify(self, prepared: sync.Prepared, *, ids: Ids | None = None) -> sync.Identified:
        """The first part alone."""
        with self.database.transaction() as tx:
            return sync.identify(
                tx, prepared=prepared, runtime=self.hub.get_runtime(), lease=self.lease(),
                ids=ids or self.hub.ids, now=self.hub.clock.now(),
            )  # fmt: skip

    def apply_values(self, prepared: sync.Prepared, identified: sync.Identified) -> RunBooks:
        """The second part alone."""
        with self.database.transaction() as tx:
            return sync.apply_values(
                tx, prepared=prepared, identified=identified, runtime=self.hub.get_runtime(),
                lease=self.lease(), ids=self.hub.ids, now=self.hub.clock.now(),
            )  # fmt: skip

    def run_in_turns(self) -> None:
        """Apply each batch in one transaction, the one after it when that has ended."""
        while self.step_in_turn() is not None:
            pass

    def step_in_turn(self) -> float | None:
        """Apply the next batch in one transaction; None where there is none."""
        prepared = self.prepare()
        if not prepared.change_ids:
            return None
        with self.database.transaction() as tx:
            sync.apply_batch(
                tx, prepared=prepared, runtime=self.hub.get_runtime(), lease=self.lease(),
                ids=self.hub.ids, now=self.hub.clock.now(),
            )  # fmt: skip
        return 0.0

    def differences(self, other: "Conveyor") -> list[str]:
        """Of what the two hold."""
        return [name for name in HELD if self.held(name) != other.held(name)]

    def held(self, name: str) -> list[tuple[Any, ...]]:
        return sorted(self.stage.query(HELD[name]), key=repr)


@contextmanager
def held_up(step):
    """Lanes wait before this step until the block ends, or the event is set; tells who waits."""
    go, waiting = threading.Event(), []
    real = getattr(Lane, step)

    def wait(lane, *given):
        waiting.append(lane)
        go.wait(60)
        return real(lane, *given)

    setattr(Lane, step, wait)
    try:
        yield go, waiting
    finally:
        setattr(Lane, step, real)
        go.set()


@contextmanager
def broken(conveyor, table, condition, code="22000"):
    """The database refuses rows of which this holds."""
    with conveyor.database.transaction() as tx:
        tx.execute(
            f"create function public.refuse() returns trigger language plpgsql as "
            f"$$ begin raise exception 'no such thing' using errcode = '{code}'; end $$; "
            f"create trigger refuse before insert or update on {table} for each row "
            f"when ({condition}) execute function public.refuse()"
        )
    yield
    with conveyor.database.transaction() as tx:
        tx.execute(f"drop trigger refuse on {table}; drop function public.refuse()")


def arrivals(clerk, count=BATCH, system="crm-a", **fields):
    """New records of people who have nothing in common."""
    return [
        clerk.contact(
            system,
            number,
            FirstName=f"Given{number}",
            LastName=f"Family{number}",
            Email=f"p{number}@x.example",
            **fields,
        )
        for number in range(count)
    ]


def strays(conveyor):
    """Observations, purchases and reports that are not where their record is."""
    return conveyor.stage.query(
        "select 'observation', o.external_id from profile.observation o join identity.record r using (record_id) "
        "where o.profile_id <> r.profile_id union all "
        "select 'purchase', p.business_key from activity.purchase p join activity.report a using (purchase_id) "
        "join identity.record r on (r.system, r.stream, r.external_id) = "
        "(a.person_system, a.person_stream, a.person_external_id) where p.profile_id is distinct from r.profile_id "
        "union all select 'golden', p.profile_id::text from identity.profile p "
        "join profile.golden using (profile_id) where p.merged_into is not null"
    )
