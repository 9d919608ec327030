"""Who became one person and who was parted again, by whom and why: for people who ask, and for audits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from comity.identity.types import Cause, MergeNote, Move
from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder

_sql = SqlFolder(__package__)

LINES_MAX: Final = 1_000


def note(
    tx: Tx, *, merged: Mapping[UUID, UUID], risen: Sequence[UUID], moved: Sequence[Move], cause: Cause, now: datetime
) -> None:
    """Note merges, and who has become a person of their own with records that were somebody else's."""
    sources = {each.target: each.source for each in moved}
    notes = [
        {"is_merge": True, "profile_id": str(loser), "other_profile_id": str(survivor)}
        for loser, survivor in merged.items()
    ]
    notes += [
        {"is_merge": False, "profile_id": str(each), "other_profile_id": str(sources[each])}
        for each in risen
        if each in sources
    ]
    if notes:
        _sql.insert_history.execute(
            tx, notes=Jsonb(notes), source=cause.source, actor=cause.actor, reason=cause.reason, happened_at=now
        )


def list_notes(tx: Tx, *, profile_id: UUID, after: int, limit: int) -> list[MergeNote]:
    """Return the merges and partings of a living profile, oldest first."""
    return _sql.list_history.fetch(tx, MergeNote, profile_id=profile_id, after=after, limit=min(limit, LINES_MAX))


def has_parted(tx: Tx, *, profile_id: UUID, other_profile_id: UUID) -> bool:
    """True when a steward has parted these two, and nothing happened between them since."""
    return bool(_sql.has_parted.value(tx, profile_id=profile_id, other_profile_id=other_profile_id))
