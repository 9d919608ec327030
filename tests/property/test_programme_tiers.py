"""Tiers: one walk for yesterday, today and tomorrow; the order of news changes nothing; what is promised happens."""

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import (
    CalendarWindow,
    Downgrade,
    LadderSpec,
    LifetimeWindow,
    RollingWindow,
    Span,
    TierLevel,
    ValiditySpec,
)
from comity.programme.engine.tier_walk import Walk
from comity.programme.engine.tier_windows import end_validity, find_window_start, keep_from, leave_window_on
from comity.programme.engine.tiers import Qualifying, find_standing, sum_days, walk

FEW = settings(max_examples=100, deadline=None)
START = date(2024, 1, 1)
END = date(2029, 1, 1)
SPANS = st.builds(Span, months=st.integers(0, 24), days=st.integers(1, 40))
LEVELS = (
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 3)), min_size=1, max_size=3, unique_by=lambda each: each[0])
    .map(
        lambda found: (
            TierLevel(name="L0", points_from=0),
            *(
                TierLevel(name=f"L{place}", points_from=start, keep_from=start * (4 - less) // 4 if less else None)
                for place, (start, less) in enumerate(sorted(found), start=1)
            ),
        )
    )
    .filter(lambda levels: [keep_from(each) for each in levels] == sorted(keep_from(each) for each in levels))
)
CALENDARS = st.builds(CalendarWindow, year_starts=st.sampled_from(["01-01", "04-01", "02-28"]))
LATE = st.sampled_from([Downgrade.AT_PERIOD_END, Downgrade.ONE_LEVEL])
GRACES = st.sampled_from([0, 0, 1, 60])
LADDERS = st.one_of(
    st.builds(
        LadderSpec,
        name=st.just("l"),
        levels=LEVELS,
        window=st.one_of(st.builds(RollingWindow, length=SPANS), CALENDARS, st.just(LifetimeWindow())),
    ),
    st.builds(
        LadderSpec,
        name=st.just("l"),
        levels=LEVELS,
        window=st.one_of(st.builds(RollingWindow, length=SPANS), CALENDARS),
        downgrade=LATE,
        valid=st.none() | st.builds(ValiditySpec, length=SPANS),
        grace_days=GRACES,
    ),
    st.builds(
        LadderSpec,
        name=st.just("l"),
        levels=LEVELS,
        window=CALENDARS,
        downgrade=LATE,
        valid=st.builds(ValiditySpec, next_years=st.integers(1, 3)),
        grace_days=GRACES,
    ),
)
ENTRIES = st.lists(
    st.builds(Qualifying, earned_on=st.dates(START, END), points=st.sampled_from([-50, -1, 1, 20, 50, 100, 250])),
    max_size=20,
)
DATES = st.dates(START, END)


class Plain:
    """The same, day by day, every sum made anew."""

    def __init__(self, ladder, entries):
        self.ladder, self.levels = ladder, ladder.levels
        self.is_late = ladder.downgrade is not Downgrade.IMMEDIATE
        self.by_years = isinstance(ladder.window, CalendarWindow) and (not ladder.valid or ladder.valid.next_years)
        self.by_day = dict(sum_days(entries))
        self.level, self.valid_to, self.fall = 0, None, None

    def count(self, on, through):
        """Points earned through a day that count on another."""
        ends = {day: leave_window_on(self.ladder.window, day) for day in self.by_day if day <= through}
        return sum(self.by_day[day] for day, end in ends.items() if end is None or end > on)

    def reach(self, points):
        return max(place for place, each in enumerate(self.levels) if each.points_from <= points or not place)

    def keep(self, points):
        held = self.levels[: self.level + 1]
        return max(place for place, each in enumerate(held) if keep_from(each) <= points or not place)

    def enter(self, target, day, judged=None):
        self.level, self.valid_to = target, None
        if target:
            self.valid_to = end_validity(self.ladder, judged or day, is_judged=judged is not None)

    def settle(self, points, day):
        if self.reach(points) > self.level or (self.fall and self.reach(points) == self.level):
            self.fall = None
            self.enter(self.reach(points), day)
        elif not self.is_late:
            self.enter(max(self.reach(points), self.keep(points)), day)

    def judge(self, held, day):
        target = max(self.keep(held), self.reach(held))
        if self.ladder.downgrade is Downgrade.ONE_LEVEL:
            target = max(target, self.level - 1)
        if target >= self.level:
            self.valid_to = max(self.valid_to, end_validity(self.ladder, day, is_judged=True))
        elif day >= self.valid_to and self.ladder.grace_days:
            self.fall = (day + timedelta(days=self.ladder.grace_days), target, day)
        elif day >= self.valid_to:
            self.enter(target, day, day)

    def live(self, day):
        before = day - timedelta(days=1)
        if self.fall and self.fall[0] == day:
            (_, target, judged), self.fall = self.fall, None
            self.enter(target, day, judged)
        is_start = self.by_years and find_window_start(self.ladder.window, day) == day
        if self.is_late and self.valid_to and not self.fall and (day == self.valid_to or is_start):
            self.judge(self.count(before, before), day)
        self.settle(self.count(day, before), day)
        if self.by_day.get(day):
            self.settle(self.count(day, day), day)


