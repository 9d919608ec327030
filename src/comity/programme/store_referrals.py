"""Statements of referrals."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.programme.promotions import Referral, ReferralWish
from comity.programme.referral_rules import Gift, StoredReferral
from comity.programme.stands import PurchaseState

_sql = SqlFolder(__package__)


class _Bought(msgspec.Struct, frozen=True, kw_only=True):
    profile_id: UUID
    purchase_id: int
    occurred_at: datetime
    amount_minor: int
    currency: str
    is_cancelled: bool
    details: dict[str, Any] | None
    system: str
    external_id: str
    returns: list[dict[str, Any]]


def insert_referral(tx: Tx, *, wish: ReferralWish, now: datetime) -> int | None:
    """Note a referral and return its id; None where the key is taken."""
    rows = _sql.insert_referral.rows(tx, **msgspec.structs.asdict(wish), told_at=now)
    return rows[0][0] if rows else None


def find_referral(tx: Tx, *, referral_id: int | None = None, idempotency_key: str | None = None) -> Referral | None:
    """Return a referral by its id or by its key."""
    found = _sql.find_referral.fetch(tx, Referral, referral_id=referral_id, idempotency_key=idempotency_key)
    return msgspec.convert(msgspec.structs.asdict(found[0]), Referral) if found else None


def list_told(
    tx: Tx, *, programme: str, member_id: int, before_referral_id: int | None, limit_max: int
) -> list[Referral]:
    """Return a page of a member's referrals."""
    rows = _sql.list_told_referrals.fetch(
        tx,
        Referral,
        programme=programme,
        member_id=member_id,
        before_referral_id=before_referral_id,
        limit_max=limit_max,
    )
    return [msgspec.convert(msgspec.structs.asdict(each), Referral) for each in rows]


def list_referrals(tx: Tx, *, programme: str, member_ids: Sequence[int]) -> list[StoredReferral]:
    """Return the referrals of members, with who both are today."""
    rows = _sql.list_referrals.fetch(tx, StoredReferral, programme=programme, member_ids=list(member_ids))
    return [msgspec.convert(msgspec.structs.asdict(each), StoredReferral) for each in rows]


def list_referred(tx: Tx, *, programme: str, profile_ids: Sequence[UUID]) -> list[int]:
    """Return the members among these who have referrals."""
    return [row[0] for row in _sql.list_referred.rows(tx, programme=programme, profile_ids=list(profile_ids))]


def list_due(tx: Tx, *, programme: str, today: date, limit_max: int) -> list[UUID]:
    """Return the friends of the next referrals whose day has come."""
    return [row[0] for row in _sql.list_due_referrals.rows(tx, programme=programme, today=today, limit_max=limit_max)]


def list_bought(tx: Tx, *, profile_ids: Sequence[UUID]) -> dict[UUID, list[PurchaseState]]:
    """Return what people bought."""
    found: dict[UUID, list[PurchaseState]] = {}
    for row in _sql.list_bought.fetch(tx, _Bought, profile_ids=list(profile_ids)):
        fields = msgspec.structs.asdict(row)
        found.setdefault(fields.pop("profile_id"), []).append(PurchaseState(**fields))
    return found


def put_referrals(tx: Tx, *, referrals: Sequence[StoredReferral]) -> None:
    """Bring referrals up to date."""
    if referrals:
        _sql.put_referrals.execute(tx, referrals=Jsonb(referrals))


def list_gifts(tx: Tx, *, referral_ids: Sequence[int]) -> list[Gift]:
    """Return what referrals gave."""
    return _sql.list_gifts.fetch(tx, Gift, referral_ids=list(referral_ids))


def put_gifts(tx: Tx, *, gifts: Sequence[Gift]) -> None:
    """Bring gifts up to date."""
    if gifts:
        _sql.put_gifts.execute(tx, gifts=Jsonb(gifts))
