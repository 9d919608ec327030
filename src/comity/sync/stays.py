"""Whose a record was when, as far as the notes of merges and partings tell. Pure."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from comity.identity.types import MergeNote, Record


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """A record belonged to a person from a time on (None: from the beginning) by a merge or a parting."""

    record_id: int
    profile_id: UUID
    since: datetime | None = None
    note: MergeNote | None = None


def list_stays(record: Record, notes: Sequence[MergeNote]) -> list[Stay]:
    """Return the people a record belonged to, the first one first; notes come oldest first.

    A record bears the time of its last move. What was before it follows from what became of whom it was with: who was
    parted from somebody brought the record from there, and who had been merged with them before had brought it there.
    """
    moves: list[tuple[MergeNote, UUID]] = []
    holder, brought_by = record.profile_id, None
    for note in reversed(notes):
        is_last = not moves and note.happened_at == record.linked_at
        if not (is_last or moves):
            continue
        if note.is_merge and ((is_last and note.other_profile_id == holder) or note.profile_id == brought_by):
            moves.append((note, holder))
            holder, brought_by = note.profile_id, None
        elif not note.is_merge and note.profile_id == holder:
            moves.append((note, holder))
            holder, brought_by = note.other_profile_id, note.profile_id
    first = Stay(record_id=record.record_id, profile_id=holder)
    return [
        first,
        *(
            Stay(record_id=record.record_id, profile_id=target, since=note.happened_at, note=note)
            for note, target in reversed(moves)
        ),
    ]
