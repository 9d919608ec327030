"""When points become available, and when they expire: dates of the programme's calendar.

`expires_on` is the day on which the unspent rest is gone: points can be spent through the day before. A day is that of
the programme's time zone; `days.to_first_instant` gives the moment it begins.
"""

from datetime import date

from comity.definitions.types import (
    CalendarExpiry,
    Expiry,
    FixedExpiry,
    NeverExpiry,
    Otherwise,
    PendingSpec,
    RollingExpiry,
    SlidingExpiry,
    StartsWith,
)
from comity.programme.engine.days import add_days, add_span, add_years, find_next_period, find_year_start
from comity.programme.engine.facts import Terms


def plan_terms(pending: PendingSpec | None, expiry: Expiry, earned_on: date) -> Terms:
    """Return the terms of points earned on a day."""
    if pending is None:
        return Terms(available_from=earned_on, expires_on=_expire(expiry, earned_on, earned_on))
    if pending.until is None:
        available_from = add_days(earned_on, pending.days)
        return Terms(available_from=available_from, expires_on=_expire(expiry, earned_on, available_from))
    return Terms(
        available_from=None,
        expires_on=_expire(expiry, earned_on, None),
        awaits=pending.until,
        waits_until=add_days(earned_on, pending.at_most_days),
    )


def release_terms(pending: PendingSpec | None, expiry: Expiry, earned_on: date, event_on: date) -> Terms | None:
    """Return the terms of points whose event came on a day; None when it came after the longest wait.

    An event before the purchase counts as of the day of the purchase. What does not wait keeps its terms.
    """
    if pending is None or pending.until is None:
        return plan_terms(pending, expiry, earned_on)
    if event_on >= add_days(earned_on, pending.at_most_days):
        return lapse_terms(pending, expiry, earned_on)
    available_from = add_days(max(event_on, earned_on), pending.days)
    return Terms(available_from=available_from, expires_on=_expire(expiry, earned_on, available_from))


def follow_event(
    pending: PendingSpec | None, expiry: Expiry, earned_on: date, event_on: date | None, *, known_on: date | None
) -> Terms:
    """Return the terms of points, given the day of the event they wait for, if it has come.

    Points that have lapsed keep the terms they waited by, see `is_lapsed`; before `known_on` nothing lapses.
    """
    planned = plan_terms(pending, expiry, earned_on)
    if pending is None or planned.waits_until is None:
        return planned
    found = None
    if event_on is not None:
        found = release_terms(pending, expiry, earned_on, event_on)
    elif known_on is not None and known_on >= planned.waits_until:
        found = lapse_terms(pending, expiry, earned_on)
    return found or planned


def is_lapsed(terms: Terms, known_on: date | None) -> bool:
    """True when points still wait for an event that should have come by then: they are cancelled."""
    return terms.waits_until is not None and known_on is not None and known_on >= terms.waits_until


def lapse_terms(pending: PendingSpec, expiry: Expiry, earned_on: date) -> Terms | None:
    """Return the terms of points whose event did not come in time, None when they are cancelled."""
    if pending.otherwise is Otherwise.CANCEL:
        return None
    available_from = add_days(earned_on, pending.at_most_days)
    return Terms(available_from=available_from, expires_on=_expire(expiry, earned_on, available_from))


def prolong(expiry: SlidingExpiry, earned_on: date, expires_on: date, day: date) -> date:
    """Return when points expire, given activity on a day on which they are alive; done day by day, it slides."""
    if not earned_on <= day < expires_on:
        return expires_on
    wanted = add_span(day, expiry.after)
    return max(expires_on, min(wanted, add_span(earned_on, expiry.at_most)) if expiry.at_most else wanted)


def _expire(expiry: Expiry, earned_on: date, available_from: date | None) -> date | None:
    if isinstance(expiry, NeverExpiry):
        return None
    if isinstance(expiry, FixedExpiry):
        return add_days(expiry.last_day, 1)
    if isinstance(expiry, CalendarExpiry):
        year_start = find_year_start(earned_on, expiry.year_starts)
        return add_span(add_years(year_start, expiry.years + 1), expiry.grace)
    if isinstance(expiry, RollingExpiry):
        start = earned_on if expiry.starts is StartsWith.EARNED else available_from
        if start is None:
            return None  # Its life begins with the event it waits for.
        end = add_span(start, expiry.after)
        return find_next_period(end, expiry.end_of) if expiry.end_of else end
    return add_span(earned_on, expiry.after)
