"""Any history of a family that collects in a pool: each has what a few lists say, to the point.

The model knows no ledger and no database: what is left of each purchase, and where it lies.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.activity import api as activity
from comity.activity.types import PurchaseFact, ReturnFact
from comity.definitions.types import ProgrammeSpec
from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.ledger import store
from comity.programme import api
from comity.programme.pools import PoolRefused, PoolSpending, PoolWish
from comity.programme.types import POINTS_EARNED, InsufficientPoints, Programme

START = datetime(2026, 3, 3, 12, tzinfo=UTC)
PEOPLE = (1, 2, 3)
POOL = 0
PERCENT = 50


def profile(person):
    return UUID(int=person)


class Model:
    """Places (people and the pool) have so much of each purchase; seats are who is in the pool, in order."""

    def __init__(self, *, stays, may_owe):
        self.stays, self.may_owe = stays, may_owe
        self.held = defaultdict(dict)
        self.owed = dict.fromkeys(PEOPLE, 0)
        self.buyers, self.prices, self.seats = [], [], [1]

    def sum(self, place):
        return sum(self.held[place].values())

    def take(self, place, points):
        for lot in sorted(self.held[place]):
            part = min(points, self.held[place][lot])
            self.held[place][lot] -= part
            points -= part
        return points

    def move(self, lot, source, target, points):
        self.held[source][lot] = self.held[source].get(lot, 0) - points
        self.held[target][lot] = self.held[target].get(lot, 0) + points
        if target != POOL:
            self.pay(target)

    def pay(self, person):
        self.owed[person] = self.take(person, self.owed[person])

    def buy(self, person, points):
        lot = len(self.buyers)
        self.buyers.append(person)
        self.prices.append(points)
        self.held[person][lot] = points
        self.pay(person)
        part = min(points * PERCENT // 100, self.held[person][lot]) if person in self.seats else 0
        if part:
            self.move(lot, person, POOL, part)

    def spend(self, place, points):
        if self.sum(place) < points:
            return False
        self.take(place, points)
        return True

    def take_back(self, lot, points):
        person = self.buyers[lot]
        self.prices[lot] -= points
        home = min(self.held[POOL].get(lot, 0), max(0, points - self.held[person].get(lot, 0)))
        self.move(lot, POOL, person, home)
        part = min(points, self.held[person][lot])
        self.held[person][lot] -= part
        left = self.take(person, points - part)
        if self.may_owe:
            self.owed[person] += left

    def join(self, person):
        if not self.seats:
            return False
        if person not in self.seats:
            self.seats.append(person)
        return True

    def leave(self, person):
        self.seats.remove(person)
        for lot in sorted(self.held[POOL]):
            if not self.seats or (not self.stays and self.buyers[lot] == person):
                self.move(lot, POOL, person, self.held[POOL][lot])


class Hub:
    """The same, done by the hub."""

    def __init__(self, tx, *, stays, may_owe):
        self.tx, self.now, self.count = tx, START, 0
        spec = {
            "title": "Club", "currency": "EUR",
            "earning_rules": [{"name": "base", "rate": {"points": 1, "per_minor": 1}}],
            "pools": {"contribution_percent": PERCENT, "leaving": "stays" if stays else "takes_share"},
            "returns": {"policy": "allow_negative" if may_owe else "within_balance"},
        }  # fmt: skip
        self.club = Programme(name="club", spec=msgspec.convert(spec, ProgrammeSpec))
        api.enrol(tx, profile_ids=[profile(each) for each in PEOPLE], programme=self.club, now=START)
        wish = PoolWish(profile_id=profile(1), programme="club", idempotency_key="open")
        self.pool_id = api.open_pool(tx, wish=wish, programme=self.club, now=START).pool_id
        self.accounts = {
            each: api.get_member(tx, profile_id=profile(each), programme="club").account_id for each in PEOPLE
        } | {POOL: api.get_pool(tx, self.pool_id).account_id}
        self.known = []

    def key(self):
        self.count += 1
        return f"k{self.count}"

    def listen(self):
        kind, payload = self.tx.execute(
            "select kind, payload from kernel.event where kind like 'activity.%' order by event_id desc limit 1"
        ).fetchone()
        event = Event(event_id=1, xid=1, kind=kind, payload=payload, occurred_at=self.now)
        for _ in range(2):
            api.handle_events(self.tx, events=[event], programmes=[self.club], now=self.now)

    def buy(self, person, points):
        self.known.append(self.key())
        fact = PurchaseFact(
            system="till", stream="order", external_id=self.known[-1], business_key=self.known[-1],
            occurred_at=self.now, amount_minor=points, currency="EUR",
        )  # fmt: skip
        activity.accept_purchases(self.tx, purchases=[fact], profile_ids=[profile(person)], now=self.now)
        self.listen()
        rows = self.tx.execute("select payload from kernel.event where kind = %s", [POINTS_EARNED]).fetchall()
        events = [
            Event(event_id=1, xid=1, kind=POINTS_EARNED, payload=payload, occurred_at=self.now) for (payload,) in rows
        ]
        for _ in range(2):
            api.collect_in_pools(self.tx, events=events, programmes=[self.club], now=self.now)

    def take_back(self, lot, points):
        key = self.key()
        fact = ReturnFact(
            system="till", stream="refund", external_id=key, business_key=key, purchase_key=self.known[lot],
            occurred_at=self.now, amount_minor=points, currency="EUR",
        )  # fmt: skip
        activity.accept_returns(self.tx, returns=[fact], now=self.now)
        self.listen()

    def spend(self, person, points):
        try:
            api.redeem(
                self.tx, profile_id=profile(person), programme="club", points=points, idempotency_key=self.key(),
                now=self.now,
            )  # fmt: skip
        except InsufficientPoints:
            return False
        return True

    def draw(self, person, points):
        wish = PoolSpending(pool_id=self.pool_id, profile_id=profile(person), points=points, idempotency_key=self.key())
        try:
            for _ in range(2):
                api.redeem_from_pool(self.tx, wish=wish, programmes={"club": self.club}, now=self.now)
        except (InsufficientPoints, PoolRefused):
            return False
        return True

    def change(self, verb, person):
        try:
            for _ in range(2):
                verb(
                    self.tx, pool_id=self.pool_id, profile_id=profile(person), programmes={"club": self.club},
                    now=self.now,
                )  # fmt: skip
        except PoolRefused:
            return False
        return True

    def balances(self):
        return dict(
            zip(self.accounts, ledger.get_balances(self.tx, account_ids=list(self.accounts.values())), strict=True)
        )


steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "spend", "draw", "draw", "take_back", "leave", "join"]),
        st.sampled_from(PEOPLE), st.integers(1, 60),
    ),
    max_size=25,
)  # fmt: skip


def do(hub, model, what, person, points):
    """Do one step on both sides; what the hub refuses the model refuses, too."""
    if what == "buy":
        hub.buy(person, points)
        model.buy(person, points)
    elif what == "spend":
        assert hub.spend(person, points) is model.spend(person, points)
    elif what == "draw":
        assert hub.draw(person, points) is (person in model.seats and model.spend(POOL, points))
    elif what == "take_back" and model.prices:
        lot = points % len(model.prices)
        part = min(points, model.prices[lot])
        if part:
            hub.take_back(lot, part)
            model.take_back(lot, part)
    elif what == "leave" and person in model.seats:
        assert hub.change(api.leave_pool, person)
        model.leave(person)
    elif what == "join":
        assert hub.change(api.join_pool, person) is model.join(person)


@pytest.mark.parametrize("stays", [False, True])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=steps, may_owe=st.booleans())
def test_each_has_what_the_model_says(tx, stays, plan, may_owe):
    tx.execute("savepoint example")
    hub, model = Hub(tx, stays=stays, may_owe=may_owe), Model(stays=stays, may_owe=may_owe)
    for step in plan:
        hub.now += timedelta(seconds=1)
        do(hub, model, *step)
        assert hub.balances() == {place: model.sum(place) - model.owed.get(place, 0) for place in (*PEOPLE, POOL)}, step
        assert store.find_imbalance(tx) == store.find_unlotted(tx) == []
        assert sum(row.balance for row in ledger.trial_balance(tx)) == 0
    tx.execute("rollback to savepoint example")
