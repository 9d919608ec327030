"""Two who are merged and parted again while systems wait, points are reserved, and lots come to their end (L9)."""

from datetime import timedelta

import pytest

from comity.identity import api as identity
from comity.identity.types import RecordKey
from comity.programme import api as programme
from comity.programme.wishes import EndWish, HoldWish
from comity.sync import api as sync
from tests.db.programme.test_api import check_books
from tests.db.sync.conftest import Person
from tests.scenario.project import SHOP

EXPIRY = "  points: [{name: points, expiry: {kind: rolling, after: {days: 30}}}]\n  earning:"
NAMES = ("crm-a", "crm-b", "crm-c")


class Counter:
    """A till and its customers, who are told apart by their record in the first system."""

    def __init__(self, stage):
        self.stage = stage
        self.count = 0

    def buy(self, person, total):
        self.count += 1
        number, sold_at = f"r{self.count}", self.stage.clock.now().isoformat()
        sale = {"number": number, "sold_at": sold_at, "total": total, "currency": "EUR"}
        self.stage.push("shop", "order", number, "v1", sale | {"customer": person.ids["crm-a"]})

    def hold(self, profile_id, points, days):
        """Reserve points of whoever this Global ID stands for."""
        self.count += 1
        now = self.stage.clock.now()
        wish = HoldWish(
            profile_id=profile_id, programme="points", points=points, deadline_at=now + timedelta(days=days),
            idempotency_key=f"h{self.count}",
        )  # fmt: skip
        with self.stage.database.transaction() as tx:
            [held] = programme.hold_many(tx, holds=[wish], now=now)
        return held.hold_id

    def capture(self, hold_id, points):
        end = EndWish(hold_id=hold_id, points=points, idempotency_key=f"e{hold_id}")
        with self.stage.database.transaction() as tx:
            [ended] = programme.end_holds(tx, ends=[end], now=self.stage.clock.now())
        assert (ended.captured, ended.outcome) == (points, "captured"), ended

    def redeem(self, profile_id, points):
        with self.stage.database.transaction() as tx:
            programme.redeem(
                tx, profile_id=profile_id, programme="points", points=points, idempotency_key="mug",
                now=self.stage.clock.now(),
            )  # fmt: skip


@pytest.fixture
def counter(stage):
    stage.replace("programme", "  earning:", EXPIRY)
    stage.write(shop=SHOP.format(name="shop", person_system="crm-a", person_stream="Contact"))
    stage.apply()
    return Counter(stage)


@pytest.fixture
def twin(stage, ada):
    """Somebody of the same name as Ada, with a mailbox of their own."""
    person = Person(stage, email="twin@byron.example")
    stage.settle()
    assert person.everywhere("global_id") != ada.everywhere("global_id")
    return person


def find(stage, person):
    with stage.database.transaction() as tx:
        return identity.find_profile_by_record(tx, key=RecordKey("crm-a", "Contact", person.ids["crm-a"]))


def part(stage, person, whole):
    keys = [RecordKey(name, person.object(name), person.ids[name]) for name in NAMES]
    with stage.database.transaction() as tx:
        return sync.unmerge_person(
            tx, profile_id=whole, keys=keys, reason="twins", actor="Grace", runtime=stage.hub.runtimes.get(tx),
            now=stage.clock.now(), ids=stage.hub.ids,
        )  # fmt: skip


def shown(person):
    """What all systems say; one answer where they agree."""
    return {(int(float(person.shown(name, "points"))), person.shown(name, "tier")) for name in NAMES}


def let_days_pass(stage, days):
    stage.clock.advance(seconds=timedelta(days=days).total_seconds())
    stage.keep()
    stage.settle()


def test_each_has_theirs_in_every_system_when_all_has_settled(stage, counter, ada, twin):
    counter.buy(ada, 600)
    counter.buy(twin, 100)
    stage.settle()
    own_ids = find(stage, ada), find(stage, twin)
    assert (shown(ada), shown(twin)) == ({(600, "Silver")}, {(100, "Blue")})

    let_days_pass(stage, 20)
    counter.buy(ada, 50)
    counter.buy(twin, 20)
    stage.react()
    held = counter.hold(own_ids[0], 40, days=20)
    held_too = counter.hold(own_ids[1], 30, days=20)
    twin.edit("crm-b", email="ada@byron.example")
    stage.read("crm-b")
    stage.unify()
    stage.react()
    assert find(stage, ada) == find(stage, twin) in own_ids
    stage.deliver("crm-b")  # The others still show what was before the purchases.
    assert {int(ada.shown("crm-b", "points")), int(twin.shown("crm-b", "points"))} == {700}
    counter.buy(twin, 7)
    counter.redeem(own_ids[1], 25)
    counter.hold(own_ids[1], 10, days=5)
    stage.react()
    assert {each.system for each in stage.waiting()} == set(NAMES)

    part(stage, twin, find(stage, ada))
    stage.settle()
    assert (find(stage, ada), find(stage, twin)) == own_ids
    assert (shown(ada), shown(twin)) == ({(610, "Silver")}, {(62, "Blue")})

    counter.capture(held, 15)
    counter.capture(held_too, 30)
    let_days_pass(stage, 6)  # The last hold has come to its deadline.
    assert (shown(ada), shown(twin)) == ({(635, "Silver")}, {(72, "Blue")})
    let_days_pass(stage, 5)  # What was bought first is over; who spent has spent of it.
    assert (shown(ada), shown(twin)) == ({(50, "Silver")}, {(27, "Blue")})
    with stage.database.transaction() as tx:
        check_books(tx)
