"""Pure decisions of the outbox: what to write, and what a difference means."""

from collections.abc import Container, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from comity.outbox.types import Base

ATTEMPTS_MAX = 12
"""After this many tries a delivery is parked for a person to look at; with the wait below that is about a day."""

RETRY_SECONDS_MAX = 3 * 3600.0

WRITES_IN_HOUR_MAX = 60
"""More contested writes to one record in an hour than any person's life explains: two systems are playing ping-pong."""


class FieldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about one record: fields to write, and fields that agree already with what they hold."""

    writes: dict[str, Any]
    agreed: dict[str, Any]


def plan_candidates(desired: Mapping[str, Any], base: Base | None) -> dict[str, Any]:
    """Return the fields to compare: those whose desired value is not what was last sent, all when there is doubt."""
    if base is None or base.is_doubted:
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
    is_same: Mapping[str, bool],
    base: Base | None,
    unreadable: Container[str] = (),
) -> FieldPlan:
    """Decide per field by three-way comparison: base (sent, stored), what they hold, what we want.

    Called only once everything the system shows has been taken in, so what we want already includes their changes:
    - they hold what we want (once normalised): agreed, nothing is written;
    - we sent this very value before and they still hold what they made of it then (cut short, re-cased): agreed,
      writing again would change nothing and never end;
    - they hold what nobody could read, we have nothing, and it is not what became of ours: left alone, since the only
      copy of it is theirs;
    - anything else: write.
    """
    writes: dict[str, Any] = {}
    agreed: dict[str, Any] = {}
    for field, value in candidates.items():
        current = theirs.get(field)
        known = base.fields.get(field) if base is not None else None
        is_kept_form = known is not None and known["sent"] == value and known["stored"] == current
        if is_same.get(field, current == value) or is_kept_form:
            agreed[field] = current
        elif value not in (None, "") or field not in unreadable or (known is not None and known["stored"] == current):
            writes[field] = value
    return FieldPlan(writes=writes, agreed=agreed)


def plan_retry(*, attempts: int, now: datetime, after_seconds: float | None) -> datetime | None:
    """Return when to try again, or None when the limit is reached. The wait doubles, and is at least what was asked."""
    if attempts + 1 >= ATTEMPTS_MAX:
        return None
    wait = min(RETRY_SECONDS_MAX, 0.5 * 2.0**attempts)
    return now + timedelta(seconds=max(wait, after_seconds or 0.0))


def is_contested(writes: Mapping[str, Any], *, theirs: Mapping[str, Any], base: Base | None) -> bool:
    """True when what is written takes the place of something put there after us, or in place of what we sent.

    What only we change is not: a member who buys a hundred times an hour has another balance each time.
    """
    for field in writes:
        known = base.fields.get(field) if base is not None else None
        if known is not None and (
            theirs.get(field) != known["stored"] or not is_own_form(known["sent"], known["stored"])
        ):
            return True
    return False


def is_ping_pong(base: Base | None, *, now: datetime) -> bool:
    """True when what we wrote was contested so often within the hour that something writes against us."""
    return (
        base is not None
        and base.writes_in_hour >= WRITES_IN_HOUR_MAX
        and now - base.hour_started_at < timedelta(hours=1)
    )


def is_own_form(sent: Any, stored: Any) -> bool:
    """True when a system may have made `stored` of what we sent.

    That is: another case, spacing or punctuation, a text cut short, a number rounded, a value dropped or defaulted.
    Anything else was put there by somebody after us: an edit, not what became of our value.
    """
    if sent == stored or sent in (None, "") or stored in (None, ""):
        return True
    if isinstance(sent, int | float) and isinstance(stored, int | float):
        return abs(sent - stored) < 1
    theirs = _bare(stored)
    return bool(theirs) and _bare(sent).startswith(theirs)


def is_in_flight(shown: Any, flight: Mapping[str, Any]) -> bool:
    """True when a record may show this because of a write under way: what was before, or a form of what was sent."""
    return shown == flight.get("held") or is_own_form(flight.get("sent"), shown)


def _bare(value: Any) -> str:
    return "".join(character for character in str(value).casefold() if character.isalnum())
