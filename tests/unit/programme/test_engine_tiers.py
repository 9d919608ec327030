"""Tiers as programmes in use have them."""

from datetime import date

import pytest

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
from comity.programme.engine.tiers import Qualifying, find_standing

LEVELS = (
    TierLevel(name="Blue", points_from=0),
    TierLevel(name="Silver", points_from=100),
    TierLevel(name="Gold", points_from=300, keep_from=250),
)
JOINED = date(2026, 1, 10)


def ladder(**changes):
    return LadderSpec(name="status", levels=LEVELS, **changes)


def earned(*days):
    return [Qualifying(earned_on=date.fromisoformat(day), points=points) for day, points in days]


def stand(told, entries, on):
    return find_standing(told, entries, begins_on=JOINED, on=date.fromisoformat(on))


class TestRollingYear:
    """The points of the last 365 days, at once: what the short form `tiers` means."""

    TOLD = ladder(window=RollingWindow(length=Span(days=365)))
    ENTRIES = earned(("2026-02-01", 100), ("2026-06-01", 200))

    @pytest.mark.parametrize(
        ("on", "level"),
        [
            ("2026-01-31", "Blue"),
            ("2026-02-01", "Silver"),
            ("2026-06-01", "Gold"),
            ("2027-01-31", "Gold"),
            ("2027-02-01", "Silver"),
            ("2027-06-01", "Blue"),
        ],
    )
    def test_follows_the_points(self, on, level):
        assert stand(self.TOLD, self.ENTRIES, on).level == level

    def test_says_what_lifts_and_keeps(self):
        standing = stand(self.TOLD, self.ENTRIES, "2026-03-01")
        assert (standing.level, standing.points) == ("Silver", 100)
        assert (standing.lift.level, standing.lift.points_missing, standing.lift.counts_through) == ("Gold", 200, None)
        keep = standing.keep
        assert (keep.falls_on, keep.falls_to, keep.points_missing) == (date(2027, 2, 1), "Blue", 100)
        assert (keep.earn_from, keep.earn_through) == (date(2026, 3, 1), date(2027, 1, 31))


class TestCalendarYears:
    """Reached in one year, kept to the end of the next, as airlines and hotels do."""

    TOLD = ladder(window=CalendarWindow(), downgrade=Downgrade.AT_PERIOD_END, valid=ValiditySpec(next_years=1))

    def test_is_kept_to_the_end_of_the_next_year(self):
        entries = earned(("2026-05-01", 300))
        standing = stand(self.TOLD, entries, "2026-05-01")
        assert standing.valid_through == date(2027, 12, 31)
        assert (standing.keep.falls_on, standing.keep.falls_to) == (date(2028, 1, 1), "Blue")
        assert standing.keep.points_missing == 250
        assert (standing.keep.earn_from, standing.keep.earn_through) == (date(2027, 1, 1), date(2027, 12, 31))

    def test_what_keeps_it_keeps_it_for_a_year(self):
        entries = earned(("2026-05-01", 300), ("2027-03-01", 250))
        assert stand(self.TOLD, entries, "2028-01-01").valid_through == date(2028, 12, 31)
        assert stand(self.TOLD, entries, "2029-01-01").level == "Blue"

    def test_it_drops_to_what_the_points_give(self):
        entries = earned(("2026-05-01", 300), ("2027-03-01", 120))
        assert stand(self.TOLD, entries, "2027-12-31").level == "Gold"
        standing = stand(self.TOLD, entries, "2028-01-01")
        assert (standing.level, standing.valid_through) == ("Silver", date(2028, 12, 31))

    def test_soft_landing_goes_one_level_a_year(self):
        told = ladder(window=CalendarWindow(), downgrade=Downgrade.ONE_LEVEL)
        standing = stand(told, earned(("2026-05-01", 300)), "2030-06-01")
        assert [(span.level, span.begins_on) for span in standing.history] == [
            ("Blue", JOINED),
            ("Gold", date(2026, 5, 1)),
            ("Silver", date(2028, 1, 1)),
            ("Blue", date(2029, 1, 1)),
        ]

    def test_grace_gives_a_last_chance(self):
        told = ladder(window=CalendarWindow(), downgrade=Downgrade.AT_PERIOD_END, grace_days=60)
        entries = earned(("2026-05-01", 300))
        in_grace = stand(told, entries, "2028-02-01")
        assert (in_grace.level, in_grace.keep.falls_on, in_grace.keep.points_missing) == ("Gold", date(2028, 3, 1), 300)
        saved = stand(told, [*entries, *earned(("2028-02-29", 300))], "2028-03-01")
        assert (saved.level, saved.valid_through) == ("Gold", date(2029, 12, 31))
        assert stand(told, entries, "2028-03-01").level == "Blue"

    def test_a_programme_year_may_start_in_april(self):
        told = ladder(window=CalendarWindow(year_starts="04-01"), downgrade=Downgrade.AT_PERIOD_END)
        assert stand(told, earned(("2026-03-31", 300)), "2026-04-01").valid_through == date(2027, 3, 31)
        assert stand(told, earned(("2026-04-01", 300)), "2026-04-01").valid_through == date(2028, 3, 31)


class TestMembershipYears:
    """Kept for twelve months from the day it was reached, judged by the last twelve months."""

    TOLD = ladder(window=RollingWindow(length=Span(months=12)), downgrade=Downgrade.AT_PERIOD_END)

    def test_is_judged_on_its_anniversary(self):
        entries = earned(("2028-02-29", 300), ("2028-12-01", 250))
        assert stand(self.TOLD, entries, "2028-02-29").valid_through == date(2029, 2, 27)
        assert stand(self.TOLD, entries, "2029-02-28").valid_through == date(2030, 2, 27)
        assert stand(self.TOLD, entries, "2030-02-28").level == "Blue"


class TestOthers:
    def test_what_counts_for_life_is_kept_for_life(self):
        standing = stand(ladder(window=LifetimeWindow()), earned(("2026-02-01", 100)), "2126-02-01")
        assert (standing.level, standing.keep) == ("Silver", None)

    def test_points_that_are_taken_back_count_on_the_day_they_were_earned(self):
        entries = earned(("2026-02-01", 300), ("2026-02-01", -250))
        assert stand(TestRollingYear.TOLD, entries, "2026-02-01").level == "Blue"

    def test_points_from_before_joining_count(self):
        assert stand(TestRollingYear.TOLD, earned(("2025-12-01", 100)), "2026-01-10").level == "Silver"

    def test_what_starts_anew_cannot_be_kept(self):
        standing = stand(ladder(window=CalendarWindow()), earned(("2026-02-01", 100)), "2026-02-01")
        assert standing.keep.falls_on == date(2027, 1, 1)
        assert not standing.keep.is_possible
