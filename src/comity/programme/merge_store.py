"""Statements of merging and parting."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from comity.activity.types import ProfileMove
from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.programme.ladders import Levels
from comity.programme.merge_types import Alias, MergePair, Risen

_sql = SqlFolder(__package__)


def lock_pairs(tx: Tx, *, programme: str, moves: Sequence[ProfileMove]) -> list[MergePair]:
    """Return the members that merges concern, locked."""
    return _sql.lock_pairs.fetch(tx, MergePair, programme=programme, moves=Jsonb(moves))


def merge_members(tx: Tx, *, pairs: Sequence[MergePair], since: int, now: datetime) -> None:
    """Make losers aliases of their survivors."""
    _sql.merge_members.execute(tx, pairs=Jsonb(pairs), merged_at=now, merged_since=since)
    _sql.move_counted.execute(tx, pairs=Jsonb(pairs))
    copy_warnings(tx, moves=[(each.loser_account_id, each.survivor_account_id) for each in pairs])


def copy_warnings(tx: Tx, *, moves: Sequence[tuple[int | None, int | None]]) -> None:
    """Let what was warned of go with lots, from one account to another."""
    rows = [{"source_account_id": source, "target_account_id": target} for source, target in moves]
    _sql.copy_warnings.execute(tx, moves=Jsonb(rows))


def insert_aliases(tx: Tx, *, programme: str, aliases: Sequence[tuple[UUID, int]], now: datetime) -> None:
    """Let (profile) stand for (member)."""
    rows = [{"profile_id": profile_id, "member_id": member_id} for profile_id, member_id in aliases]
    _sql.insert_aliases.execute(tx, programme=programme, aliases=Jsonb(rows), merged_at=now)


def list_strays(tx: Tx, *, programme: str, moves: Sequence[ProfileMove]) -> list[UUID]:
    """Return aliases that were merged into somebody else than who stands for them."""
    return [row[0] for row in _sql.list_strays.rows(tx, programme=programme, moves=Jsonb(moves))]


def lock_risen(tx: Tx, *, programme: str, profile_ids: Sequence[UUID], is_moving: bool) -> list[Risen]:
    """Return aliases that are to be members of their own, locked."""
    return _sql.lock_risen.fetch(tx, Risen, programme=programme, profile_ids=list(profile_ids), is_moving=is_moving)


def forget_aliases(tx: Tx, *, member_ids: Sequence[int]) -> None:
    """Forget aliases that never had an account."""
    _sql.forget_aliases.execute(tx, member_ids=list(member_ids))


def list_aliases(tx: Tx, *, member_id: int) -> list[Alias]:
    """Return those a member stands for."""
    return _sql.list_aliases.fetch(tx, Alias, member_id=member_id)


def part_member(tx: Tx, *, risen: Risen, follower_ids: Sequence[int], levels: Levels, now: datetime) -> None:
    """Let an alias be a member again, with what caps had counted of their transfers."""
    _sql.part_member.execute(
        tx,
        member_id=risen.member_id,
        account_id=risen.account_id,
        follower_ids=list(follower_ids),
        tier=levels.tier,
        further_tiers=Jsonb(levels.further_tiers) if levels.further_tiers else None,
        parted_at=now,
    )
    _sql.part_counted.execute(tx, member_id=risen.member_id, holder_member_id=risen.holder_member_id)


def count_again(tx: Tx, *, member_ids: Sequence[int]) -> None:
    """Let caps count what members have by now."""
    _sql.count_again.execute(tx, member_ids=list(member_ids))


def move_earnings(
    tx: Tx, *, programme: str, source_member_id: int, target_member_id: int, profile_ids: Sequence[UUID]
) -> list[int]:
    """Let earnings follow their purchases; return those purchases."""
    rows = _sql.move_earnings.rows(
        tx,
        programme=programme,
        source_member_id=source_member_id,
        target_member_id=target_member_id,
        profile_ids=list(profile_ids),
    )
    return [row[0] for row in rows]


def list_transfers_of(tx: Tx, *, programme: str, purchase_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Return (transfer, kind of points) of what purchases made."""
    rows = _sql.list_transfers_of.rows(tx, programme=programme, purchase_ids=list(purchase_ids))
    return [(transfer_id, kind) for transfer_id, kind in rows]


def list_members_of(tx: Tx, *, programme: str, purchase_ids: Sequence[int]) -> dict[int, int]:
    """Return whose purchases are, by purchase."""
    return dict(_sql.list_members_of.rows(tx, programme=programme, purchase_ids=list(purchase_ids)))


def list_askers(tx: Tx, *, transfer_ids: Sequence[int]) -> dict[int, int]:
    """Return who asked for transfers while they were aliases."""
    return dict(_sql.list_askers.rows(tx, transfer_ids=list(transfer_ids)))


def list_misplaced(tx: Tx, *, programme: str, profile_ids: Sequence[UUID]) -> list[tuple[int, UUID, UUID]]:
    """Return (member, their profile, the profile that purchases of theirs belong to now)."""
    rows = _sql.list_misplaced.rows(tx, programme=programme, profile_ids=list(profile_ids))
    return [(member_id, holder, profile_id) for member_id, holder, profile_id in rows]
