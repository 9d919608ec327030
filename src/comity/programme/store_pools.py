"""Statements of pools."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.programme.pools import Contribution, KnownPool, Pooled, PoolSeat

_sql = SqlFolder(__package__)


def insert_pool(
    tx: Tx, *, idempotency_key: str, programme: str, account_id: int, opened_by: UUID, now: datetime
) -> int | None:
    """Note a pool and return its id, or None where the key is taken."""
    rows = _sql.insert_pool.rows(
        tx,
        idempotency_key=idempotency_key,
        programme=programme,
        account_id=account_id,
        opened_by=opened_by,
        now=now,
    )
    return rows[0][0] if rows else None


def find_pool(tx: Tx, *, pool_id: int | None = None, idempotency_key: str | None = None) -> KnownPool | None:
    """Return a pool by its id or key, or None."""
    return _sql.find_pool.fetch_one(tx, KnownPool, pool_id=pool_id, idempotency_key=idempotency_key)


def lock_pools(
    tx: Tx, *, pool_ids: Sequence[int] = (), lot_ids: Sequence[int] = (), member_ids: Sequence[int] = ()
) -> list[int]:
    """Hold pools, those that lots went to, and those that memberships are or have been in; return their accounts.

    Members are to be locked before, and accounts after: so nobody waits in a circle.
    """
    rows = _sql.lock_pools.rows(tx, pool_ids=list(pool_ids), lot_ids=list(lot_ids), member_ids=list(member_ids))
    return [account_id for _, account_id in rows]


def list_pool_members(tx: Tx, *, pool_ids: Sequence[int]) -> list[PoolSeat]:
    """Return who is in pools, who was first comes first."""
    return _sql.list_pool_members.fetch(tx, PoolSeat, pool_ids=list(pool_ids))


def list_pools(tx: Tx, *, member_id: int) -> list[KnownPool]:
    """Return the pools a living member is in."""
    return _sql.list_pools.fetch(tx, KnownPool, member_id=member_id)


def join_pool(tx: Tx, *, pool_id: int, profile_id: UUID, programme: str, member_id: int, now: datetime) -> None:
    """Note that somebody is in a pool."""
    _sql.join_pool.execute(
        tx, pool_id=pool_id, profile_id=profile_id, programme=programme, member_id=member_id, now=now
    )


def leave_pool(tx: Tx, *, pool_member_ids: Sequence[int], now: datetime) -> None:
    """Note that somebody has left a pool."""
    _sql.leave_pool.execute(tx, pool_member_ids=list(pool_member_ids), now=now)


def has_been_in(tx: Tx, *, pool_id: int, member_id: int) -> bool:
    """Return whether a member is or has been in a pool."""
    return bool(_sql.has_been_in.value(tx, pool_id=pool_id, member_id=member_id))


def list_contributions(tx: Tx, *, programme: str, purchase_ids: Sequence[int]) -> list[Contribution]:
    """Return the lots of purchases that pools have a part in and have not got it yet."""
    return _sql.list_contributions.fetch(tx, Contribution, programme=programme, purchase_ids=list(purchase_ids))


def insert_shares(tx: Tx, *, shares: Sequence[Mapping[str, Any]]) -> None:
    """Note what of purchases went to pools."""
    if shares:
        _sql.insert_shares.execute(tx, shares=Jsonb(shares))


def list_pooled(
    tx: Tx, *, lot_ids: Sequence[int] = (), pool_member_ids: Sequence[int] = (), member_ids: Sequence[int] = ()
) -> list[Pooled]:
    """Return what is left in pools of lots, or of what somebody brought; to be asked once the pools are held."""
    return _sql.list_pooled.fetch(
        tx, Pooled, lot_ids=list(lot_ids), pool_member_ids=list(pool_member_ids), member_ids=list(member_ids)
    )
