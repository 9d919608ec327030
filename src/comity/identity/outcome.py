"""What resolving changed, as it goes on and as it is told in the end."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from comity.identity.types import Merge, Move, Resolution
from comity.mapping.types import RecordKey


class Outcome:
    """What changed so far in one call."""

    def __init__(self) -> None:
        """Start with no change."""
        self.created: list[UUID] = []
        self.revived: set[UUID] = set()
        self.merged: dict[UUID, UUID] = {}
        self.moved: dict[int, Move] = {}
        self.affected: set[UUID] = set()

    def note_move(self, record_id: int, source: UUID, target: UUID) -> None:
        """Note that a record changed its profile; of several moves only the first source and the last target count."""
        earlier = self.moved.get(record_id)
        self.moved[record_id] = Move(record_id=record_id, source=earlier.source if earlier else source, target=target)
        self.affected.update((source, target))

    def note_aliases(self, merged_into: Mapping[UUID, UUID | None]) -> None:
        """Note which profiles became aliases; one that came back to life is none any more."""
        for loser, survivor in merged_into.items():
            if survivor is not None:
                self.merged[loser] = survivor
                self.revived.discard(loser)
            elif self.merged.pop(loser, None) is None:
                self.revived.add(loser)

    def tell(
        self,
        keys: Sequence[RecordKey],
        places: Mapping[RecordKey, tuple[int, UUID]],
        *,
        new: Collection[RecordKey],
        steady: Collection[RecordKey],
        turn: int = 0,
    ) -> Resolution:
        """Tell what became of these keys; `places` are record and profile of each before the moves."""
        record_ids: list[int] = []
        profile_ids: list[UUID] = []
        for key in keys:
            record_id, profile_id = places[key]
            # A new record can move too, when a crowded neighbourhood is resolved piece by piece.
            move = self.moved.get(record_id)
            record_ids.append(record_id)
            profile_ids.append(move.target if move else profile_id)
        return Resolution(
            record_ids=record_ids,
            profile_ids=profile_ids,
            is_new=[key in new for key in keys],
            is_steady=[key in steady for key in keys],
            created_profile_ids=self.created,
            merged=[Merge(loser=loser, survivor=survivor) for loser, survivor in self.merged.items()],
            moved=list(self.moved.values()),
            affected_profile_ids=sorted(self.affected - self.merged.keys()),
            turn=turn,
        )
