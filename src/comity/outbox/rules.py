"""Pure decisions of the outbox: what to write, and what a difference means."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from comity.outbox.types import Base

ATTEMPTS_MAX = 12
"""After this many tries a delivery is parked for a person to look at; with the wait below that is about a day."""

RETRY_SECONDS_MAX = 3 * 3600.0

WRITES_IN_HOUR_MAX = 60
"""More writes to one record in an hour than any person's life explains: two systems are playing ping-pong."""


class FieldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about one record: fields to write, fields that agree already, fields changed over there."""

    writes: dict[str, Any]
    agreed: dict[str, Any]
    conflicts: list[str]


def plan_candidates(desired: Mapping[str, Any], base: Base | None) -> dict[str, Any]:
    """Return the fields whose desired value is not what was last sent: a difference alone is not yet a change."""
    if base is None:
        return dict(desired)
    return {
        field: value
        for field, value in desired.items()
        if field not in base.fields or base.fields[field]["sent"] != value
    }


def plan_fields(
    *,
    candidates: Mapping[str, Any],
    theirs: Mapping[str, Any],
    known: Mapping[str, Any],
    same: Mapping[str, bool],
    outbound_only: frozenset[str],
) -> FieldPlan:
    """Decide per field by three-way comparison: what we want, what they hold, what we knew them to hold.

    They hold what we want -> agreed. They hold what we knew (the base, or what we last read) -> our change: write.
    They hold something else -> their change that we have not taken in yet: leave it, take it in first. Fields only
    Comity may set (points, tier, Global ID) are written whatever they hold: the ledger leads.
    `same` says per field whether theirs and ours mean the same value once normalised; `known` holds what we knew,
    already in the vendor's form; a field missing from it was never read.
    """
    writes: dict[str, Any] = {}
    agreed: dict[str, Any] = {}
    conflicts: list[str] = []
    for field, value in candidates.items():
        current = theirs.get(field)
        if same.get(field, current == value):
            agreed[field] = current
        elif field in outbound_only or field not in known or known[field] == current:
            writes[field] = value
        else:
            conflicts.append(field)
    return FieldPlan(writes=writes, agreed=agreed, conflicts=conflicts)


def plan_retry(*, attempts: int, now: datetime, after_seconds: float | None) -> datetime | None:
    """Return when to try again, or None when the limit is reached. The wait doubles, and is at least what was asked."""
    if attempts + 1 >= ATTEMPTS_MAX:
        return None
    wait = min(RETRY_SECONDS_MAX, 0.5 * 2.0**attempts)
    return now + timedelta(seconds=max(wait, after_seconds or 0.0))


def is_ping_pong(base: Base | None, *, now: datetime) -> bool:
    """True when a record was written so often within the hour that something writes against us."""
    return (
        base is not None
        and base.writes_in_hour >= WRITES_IN_HOUR_MAX
        and now - base.hour_started_at < timedelta(hours=1)
    )
