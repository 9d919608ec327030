"""Closing marks after a delivery: done, to be tried again, or parked with a reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from comity.connect.types import CallFailed
from comity.kernel.database import Tx
from comity.outbox import api as outbox
from comity.outbox.types import Claim
from comity.sync.desired import Item
from comity.sync.endings import DONE, Ending
from comity.systems import api as systems


def close_marks(
    tx: Tx,
    *,
    system: str,
    claims: Sequence[Claim],
    items: Sequence[Item],
    endings: Mapping[str, Ending],
    now: datetime,
) -> None:
    """Close the marks of people whose items have all ended; the worst ending of a person counts.

    `claims` are of people for whom nothing was to be done. Fields that wait for a tick keep the mark until then: what
    is to be parked besides is tried again with them, since nothing calls for a parked person.
    """
    worst: dict[UUID, Ending] = {claim.profile_id: DONE for claim in claims}
    marks: dict[UUID, int] = {claim.profile_id: claim.mark for claim in claims}
    for item in items:
        profile_id = item.claim.profile_id
        marks[profile_id] = item.claim.mark
        ending = endings[item.key]
        if profile_id not in worst or ending.rank > worst[profile_id].rank:
            worst[profile_id] = ending
    ticks = _find_ticks(items)
    for profile_id, tick in ticks.items():
        if worst[profile_id].rank == 2:
            worst[profile_id] = Ending(rank=1, due_at=tick, is_failure=True)
    done = [profile_id for profile_id, ending in worst.items() if ending.rank == 0 and profile_id not in ticks]
    held = [profile_id for profile_id, ending in worst.items() if ending.rank == 0 and profile_id in ticks]
    again = [(profile_id, ending) for profile_id, ending in worst.items() if ending.rank == 1]
    parked = [(profile_id, ending) for profile_id, ending in worst.items() if ending.rank == 2]
    if done:
        outbox.finish_stale(tx, system=system, profile_ids=done, marks=[marks[each] for each in done])
    if held:
        outbox.hold_stale(
            tx,
            system=system,
            profile_ids=held,
            marks=[marks[each] for each in held],
            ticks=[ticks[each] for each in held],
        )
    if again:
        outbox.retry_stale(
            tx,
            system=system,
            profile_ids=[profile_id for profile_id, _ in again],
            marks=[marks[profile_id] for profile_id, _ in again],
            due_ats=[ending.due_at or now for _, ending in again],
            are_failures=[ending.is_failure for _, ending in again],
        )
    if parked:
        outbox.park_stale(
            tx,
            system=system,
            profile_ids=[profile_id for profile_id, _ in parked],
            marks=[marks[profile_id] for profile_id, _ in parked],
            codes=[ending.code for _, ending in parked],
            messages=[ending.message.replace("\x00", "") for _, ending in parked],
            now=now,
        )


def _find_ticks(items: Sequence[Item]) -> dict[UUID, datetime]:
    """Return when the first of what is held back of each person is due."""
    ticks: dict[UUID, datetime] = {}
    for item in items:
        for tick in item.waits.values():
            ticks[item.claim.profile_id] = min(tick, ticks.get(item.claim.profile_id, tick))
    return ticks


def put_off_all(tx: Tx, *, system: str, claims: Sequence[Claim], error: CallFailed, now: datetime) -> None:
    """The system as a whole failed: all marks are due again once it may be called again."""
    failures = next((state.failures_in_row for state in systems.list_systems(tx) if state.system == system), 0)
    until = systems.note_failure(
        tx,
        system=system,
        is_write=True,
        message=error.message,
        failures_in_row=failures,
        retry_after_seconds=error.retry_after_seconds,
        now=now,
    )
    outbox.retry_stale(
        tx,
        system=system,
        profile_ids=[claim.profile_id for claim in claims],
        marks=[claim.mark for claim in claims],
        due_ats=[until] * len(claims),
        are_failures=[False] * len(claims),
    )


def give_up(tx: Tx, *, system: str, claims: Sequence[Claim], error: Exception, now: datetime) -> None:
    """Park people for whom a step of ours fails, whatever is tried."""
    outbox.park_stale(
        tx,
        system=system,
        profile_ids=[claim.profile_id for claim in claims],
        marks=[claim.mark for claim in claims],
        codes=["unusable"] * len(claims),
        messages=[f"{type(error).__name__}: {error}"[:500].replace("\x00", "")] * len(claims),
        now=now,
    )
