"""Activity puts off when points expire, as the engine says, and the ledger keeps why."""

from datetime import timedelta

import msgspec
import pytest

from comity.activity import api as activity
from comity.activity.types import VisitFact, name_profile
from comity.definitions.types import ActivityKind, SlidingExpiry, Span
from comity.ledger import api as ledger
from comity.programme import api
from comity.programme.engine.lifetimes import prolong
from comity.programme.running import find_ignored
from comity.programme.simulating_types import History, Trial
from comity.programme.types import InsufficientPoints
from tests.db.programme.test_api import ADA, check_books
from tests.db.programme.test_following import BASE, BOUGHT, Till, club
from tests.lifetimes import slide_expiry

SLIDING = {"kind": "sliding", "after": {"months": 1}, "at_most": {"months": 3}}
FIRST = BOUGHT.date()


def keep(shop, days):
    """Do what the housekeeping does on a day."""
    while api.expire_points(shop.tx, programme=shop.programme, now=BOUGHT + timedelta(days=days)):
        pass


def sliding(**changes):
    return club(BASE, points=[{"name": "p", "expiry": {**SLIDING, **changes}}])


def visit(shop, now):
    """At the end of the day, where the programme lives."""
    person = name_profile(ADA)
    fact = VisitFact(business_key=f"v{now}", profile_id=ADA, occurred_at=now + timedelta(hours=13), person=person)
    assert activity.accept_visits(shop.tx, visits=[fact], now=now) == {fact.business_key}
    assert activity.accept_visits(shop.tx, visits=[fact], now=now) == set()


def lots(shop):
    account_id = shop.member.account_id
    held = ledger.list_holdings(shop.tx, account_ids=[account_id]).get(account_id, ())
    return {each.lot_id: (each.rest, each.expires_on) for each in held}


@pytest.mark.parametrize(
    ("kinds", "at_most"),
    [
        (["purchase"], None),
        (["earn"], {"months": 3}),
        (["redeem"], None),
        (["earn", "redeem"], {"months": 3}),
        (["visit"], None),
        (["visit", "redeem"], {"months": 3}),
    ],
)
def test_lots_expire_when_the_engine_says(tx, kinds, at_most):
    shop = Till(tx, sliding(activities=kinds, at_most=at_most))
    expiry = shop.programme.spec.points[0].expiry
    bought, spent = {0: 1_000, 25: 2_000, 30: 30, 50: 50, 90: 3_000}, {28: 3, 57: 2, 85: 1}
    visited, made, active = {20, 31, 55, 83, 100}, {}, []
    for days in range(130):
        now = BOUGHT + timedelta(days=days)
        keep(shop, days)
        day = now.date()
        if days in bought:
            known = set(lots(shop))
            shop.sell(days + 1, bought[days], days=days, now=now)
            made |= dict.fromkeys(set(lots(shop)) - known, day)
            if ActivityKind.PURCHASE in expiry.activities or (bought[days] > 99 and "earn" in kinds):
                active.append(day)
        if days in spent:
            with_points = True
            try:
                shop.spend(spent[days], now=now)
            except InsufficientPoints:
                with_points = False
            if with_points and "redeem" in kinds:
                active.append(day)
        if days in visited:
            visit(shop, now)
            active += [day] if "visit" in kinds else []
        alive = {lot_id for lot_id, earned_on in made.items() if slide_expiry(expiry, earned_on, active) > day}
        assert set(lots(shop)) <= alive
    keep(shop, 130)
    check_books(tx)
    told = {lot_id: slide_expiry(expiry, earned_on, active) for lot_id, earned_on in made.items()}
    expired = tx.execute(
        "select e.lot_id, t.effective_on from ledger.lot_entry e join ledger.transfer t using (transfer_id) "
        "where t.kind = 'expire' and e.amount < 0"
    ).fetchall()
    assert expired
    assert {lot_id: told[lot_id] for lot_id, _ in expired} == dict(expired)
    proof = ledger.verify(tx)
    assert proof.problems == []
    on = (BOUGHT + timedelta(days=130)).date()
    trial = Trial(programme="club", running=None, proposed=shop.programme.spec, on=on)
    figures = api.simulate(tx, trial=trial, history=History(programme="club", until=trial.until)).proposed
    assert figures.points_open == sum(rest for rest, _ in lots(shop).values())


def test_day_by_day_it_slides():
    expiry = msgspec.convert(SLIDING, SlidingExpiry)
    days = [FIRST + timedelta(days=each) for each in (20, 45, 70, 80, 200)]
    expires_on = slide_expiry(expiry, FIRST, [])
    for place, day in enumerate(days):
        expires_on = prolong(expiry, FIRST, expires_on, day)
        assert expires_on == slide_expiry(expiry, FIRST, days[: place + 1])
    assert prolong(SlidingExpiry(after=Span(days=5)), FIRST, days[0], days[0]) == days[0]


def test_what_an_event_makes_available_keeps_what_activity_gave(tx):
    spec = {"name": "p", "expiry": SLIDING, "pending": {"until": "stay"}}
    shop = Till(tx, club(BASE, points=[spec]))
    shop.sell(1, 1_000)
    shop.sell(2, 1_000, days=20, now=BOUGHT + timedelta(days=20))
    keep(shop, 21)
    [_, prolonged] = sorted(each for _, each in lots(shop).values())
    shop.sell(1, 1_000, events={"stay": BOUGHT}, now=BOUGHT + timedelta(days=22))
    assert shop.member.points == 10
    assert [each for _, each in lots(shop).values()] == [prolonged] * 2
    reasons = tx.execute("select reason from ledger.lot_term order by lot_term_id").fetchall()
    assert reasons[0] == ("The member was active on 2026-03-21.",)


def test_lots_that_would_slide_beside_others_are_refused():
    visits = sliding(activities=["visit"]).spec
    own = club({**BASE, "expiry": {"kind": "never"}}, points=[{"name": "p", "expiry": SLIDING}]).spec
    alone = club({**BASE, "expiry": SLIDING}).spec
    assert [find_ignored(each) for each in (sliding().spec, visits, own, alone)] == [
        [], [], ["earning_rules[0].expiry"], ["earning_rules[0].expiry"],
    ]  # fmt: skip
