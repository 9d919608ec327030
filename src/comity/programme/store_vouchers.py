"""Statements of rewards and vouchers."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.programme.types import Counted
from comity.programme.vouchers import HeldVoucher, KnownVoucher, Voucher

_sql = SqlFolder(__package__)

Reward = tuple[str, str]
"""Programme and name."""


def lock_stock(tx: Tx, *, rewards: Sequence[Reward]) -> dict[Reward, int]:
    """Hold how many pieces of rewards all members have."""
    rows = [{"programme": programme, "reward": reward} for programme, reward in sorted(set(rewards))]
    found = _sql.lock_stock.rows(tx, rewards=Jsonb(rows)) if rows else []
    return {(programme, reward): count for programme, reward, count in found}


def count_stock(tx: Tx, *, counted: Mapping[Reward, int]) -> None:
    """Count pieces, which are held."""
    rows = [{"programme": each[0], "reward": each[1], "amount": amount} for each, amount in counted.items() if amount]
    if rows:
        _sql.count_stock.execute(tx, counted=Jsonb(rows))


def list_stock(tx: Tx, *, programme: str) -> dict[str, int]:
    """Return how many pieces all members have, by reward."""
    return dict(_sql.list_stock.rows(tx, programme=programme))


def insert_vouchers(tx: Tx, *, vouchers: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, int]:
    """Note vouchers and return their ids by key."""
    return dict(_sql.insert_vouchers.rows(tx, vouchers=Jsonb(vouchers), issued_at=now)) if vouchers else {}


def find_vouchers(tx: Tx, *, keys: Sequence[str] = (), codes: Sequence[str] = ()) -> list[KnownVoucher]:
    """Return the vouchers that were asked for with these keys, or have these codes."""
    width = len(Voucher.__struct_fields__)
    return [
        KnownVoucher(
            voucher=_to_voucher(row[:width]),
            idempotency_key=row[width],
            asked_profile_id=row[width + 1],
            reference=row[width + 2],
        )
        for row in _sql.find_vouchers.rows(tx, keys=list(keys), codes=list(codes))
    ]


def list_vouchers(tx: Tx, *, profile_id: UUID, programme: str, limit_max: int) -> list[Voucher]:
    """Return a member's vouchers, newest first."""
    rows = _sql.list_vouchers.rows(tx, profile_id=profile_id, programme=programme, limit_max=limit_max)
    return [_to_voucher(row) for row in rows]


def lock_vouchers(tx: Tx, *, voucher_ids: Sequence[int]) -> dict[int, HeldVoucher]:
    """Hold vouchers and return them by id."""
    rows = _sql.lock_vouchers.rows(tx, voucher_ids=list(voucher_ids))
    held = [msgspec.convert(dict(zip(HeldVoucher.__struct_fields__, row, strict=True)), HeldVoucher) for row in rows]
    return {each.voucher_id: each for each in held}


def hold_keys(tx: Tx, *, keys: Sequence[str]) -> None:
    """Keep others from sending these keys, in the order of their digests."""
    _sql.hold_voucher_keys.rows(tx, keys=list(keys))


def list_used_keys(tx: Tx, *, keys: Sequence[str]) -> set[tuple[str, int, bool]]:
    """Return (key, voucher, whether it was to use it) of those keys that have been sent before."""
    return set(_sql.list_used_keys.rows(tx, keys=list(keys)))


def use_vouchers(tx: Tx, *, used: Mapping[int, str], now: datetime) -> None:
    """Note that vouchers are used, by which key."""
    rows = [{"voucher_id": voucher_id, "key": key} for voucher_id, key in used.items()]
    if rows:
        _sql.use_vouchers.execute(tx, used=Jsonb(rows), now=now)


def end_vouchers(tx: Tx, *, ended: Mapping[int, tuple[str, str]], now: datetime) -> None:
    """Note that vouchers have ended: by which key, in which state."""
    rows = [{"voucher_id": voucher_id, "key": key, "state": state} for voucher_id, (key, state) in ended.items()]
    if rows:
        _sql.end_vouchers.execute(tx, ended=Jsonb(rows), now=now)


def expire_vouchers(
    tx: Tx, *, programme: str, today: date, limit_max: int, now: datetime
) -> list[tuple[int, str, UUID]]:
    """Let the next vouchers expire; return (voucher, reward, who has it)."""
    rows = _sql.expire_vouchers.rows(tx, programme=programme, today=today, limit_max=limit_max, now=now)
    return [(voucher_id, reward, profile_id) for voucher_id, reward, profile_id in rows]


def take_counted(tx: Tx, *, counted: Sequence[Counted]) -> None:
    """Take from what caps have counted, which is never below zero."""
    if counted:
        _sql.take_counted.execute(tx, counted=Jsonb(counted))


def _to_voucher(row: tuple[Any, ...]) -> Voucher:
    return msgspec.convert(dict(zip(Voucher.__struct_fields__, row, strict=True)), Voucher)
