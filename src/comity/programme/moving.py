"""What all that moves points tells: balances after it, and events."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import asdict

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.ledger.types import POSTINGS_MAX, Posting, PostingStatus, PostingVerdict, Standing
from comity.programme import store
from comity.programme.types import (
    LARGE_REDEMPTION,
    POINTS_REDEEMED,
    InsufficientPoints,
    LargeRedemption,
    LockedMember,
    PointsRedeemed,
    Programme,
)
from comity.programme.wishes import POINTS_MOVED, PointsMoved

Stands = Mapping[int, "Stand"]
"""How members stand, by account."""


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """What a member can spend today (below zero it is owed), what is pending, and what expired and is to be posted."""

    points: int
    pending: int
    expired: int


def find_stands(tx: Tx, members: Iterable[LockedMember]) -> Stands:
    """Return what members can spend and what is pending, as it stands on their day in this transaction."""
    return {each.account_id: to_stand(each) for each in _list_standings(tx, members)}


def to_stand(standing: Standing) -> Stand:
    """Return what can be spent by what there is: what is pending is there, and cannot."""
    return Stand(points=standing.balance - standing.pending, pending=standing.pending, expired=standing.expired)


def _list_standings(tx: Tx, members: Iterable[LockedMember]) -> list[Standing]:
    days = {each.account_id: each.today for each in members}
    return [
        standing
        for day in sorted(set(days.values()))
        for standing in ledger.get_standings(tx, account_ids=sorted(a for a in days if days[a] == day), day=day)
    ]


def post_all(tx: Tx, postings: Sequence[Posting], *, failure: str, now: datetime) -> list[PostingVerdict]:
    """Post any number, each of which has to be booked; `failure` is what to say otherwise."""
    verdicts: list[PostingVerdict] = []
    for start in range(0, len(postings), POSTINGS_MAX):
        verdicts += ledger.post(tx, postings=postings[start : start + POSTINGS_MAX], now=now)
    for posting, verdict in zip(postings, verdicts, strict=True):
        if not verdict.is_booked:
            raise Broken(failure, details={"idempotency_key": posting.idempotency_key, "status": verdict.status})
    return verdicts


def tell_balance(status: PostingStatus, balance_after: int | None, stand: Stand) -> int | None:
    """Return what could be spent after a transfer was booked; of one that was booked before, what can be spent now."""
    if status is PostingStatus.DUPLICATE:
        return stand.points
    return None if balance_after is None else balance_after - stand.pending - stand.expired


def find_bound(tx: Tx, members: Iterable[LockedMember]) -> dict[int, int]:
    """Return how much of their balances members cannot spend today, by account: what is pending, or expired."""
    return {each.account_id: each.balance + each.expired - each.spendable for each in _list_standings(tx, members)}


def tell_short(points: int, *, balance: int | None, bound: int) -> InsufficientPoints:
    """Say that points are missing: so many were wished for, and of the balance so many could not be spent."""
    return InsufficientPoints(details={"points": points, "balance": max(0, (balance or 0) - bound)})


def tell_of(payload: msgspec.Struct, *, pool_id: int | None) -> dict[str, Any]:
    """Return the payload of an event; where it is about the points of a pool, it says of which."""
    return asdict(payload) if pool_id is None else asdict(payload) | {"pool_id": pool_id}


def publish_moved(tx: Tx, *, moved: Sequence[PointsMoved], now: datetime) -> None:
    """Publish `programme.points_moved`."""
    publish(tx, kind=POINTS_MOVED, payloads=[asdict(each) for each in moved], now=now)


def publish_redeemed(
    tx: Tx,
    *,
    member_ids: Sequence[int],
    redeemed: Sequence[PointsRedeemed],
    programmes: Mapping[str, Programme] | None,
    now: datetime,
    pool_id: int | None = None,
) -> None:
    """Remember when members last redeemed; publish `programme.points_redeemed` and `programme.large_redemption`.

    `programmes` say above how many points a redemption is large; `pool_id` says that they were points of a pool.
    """
    if not redeemed:
        return
    limits = {name: each.spec.redemptions.large_above for name, each in (programmes or {}).items()}
    store.note_redemptions(tx, member_ids=sorted(set(member_ids)), now=now)
    publish(tx, kind=POINTS_REDEEMED, payloads=[tell_of(each, pool_id=pool_id) for each in redeemed], now=now)
    publish(
        tx,
        kind=LARGE_REDEMPTION,
        payloads=[
            tell_of(LargeRedemption(**asdict(each), large_above=limit), pool_id=pool_id)
            for each in redeemed
            for limit in [limits.get(each.programme)]
            if limit is not None and each.points > limit
        ],
        now=now,
    )
