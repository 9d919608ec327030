"""Any history of merging, parting, earning and spending: no point is lost, and each has what is theirs (L9, P24).

Three people, who turn out to be one another and not, in any order. Whoever they share an account with, what each of
them holds is what they earned less what they spent and what expired of theirs; and the lots of who stands alone are
those of their own purchases.
"""

from collections import Counter
from datetime import timedelta
from itertools import product

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from comity.activity import api as activity
from comity.activity.types import PURCHASE_RECORDED, PurchaseFact, PurchaseRecorded, RecordReference, name_profile
from comity.definitions.types import ProgrammeSpec
from comity.identity.types import PROFILE_CREATED
from comity.ledger import api as ledger
from comity.ledger import store
from comity.ledger.types import Capture, NewHold, Release, ReturnPolicy, Reversal
from comity.programme import api
from comity.programme import store as programme_store
from comity.programme.purchases import PurchaseWish
from comity.programme.types import InsufficientPoints, Programme
from tests.property.merging_people import PEOPLE, MergingPeople, people, profile, run, some

KINDS = {"coins": 9, "stars": 7}
UNITS = {"club": "coins", "club.stars": "stars"}
CLUB = Programme(
    name="club",
    spec=msgspec.convert(
        {
            "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin",
            "earning": {"points_per_unit": 1, "unit_minor": 100}, "enrol": {"automatic": True},
            "points": [
                {"name": name, "expiry": {"kind": "rolling", "after": {"days": days}}} for name, days in KINDS.items()
            ],
            "earning_rules": [{"name": "sky", "points": "stars", "rate": {"points": 1, "per_minor": 100}}],
        },
        ProgrammeSpec,
    ),
)  # fmt: skip

amounts = st.integers(1, 40)
kinds = st.sampled_from(list(KINDS))


