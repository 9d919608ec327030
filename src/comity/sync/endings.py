"""What becomes of a delivered item: pure decisions about verdicts and about what a system shows afterwards."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from comity.connect.types import Outcome, ReadChange, Verdict
from comity.mapping import api as mapping
from comity.mapping.types import ABSENT, LOYALTY_TYPES
from comity.outbox import api as outbox
from comity.outbox.types import NewBase
from comity.sync.desired import Item

TAKE_IN_SECONDS = 0.1
"""How long a delivery waits for what a system holds to be taken in before it looks again."""

TO_READ_BACK = frozenset({Outcome.DELIVERED, Outcome.UNCHANGED, Outcome.UNKNOWN})
NOT_APPLIED = frozenset({Outcome.RETRY, Outcome.REJECTED, Outcome.CONFLICT, Outcome.GONE})


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one item: done, to be tried again, or parked; the worst of a person's items counts."""

    rank: int
    written: bool = False
    due_at: datetime | None = None
    is_failure: bool = False
    code: str = ""
    message: str = ""


DONE = Ending(rank=0)
WRITTEN = Ending(rank=0, written=True)
PING_PONG = Ending(
    rank=2,
    code="ping_pong",
    message="What Comity wrote into this record was overwritten too often within the hour: something in the system "
    "writes against it. Look at the system's own automation, then replay.",
)


def wait_for_taking_in(now: datetime) -> Ending:
    """What the system shows now has to pass through the inbox first; that is no failure."""
    return Ending(rank=1, due_at=now + timedelta(seconds=TAKE_IN_SECONDS))


def judge(item: Item, verdict: Verdict, state: ReadChange | None, *, now: datetime) -> Ending:
    """Turn a verdict, and what the system shows after it, into an ending."""
    if verdict.outcome in {Outcome.DELIVERED, Outcome.UNCHANGED}:
        return WRITTEN if verdict.outcome is Outcome.DELIVERED else DONE
    if verdict.outcome is Outcome.UNKNOWN and state is not None and holds(item, state):
        return WRITTEN
    if verdict.outcome is Outcome.REJECTED:
        return Ending(rank=2, code=verdict.reason_code or "rejected", message=verdict.message or "")
    due_at = outbox.plan_retry(attempts=item.claim.attempts, now=now, after_seconds=verdict.after_seconds)
    if due_at is None:
        return Ending(rank=2, code=verdict.reason_code or "retries_exhausted", message=verdict.message or "")
    return Ending(rank=1, due_at=due_at, is_failure=True)


def of_problems(item: Item) -> Ending:
    """Values that the system has no form for stay behind: what could be written was, the person is shown as parked."""
    problem = item.problems[0]
    return Ending(
        rank=2,
        code=problem.code,
        message=f"{problem.field}: found {problem.found}; expected {problem.expected}. {problem.remedy}",
    )


def golden_part(item: Item, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the canonical golden values behind vendor fields; loyalty values are no observations."""
    return {
        field.attribute: item.canonical.get(field.attribute)
        for field in item.stream.spec.person_fields
        if field.field in fields and field.attribute not in LOYALTY_TYPES and field.direction.is_read
    }


def holds(item: Item, state: ReadChange) -> bool:
    """True when the record shows all that was to be written."""
    payload: dict[str, Any] = msgspec.json.decode(state.payload)
    stored = mapping.canonical_of_stored(item.stream.compiled, fields=payload)
    return all(
        stored.get(field.attribute, ABSENT) == item.canonical.get(field.attribute)
        for field in item.stream.spec.person_fields
        if field.field in item.writes
    )


def read_own(item: Item, payload: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Say what the system made of our values, as canonical values and as fields of the base.

    What somebody else put there in the moment since our write is no form of our value: it is left out, so that it
    comes in as the edit it is.
    """
    stored = mapping.canonical_of_stored(item.stream.compiled, fields=payload)
    ours = golden_part(item, item.writes)
    made: dict[str, Any] = {}
    fields: dict[str, dict[str, Any]] = {}
    attributes: dict[str, list[str]] = {}
    for field in item.stream.spec.person_fields:
        if field.direction.is_written and field.field in item.writes:
            attributes.setdefault(field.field, []).append(field.attribute)
    for name, sent in item.writes.items():
        behind = attributes.get(name, [])
        is_same = bool(behind) and all(stored.get(each, ABSENT) == item.canonical.get(each) for each in behind)
        if not is_same and not outbox.is_own_form(sent, payload.get(name, sent)):
            fields[name] = {"sent": sent, "stored": sent}
            continue
        fields[name] = {"sent": sent, "stored": payload.get(name, sent)}
        made |= {each: stored[each] for each in behind if each in ours and stored.get(each, ABSENT) is not ABSENT}
    return {**ours, **made}, fields


def to_base(item: Item, held: Mapping[str, Any]) -> NewBase:
    """Return the base of what was found to agree without a write."""
    if item.record is None:
        raise ValueError("A base belongs to a record.")
    fields = {field: {"sent": item.desired[field], "stored": value} for field, value in held.items()}
    shown = mapping.fingerprint_of(item.stream.compiled, fields=item.theirs)
    return NewBase(record_id=item.record.record_id, fields=fields, is_contested=False, shown=shown)


def fingerprint_after(item: Item, fields: Mapping[str, Mapping[str, Any]]) -> int:
    """Say what a written record shows if nobody else touched it: what it showed before, and what became of ours."""
    made = {field: both["stored"] for field, both in fields.items()}
    return mapping.fingerprint_of(item.stream.compiled, fields={**item.theirs, **made})


def by_stream(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Group items by stream."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.stream.spec.stream, []).append(item)
    return found
