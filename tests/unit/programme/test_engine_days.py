"""Days, periods and lifetimes: time zones, clocks that change, leap days, five simulated years."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import (
    ActivityKind,
    CalendarExpiry,
    CapPeriod,
    EndOf,
    FixedExpiry,
    NeverExpiry,
    Otherwise,
    PendingSpec,
    RollingExpiry,
    SlidingExpiry,
    Span,
    StartsWith,
)
from comity.programme.engine import days
from comity.programme.engine.lifetimes import lapse_terms, plan_terms, prolong, release_terms

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
]
DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))
SPANS = st.builds(Span, years=st.integers(0, 3), months=st.integers(0, 30), days=st.integers(0, 400))
FIVE_YEARS = [date(2024, 1, 1) + timedelta(days=each) for each in range(5 * 366)]


class TestBusinessDay:
    @pytest.mark.parametrize(
        ("moment", "zone", "day"),
        [
            ("2026-03-28T23:30:00+00:00", "UTC", "2026-03-28"),
            ("2026-03-28T23:30:00+00:00", "Europe/Berlin", "2026-03-29"),
            ("2026-03-29T22:00:00+00:00", "Europe/Berlin", "2026-03-30"),
            ("2026-10-25T22:59:59+00:00", "Europe/Berlin", "2026-10-25"),
            ("2028-02-29T23:00:00-05:00", "America/New_York", "2028-02-29"),
            ("2011-12-30T09:59:59+00:00", "Pacific/Apia", "2011-12-29"),
            ("2011-12-30T10:00:00+00:00", "Pacific/Apia", "2011-12-31"),
        ],
    )
    def test_is_that_of_the_programme(self, moment, zone, day):
        assert days.to_business_day(datetime.fromisoformat(moment), ZoneInfo(zone)) == date.fromisoformat(day)

    @pytest.mark.parametrize("zone", ZONES)
    def test_begins_once_on_every_day_of_five_years(self, zone):
        place = ZoneInfo(zone)
        before = None
        for day in FIVE_YEARS:
            start = days.to_first_instant(day, place)
            assert days.to_business_day(start, place) == day
            assert days.to_business_day(start - timedelta(microseconds=1), place) == day - timedelta(days=1)
            assert before is None or timedelta(hours=22) <= start - before <= timedelta(hours=26)
            before = start

    def test_a_day_that_a_country_left_out_begins_with_the_next(self):
        apia = ZoneInfo("Pacific/Apia")
        assert days.to_first_instant(date(2011, 12, 30), apia) == days.to_first_instant(date(2011, 12, 31), apia)


class TestSpans:
    @pytest.mark.parametrize(
        ("day", "span", "added", "left"),
        [
            ("2026-01-31", Span(months=1), "2026-02-28", "2026-03-01"),
            ("2028-01-31", Span(months=1), "2028-02-29", "2028-03-01"),
            ("2028-02-29", Span(years=1), "2029-02-28", "2029-03-01"),
            ("2028-02-29", Span(years=4), "2032-02-29", "2032-02-29"),
            ("2027-02-28", Span(years=1), "2028-02-28", "2028-02-28"),
            ("2026-03-31", Span(months=1, days=2), "2026-05-02", "2026-05-03"),
            ("2026-01-01", Span(days=365), "2027-01-01", "2027-01-01"),
            ("2028-01-01", Span(days=365), "2028-12-31", "2028-12-31"),
        ],
    )
    def test_go_by_the_calendar(self, day, span, added, left):
        assert days.add_span(date.fromisoformat(day), span) == date.fromisoformat(added)
        assert days.leave_on(date.fromisoformat(day), span) == date.fromisoformat(left)

    @settings(max_examples=200)
    @given(DAYS, DAYS, SPANS)
    def test_a_window_is_the_same_from_both_ends(self, earned, on, span):
        assert (earned >= days.count_from(on, span)) == (days.leave_on(earned, span) > on)

    @given(DAYS, DAYS, SPANS)
    def test_what_is_earlier_ends_no_later(self, first, second, span):
        low, high = sorted((first, second))
        assert days.add_span(low, span) <= days.add_span(high, span)
        assert days.leave_on(low, span) <= days.leave_on(high, span)
        assert days.add_span(low, span) <= days.leave_on(low, span)

    def test_stay_inside_the_calendar(self):
        assert days.add_span(date(9999, 12, 1), Span(years=100)) == date.max
        assert days.add_days(date.max, 1) == date.max
        assert days.add_months(date(1, 1, 1), -1) == date.min


class TestPeriods:
    @given(DAYS, st.sampled_from([each for each in CapPeriod if each not in {"purchase", "ever"}]))
    def test_follow_each_other(self, day, period):
        """A name is that of one unbroken stretch of days."""
        names = [days.name_period(day + timedelta(days=each), period) for each in range(400)]
        changes = [name for name, before in zip(names[1:], names, strict=False) if name != before]
        assert len(set(changes)) == len(changes)

    @pytest.mark.parametrize("period", list(EndOf))
    def test_end_after_the_day(self, period):
        for day in FIVE_YEARS:
            following = days.find_next_period(day, period)
            assert following > day
            assert following.day == 1
            assert days.find_next_period(following - timedelta(days=1), period) == following

    def test_programme_years(self):
        for day in FIVE_YEARS:
            start = days.find_year_start(day, "04-01")
            assert start <= day < days.add_years(start, 1)
            assert (start.month, start.day) == (4, 1)


DAY = date(2026, 1, 15)


class TestTerms:
    @pytest.mark.parametrize(
        ("expiry", "expires_on"),
        [
            (NeverExpiry(), None),
            (FixedExpiry(last_day=date(2027, 12, 31)), date(2028, 1, 1)),
            (RollingExpiry(after=Span(months=24)), date(2028, 1, 15)),
            (RollingExpiry(after=Span(months=24), end_of=EndOf.MONTH), date(2028, 2, 1)),
            (RollingExpiry(after=Span(months=24), end_of=EndOf.QUARTER), date(2028, 4, 1)),
            (RollingExpiry(after=Span(months=24), end_of=EndOf.HALF_YEAR), date(2028, 7, 1)),
            (RollingExpiry(after=Span(months=24), end_of=EndOf.YEAR), date(2029, 1, 1)),
            (RollingExpiry(after=Span(days=30), starts=StartsWith.AVAILABLE), date(2026, 2, 28)),
            (CalendarExpiry(), date(2027, 1, 1)),
            (CalendarExpiry(years=1, grace=Span(days=90)), date(2028, 3, 31)),
            (CalendarExpiry(year_starts="04-01", grace=Span(months=2)), date(2026, 6, 1)),
            (SlidingExpiry(after=Span(months=18)), date(2027, 7, 15)),
        ],
    )
    def test_expiry(self, expiry, expires_on):
        terms = plan_terms(PendingSpec(days=14), expiry, DAY)
        assert (terms.available_from, terms.expires_on) == (date(2026, 1, 29), expires_on)

    def test_pending_until_an_event(self):
        pending = PendingSpec(until="stay_completed", days=2, at_most_days=100)
        expiry = RollingExpiry(after=Span(days=30), starts=StartsWith.AVAILABLE)
        terms = plan_terms(pending, expiry, DAY)
        assert (terms.available_from, terms.expires_on) == (None, None)
        assert (terms.awaits, terms.waits_until) == ("stay_completed", date(2026, 4, 25))
        released = release_terms(pending, expiry, DAY, date(2026, 3, 1))
        assert (released.available_from, released.expires_on) == (date(2026, 3, 3), date(2026, 4, 2))
        assert release_terms(pending, expiry, DAY, date(2025, 1, 1)).available_from == date(2026, 1, 17)
        assert release_terms(pending, expiry, DAY, date(2026, 4, 25)) is None
        assert release_terms(None, NeverExpiry(), DAY, date(2026, 3, 1)).available_from == DAY

    def test_an_event_that_does_not_come(self):
        pending = PendingSpec(until="stay_completed", at_most_days=100, otherwise=Otherwise.RELEASE)
        assert lapse_terms(pending, NeverExpiry(), DAY).available_from == date(2026, 4, 25)

    @pytest.mark.parametrize("end_of", [None, *EndOf])
    def test_over_five_years_nothing_expires_before_its_time(self, end_of):
        expiry = RollingExpiry(after=Span(months=12), end_of=end_of)
        before = date.min
        for day in FIVE_YEARS:
            terms = plan_terms(PendingSpec(days=14), expiry, day)
            assert day < terms.available_from < terms.expires_on
            assert terms.expires_on >= before
            before = terms.expires_on


class TestSliding:
    EXPIRY = SlidingExpiry(after=Span(months=12), activities=(ActivityKind.EARN,), at_most=Span(years=3))

    def slide(self, activities):
        expires_on = plan_terms(None, self.EXPIRY, DAY).expires_on
        for day in sorted(activities):
            expires_on = prolong(self.EXPIRY, DAY, expires_on, day)
        return expires_on

    @given(st.lists(st.dates(date(2025, 1, 1), date(2031, 1, 1)), max_size=12))
    def test_life_never_ends_sooner_nor_later_than_it_may(self, activities):
        assert date(2027, 1, 15) <= self.slide(activities) <= date(2029, 1, 15)

    def test_activity_prolongs_what_lives_and_revives_nothing(self):
        assert self.slide([date(2026, 12, 31)]) == date(2027, 12, 31)
        assert self.slide([date(2027, 1, 15)]) == date(2027, 1, 15)
        assert self.slide([date(2026, 12, 31), date(2027, 12, 30)]) == date(2028, 12, 30)
        assert self.slide([date(2025, 12, 31)]) == date(2027, 1, 15)

    def test_moments_are_days_of_the_programme(self):
        moment = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
        berlin = days.to_business_day(moment, ZoneInfo("Europe/Berlin"))
        assert self.slide([berlin]) == date(2028, 1, 1)
