"""Any history of merging and parting beside a pool: who takes points of another there pays for what it spends of them.

The model knows no ledger and no database: what each has outside of the pool, and of each purchase who took how much of
it there, and what is left.
"""

from collections import Counter
from datetime import timedelta

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from comity.activity.types import name_profile
from comity.definitions.types import ProgrammeSpec
from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.ledger import store
from comity.programme import api
from comity.programme.pools import PoolRefused, PoolSpending, PoolWish
from comity.programme.purchases import PurchaseWish
from comity.programme.types import POINTS_EARNED, InsufficientPoints, Programme
from tests.property.merging_people import PEOPLE, MergingPeople, people, profile, run

CLUB = Programme(
    name="club",
    spec=msgspec.convert(
        {
            "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin",
            "earning": {"points_per_unit": 1, "unit_minor": 100}, "enrol": {"automatic": True},
            "pools": {"contribution_percent": 50},
        },
        ProgrammeSpec,
    ),
)  # fmt: skip


class Part:
    """Of a purchase of `owner`: what `seat` brought to the pool, what is left there, and what has come back."""

    def __init__(self, owner, seat, points):
        self.owner, self.seat, self.rest, self.spent = owner, seat, points, 0


class Machine(MergingPeople):
    """What they earn, and what becomes of it."""

    club = CLUB

    def __init__(self, tx):
        super().__init__(tx)
        self.net = Counter()
        self.parts = []
        self.seats = [1]
        wish = PoolWish(profile_id=profile(1), programme="club", idempotency_key="open")
        self.pool_id = api.open_pool(tx, wish=wish, programme=CLUB, now=self.now).pool_id

    def cluster(self, person):
        return [each for each in PEOPLE if self.leader[each] == self.leader[person]]

    def has(self, person):
        return sum(self.net[each] for each in self.cluster(person))

    def sitting(self, person):
        cluster = self.cluster(person)
        return [each for each in self.seats if each in cluster]

    def follow(self, people, leader):
        """Who is parted from whom settles what one took of the other."""
        super().follow(people, leader)
        for each in list(self.parts):
            if self.leader[each.owner] != self.leader[each.seat]:
                self.net[each.owner] += each.rest + each.spent
                self.net[each.seat] -= each.spent
                self.parts.remove(each)

    @rule(person=people, points=st.integers(1, 90))
    def earn(self, person, points):
        self.now += timedelta(seconds=1)
        owed = max(0, -self.has(person))
        wish = PurchaseWish(
            person=name_profile(profile(person)), number=self.key(), occurred_at=self.now,
            amount_minor=points * 100, currency="EUR",
        )  # fmt: skip
        [_] = api.record_purchases(self.tx, wishes=[wish], programmes=[CLUB], now=self.now)
        rows = self.tx.execute(
            "select payload from kernel.event where kind = %s order by event_id desc limit 1", [POINTS_EARNED]
        ).fetchall()
        events = [
            Event(event_id=1, xid=1, kind=POINTS_EARNED, payload=payload, occurred_at=self.now) for (payload,) in rows
        ]
        api.collect_in_pools(self.tx, events=events, programmes=[CLUB], now=self.now)
        seats = self.sitting(person)
        part = min(points // 2, max(0, points - owed)) if seats else 0
        self.net[person] += points - part
        if part:
            self.parts.append(Part(person, seats[0], part))

    @rule(person=people, points=st.integers(1, 90))
    def redeem(self, person, points):
        is_enough = self.has(person) >= points
        try:
            api.redeem(
                self.tx, profile_id=profile(person), programme="club", points=points, idempotency_key=self.key(),
                now=self.now,
            )  # fmt: skip
        except InsufficientPoints:
            assert not is_enough
        else:
            assert is_enough
            self.net[person] -= points

    @rule(person=people, points=st.integers(1, 60))
    def draw(self, person, points):
        is_enough = bool(self.sitting(person)) and sum(each.rest for each in self.parts) >= points
        wish = PoolSpending(pool_id=self.pool_id, profile_id=profile(person), points=points, idempotency_key=self.key())
        try:
            api.redeem_from_pool(self.tx, wish=wish, programmes={"club": CLUB}, now=self.now)
        except (InsufficientPoints, PoolRefused):
            assert not is_enough
            return
        assert is_enough
        for each in self.parts:
            part = min(points, each.rest)
            each.rest -= part
            each.spent += part
            points -= part

    @rule(person=people)
    def join(self, person):
        if self.change(api.join_pool, person) and not self.sitting(person):
            self.seats.append(person)

    @rule(person=people)
    def leave(self, person):
        seats = self.sitting(person)
        if self.change(api.leave_pool, person):
            self.seats = [each for each in self.seats if each not in seats]
            for each in self.parts:
                if each.seat in seats:
                    self.net[each.owner] += each.rest
                    each.rest = 0

    def change(self, verb, person):
        self.now += timedelta(seconds=1)
        try:
            verb(
                self.tx, pool_id=self.pool_id, profile_id=profile(person), programmes={"club": CLUB}, now=self.now
            )  # fmt: skip
        except PoolRefused:
            return False
        return True

    @invariant()
    def each_has_what_is_theirs(self):
        for leader in self.leaders():
            [balance] = ledger.get_balances(self.tx, account_ids=[self.account(leader)])
            assert balance == self.has(leader), leader
        account_id = api.get_pool(self.tx, self.pool_id).account_id
        assert ledger.get_balances(self.tx, account_ids=[account_id]) == [sum(each.rest for each in self.parts)]

    @invariant()
    def books_agree(self):
        assert store.find_imbalance(self.tx) == store.find_unlotted(self.tx) == []
        assert sum(row.balance for row in ledger.trial_balance(self.tx)) == 0


def test_whoever_takes_anothers_points_to_a_pool_pays_for_them(tx):
    run(Machine, tx)