class Machine(MergingPeople):
    """What they buy, spend and reserve."""

    club = CLUB

    def __init__(self, tx):
        super().__init__(tx)
        self.purchases = {}
        self.holds = {}
        self.net = Counter()
        known = programme_store.find_programme(tx, programme="club")
        self.programme = {"coins": known.account_id, "stars": known.further_kinds["stars"]["account_id"]}

    def account(self, person, kind="coins"):
        return api.get_member(self.tx, profile_id=profile(person), programme="club").kinds[kind].account_id

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
        self.net.update({(person, kind): amount for kind in KINDS})

    @rule(person=people, amount=amounts, days_ago=st.integers(0, 4))
    def tell_at_the_counter(self, person, amount, days_ago):
        """By the Global ID that the person always had."""
        wish = PurchaseWish(
            person=name_profile(profile(person)), number=self.key(), occurred_at=self.now - timedelta(days=days_ago),
            amount_minor=amount * 100, currency="EUR",
        )  # fmt: skip
        [told] = api.record_purchases(self.tx, wishes=[wish], programmes=[CLUB], now=self.now)
        self.purchases[told.purchase_id] = (person, wish.number)
        self.net.update({(person, kind): amount for kind in KINDS})

    @rule(person=people, amount=amounts, kind=kinds)
    def redeem(self, person, amount, kind):
        """By the Global ID that the person always had."""
        try:
            api.redeem(
                self.tx, profile_id=profile(person), programme="club", points=amount, kind=kind,
                idempotency_key=self.key(), now=self.now,
            )  # fmt: skip
        except InsufficientPoints:
            return
        self.net[person, kind] -= amount

    @rule(person=people, amount=amounts, kind=kinds)
    def reserve(self, person, amount, kind):
        account = self.account(person, kind)
        if account is None:
            return
        wish = NewHold(
            idempotency_key=self.key(), account_id=account, amount=amount, effective_on=self.today,
            deadline_at=self.now + timedelta(days=3), system="till", external_id="1",
        )  # fmt: skip
        [verdict] = ledger.reserve(self.tx, holds=[wish], now=self.now)
        if verdict.transfer_id is not None:
            self.holds[verdict.transfer_id] = (person, kind)
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
            account_id = self.programme[self.holds[hold_id][1]]
            wish = Capture(credit_account_id=account_id, amount=-(-total * share // 100), **source)
            [verdict] = ledger.capture(self.tx, captures=[wish], now=self.now)
        else:
            [verdict] = ledger.release(self.tx, releases=[Release(**source)], now=self.now)
        assert verdict.status.value in {"posted", "overdue"}
        if verdict.status.value == "posted":
            self.net[self.holds.pop(hold_id)] -= verdict.captured

    @precondition(lambda self: self.purchases)
    @rule(which=some, points=st.none() | st.integers(1, 10), kind=kinds)
    def give_back(self, which, points, kind):
        """A purchase is returned, in part or whole, wherever its points are by then."""
        purchase_id = sorted(self.purchases)[which % len(self.purchases)]
        person, external_id = self.purchases[purchase_id]
        [(transfer_id,)] = self.tx.execute(
            "select transfer_id from programme.earned_lot where purchase_id = %s and currency = %s",
            [purchase_id, kind],
        ).fetchall()
        wish = Reversal(
            transfer_id=transfer_id, idempotency_key=self.key(), effective_on=self.today, reason="", system="shop",
            external_id=external_id, amount=points, policy=ReturnPolicy.ALLOW_NEGATIVE,
            account_id=self.account(person, kind),
        )  # fmt: skip
        [verdict] = ledger.reverse(self.tx, reversals=[wish], now=self.now)
        self.net[person, kind] -= verdict.amount

    @rule(days=st.integers(1, 4))
    def pass_days(self, days):
        self.now += timedelta(days=days)
        api.time_out_holds(self.tx, programme=CLUB, now=self.now)
        open_holds = {row[0] for row in self.tx.execute("select hold_id from ledger.open_hold").fetchall()}
        self.holds = {hold_id: person for hold_id, person in self.holds.items() if hold_id in open_holds}
        api.expire_points(self.tx, programme=CLUB, now=self.now)
        api.recompute_tiers(self.tx, programme=CLUB, now=self.now)

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

    def snapshot(self):
        """What each holds: lots with their terms, the sum of debts, open holds with what is in them, and the tier."""
        found = {}
        for leader, kind in product(self.leaders(), KINDS):
            account = self.account(leader, kind)
            held = ledger.list_holdings(self.tx, account_ids=[account]).get(account, [])
            holds = store.list_open_holds(self.tx, account_ids=[account])
            found[leader, kind] = (
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
                "select transfer_id, purchase_id from programme.earned_lot"
            ).fetchall()
        }
        expired = Counter()
        for lot_id, amount, unit in self.tx.execute(
            "select e.lot_id, -e.amount, a.unit from ledger.v_lot_entry e join ledger.transfer t using (transfer_id) "
            "join ledger.account a using (account_id) where t.kind = 'expire' and e.amount < 0"
        ).fetchall():
            expired[owners.get(lot_id), UNITS[unit]] += amount
        for leader, kind in product(self.leaders(), KINDS):
            cluster = [each for each in PEOPLE if self.leader[each] == leader]
            account = self.account(leader, kind)
            if account is None:
                assert not any(self.net[each, kind] for each in cluster)
                continue
            [standing] = ledger.get_standings(self.tx, account_ids=[account], day=self.today)
            held = standing.balance + standing.reserved
            assert held == sum(self.net[each, kind] - expired[each, kind] for each in cluster), (leader, kind, cluster)
            lots = ledger.list_holdings(self.tx, account_ids=[account]).get(account, [])
            assert {owners.get(each.lot_id) for each in lots if each.rest > 0} <= {*cluster, None}
            holds = store.list_open_holds(self.tx, account_ids=[account])
            assert {self.holds[each.hold_id] for each in holds} <= {(each, kind) for each in cluster}
            inside = {lot_id for each in holds for lot_id, _ in self.contents(each)}
            assert {owners.get(lot_id) for lot_id in inside} <= {*cluster, None}


def test_merged_and_parted_each_has_what_is_theirs(tx):
    run(Machine, tx)


@pytest.mark.soak
def test_very_many_histories_of_merging_and_parting(tx):
    run(Machine, tx, max_examples=200, stateful_step_count=40)
