"""Oracles of expiry, written another way than the product: what it does day by day and in SQL is held against them."""

from collections.abc import Iterable, Sequence
from datetime import date

from comity.definitions.types import Expiry, SlidingExpiry
from comity.programme.engine.days import add_days, add_span
from comity.programme.engine.lifetimes import plan_terms


def slide_expiry(expiry: Expiry, earned_on: date, activities: Iterable[date]) -> date | None:
    """Return when points expire, given the days of the member's activity, in any order.

    Activity prolongs what is still alive on its day; it brings nothing back. Only sliding expiry knows activity.
    """
    expires_on = plan_terms(None, expiry, earned_on).expires_on
    if not isinstance(expiry, SlidingExpiry) or expires_on is None:
        return expires_on
    for day in sorted(activities):
        if day >= expires_on:
            break
        if day >= earned_on:
            expires_on = max(expires_on, add_span(day, expiry.after))
    return min(expires_on, add_span(earned_on, expiry.at_most)) if expiry.at_most else expires_on


def list_warnings(expires_on: date | None, warn_days: Sequence[int]) -> tuple[date, ...]:
    """Return the days on which to warn that points expire, the earliest first."""
    return tuple(add_days(expires_on, -days) for days in sorted(warn_days, reverse=True)) if expires_on else ()
