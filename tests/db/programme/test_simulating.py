"""A simulation comes to what the running hub comes to when the same things happen one by one."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.replaying import Happening, replay
from comity.activity import api as activity
from comity.activity.types import PurchaseFact, PurchaseRecorded, ReturnFact
from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.api import History, Trial
from comity.programme.simulating_run import simulate_part
from comity.programme.simulating_sums import add_parts, shares_budgets
from comity.programme.types import Programme, Redemption
from comity.programme.wishes import EndWish, HoldWish
from tests.db.programme.test_api import ADA
from tests.db.programme.test_following import BOUGHT as BEGIN
from tests.db.programme.test_following import Till
from tests.db.programme.test_following import club as till_club

FIRST = datetime(2026, 1, 30, 20, tzinfo=UTC)
ON = date(2026, 3, 1)
"""30 days after the first."""
PEOPLE = [UUID(int=1), UUID(int=2)]
LADDER = {"levels": [{"name": "Blue", "from": 0}, {"name": "Silver", "from": 120}, {"name": "Gold", "from": 300}]}
CAPS = st.one_of(
    st.builds(lambda per, points: [{"per": per, "points": points}], st.sampled_from(["day", "month", "ever"]),
              st.integers(1, 200)),
    st.builds(lambda per, times: [{"per": per, "times": times}], st.sampled_from(["day", "week"]), st.integers(1, 2)),
    st.just([]),
)  # fmt: skip
RULES = st.lists(
    st.one_of(
        st.builds(lambda caps, most: {"rate": {"points": most, "per_minor": 100}, "caps": caps}, CAPS,
                  st.integers(1, 3)),
        st.builds(lambda caps: {"multiplier_percent": 250, "tiers": ["Silver", "Gold"], "caps": caps}, CAPS),
        st.builds(lambda caps: {"multiplier_percent": 150, "when": "purchase.weekday >= 5", "caps": caps}, CAPS),
        st.builds(lambda caps: {"multiplier_percent": 300, "when": "loyalty.tier = 'Gold'", "caps": caps}, CAPS),
        st.just({"fixed": 70, "first_purchase": True}),
        st.builds(lambda caps: {"fixed": 11, "when": "purchase.number >= 3", "caps": caps}, CAPS),
        st.just({"fixed": 5, "channels": ["web"]}),
        st.builds(lambda caps: {"fixed": 40, "caps": caps, "budget": "promo"}, CAPS),
        st.just({"multiplier_percent": 130, "budget": "promo"}),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip
BUDGETS = st.builds(
    lambda points, money, per, short: (
        {"name": "promo", "points": points, "money_minor": money, "per": per} | {"when_short": short}
    ),
    st.sampled_from([None, 50, 90, 200]),
    st.sampled_from([40, 90, 300]),
    st.sampled_from(["day", "month", "ever"]),
    st.sampled_from(["partial", "nothing"]),
)
EXPIRIES = st.sampled_from(
    [
        {"kind": "never"},
        {"kind": "rolling", "after": {"days": 20}},
        {"kind": "rolling", "after": {"months": 1}, "end_of": "month"},
        {"kind": "fixed", "last_day": "2026-02-28"},
    ]
)
PENDING = st.sampled_from([None, None, {"days": 9}])


@st.composite
def specs(draw):
    """A programme the hub carries out."""
    spec = {
        "title": "Club", "currency": "EUR", "timezone": draw(st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tokyo"])),
        "enrol": {"automatic": True}, "earning": {"points_per_unit": 1, "unit_minor": 100},
        "points": [{"name": "coins", "expiry": draw(EXPIRIES), "caps": draw(CAPS), "pending": draw(PENDING),
                    "worth": {"points": 3, "minor": 2}}],
        "budgets": [draw(BUDGETS)],
        "earning_rules": [{"name": f"r{place}", **rule} for place, rule in enumerate(draw(RULES))],
    }  # fmt: skip
    if draw(st.sampled_from([True, True, True, False])):
        spec["tiers"] = LADDER | {"window_days": draw(st.sampled_from([1, 5, 10, 60]))}
    return msgspec.convert(spec, ProgrammeSpec)


MOMENTS = st.builds(
    lambda day, hour: FIRST + timedelta(days=day, hours=hour),
    st.sampled_from([0, 1, 4, 5, 9, 10, 20, 21, 30]),
    st.sampled_from([0, 1, 3, 4, 15]),
)
"""Days at the ends of the windows below, hours around midnight."""
BOUGHT = (
    st.sampled_from(PEOPLE), MOMENTS, st.sampled_from([-1, 90, 5_050, 12_000, 19_999]),
    st.sampled_from(["EUR"] * 5 + ["USD"]),
)  # fmt: skip
PURCHASES = st.lists(st.tuples(*BOUGHT), min_size=4, max_size=16)
DETAILS, RETURNED = st.sampled_from([None, None, {"channel": "web"}]), st.sampled_from([0, 0, 0, 1, 50, 12_000])


def load(tx, purchases):
    """Store purchases with what came back of them, and return them as the hub hears of them."""
    purchases = [(*each, None, 0)[:6] if len(each) < 6 else each for each in purchases]
    facts = [
        PurchaseFact(system="shop", stream="Order", external_id=f"o{place}", occurred_at=moment, amount_minor=amount,
                     currency=currency, details=details)
        for place, (_, moment, amount, currency, details, _) in enumerate(purchases)
    ]  # fmt: skip
    returns = [
        ReturnFact(system="shop", stream="Return", external_id=f"r{place}", business_key=f"r{place}",
                   purchase_key=f"shop:o{place}", occurred_at=moment, amount_minor=returned, currency=currency)
        for place, (_, moment, _, currency, _, returned) in enumerate(purchases)
        if returned
    ]  # fmt: skip
    activity.accept_returns(tx, returns=returns, now=FIRST)
    taken = activity.accept_purchases(tx, purchases=facts, profile_ids=[each[0] for each in purchases], now=FIRST)
    return [
        PurchaseRecorded(
            purchase_id=fact.purchase_id, business_key=f"shop:{told.external_id}", profile_id=fact.profile_id,
            occurred_at=told.occurred_at, amount_minor=told.amount_minor, currency=told.currency, system="shop",
            stream="Order", external_id=told.external_id, details=told.details,
        )
        for told, fact in zip(facts, taken, strict=True)
    ]  # fmt: skip


def happen(recorded, spec=None):
    """The purchases as they happen, up to the last day."""
    zone = ZoneInfo(spec.timezone if spec else "UTC")
    return [
        Happening(happened_at=each.occurred_at, purchase=each, is_returned=True)
        for each in recorded
        if spec is None or each.occurred_at.astimezone(zone).date() <= ON
    ]


def run_hub(tx, spec, happenings, on=ON):
    """What the hub comes to by one version; nothing of it stays, unless it redeems."""
    version = Programme(name="club", spec=spec, version=1)
    api.open_programme(tx, programme=version, now=FIRST)
    return replay(tx, version=version, happenings=happenings, on=on)


def check_same(tx, found, name, hub):
    figures = getattr(found, name)
    issued = Counter()
    for each in hub.earned.values():
        issued[each.profile_id] += each.points
    assert figures.points_issued == issued.total()
    assert figures.points_redeemed == hub.redeemed
    assert figures.points_open == sum(each.points + each.pending for each in hub.members.values())
    assert figures.points_issued == figures.points_redeemed + figures.points_expired + figures.points_open
    assert figures.earning_count == sum(each.points > 0 for each in hub.earned.values())
    placed, told = Counter(), Counter()
    for tier, further in tx.execute("select tier, further_tiers from programme.member").fetchall():
        placed.update(level for level in [tier, *(further or {}).values()] if level is not None)
    for each in found.tiers:
        told[each.tier] += getattr(each, name)
    del told[None]
    assert +told == placed
    for gain in (*found.winners.largest, *found.losers.largest):
        assert getattr(gain, name) == issued[gain.profile_id]
    return issued


CAPPED_GIFT = msgspec.convert(
    {
        "title": "Club", "currency": "EUR", "timezone": "UTC", "enrol": {"automatic": True},
        "points": [{"name": "coins", "worth": {"points": 3, "minor": 2}, "caps": [{"per": "day", "points": 123}]}],
        "budgets": [{"name": "promo", "money_minor": 40, "per": "month"}],
        "earning_rules": [
            {"name": "base", "rate": {"points": 1, "per_minor": 100}},
            {"name": "gift", "fixed": 40, "budget": "promo"},
        ],
    },
    ProgrammeSpec,
)  # fmt: skip
"""A budget under a cap of its kind of points: who is worked out again draws what was drawn, so nothing comes free."""
CAPPED_BOUGHT = [
    (PEOPLE[place % 2], FIRST + timedelta(days=2 + place), 12_000, "EUR", None, 0) for place in range(4)
]  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(running=CAPPED_GIFT, proposed=CAPPED_GIFT, purchases=CAPPED_BOUGHT)
@given(
    running=specs(),
    proposed=specs(),
    purchases=st.lists(st.tuples(*BOUGHT, DETAILS, RETURNED), min_size=4, max_size=16),
)
def test_both_versions_come_to_what_the_hub_comes_to(tx, running, proposed, purchases):
    proposed = msgspec.structs.replace(proposed, timezone=running.timezone)
    with tx.transaction(force_rollback=True):
        recorded = load(tx, purchases)
        trial = Trial(programme="club", running=running, proposed=proposed, on=ON)
        history = History(programme="club", until=trial.until)
        found = api.simulate(tx, trial=trial, history=history)
        parts = [
            simulate_part(tx, trial=trial, history=msgspec.structs.replace(history, part=part, parts=3))
            for part in range(3)
        ]
        assert add_parts(parts, trial=trial) == found or shares_budgets(trial)
        given_by = []
        for name, spec in (("running", running), ("proposed", proposed)):
            with tx.transaction(force_rollback=True):
                given_by.append(check_same(tx, found, name, run_hub(tx, spec, happen(recorded, spec))))
        assert found.winners.member_count == sum(given_by[1][each] > given_by[0][each] for each in PEOPLE)
        assert found.losers.member_count == sum(given_by[1][each] < given_by[0][each] for each in PEOPLE)
        assert found.winners.points + found.losers.points == given_by[1].total() - given_by[0].total()


MILES = msgspec.convert(
    {
        "title": "Miles", "currency": "EUR", "timezone": "Europe/Berlin", "enrol": {"automatic": True},
        "earning": {"points_per_unit": 1, "unit_minor": 100},
        "points": [{"name": "miles", "expiry": {"kind": "rolling", "after": {"days": 30}}}],
    },
    ProgrammeSpec,
)  # fmt: skip
POORER = msgspec.structs.replace(MILES, earning=msgspec.structs.replace(MILES.earning, unit_minor=200))


def simulate(tx, running, proposed, on=ON):
    trial = Trial(programme="club", running=running, proposed=proposed, on=on)
    return api.simulate(tx, trial=trial, history=History(programme="club", until=trial.until))


def test_redemptions_are_made_again_from_the_lots_that_expire_first(tx):
    ada, bob = PEOPLE
    days = [(ada, 0, 10_000), (ada, 20, 8_000), (bob, 20, 6_000), (ada, 60, 4_000)]
    recorded = load(tx, [(who, FIRST + timedelta(days=day), amount, "EUR") for who, day, amount in days])
    wishes = [
        Happening(
            happened_at=FIRST + timedelta(days=day),
            redemption=Redemption(profile_id=ada, programme="club", points=points, idempotency_key=f"r{day}"),
        )
        for day, points in ((25, 30), (29, 50), (30, 60))
    ]
    on = date(2026, 4, 20)
    hub = run_hub(tx, MILES, [*happen(recorded), *wishes], on=on)
    found = simulate(tx, MILES, POORER, on=on)
    check_same(tx, found, "running", hub)
    assert (found.running.points_redeemed, found.running.points_expired, found.running.points_open) == (140, 100, 40)
    assert (found.proposed.points_redeemed, found.proposed.points_short) == (90, 50)
    assert found.losers.largest[0].points == -110 and found.losers.member_count == 2


@pytest.mark.parametrize(("day", "tier"), [(4, "Gold"), (5, "Blue"), (6, "Blue")])
def test_points_leave_the_window_on_their_day(tx, day, tier):
    gold = {"name": "gold", "multiplier_percent": 200, "tiers": ["Gold"]}
    spec = msgspec.convert(
        msgspec.to_builtins(MILES) | {"tiers": LADDER | {"window_days": 5}, "earning_rules": [gold]}, ProgrammeSpec
    )
    recorded = load(tx, [(PEOPLE[0], FIRST, 40_000, "EUR"), (PEOPLE[0], FIRST + timedelta(days=day), 1_000, "EUR")])
    hub = run_hub(tx, spec, happen(recorded))
    assert hub.earned[recorded[1].purchase_id].points == (20 if tier == "Gold" else 10)
    check_same(tx, simulate(tx, spec, spec), "running", hub)
    on = FIRST.date() + timedelta(days=day - 1)
    assert {each.tier: each.running for each in simulate(tx, spec, None, on=on).tiers}["Gold"] == (day <= 5)


def test_who_has_to_enrol_counts_from_then_on(tx):
    ada, bob = PEOPLE
    recorded = load(tx, [(who, FIRST + timedelta(days=day), 10_000, "EUR") for who in (ada, bob) for day in (0, 1)])
    explicit = msgspec.structs.replace(MILES, enrol=msgspec.convert({}, type(MILES.enrol)))
    version = Programme(name="club", spec=explicit, version=1)
    api.enrol(tx, profile_ids=[ada], programme=version, now=FIRST)
    api.earn_for_purchases(tx, purchases=recorded[1:], programmes=[version], now=FIRST)
    found = simulate(tx, explicit, MILES)
    assert (found.running.points_issued, found.proposed.points_issued) == (100, 400)
    assert found.notes


def test_a_programme_that_is_new_stands_beside_nothing(tx):
    load(tx, [(PEOPLE[0], FIRST, 10_000, "EUR"), (PEOPLE[1], FIRST + timedelta(days=300), 10_000, "EUR")])
    found = simulate(tx, None, MILES)
    assert (found.member_count, found.running.points_issued, found.proposed.points_issued) == (1, 0, 100)
    assert [(each.month, each.proposed) for each in found.months] == [("2026-01", 100)]


def test_a_first_kind_of_another_name_is_the_same_kind(tx):
    load(tx, [(PEOPLE[0], FIRST, 10_000, "EUR")])
    renamed = msgspec.convert(msgspec.to_builtins(MILES) | {"points": [{"name": "coins"}]}, ProgrammeSpec)
    found = simulate(tx, MILES, renamed)
    assert (found.kinds, found.running.points_issued, found.proposed.points_issued) == ((), 100, 100)


def laddered(*ladders, **changes):
    return msgspec.convert(msgspec.to_builtins(MILES) | {"ladders": list(ladders)} | changes, ProgrammeSpec)


def test_a_ladder_or_level_of_another_name_is_the_same(tx):
    load(tx, [(PEOPLE[0], FIRST, 13_000, "EUR"), (PEOPLE[1], FIRST, 1_000, "EUR")])
    blue, silver = {"name": "Blue", "from": 0}, {"name": "Silver", "from": 120}
    running = laddered({"name": "status", "levels": [blue, silver]})
    other = laddered({"name": "club", "levels": [blue | {"name": "Base"}, silver]})
    found = simulate(tx, running, other)
    assert found.tier_moves == ()
    assert [(each.ladder, each.tier, each.running, each.proposed) for each in found.tiers] == [
        ("club", "Base", 1, 1),
        ("club", "Silver", 1, 1),
    ]


def test_a_ladder_or_level_that_is_another_one_is_told_as_that(tx):
    load(tx, [(PEOPLE[0], FIRST, 13_000, "EUR")])
    blue, silver = {"name": "Blue", "from": 0}, {"name": "Silver", "from": 120}
    running = laddered({"name": "status", "levels": [blue, silver]})
    further = laddered({"name": "status", "levels": [blue, silver]}, {"name": "club", "levels": [blue, silver]})
    assert [(each.ladder, each.running, each.proposed) for each in simulate(tx, running, further).tier_moves] == [
        ("club", None, "Silver")
    ]
    shorter = laddered({"name": "club", "levels": [blue, silver], "window": {"kind": "lifetime"}})
    assert {each.ladder for each in simulate(tx, running, shorter).tier_moves} == {"status", "club"}
    higher = laddered({"name": "status", "levels": [blue, {"name": "Gold", "from": 150}]})
    assert [(each.running, each.proposed) for each in simulate(tx, running, higher).tier_moves] == [("Silver", "Blue")]
    swapped = laddered({"name": "status", "levels": [silver | {"from": 0}, blue | {"from": 120}]})
    assert [(each.running, each.proposed) for each in simulate(tx, running, swapped).tier_moves] == [("Silver", "Blue")]


@pytest.mark.parametrize("returned", [12_000, 2_525])
def test_what_a_return_gave_back_stays_with_who_drew_it_next(tx, returned):
    bonus = {"name": "r0", "multiplier_percent": 130, "budget": "promo"}
    first = {"name": "r1", "rate": {"points": 1, "per_minor": 100}, "caps": [{"per": "day", "points": 1}]}
    worth = {"name": "miles", "worth": {"points": 3, "minor": 2}}
    spec = msgspec.convert(
        msgspec.to_builtins(MILES)
        | {"points": [worth], "earning_rules": [bonus, first]}
        | {"budgets": [{"name": "promo", "money_minor": 90, "per": "day"}]},
        ProgrammeSpec,
    )
    ada, bob = PEOPLE
    bought = [(ada, 19_999, 0), (bob, 5_050, returned), (bob, 90, 0)]
    recorded = load(tx, [(who, FIRST, amount, "EUR", None, back) for who, amount, back in bought])
    hub = run_hub(tx, spec, happen(recorded, spec))
    assert [hub.earned[each.purchase_id].points for each in (recorded[0], recorded[2])] == [320, 2]
    check_same(tx, simulate(tx, spec, spec), "running", hub)


def test_what_is_captured_of_holds_is_spent_when_it_was_reserved(tx):
    shop = Till(tx, till_club(points=[{"name": "p", "expiry": {"kind": "rolling", "after": {"days": 10}}}]))
    shop.sell(1, 5_000)
    shop.sell(2, 3_000, days=5, now=BEGIN + timedelta(days=5))
    reserved, ended, later = (BEGIN + timedelta(days=days) for days in (8, 11, 12))
    wish = {"profile_id": ADA, "programme": "club", "deadline_at": later}
    wishes = [HoldWish(points=points, idempotency_key=f"h{points}", **wish) for points in (40, 10)]
    held = [each.hold_id for each in api.hold_many(tx, holds=wishes, now=reserved)]
    ends = [
        EndWish(hold_id=hold_id, points=points, idempotency_key=f"e{points}")
        for hold_id, points in zip(held, (30, 0), strict=True)
    ]
    api.end_holds(tx, ends=ends, now=ended)
    api.expire_points(tx, programme=shop.programme, now=later)
    trial = Trial(programme="club", running=None, proposed=shop.programme.spec, on=later.date())
    found = api.simulate(tx, trial=trial, history=History(programme="club", until=trial.until)).proposed
    assert (found.points_redeemed, found.points_expired, found.points_open) == (30, 20, shop.member.points)
