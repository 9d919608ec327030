"""Whatever becomes of purchases, and in whatever order it is heard of: members have what the engine's replay says."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.activity import api as activity
from comity.activity.types import PurchaseFact, ReturnFact
from comity.definitions.types import ProgrammeSpec
from comity.kernel.events import Event
from comity.ledger import store as books
from comity.programme import api, history
from comity.programme.engine.replaying import Person, replay
from comity.programme.kinds import tell_points
from comity.programme.running import list_versions, to_id
from comity.programme.stands import PurchaseState
from comity.programme.types import Former, Programme

NOW = datetime(2026, 6, 1, 10, tzinfo=UTC)
RATE = {"name": "base", "rate": {"points": 1, "per_minor": 100}}
TIERS = {"window_days": 40, "levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 150}]}
RULES = {
    "plain": {"earning_rules": [RATE], "exclusions": [{"name": "spa", "categories": ["spa"]}]},
    "capped": {
        "returns": {"policy": "allow_negative", "window_days": 25, "late": "keep"},
        "earning_rules": [
            {**RATE, "caps": [{"per": "week", "points": 120}]},
            {"name": "welcome", "fixed": 50, "first_purchase": True, "pending": {"days": 300}},
            {"name": "web", "fixed": 10, "channels": ["web"]},
            {"name": "spa", "rate": {"points": 1, "per_minor": 300}, "categories": ["spa"]},
        ],
    },
    "tiered": {"earning_rules": [RATE, {"name": "gold", "multiplier_percent": 150, "tiers": ["Gold"]}], "tiers": TIERS},
    "kinds": {
        "points": [
            {
                "name": "coins",
                "pending": {"until": "stay", "at_most_days": 45},
                "caps": [{"per": "month", "points": 140}],
            },
            {"name": "status", "spendable": False},
        ],
        "earning_rules": [
            RATE,
            {"name": "spa", "points": "status", "rate": {"points": 2, "per_minor": 100}, "categories": ["spa"]},
            {"name": "web", "points": "status", "fixed": 10, "channels": ["web"], "pending": {"days": 70}},
            {"name": "gold", "multiplier_percent": 150, "tiers": ["Gold"]},
        ],
        "ladders": [
            {"name": "level", "points": "status", "levels": [{"name": "Blue", "from": 0}, {"name": "Gold", "from": 60}]}
        ],
    },
    "awaited": {
        "earning_rules": [
            {**RATE, "pending": {"until": "stay", "at_most_days": 45}},
            {"name": "keep", "fixed": 10, "pending": {"until": "stay", "at_most_days": 45, "otherwise": "release"}},
            {"name": "later", "fixed": 20, "pending": {"until": "stay", "at_most_days": 45, "days": 5}},
            {"name": "arrived", "rate": {"points": 1, "per_minor": 200}, "pending": {"until": "arrival", "days": 90}},
        ]
    },
}
PURCHASES = 4
numbers = count(1)


def programme(name):
    spec = {"title": "T", "currency": "EUR", "timezone": "Europe/Berlin", "returns": {"policy": "allow_negative"}}
    said = [msgspec.convert({**spec, **RULES[name], **more}, ProgrammeSpec) for more in ({}, {"stacking": "best_of"})]
    former = Former(first_day=date(2026, 1, 1), spec=said[0], version=1)
    return Programme(name=name, spec=said[1], version=2, first_day=date(2026, 4, 1), past=(former,))


amounts = st.integers(0, 150).map(lambda euros: euros * 100 + 50)
tellings = st.tuples(st.just("buy"), st.integers(1, PURCHASES), st.integers(0, 3), amounts, st.booleans())
returns = st.tuples(st.just("return"), st.integers(1, PURCHASES), st.integers(1, 2), amounts, st.booleans())
happenings = st.tuples(st.just("happen"), st.integers(1, PURCHASES), st.integers(0, 3), amounts, st.booleans())
stories = st.lists(st.lists(tellings | returns | happenings, min_size=1, max_size=4), min_size=1, max_size=6)


def line(amount, **more):
    return {"line_id": "1", "amount_minor": amount, **more}


class Story:
    """Tells of purchases and returns of one person, and remembers what the last word on each is."""

    def __init__(self, tx, number):
        self.tx = tx
        self.number = number
        self.profile_id = UUID(int=number)
        self.bought = {}
        self.returned = {}
        self.happened = {}

    def tell(self, batch):
        for kind, number, which, amount, flag in batch:
            key = f"{self.number}-{number}"
            if kind == "buy":
                fact = PurchaseFact(
                    system="shop", stream="order", external_id=key, business_key=key, currency="EUR",
                    occurred_at=NOW - timedelta(days=30 * number - 7 * which), amount_minor=amount,
                    is_cancelled=flag and which == 1,
                    details={"channel": "web", "lines": [line(amount // 3, category="spa")]} if flag else None,
                )  # fmt: skip
                self.bought[key] = fact
                activity.accept_purchases(self.tx, purchases=[fact], profile_ids=[self.profile_id], now=NOW)
            elif kind == "happen":
                self.happen(key, number, which, flag)
            else:
                fact = ReturnFact(
                    system="shop", stream="refund", external_id=f"{key}:{which}", business_key=f"{key}:{which}",
                    purchase_key=key, currency="EUR", occurred_at=NOW - timedelta(days=which), amount_minor=amount,
                    details={"lines": [line(amount // 2)]} if which == 2 else None,
                )  # fmt: skip
                self.returned[fact.business_key] = fact
                told_again = msgspec.structs.replace(fact, system="till", amount_minor=amount + 100)
                activity.accept_returns(self.tx, returns=[fact, told_again] if flag else [fact], now=NOW)

    def happen(self, key, number, which, flag):
        """Another system tells of an event; with `which` 0 it takes back what it told."""
        name = "stay" if flag else "arrival"
        happened_at = NOW - timedelta(days=30 * number - 11 * which) if which else None
        if happened_at:
            self.happened.setdefault(key, {})[name] = happened_at
        else:
            self.happened.get(key, {}).pop(name, None)
        fact = self.bought.get(key)
        if fact is None:
            fact = PurchaseFact(
                system="shop", stream="order", external_id=key, business_key=key, currency="EUR", amount_minor=5_050,
                occurred_at=NOW - timedelta(days=30 * number),
            )  # fmt: skip
            self.bought[key] = fact
        told = msgspec.structs.replace(fact, system="desk", amount_minor=1, events={name: happened_at})
        activity.accept_purchases(self.tx, purchases=[fact, told], profile_ids=[self.profile_id] * 2, now=NOW)

    def list_states(self, purchase_ids):
        return [
            PurchaseState(
                purchase_id=purchase_ids[key], occurred_at=fact.occurred_at, amount_minor=fact.amount_minor,
                currency="EUR", is_cancelled=fact.is_cancelled, details=fact.details, system="shop", external_id=key,
                returns=[
                    {
                        "amount_minor": each.amount_minor,
                        "lines": (each.details or {}).get("lines"),
                        "occurred_at": each.occurred_at.isoformat(),
                    }
                    for each in sorted(self.returned.values(), key=lambda each: (each.occurred_at, each.business_key))
                    if each.purchase_key == key
                ],
                events={name: moment.isoformat() for name, moment in self.happened.get(key, {}).items()},
            )
            for key, fact in self.bought.items()
        ]  # fmt: skip


def listen(tx, programmes, after):
    rows = tx.execute(
        "select event_id, kind, payload, occurred_at from kernel.event where event_id > %s and kind like 'activity.%%' "
        "order by event_id",
        (after,),
    ).fetchall()
    events = [Event(event_id=row[0], xid=0, kind=row[1], payload=row[2], occurred_at=row[3]) for row in rows]
    for _ in range(2):  # A second time nothing is left to do.
        api.handle_events(tx, events=events, programmes=programmes, now=NOW)
    return events[-1].event_id if events else after


@pytest.mark.parametrize("name", list(RULES))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=stories)
def test_the_flow_comes_to_what_the_replay_says(tx, name, batches):
    club = programme(name)
    story = Story(tx, next(numbers))
    api.enrol(tx, profile_ids=[story.profile_id], programme=club, now=NOW)
    seen = tx.execute("select coalesce(max(event_id), 0) from kernel.event").fetchone()[0]
    for batch in batches:
        story.tell(batch)
        seen = listen(tx, [club], seen)
        api.lapse_points(tx, programme=club, now=NOW)
    found = tx.execute(
        "select business_key, purchase_id from activity.purchase where profile_id = %s", (story.profile_id,)
    ).fetchall()
    states = story.list_states(dict(found))
    wanted = replay(
        list_versions(club),
        Person(),
        [history.to_facts(each, known_on=NOW.date()) for each in states if not each.is_cancelled],
    )
    points = {each.purchase_id: _sum_lots(_lots(wanted, each)) for each in states}
    kinds = [each.name for each in club.spec.points_specs]
    earned = {purchase_id: api.find_earnings(tx, purchase_id=purchase_id)[0] for purchase_id in points}
    told = {key: tell_points(kinds[0], each.points, each.further_points) for key, each in earned.items()}
    assert told == points
    member = api.get_member(tx, profile_id=story.profile_id, programme=name)
    for kind in kinds:
        stand = member.kinds.get(kind, member)
        assert stand.points + stand.pending == sum(each.get(kind, 0) for each in points.values())
        lots = [lot for lot in _all_lots(wanted) if lot.currency == kind]
        waiting = [lot for lot in lots if (lot.terms.available_from or date.max) > NOW.date()]
        assert stand.pending == sum(lot.points for lot in waiting)
    counted = tx.execute(
        "select counter, period, c.amount from programme.counter c join programme.member m using (member_id) "
        "where m.profile_id = %s and c.amount <> 0",
        (story.profile_id,),
    ).fetchall()
    assert {(row[0], row[1]): row[2] for row in counted} == {
        key: value for key, value in wanted.counts.items() if value
    }
    assert books.find_imbalance(tx) == []


def _sum_lots(lots):
    sums = Counter()
    for each in lots:
        sums[each.currency] += each.points
    return dict(sums)


def _lots(wanted, state):
    booked = wanted.booked.get(to_id(state.purchase_id))
    return booked.lots if booked else ()


def _all_lots(wanted):
    return [lot for booked in wanted.booked.values() for lot in booked.lots]
