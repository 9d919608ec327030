"""Purchases and returns told at the counter: the points follow at once, and the reader of events finds it done."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from comity.activity import api as activity
from comity.activity.types import (
    PURCHASE_CHANGED,
    PURCHASE_RECORDED,
    ProfileMove,
    PurchaseFact,
    ReturnFact,
    name_profile,
)
from comity.definitions.types import EnrolSpec, ProgrammeSpec
from comity.kernel.errors import ComityError
from comity.kernel.events import Event
from comity.ledger.periods import lock_period
from comity.programme import api
from comity.programme.api import PurchaseWish, ReturnWish
from comity.programme.types import POINTS_EARNED, EarnOutcome, Programme
from tests.db.programme.test_api import ADA, BOB, check_books, published
from tests.db.programme.test_explaining import put_in_force

NOW = datetime(2026, 3, 20, 10, tzinfo=UTC)
BOUGHT = datetime(2026, 3, 1, 10, tzinfo=UTC)
BASE = {"name": "base", "rate": {"points": 1, "per_minor": 100}}
TWICE = {"name": "twice", "rate": {"points": 2, "per_minor": 100}, "channels": ["app"]}
TIERS = {"window_days": 365, "levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 100}]}


def club(name="club", *, automatic=True, when=None, **changes):
    spec = {"title": "Club", "currency": "EUR", "earning_rules": [BASE], "tiers": TIERS, **changes}
    made = msgspec.structs.replace(
        msgspec.convert(spec, ProgrammeSpec), enrol=EnrolSpec(automatic=automatic, when=when)
    )
    return Programme(name=name, spec=made)


def make_people(tx, *people):
    for place, each in enumerate(people):
        tx.execute("insert into identity.profile values (%s, %s, null, now())", [each, place + 1])


def wish(number="R-1", amount=10_000, *, by=ADA, **changes):
    fields = {"occurred_at": BOUGHT, "currency": "EUR"} | changes
    return PurchaseWish(person=name_profile(by), number=number, amount_minor=amount, **fields)


def back(number="B-1", purchase="R-1", **changes):
    return ReturnWish(number=number, purchase_number=purchase, **changes)


def by_system(number="R-1", amount=10_000, **changes):
    return PurchaseFact(
        system="shop", stream="order", external_id=f"o-{number}", business_key=number, occurred_at=BOUGHT,
        amount_minor=amount, currency="EUR", **changes,
    )  # fmt: skip


class Counter:
    """One counter, and the worker that comes later."""

    def __init__(self, tx, *programmes):
        self.tx, self.programmes = tx, list(programmes or [club()])
        make_people(tx, ADA, BOB)

    def buy(self, *wishes, choose=None):
        return api.record_purchases(
            self.tx, wishes=wishes or [wish()], programmes=self.programmes, now=NOW, choose=choose
        )

    def take_back(self, told):
        [answer] = self.take_all_back(told)
        if isinstance(answer, ComityError):
            raise answer
        return answer

    def take_all_back(self, *wishes):
        return api.record_returns(self.tx, wishes=wishes, programmes=self.programmes, now=NOW)

    def report(self, *facts, by=ADA):
        activity.accept_purchases(self.tx, purchases=facts, profile_ids=[by] * len(facts), now=NOW)

    def work(self):
        """What the worker does with all that was published."""
        rows = self.tx.execute("select event_id, kind, payload, occurred_at from kernel.event order by 1").fetchall()
        events = [Event(event_id=row[0], xid=0, kind=row[1], payload=row[2], occurred_at=row[3]) for row in rows]
        events = [each for each in events if each.kind in {PURCHASE_RECORDED, PURCHASE_CHANGED}]
        api.handle_events(self.tx, events=events, programmes=self.programmes, now=NOW + timedelta(minutes=1))
        check_books(self.tx)

    def look(self):
        """Everything that the worker could change."""
        return [
            self.tx.execute(f"select t::text from {table} t order by 1").fetchall()  # noqa: S608 - names of our own.
            for table in ("programme.earning", "programme.earned_lot", "ledger.transfer", "programme.member")
        ]

    def work_finds_nothing(self):
        before = self.look()
        self.work()
        assert self.look() == before


@pytest.fixture
def counter(tx):
    return lambda *programmes: Counter(tx, *programmes)


def told_again(told):
    """What is told of a purchase, but for the rules: these are derived anew from versions that were applied."""
    programmes = [msgspec.structs.replace(each, rules=[]) for each in told.programmes]
    return msgspec.structs.replace(told, programmes=programmes, is_duplicate=False)


def figures(told):
    return [(each.programme, each.points, each.spendable, each.pending, each.tier) for each in told.programmes]


class TestPurchase:
    def test_earns_in_each_programme_at_once(self, tx, counter):
        till = counter(
            club(), club("stars", earning_rules=[BASE | {"pending": {"days": 60}}]), club("vip", automatic=False)
        )
        [told] = till.buy()
        assert figures(told) == [("club", 100, 100, 0, "Gold"), ("stars", 100, 0, 100, "Gold")]
        assert (told.global_id, told.is_duplicate, told.is_differing) == (ADA, False, False)
        [lot] = told.programmes[0].lots
        assert (lot.points, lot.booked_on) == (100, date(2026, 3, 1))
        till.work_finds_nothing()
        assert len(published(tx, POINTS_EARNED)) == 2

    def test_again_changes_nothing(self, counter):
        till = counter()
        [first] = till.buy()
        before = till.look()
        [second] = till.buy()
        assert told_again(second) == told_again(first) and second.is_duplicate
        assert till.look() == before

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"earning_rules": [BASE, {"name": "gold", "multiplier_percent": 150, "tiers": ["Gold"]}]},
            {"earning_rules": [BASE | {"caps": [{"points": 150, "per": "day"}]}]},
            {"earning_rules": [BASE, {"name": "first", "fixed": 30, "first_purchase": True}]},
            {"earning_rules": [BASE, TWICE], "corrections": "adjust_forward"},
        ],
        ids=["plain", "tier", "cap", "first", "forward"],
    )
    def test_tells_the_same_rules_at_once_and_when_derived_anew(self, tx, counter, changes):
        till = counter(put_in_force(tx, club(**changes).spec, BOUGHT - timedelta(days=9)))
        numbers = [f"R-{place}" for place in range(4)]
        hours = (2, 1, 4, 3)  # So that some come late.
        wishes = [
            wish(number, occurred_at=BOUGHT + timedelta(hours=hour))
            for number, hour in zip(numbers, hours, strict=True)
        ]
        first = [told for each in (wishes[:1], wishes[1:3], wishes[3:]) for told in till.buy(*each)]
        assert first[0].programmes[0].points >= 100
        for told in first:
            [earned] = told.programmes
            assert sum(each.points for each in earned.rules) == earned.points
        for number, told in zip(numbers, first, strict=True):
            # What others came to meanwhile may have changed what it is worth; the rules follow.
            [again] = till.buy(next(each for each in wishes if each.number == number))
            [earned], [before] = again.programmes, told.programmes
            assert sum(each.points for each in earned.rules) == earned.points
            assert earned.rules == before.rules or earned.points != before.points

    @pytest.mark.parametrize("order", [("report", "buy"), ("buy", "report"), ("report", "work", "buy")])
    def test_that_a_system_reports_too_counts_once(self, counter, order):
        till = counter()
        steps = {"report": lambda: till.report(by_system()), "buy": till.buy, "work": till.work}
        for each in order:
            steps[each]()
        till.work()
        [told] = till.buy()
        assert figures(told) == [("club", 100, 100, 0, "Gold")]
        assert told.is_duplicate

    def test_that_a_system_reported_otherwise_stays_as_it_was(self, counter):
        till = counter()
        till.report(by_system(amount=5_000))
        [told] = till.buy()
        assert (told.amount_minor, told.is_differing, told.programmes[0].points) == (5_000, True, 50)
        till.work_finds_nothing()

    def test_that_waits_for_its_person_gets_it(self, counter):
        till = counter()
        till.report(by_system(), by=None)
        [told] = till.buy()
        assert figures(told) == [("club", 100, 100, 0, "Gold")]

    @pytest.mark.parametrize(
        ("other", "code"),
        [
            (wish(amount=9_999), "key_reused"),
            (wish(currency="CHF"), "key_reused"),
            (wish(occurred_at=BOUGHT + timedelta(seconds=1)), "key_reused"),
            (wish(details={"channel": "app"}), "key_reused"),
            (wish(by=BOB), "purchase_of_another"),
            (wish(by=UUID(int=99)), "unknown_member"),
        ],
    )
    def test_of_the_same_number_that_is_another(self, counter, other, code):
        till = counter()
        told, refused = till.buy(wish(), other)
        assert refused.code == code and told.programmes[0].points == 100
        before = till.look()
        [refused] = till.buy(other)
        assert refused.code == code and till.look() == before

    def test_twice_in_one_batch_counts_once(self, counter):
        till = counter()
        told = till.buy(wish(), wish("R-2", 200, by=BOB), wish())
        assert [each.is_duplicate for each in told] == [False, False, True]
        assert [each.programmes[0].spendable for each in told] == [100, 2, 100]
        till.work_finds_nothing()

    def test_of_a_condition_enrols_whom_it_fits(self, counter):
        till = counter(club(when="country = 'DE'"))
        told = till.buy(
            wish(), wish("R-2", by=BOB), choose=lambda _tx, _programme, people: [p for p in people if p == BOB]
        )
        assert [len(each.programmes) for each in told] == [0, 1]

    def test_that_earns_nothing_says_why(self, counter):
        [told] = counter().buy(wish(currency="CHF"))
        assert (told.programmes[0].outcome, told.programmes[0].lots) == (EarnOutcome.OTHER_CURRENCY, [])

    def test_of_somebody_merged_is_the_survivors(self, tx, counter):
        till = counter()
        till.buy()
        tx.execute("update identity.profile set merged_into = %s where profile_id = %s", [BOB, ADA])
        move = ProfileMove(loser_profile_id=ADA, survivor_profile_id=BOB)
        activity.reassign_profiles(tx, moves=[move])
        api.merge_members(tx, moves=[move], programmes=till.programmes, now=NOW)
        old, new = till.buy(wish(), wish("R-2", 300))
        assert (old.is_duplicate, new.global_id, new.programmes[0].spendable) == (True, BOB, 103)

    def test_of_a_closed_day_is_booked_on_the_first_open_one(self, tx, counter):
        till = counter()
        till.buy(wish("R-0"))
        lock_period(tx, unit="club", through=date(2026, 3, 10), by="Mara", reason="month", now=NOW)
        [told] = till.buy()
        [lot] = told.programmes[0].lots
        assert (told.programmes[0].effective_on, lot.booked_on) == (date(2026, 3, 1), date(2026, 3, 11))
        till.work_finds_nothing()


class TestReturn:
    def test_in_parts_takes_points_and_tier(self, counter):
        till = counter()
        till.buy()
        told = till.take_back(back(amount_minor=3_000))
        assert figures(told.purchase) == [("club", 70, 70, 0, "Blue")]
        assert (told.purchase.programmes[0].taken_back, told.left_minor) == (30, 7_000)
        till.work_finds_nothing()
        again = till.take_back(back(amount_minor=3_000))
        assert (again.is_duplicate, again.purchase.programmes[0].taken_back) == (True, 0)
        whole = till.take_back(back("B-2"))
        assert (whole.returned_minor, whole.left_minor, whole.purchase.programmes[0].points) == (7_000, 0, 0)
        assert whole.purchase.programmes[0].taken_back == 70
        till.work_finds_nothing()

    def test_of_what_is_spent_goes_by_the_policy(self, counter):
        till = counter(club(returns={"policy": "within_balance"}))
        till.buy()
        api.redeem(till.tx, profile_id=ADA, programme="club", points=80, idempotency_key="k", now=NOW)
        told = till.take_back(back()).purchase.programmes[0]
        assert (told.spendable, told.shortfall) == (0, 80)
        till.work_finds_nothing()

    def test_of_a_purchase_that_the_worker_has_not_seen(self, counter):
        till = counter()
        till.report(by_system())
        assert figures(till.take_back(back(amount_minor=5_000)).purchase) == [("club", 50, 50, 0, "Blue")]
        till.work_finds_nothing()

    def test_that_a_system_told_of_before_the_purchase(self, tx, counter):
        till = counter()
        told = ReturnFact(
            system="shop", stream="refund", external_id="b", business_key="B-1", purchase_key="R-1",
            occurred_at=NOW, amount_minor=4_000, currency="EUR",
        )  # fmt: skip
        activity.accept_returns(tx, returns=[told], now=NOW)
        [bought] = till.buy()
        assert (bought.returned_minor, bought.programmes[0].points) == (4_000, 60)
        assert till.take_back(back(amount_minor=4_000)).is_duplicate
        till.work_finds_nothing()

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            (back(purchase="R-9"), "unknown_purchase"),
            (back(amount_minor=10_001), "return_refused"),
            (back(currency="CHF"), "return_refused"),
            (back(occurred_at=BOUGHT - timedelta(days=1)), "purchase_invalid"),
            (back(profile_id=BOB), "purchase_of_another"),
            (back(profile_id=UUID(int=99)), "unknown_member"),
            (back("B-0", amount_minor=2), "key_reused"),
        ],
    )
    def test_that_cannot_be(self, counter, asked, code):
        till = counter()
        till.buy()
        till.take_back(back("B-0", amount_minor=1))
        before = till.look()
        with pytest.raises(ComityError) as refused:
            till.take_back(asked)
        assert refused.value.code == code and till.look() == before

    def test_together_come_to_what_they_do_one_by_one(self, tx, counter):
        """Of several people; two of one purchase, one of them refused; one repeated, one under a number of another."""
        wishes = [
            back("B-1", "R-1", amount_minor=4_000),
            back("B-2", "R-2", amount_minor=1_000),
            back("B-3", "R-1", amount_minor=7_000),
            back("B-1", "R-1", amount_minor=4_000),
            back("B-2", "R-3", amount_minor=1_000),
            back("B-4", "R-1", amount_minor=6_000),
            back("B-5", "R-9"),
        ]
        tiers = [BASE, {"name": "gold", "multiplier_percent": 150, "tiers": ["Gold"]}]
        till = counter(club(earning_rules=tiers), club("stars"))
        outcomes = []
        for batches in ([[each] for each in wishes], [wishes]):
            with tx.transaction(force_rollback=True):
                till.buy(wish(), wish("R-2", by=BOB), wish("R-3", 5_000, by=BOB))
                answers = [each for batch in batches for each in till.take_all_back(*batch)]
                check_books(tx)
                told = [each.code if isinstance(each, ComityError) else each.is_duplicate for each in answers]
                outcomes.append((told, [figures(each.purchase) for each in till.take_all_back(*wishes[:2])]))
                till.work_finds_nothing()
        assert outcomes[0] == outcomes[1]
        expected = [False, False, "return_refused", True, "key_reused", False, "unknown_purchase"]
        assert outcomes[0][0] == expected
