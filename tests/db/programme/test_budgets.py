"""Budgets that members share: counted to the point, given back, and told when they run low."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from comity.activity.types import ProfileMove
from comity.definitions.types import ProgrammeSpec
from comity.ledger import store as books
from comity.programme import api, history
from comity.programme.engine.replaying import Person, replay, sum_draws
from comity.programme.promotions import BUDGET_LOW, BUDGET_SPENT
from comity.programme.running import list_versions, to_id
from comity.programme.types import EarnOutcome, Programme
from tests.db.programme.test_api import ADA, BOB, check_books, published, purchase
from tests.property.test_programme_flow import NOW, Story, listen, stories

WORTH = {"name": "coins", "worth": {"points": 2, "minor": 1}}


def club(name="club", **budget):
    spec = {
        "title": "Club", "currency": "EUR", "timezone": "Europe/Berlin", "enrol": {"automatic": True},
        "points": [WORTH], "returns": {"policy": "allow_negative"},
        "earning_rules": [{"name": "gift", "rate": {"points": 1, "per_minor": 100}, "budget": "promo"}],
        "budgets": [{"name": "promo", **budget}],
    }  # fmt: skip
    return Programme(name=name, spec=msgspec.convert(spec, ProgrammeSpec), version=1)


@pytest.fixture
def now(clock):
    return clock.now()


def earn(tx, programme, now, *purchases):
    earned = api.earn_for_purchases(tx, purchases=purchases, programmes=[programme], now=now)
    check_books(tx)
    return [each.points for each in sorted(earned, key=lambda each: each.purchase_id)]


def drawn(tx, name="club"):
    rows = tx.execute("select counter, period, amount from programme.budget where programme = %s", (name,)).fetchall()
    return Counter({(row[0], row[1]): row[2] for row in rows})


def test_what_is_left_is_given_and_then_nothing(tx, now):
    promo = club(points=250)
    assert earn(tx, promo, now, purchase(1), purchase(2, BOB)) == [100, 100]
    assert earn(tx, promo, now, purchase(1), purchase(2, BOB)) == []
    assert [each["used_percent"] for each in published(tx, BUDGET_LOW)] == []
    [quote] = [
        api.quote_purchase(
            tx, profile_id=ADA, programme=promo, amount_minor=9_000, currency="EUR", occurred_at=now, now=now
        )
    ]
    assert quote.points == 50
    assert earn(tx, promo, now, purchase(3, BOB), purchase(4)) == [50, 0]
    assert api.find_earnings(tx, purchase_id=4)[0].outcome is EarnOutcome.NOTHING
    [state] = api.list_budgets(tx, programme=promo, now=now)
    assert (state.points_used, state.points_max, state.is_spent, state.money_max_minor) == (250, 250, True, None)
    assert published(tx, BUDGET_SPENT) == [msgspec.to_builtins(state)]


def test_nothing_is_given_where_the_whole_is_not_there(tx, now):
    promo = club(money_minor=95, when_short="nothing", per="day")
    assert earn(tx, promo, now, purchase(1), purchase(2, BOB), purchase(3, amount=8_000)) == [100, 0, 80]
    assert earn(tx, promo, now, purchase(4, amount=801), purchase(5, amount=300)) == [8, 0]
    assert [(each["money_used_minor"], each["is_spent"]) for each in published(tx, BUDGET_LOW)] == [(90, False)]
    later = datetime(2026, 3, 5, 10, tzinfo=UTC)
    assert earn(tx, promo, now, purchase(6, BOB, occurred_at=later)) == [100]


def test_whoever_is_merged_draws_no_more_and_no_less(tx, now):
    promo = club(points=150)
    assert earn(tx, promo, now, purchase(1), purchase(2, BOB)) == [100, 50]
    move = ProfileMove(loser_profile_id=BOB, survivor_profile_id=ADA)
    api.merge_members(tx, moves=[move], programmes=[promo], now=now)
    assert earn(tx, promo, now, purchase(3, occurred_at=NOW - timedelta(days=900))) == [0]
    assert api.get_member(tx, profile_id=ADA, programme="club").points == 150
    assert drawn(tx)["budget.promo.points.ever", ""] == 150


numbers = count(1)


def is_told_in_time(batches):
    """True unless a purchase is first heard of after a return, all of which come later than all purchases.

    Such a purchase may have what the return gave back, which was not there yet on its own day: what is drawn is told by
    what is left, and what was given is not taken away.
    """
    known, is_returned = set(), False
    for batch in batches:
        fresh = {number for kind, number, *_ in batch if kind == "buy"} - known
        if fresh and is_returned:
            return False
        known |= fresh
        is_returned = is_returned or any(kind == "return" for kind, *_ in batch)
    return True


LATE_TOLD = [[("buy", 2, 0, 12_650, False), ("return", 2, 1, 150, False)], [("buy", 1, 0, 2_550, False)]]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=stories, limit=st.sampled_from([30, 150, 400]), short=st.sampled_from(["partial", "nothing"]))
@example(batches=LATE_TOLD, limit=150, short="partial")
def test_the_flow_comes_to_what_the_replay_says(tx, batches, limit, short):
    number = next(numbers)
    promo = club(f"club{number}", points=limit, per="quarter", when_short=short)
    story = Story(tx, 10_000 + number)
    seen = tx.execute("select coalesce(max(event_id), 0) from kernel.event").fetchone()[0]
    for batch in batches:
        story.tell(batch)
        seen = listen(tx, [promo], seen)
    found = dict(
        tx.execute(
            "select business_key, purchase_id from activity.purchase where profile_id = %s", (story.profile_id,)
        ).fetchall()
    )
    states = story.list_states(found)
    wanted = replay(
        list_versions(promo), Person(), [history.to_facts(each) for each in states if not each.is_cancelled]
    )
    given = {each.purchase_id: api.find_earnings(tx, purchase_id=each.purchase_id)[0].points for each in states}
    used = +drawn(tx, promo.name)
    assert used.total() == sum(given.values())
    assert all(points <= limit for points in used.values())
    if is_told_in_time(batches):
        assert given == {
            each: sum(lot.points for lot in booked.lots) if (booked := wanted.booked.get(to_id(each))) else 0
            for each in given
        }
        assert used == +Counter(sum_draws(wanted.booked.values(), is_net=True))
    assert books.find_imbalance(tx) == []


CANCELLED_MEANWHILE = [
    [[("buy", 1, 0, 50, False)]],
    [
        [("buy", 1, 0, 150, False), ("buy", 2, 0, 8_050, False)],
        [("buy", 1, 1, 50, True), ("buy", 3, 0, 4_150, False)],
    ],
]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(told=CANCELLED_MEANWHILE, short="partial")
@given(told=st.lists(stories, min_size=2, max_size=3), short=st.sampled_from(["partial", "nothing"]))
def test_no_budget_is_exceeded_whatever_becomes_of_purchases(tx, told, short):
    number = next(numbers)
    promo = club(f"club{number}", points=120, when_short=short)
    people = [Story(tx, 100_000 * (place + 1) + number) for place, _ in enumerate(told)]
    seen = tx.execute("select coalesce(max(event_id), 0) from kernel.event").fetchone()[0]
    for place in range(max(map(len, told))):
        for story, batches in zip(people, told, strict=True):
            story.tell(batches[place] if place < len(batches) else [])
        seen = listen(tx, [promo], seen)
        assert drawn(tx, promo.name).total() <= 120
    held = [
        each
        for story in people
        for each in api.find_members(tx, profile_ids=[story.profile_id], programme=promo.name).get(story.profile_id, ())
    ]
    assert sum(each.points for each in held) == drawn(tx, promo.name).total()
    assert books.find_imbalance(tx) == []


def test_many_at_once_draw_exactly_what_there_is(database, now):
    promo = club(points=1_000)
    people = [UUID(int=number) for number in range(1, 9)]
    with database.transaction() as tx:
        api.enrol(tx, profile_ids=people, programme=promo, now=now)
    batches = [
        [purchase(8 * round_ + place, profile_id, amount=4_700) for place, profile_id in enumerate(people)]
        for round_ in range(6)
    ]
    split = [batch[place::2] for batch in batches for place in range(2)]

    def run(batch):
        return database.run(lambda tx: api.earn_for_purchases(tx, purchases=batch, programmes=[promo], now=now))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(run, [*split, *reversed(split)]))
    with database.transaction() as tx:
        earned = tx.execute("select sum(points), count(*) from programme.earning").fetchone()
        assert earned == (1_000, 48)
        assert drawn(tx)["budget.promo.points.ever", ""] == 1_000
        assert len(published(tx, BUDGET_SPENT)) == 1
        check_books(tx)
