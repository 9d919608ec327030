"""Where the hub places members is where the walk does: by every ladder, on every day, in every order of news."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from comity.definitions.types import ProgrammeSpec
from comity.programme import api
from comity.programme.climbing import climb
from comity.programme.engine.tier_windows import is_memoryless
from comity.programme.engine.tiers import Qualifying, find_standing, walk
from comity.programme.tiers import recompute
from comity.programme.types import TIER_CHANGED, Programme
from tests.db.programme.test_api import published
from tests.property.test_programme_tiers import DATES, LADDERS, LEVELS, START

PLAIN = LEVELS.map(lambda levels: tuple(replace(level, keep_from=None) for level in levels))
"""Levels that are kept by what reaches them: half of the ladders shall have no memory, which a statement decides."""
LADDER = st.one_of(LADDERS, st.builds(lambda ladder, levels: replace(ladder, levels=levels), LADDERS, PLAIN))
HISTORY = st.lists(
    st.builds(Qualifying, earned_on=DATES, points=st.sampled_from([1, 20, 50, 100, 250])), min_size=1, max_size=8
)
ONE_DAY, NEVER = timedelta(days=1), date(2060, 1, 1)


def moment(day):
    return datetime.combine(day, time(12), UTC)


def programme(ladders):
    named = tuple(replace(ladder, name=f"l{place}") for place, ladder in enumerate(ladders))
    return Programme(name="club", spec=ProgrammeSpec(title="Club", currency="EUR", ladders=named))


def earn(tx, member_id, number, entry):
    tx.execute(
        "insert into programme.earning"
        " (programme, purchase_id, member_id, points, outcome, occurred_at, effective_on, earned_at)"
        " values ('club', %s, %s, %s, 'earned', %s, %s, now())",
        [number, member_id, entry.points, moment(entry.earned_on), entry.earned_on],
    )


def check(tx, version, told, day):
    """Everybody stands where the walk stands, and will until the day that is due."""
    rows = tx.execute("select member_id, tier, further_tiers, qualifying_points, tiers_due_on from programme.member")
    for member_id, tier, further, points, due_on in rows.fetchall():
        for on in (day, NEVER if due_on is None else max(day, due_on - ONE_DAY)):
            first, *others = (
                find_standing(ladder, told[member_id], begins_on=START, on=on) for ladder in version.spec.ladders
            )
            assert (tier, points) == (first.level, first.points)
            assert (further or {}) == {each.ladder: each.level for each in others}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ladders=st.lists(LADDER, min_size=1, max_size=2),
    later=LADDER,
    histories=st.lists(HISTORY, min_size=2, max_size=2),
    days=st.lists(DATES, min_size=4, max_size=10).map(sorted),
    data=st.data(),
)
def test_members_stand_where_the_walk_stands(tx, ladders, later, histories, days, data):
    """Only those are looked at who earned something, and whose day has come."""
    version = programme(ladders)
    with tx.transaction(force_rollback=True):
        profiles = [UUID(int=number) for number in range(1, 3)]
        api.enrol(tx, profile_ids=profiles, programme=version, now=moment(START))
        ids = [row[0] for row in tx.execute("select member_id from programme.member order by profile_id").fetchall()]
        news = [(member_id, entry) for member_id, history in zip(ids, histories, strict=True) for entry in history]
        told = {member_id: [] for member_id in ids}
        for number, day in enumerate(days):
            if number == len(days) // 2:
                version = programme([later, *ladders[1:]])
            api.recompute_tiers(tx, programme=version, now=moment(day))
            check(tx, version, told, day)
            for member_id, entry in data.draw(st.lists(st.sampled_from(news), max_size=3)):
                earn(tx, member_id, sum(map(len, told.values())), entry)
                told[member_id].append(entry)
                recompute(tx, member_ids=[member_id], programme=version, now=moment(day))
            check(tx, version, told, day)
        check_events(tx)


def check_events(tx):
    """Each change goes on from the one before, and the last one is what stands."""
    last = {}
    for each in published(tx, TIER_CHANGED):
        key = (each["profile_id"], each["ladder"])
        assert each["old_tier"] != each["new_tier"]
        assert each["old_tier"] == last.get(key, each["old_tier"])
        last[key] = each["new_tier"]
    for profile_id, tier in tx.execute("select profile_id, tier from programme.member").fetchall():
        assert last.get((str(profile_id), "l0"), tier) == tier


@settings(max_examples=100, deadline=None)
@given(ladder=LADDER, history=HISTORY, days=st.lists(DATES, min_size=1, max_size=5).map(sorted))
def test_a_climb_is_the_walk(ladder, history, days):
    """Simulations take a window for a walk where that comes to the same."""
    going = climb(ladder)
    for _ in range(2):
        entries = sorted(history, key=lambda each: each.earned_on)
        for day in days:
            while entries and entries[0].earned_on <= day:
                going.add(entries[0].earned_on, entries.pop(0).points)
            assert going.find_level(day) == walk(ladder, history, begins_on=START, on=day).level_name
        going.clear()


@settings(max_examples=100, deadline=None)
@given(ladder=LADDER, history=HISTORY, on=DATES)
def test_without_memory_the_points_of_the_day_give_the_level(ladder, history, on):
    if is_memoryless(ladder):
        stands = walk(ladder, history, begins_on=START, on=on)
        assert stands.level_name == [each.name for each in ladder.levels if each.points_from <= stands.points][-1]
