"""Days of the programme's calendar: business days, lengths of time, periods.

Clocks that are put forward or back, days that do not exist and leap days are dealt with here and nowhere else.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from comity.definitions.types import CapPeriod, EndOf, Span

_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_END_MONTHS = {EndOf.MONTH: 1, EndOf.QUARTER: 3, EndOf.HALF_YEAR: 6, EndOf.YEAR: 12}
ONE_DAY = timedelta(days=1)


def to_business_day(moment: datetime, zone: ZoneInfo) -> date:
    """Return the day a moment falls on where the programme lives."""
    return moment.astimezone(zone).date()


def to_first_instant(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a day where the programme lives, in UTC.

    Where clocks skip midnight it is the moment they skip to; where midnight comes twice it is the first; a day that a
    country left out starts when the next one does.
    """
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def count_days(year: int, month: int) -> int:
    """Return how many days a month has; months count from 1."""
    is_leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if is_leap else _MONTH_DAYS[month - 1]


def add_months(day: date, months: int) -> date:
    """Move by months; a day the month does not have becomes its last (31 January plus one is 28 February).

    What would leave the calendar stays at its last or first day.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return date.max if months > 0 else date.min
    return date(year, month + 1, min(day.day, count_days(year, month + 1)))


def add_days(day: date, days: int) -> date:
    """Move by days, inside the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def add_span(day: date, span: Span) -> date:
    """Move by a length of time: years and months first, then days."""
    months = span.years * 12 + span.months
    moved = add_months(day, months) if months else day
    return add_days(moved, span.days) if span.days else moved


def leave_on(day: date, span: Span) -> date:
    """Return the first day on which `day` lies a whole span back: what was earned then counts no longer.

    Unlike `add_span` it never comes early: what was earned on 31 January counts for a month through 28 February, what
    was earned on 29 February counts for a year through 28 February.
    """
    months = span.years * 12 + span.months
    if not months:
        return add_days(day, span.days)
    moved = add_months(day, months)
    if moved.day < day.day:
        moved = add_days(moved, 1)
    return add_days(moved, span.days)


def count_from(on: date, span: Span) -> date:
    """Return the first day that counts in a window of this length that ends with `on`; the inverse of `leave_on`."""
    back = add_days(on, -span.days)
    return add_days(add_months(back, -(span.years * 12 + span.months)), 1)


def find_year_start(day: date, year_starts: str) -> date:
    """Return the first day of the programme year a day lies in; `year_starts` is month and day, such as 04-01."""
    month, first = int(year_starts[:2]), int(year_starts[3:])
    is_before = (day.month, day.day) < (month, first)
    return date(max(day.year - is_before, 1), month, first)


def add_years(year_start: date, years: int) -> date:
    """Return the start of a later programme year."""
    return add_months(year_start, years * 12)


def find_next_period(day: date, period: EndOf) -> date:
    """Return the first day after the month, quarter, half-year or year a day lies in."""
    length = _END_MONTHS[period]
    return add_months(date(day.year, (day.month - 1) // length * length + 1, 1), length)


def name_period(day: date, period: CapPeriod) -> str:
    """Return the name of the stretch of the calendar a day lies in, as counters carry it; weeks are those of ISO 8601.

    >>> [name_period(date(2027, 1, 1), each) for each in (CapPeriod.DAY, CapPeriod.WEEK, CapPeriod.QUARTER)]
    ['2027-01-01', '2026-W53', '2027-Q1']
    """
    if period is CapPeriod.DAY:
        return day.isoformat()
    if period is CapPeriod.WEEK:
        year, week, _ = day.isocalendar()
        return f"{year:04}-W{week:02}"
    if period is CapPeriod.MONTH:
        return f"{day.year:04}-{day.month:02}"
    if period is CapPeriod.QUARTER:
        return f"{day.year:04}-Q{(day.month + 2) // 3}"
    if period is CapPeriod.YEAR:
        return f"{day.year:04}"
    return ""