def plain_level(ladder, entries, on):
    plain = Plain(ladder, entries)
    for offset in range((on - START).days + 1):
        plain.live(START + timedelta(days=offset))
    return ladder.levels[plain.level].name


class TestWalk:
    @settings(max_examples=40, deadline=None)
    @given(LADDERS, ENTRIES, DATES)
    def test_is_what_counting_day_by_day_gives(self, ladder, entries, on):
        assert walk(ladder, entries, begins_on=START, on=on).level_name == plain_level(ladder, entries, on)

    @FEW
    @given(LADDERS, ENTRIES, DATES, st.randoms(use_true_random=False))
    def test_the_order_of_arrival_changes_nothing(self, ladder, entries, on, chance):
        expected = find_standing(ladder, entries, begins_on=START, on=on)
        shuffled = list(entries)
        chance.shuffle(shuffled)
        assert find_standing(ladder, shuffled, begins_on=START, on=on) == expected

    @FEW
    @given(LADDERS, ENTRIES, DATES)
    def test_going_on_is_the_same_as_starting_anew(self, ladder, entries, on):
        going = Walk(ladder, START)
        for day, points in sum_days(entries):
            if day <= on:
                going.add(day, points)
                assert going.level_name == walk(ladder, entries, begins_on=START, on=day).level_name
        going.advance(on)
        assert going.spans == walk(ladder, entries, begins_on=START, on=on).spans

    @FEW
    @given(LADDERS, ENTRIES, DATES)
    def test_history_has_no_gaps_and_no_repetitions(self, ladder, entries, on):
        spans = find_standing(ladder, entries, begins_on=START, on=on).history
        assert spans[0].begins_on == START
        for before, after in pairwise(spans):
            assert before.begins_on < after.begins_on <= on
            assert before.level != after.level


class TestPromises:
    @FEW
    @given(LADDERS, ENTRIES, DATES)
    def test_what_is_missing_lifts_at_once(self, ladder, entries, on):
        standing = find_standing(ladder, entries, begins_on=START, on=on)
        if standing.lift is None:
            assert standing.level == ladder.levels[-1].name
            return
        missing = standing.lift.points_missing
        assert missing > 0
        lifted = find_standing(ladder, [*entries, Qualifying(earned_on=on, points=missing)], begins_on=START, on=on)
        assert lifted.level == standing.lift.level
        almost = [*entries, Qualifying(earned_on=on, points=missing - 1)]
        assert find_standing(ladder, almost, begins_on=START, on=on).level == standing.level

    @FEW
    @given(LADDERS, ENTRIES, DATES)
    def test_a_projection_comes_true(self, ladder, entries, on):
        known = [each for each in entries if each.earned_on <= on]
        standing = find_standing(ladder, known, begins_on=START, on=on)
        names = [each.name for each in ladder.levels]
        if standing.keep is None:
            later = find_standing(ladder, known, begins_on=START, on=on + timedelta(days=4000))
            assert names.index(later.level) >= names.index(standing.level)
            return
        keep = standing.keep
        assert names.index(keep.falls_to) < names.index(standing.level)
        assert keep.falls_on > on
        before = find_standing(ladder, known, begins_on=START, on=keep.falls_on - timedelta(days=1))
        assert names.index(before.level) >= names.index(standing.level)
        assert find_standing(ladder, known, begins_on=START, on=keep.falls_on).level == keep.falls_to

    @FEW
    @given(LADDERS, ENTRIES, DATES, st.integers(0, 10_000))
    def test_what_keeps_the_level_keeps_it_and_a_point_less_does_not(self, ladder, entries, on, choice):
        """A day on which more was taken back than earned can lift somebody when it counts no longer: not so here."""
        known = [each for each in entries if each.earned_on <= on and each.points > 0]
        standing = find_standing(ladder, known, begins_on=START, on=on)
        keep = standing.keep
        if keep is None or not keep.is_possible:
            return
        names = [each.name for each in ladder.levels]
        assert keep.points_missing > 0
        day = keep.earn_from + timedelta(days=choice % ((keep.earn_through - keep.earn_from).days + 1))
        kept = [*known, Qualifying(earned_on=day, points=keep.points_missing)]
        found = find_standing(ladder, kept, begins_on=START, on=keep.falls_on)
        assert names.index(found.level) >= names.index(standing.level)
        short = [*known, Qualifying(earned_on=day, points=keep.points_missing - 1)]
        found = find_standing(ladder, short, begins_on=START, on=keep.falls_on)
        rose = any(names.index(each.level) > names.index(standing.level) for each in found.history[-2:])
        assert rose or names.index(found.level) < names.index(standing.level)
