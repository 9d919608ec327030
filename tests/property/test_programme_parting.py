"""Any history of merging, parting, earning and spending: no point is lost, and each has what is theirs (L9, P24).

Three people, who turn out to be one another and not, in any order. Whoever they share an account with, what each of
them holds is what they earned less what they spent and what expired of theirs; and the lots of who stands alone are
those of their own purchases.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from comity.activity import api as activity
from comity.activity.types import PURCHASE_RECORDED, PurchaseFact, PurchaseRecorded, RecordReference, name_profile
from comity.definitions.types import ProgrammeSpec
from comity.identity.types import PROFILE_CREATED, PROFILES_MERGED
from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.ledger import store
from comity.ledger.types import Capture, NewHold, Release, ReturnPolicy, Reversal
from comity.programme import api, readers
from comity.programme import store as programme_store
from comity.programme.purchases import PurchaseWish
from comity.programme.types import InsufficientPoints, Programme

START = datetime(2026, 3, 3, 12, tzinfo=UTC)
PEOPLE = (1, 2, 3)
CLUB = Programme(
    name="club",
    spec=msgspec.convert(
        {
            "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin",
            "earning": {"points_per_unit": 1, "unit_minor": 100}, "enrol": {"automatic": True},
            "points": [{"name": "coins", "expiry": {"kind": "rolling", "after": {"days": 9}}}],
        },
        ProgrammeSpec,
    ),
)  # fmt: skip

people = st.sampled_from(PEOPLE)
amounts = st.integers(1, 40)
some = st.integers(0, 99)


def profile(person):
    return UUID(int=person)


class Machine(RuleBasedStateMachine):
    """People, their purchases, and who stands for whom."""

    def __init__(self, tx):
        super().__init__()
        self.tx = tx
        tx.execute("savepoint machine")
        self.now = START
        self.count = 0
        self.leader = {person: person for person in PEOPLE}
        self.purchases = {}
        self.holds = {}
        self.net = Counter()
        for person in PEOPLE:
            tx.execute("insert into identity.profile values (%s, %s, null, now())", [profile(person), person])
            tx.execute(
                "insert into identity.record (record_id, system, stream, external_id, profile_id, linked_at, rule, "
                "match_hash, features) overriding system value "
                "values (%s, 'crm', 'Contact', %s, %s, now(), 'founded', 0, '{}')",
                [person, f"c{person}", profile(person)],
            )
        self.tell(*((PROFILE_CREATED, {"profile_id": str(profile(person))}) for person in PEOPLE))
        self.programme = programme_store.find_programme(tx, programme="club").account_id

    def teardown(self):
        self.tx.execute("rollback to savepoint machine")

    def key(self):
        self.count += 1
        return f"k{self.count}"

    def tell(self, *events):
        handed = [
            Event(event_id=place, xid=1, kind=kind, payload=payload, occurred_at=self.now)
            for place, (kind, payload) in enumerate(events, start=1)
        ]
        readers.handle_events(self.tx, events=handed, programmes=[CLUB], now=self.now)

    def account(self, person):
        return api.get_member(self.tx, profile_id=profile(person), programme="club").account_id

    @property
    def today(self):
        return self.now.date()

    @rule(person=people, amount=amounts, days_ago=st.integers(0, 4))
    def earn(self, person, amount, days_ago):
        fact = PurchaseFact(
            system="shop", stream="Order", external_id=self.key(), occurred_at=self.now - timedelta(days=days_ago),
            amount_minor=amount * 100, currency="EUR",
            person=RecordReference(system="crm", stream="Contact", external_id=f"c{person}"),
        )  # fmt: skip
        [taken] = activity.accept_purchases(
            self.tx, purchases=[fact], profile_ids=[profile(self.leader[person])], now=self.now
        )
        told = PurchaseRecorded(
            purchase_id=taken.purchase_id, business_key=f"shop:{fact.external_id}", profile_id=taken.profile_id,
            occurred_at=fact.occurred_at, amount_minor=fact.amount_minor, currency="EUR", system="shop",
            stream="Order", external_id=fact.external_id,
        )  # fmt: skip
        self.tell((PURCHASE_RECORDED, msgspec.to_builtins(told)))
        self.purchases[taken.purchase_id] = (person, fact.external_id)
        self.net[person] += amount

    @rule(person=people, amount=amounts, days_ago=st.integers(0, 4))
    def tell_at_the_counter(self, person, amount, days_ago):
        """By the Global ID that the person always had."""
        wish = PurchaseWish(
            person=name_profile(profile(person)), number=self.key(), occurred_at=self.now - timedelta(days=days_ago),
            amount_minor=amount * 100, currency="EUR",
        )  # fmt: skip
        [told] = api.record_purchases(self.tx, wishes=[wish], programmes=[CLUB], now=self.now)
        self.purchases[told.purchase_id] = (person, wish.number)
        self.net[person] += amount

    @rule(person=people, amount=amounts)
    def redeem(self, person, amount):
        """By the Global ID that the person always had."""
        try:
            api.redeem(
                self.tx, profile_id=profile(person), programme="club", points=amount, idempotency_key=self.key(),
                now=self.now,
            )  # fmt: skip
        except InsufficientPoints:
            return
        self.net[person] -= amount

    @rule(person=people, amount=amounts)
    def reserve(self, person, amount):
        wish = NewHold(
            idempotency_key=self.key(), account_id=self.account(person), amount=amount, effective_on=self.today,
            deadline_at=self.now + timedelta(days=3), system="till", external_id="1",
        )  # fmt: skip
        [verdict] = ledger.reserve(self.tx, holds=[wish], now=self.now)
        if verdict.transfer_id is not None:
            self.holds[verdict.transfer_id] = person
            if self.leader[person] != person:
                programme_store.note_asked(self.tx, asked=[(verdict.transfer_id, profile(person), "club")])

    @precondition(lambda self: self.holds)
    @rule(which=some, share=st.sampled_from([0, 40, 100]))
    def end(self, which, share):
        hold_id = sorted(self.holds)[which % len(self.holds)]
        source = {
            "idempotency_key": self.key(), "hold_id": hold_id, "effective_on": self.today, "system": "till",
            "external_id": "1",
        }  # fmt: skip
        if share:
            [(total,)] = self.tx.execute("select amount from ledger.hold where hold_id = %s", [hold_id]).fetchall()
            wish = Capture(credit_account_id=self.programme, amount=-(-total * share // 100), **source)
            [verdict] = ledger.capture(self.tx, captures=[wish], now=self.now)
        else:
            [verdict] = ledger.release(self.tx, releases=[Release(**source)], now=self.now)
        assert verdict.status.value in {"posted", "overdue"}
        if verdict.status.value == "posted":
            self.net[self.holds.pop(hold_id)] -= verdict.captured

    @precondition(lambda self: self.purchases)
    @rule(which=some, points=st.none() | st.integers(1, 10))
    def give_back(self, which, points):
        """A purchase is returned, in part or whole, wherever its points are by then."""
        purchase_id = sorted(self.purchases)[which % len(self.purchases)]
        person, external_id = self.purchases[purchase_id]
        [(transfer_id,)] = self.tx.execute(
            "select transfer_id from programme.earning where purchase_id = %s", [purchase_id]
        ).fetchall()
        wish = Reversal(
            transfer_id=transfer_id, idempotency_key=self.key(), effective_on=self.today, reason="", system="shop",
            external_id=external_id, amount=points, policy=ReturnPolicy.ALLOW_NEGATIVE,
            account_id=self.account(person),
        )  # fmt: skip
        [verdict] = ledger.reverse(self.tx, reversals=[wish], now=self.now)
        self.net[person] -= verdict.amount

    @rule(days=st.integers(1, 4))
    def pass_days(self, days):
        self.now += timedelta(days=days)
        api.time_out_holds(self.tx, programme=CLUB, now=self.now)
        open_holds = {row[0] for row in self.tx.execute("select hold_id from ledger.open_hold").fetchall()}
        self.holds = {hold_id: person for hold_id, person in self.holds.items() if hold_id in open_holds}
        api.expire_points(self.tx, programme=CLUB, now=self.now)
        api.recompute_tiers(self.tx, programme=CLUB, now=self.now)

    def leaders(self):
        return sorted(set(self.leader.values()))

    def follow(self, people, leader):
        """Identity says who stands for these now, and purchases follow their records and Global IDs."""
        self.leader |= dict.fromkeys(people, leader)
        for person in people:
            merged_into = None if person == leader else profile(leader)
            self.tx.execute(
                "update identity.profile set merged_into = %s where profile_id = %s", [merged_into, profile(person)]
            )
            self.tx.execute(
                "update identity.record set profile_id = %s where record_id = %s", [profile(leader), person]
            )
        activity.follow_records(self.tx, record_ids=list(people))

    @precondition(lambda self: len(self.leaders()) > 1)
    @rule(which=some, other=st.integers(1, 2))
    def merge(self, which, other):
        leaders = self.leaders()
        loser = leaders[which % len(leaders)]
        survivor = leaders[(which + min(other, len(leaders) - 1)) % len(leaders)]
        self.follow([each for each in PEOPLE if self.leader[each] == loser], survivor)
        self.tell(self.merged(loser, survivor))

    @precondition(lambda self: len(self.leaders()) < len(PEOPLE))
    @rule(which=some, takes_along=st.booleans())
    def part(self, which, takes_along):
        aliases = [each for each in PEOPLE if self.leader[each] != each]
        risen = aliases[which % len(aliases)]
        others = [each for each in aliases if each != risen and self.leader[each] == self.leader[risen]]
        along = others if takes_along else []
        self.follow([risen, *along], risen)
        self.tell((PROFILE_CREATED, {"profile_id": str(profile(risen))}), *(self.merged(each, risen) for each in along))

    @rule(which=some)
    def merge_and_part_without_anything_between(self, which):
        leaders = self.leaders()
        if len(leaders) < 2:
            return
        before = self.snapshot()
        loser = leaders[which % len(leaders)]
        survivor = leaders[(which + 1) % len(leaders)]
        cluster = [each for each in PEOPLE if self.leader[each] == loser]
        self.follow(cluster, survivor)
        self.tell(self.merged(loser, survivor))
        self.follow(cluster, loser)
        along = [each for each in cluster if each != loser]
        self.tell((PROFILE_CREATED, {"profile_id": str(profile(loser))}), *(self.merged(each, loser) for each in along))
        assert self.snapshot() == before

    @staticmethod
    def merged(loser, survivor):
        return (
            PROFILES_MERGED,
            {"loser_profile_id": str(profile(loser)), "survivor_profile_id": str(profile(survivor))},
        )

    def snapshot(self):
        """What each holds: lots with their terms, the sum of debts, open holds with what is in them, and the tier."""
        found = {}
        for leader in self.leaders():
            account = self.account(leader)
            held = ledger.list_holdings(self.tx, account_ids=[account]).get(account, [])
            holds = store.list_open_holds(self.tx, account_ids=[account])
            found[leader] = (
                [(each.lot_id, each.rest, each.terms) for each in held if each.rest > 0],
                sum(each.rest for each in held if each.rest < 0),
                [(each.hold_id, each.amount, self.contents(each)) for each in holds],
                programme_store.list_members(self.tx, profile_ids=[profile(leader)], programme="club")[0][
                    1
                ].qualifying_points,
            )
        return found

    def contents(self, hold):
        lots = store.list_moved_lots(self.tx, transfer_ids=[hold.hold_id])[hold.hold_id]
        return [(each.lot_id, each.amount) for each in lots if each.account_id == hold.reserved_account_id]

    @invariant()
    def adds_up(self):
        assert store.find_imbalance(self.tx) == []
        assert store.find_unlotted(self.tx) == []
        stretched = self.tx.execute(
            "select l.lot_id from ledger.v_lot l join ledger.v_lot_entry e using (lot_id) group by l.lot_id, l.amount "
            "having sum(e.amount) not between 0 and l.amount"
        ).fetchall()
        assert stretched == []

    @invariant()
    def each_has_what_is_theirs(self):
        owners = {
            lot_id: self.purchases[purchase_id][0]
            for lot_id, purchase_id in self.tx.execute(
                "select transfer_id, purchase_id from programme.earning where transfer_id is not null"
            ).fetchall()
        }
        expired = Counter()
        for lot_id, amount in self.tx.execute(
            "select e.lot_id, -e.amount from ledger.v_lot_entry e join ledger.transfer t using (transfer_id) "
            "where t.kind = 'expire' and e.amount < 0"
        ).fetchall():
            expired[owners.get(lot_id)] += amount
        for leader in self.leaders():
            cluster = [each for each in PEOPLE if self.leader[each] == leader]
            account = self.account(leader)
            [standing] = ledger.get_standings(self.tx, account_ids=[account], day=self.today)
            held = standing.balance + standing.reserved
            assert held == sum(self.net[each] - expired[each] for each in cluster), (leader, cluster)
            lots = ledger.list_holdings(self.tx, account_ids=[account]).get(account, [])
            assert {owners.get(each.lot_id) for each in lots if each.rest > 0} <= {*cluster, None}
            holds = store.list_open_holds(self.tx, account_ids=[account])
            assert {self.holds[each.hold_id] for each in holds} <= {*cluster}
            inside = {lot_id for each in holds for lot_id, _ in self.contents(each)}
            assert {owners.get(lot_id) for lot_id in inside} <= {*cluster, None}


def run(tx, **changes):
    fields = {
        "max_examples": 12, "stateful_step_count": 25, "deadline": None, "suppress_health_check": list(HealthCheck),
        "phases": (Phase.explicit, Phase.reuse, Phase.generate),
    } | changes  # fmt: skip
    run_state_machine_as_test(lambda: Machine(tx), settings=settings(**fields))


def test_merged_and_parted_each_has_what_is_theirs(tx):
    run(tx)


@pytest.mark.soak
def test_very_many_histories_of_merging_and_parting(tx):
    run(tx, max_examples=200, stateful_step_count=40)
