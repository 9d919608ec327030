"""Members collect in pools: who is in one, and who may spend what it has."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from comity.definitions.types import PoolLeaving, PoolSpec, PoolSpenders
from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import api as ledger
from comity.ledger.types import (
    AccountKind,
    Book,
    NewAccount,
    Posting,
    PostingStatus,
)
from comity.programme import rules, store, store_pools
from comity.programme.engine.limits import decide_pooling
from comity.programme.moving import find_stands, publish_redeemed, tell_short
from comity.programme.pool_shares import hand_back
from comity.programme.pools import (
    KnownPool,
    PoolChanged,
    PoolMember,
    PoolRedeemed,
    PoolRefused,
    PoolSeat,
    PoolSpending,
    PoolView,
    PoolWish,
    UnknownPool,
)
from comity.programme.strangers import tell_stranger
from comity.programme.tiers import lock_members
from comity.programme.types import KeyReused, LockedMember, PointsRedeemed, Programme
from comity.programme.wishes import WishInvalid


def open_pool(tx: Tx, *, wish: PoolWish, programme: Programme, now: datetime) -> PoolView:
    """Open a pool with its first member. The same wish again answers with the same pool.

    Raises WishInvalid, UnknownMember, PoolRefused, KeyReused.
    """
    if not rules.can_post_wish(wish.idempotency_key):
        raise WishInvalid
    member = _lock(tx, wish.profile_id, programme.name, now=now)
    known = store_pools.find_pool(tx, idempotency_key=wish.idempotency_key)
    if known is not None:
        if (known.opened_by, known.programme) != (wish.profile_id, programme.name):
            raise KeyReused(details={"idempotency_key": wish.idempotency_key})
        return _view(tx, known, member, is_duplicate=True)
    _require_place(tx, _get_spec(programme), member, seats=())
    [account_id] = ledger.open_accounts(
        tx,
        accounts=[
            NewAccount(
                book=Book.POINTS,
                unit=programme.name,
                kind=AccountKind.POOL,
                owner=f"{member.member_id}:{wish.idempotency_key}",
            )
        ],
        now=now,
    )
    pool_id = store_pools.insert_pool(
        tx,
        idempotency_key=wish.idempotency_key,
        programme=programme.name,
        account_id=account_id,
        opened_by=wish.profile_id,
        now=now,
    )
    if pool_id is None:
        # Somebody else was quicker with this key.
        raise KeyReused(details={"idempotency_key": wish.idempotency_key})
    _sit(tx, pool_id, wish.profile_id, member, now=now)
    pool = KnownPool(pool_id=pool_id, programme=programme.name, account_id=account_id, opened_by=wish.profile_id)
    return _view(tx, pool, member)


def join_pool(
    tx: Tx, *, pool_id: int, profile_id: UUID, programmes: Mapping[str, Programme], now: datetime
) -> PoolView:
    """Let a member join a pool; what they earn from now on counts for it. Who is in it already stays so.

    Raises UnknownPool, UnknownMember, PoolRefused.
    """
    pool = get_pool(tx, pool_id)
    member = _lock(tx, profile_id, pool.programme, now=now)
    store_pools.lock_pools(tx, pool_ids=[pool_id])
    seats = store_pools.list_pool_members(tx, pool_ids=[pool_id])
    if any(each.member_id == member.member_id for each in seats):
        return _view(tx, pool, member, is_duplicate=True)
    if not seats:
        raise PoolRefused(details={"reason": "pool_closed", "pool_id": pool_id})
    _require_place(tx, _get_spec(programmes.get(pool.programme)), member, seats=seats)
    _sit(tx, pool_id, profile_id, member, now=now)
    return _view(tx, pool, member)


def leave_pool(
    tx: Tx, *, pool_id: int, profile_id: UUID, programmes: Mapping[str, Programme], now: datetime
) -> PoolView:
    """Let a member leave a pool, with what is left of their part or without, as the programme says; the last takes all.

    Who has left already stays so. Raises UnknownPool, UnknownMember, PoolRefused. Publishes `programme.points_moved`.
    """
    pool = get_pool(tx, pool_id)
    member = _lock(tx, profile_id, pool.programme, now=now)
    store_pools.lock_pools(tx, pool_ids=[pool_id])
    ledger.hold_accounts(tx, account_ids=[pool.account_id, member.account_id])
    seats = store_pools.list_pool_members(tx, pool_ids=[pool_id])
    own = [each for each in seats if each.member_id == member.member_id]
    if not own:
        if not store_pools.has_been_in(tx, pool_id=pool_id, member_id=member.member_id):
            raise PoolRefused(details={"reason": "not_in_pool", "pool_id": pool_id})
        return _view(tx, pool, member, is_duplicate=True)
    programme = programmes.get(pool.programme)
    spec = programme.spec.pools if programme else None
    is_last = len(own) == len(seats)
    if is_last or spec is None or spec.leaving is PoolLeaving.TAKES_SHARE:
        hand_back(tx, pool=pool, seats=own, target=member, takes_all=is_last, now=now)
    store_pools.leave_pool(tx, pool_member_ids=[each.pool_member_id for each in own], now=now)
    return _view(tx, pool, member)


def end_pool(tx: Tx, *, pool_id: int, profile_id: UUID, now: datetime) -> PoolView:
    """Let all leave a pool, each with what is left of their part; who has been in it longest asks, and has the rest.

    What has ended already stays so. Raises UnknownPool, UnknownMember, PoolRefused, PoolChanged. Publishes
    `programme.points_moved`.
    """
    pool = get_pool(tx, pool_id)
    known = {each.profile_id for each in store_pools.list_pool_members(tx, pool_ids=[pool_id])} - {profile_id}
    wishes = [(each, pool.programme) for each in (profile_id, *sorted(known))]
    found = lock_members(tx, wishes=wishes, programmes=None, now=now)
    if 0 not in found:
        raise tell_stranger(tx, profile_id=profile_id, programme=pool.programme)
    members = {each.member_id: each for each in found.values()}
    store_pools.lock_pools(tx, pool_ids=[pool_id])
    ledger.hold_accounts(tx, account_ids=[pool.account_id, *(each.account_id for each in members.values())])
    seats = store_pools.list_pool_members(tx, pool_ids=[pool_id])
    if not seats and store_pools.has_been_in(tx, pool_id=pool_id, member_id=found[0].member_id):
        return _view(tx, pool, found[0], is_duplicate=True)
    own: dict[int, list[PoolSeat]] = {}
    for each in seats:
        own.setdefault(each.member_id, []).append(each)
    if found[0].member_id not in own:
        raise PoolRefused(details={"reason": "not_in_pool", "pool_id": pool_id})
    if seats[0].member_id != found[0].member_id:
        raise PoolRefused(details={"reason": "not_the_first", "pool_id": pool_id})
    if not members.keys() >= own.keys():
        raise PoolChanged(details={"pool_id": pool_id})
    for member_id, theirs in reversed(own.items()):
        is_last = member_id == found[0].member_id
        hand_back(tx, pool=pool, seats=theirs, target=members[member_id], takes_all=is_last, now=now)
    store_pools.leave_pool(tx, pool_member_ids=[each.pool_member_id for each in seats], now=now)
    return _view(tx, pool, found[0])


def redeem_from_pool(tx: Tx, *, wish: PoolSpending, programmes: Mapping[str, Programme], now: datetime) -> PoolRedeemed:
    """Spend points of a pool, as one who is in it. The same wish again spends nothing.

    Raises WishInvalid, UnknownPool, UnknownMember, PoolRefused, InsufficientPoints, KeyReused. Publishes
    `programme.points_redeemed`, `programme.tier_changed`.
    """
    if not rules.can_post_wish(wish.idempotency_key, wish.reason, wish.reference):
        raise WishInvalid
    pool = get_pool(tx, wish.pool_id)
    member = _lock(tx, wish.profile_id, pool.programme, programmes=programmes, now=now)
    store_pools.lock_pools(tx, pool_ids=[pool.pool_id])
    posting = Posting(
        idempotency_key=rules.to_key(wish.idempotency_key),
        request=rules.to_request(
            "pool",
            str(wish.pool_id),
            str(wish.profile_id),
            str(wish.points),
            wish.reason,
            reference=wish.reference,
        ),
        debit_account_id=pool.account_id,
        credit_account_id=member.programme_account_id,
        amount=wish.points,
        kind=rules.REDEEM,
        reason=wish.reason,
        reference=wish.reference,
        effective_on=member.today,
        system=rules.OWN_SYSTEM,
        external_id=wish.idempotency_key,
    )
    if not ledger.find_posted(tx, keys=[posting.idempotency_key]):
        _require_spender(tx, pool, member, _get_spec(programmes.get(pool.programme)))
    [verdict] = ledger.post(tx, postings=[posting], now=now)
    [standing] = ledger.get_standings(tx, account_ids=[pool.account_id], day=member.today)
    match verdict.status:
        case PostingStatus.POSTED | PostingStatus.DUPLICATE:
            pass
        case PostingStatus.INSUFFICIENT:
            raise tell_short(wish.points, balance=standing.spendable, bound=0)
        case PostingStatus.KEY_REUSED:
            raise KeyReused(details={"idempotency_key": wish.idempotency_key})
        case _:
            raise Broken("Points of a pool could not be spent.", details={"status": verdict.status})
    if verdict.status is PostingStatus.POSTED:
        _tell_redeemed(tx, wish, member, programmes, verdict.transfer_id, now=now)
    return PoolRedeemed(
        transfer_id=verdict.transfer_id or 0,
        points=wish.points,
        balance=standing.spendable,
        pending=standing.pending,
        tier=member.tier,
        is_duplicate=verdict.status is PostingStatus.DUPLICATE,
    )


def list_pools(tx: Tx, *, profile_id: UUID, programme: str, now: datetime) -> list[PoolView]:
    """Return the pools a member is in. Raises UnknownMember, ProgrammeNotDefined."""
    member = store.find_member(tx, profile_id=profile_id, programme=programme, now=now)
    if member is None:
        raise tell_stranger(tx, profile_id=profile_id, programme=programme)
    return [_view(tx, each, member) for each in store_pools.list_pools(tx, member_id=member.member_id)]


def get_pool(tx: Tx, pool_id: int) -> KnownPool:
    """Return a pool. Raises UnknownPool."""
    found = store_pools.find_pool(tx, pool_id=pool_id)
    if found is None:
        raise UnknownPool(details={"pool_id": pool_id})
    return found


def _tell_redeemed(
    tx: Tx,
    wish: PoolSpending,
    member: LockedMember,
    programmes: Mapping[str, Programme],
    transfer_id: int | None,
    *,
    now: datetime,
) -> None:
    publish_redeemed(
        tx,
        member_ids=[member.member_id],
        redeemed=[
            PointsRedeemed(
                profile_id=member.profile_id,
                programme=member.programme,
                points=wish.points,
                balance=find_stands(tx, [member])[member.account_id].points,
                transfer_id=transfer_id,
                kind=member.kind_name,
            )
        ],
        programmes=programmes,
        pool_id=wish.pool_id,
        now=now,
    )


def _get_spec(programme: Programme | None) -> PoolSpec:
    if programme is None or programme.spec.pools is None:
        raise PoolRefused("This programme has no pools.", details={"reason": "no_pools"})
    return programme.spec.pools


def _lock(
    tx: Tx, profile_id: UUID, programme: str, *, programmes: Mapping[str, Programme] | None = None, now: datetime
) -> LockedMember:
    found = lock_members(tx, wishes=[(profile_id, programme)], programmes=programmes, now=now)
    if not found:
        raise tell_stranger(tx, profile_id=profile_id, programme=programme)
    return found[0]


def _require_place(tx: Tx, spec: PoolSpec, member: LockedMember, *, seats: Sequence[PoolSeat]) -> None:
    verdict = decide_pooling(
        spec,
        member_count=len({each.member_id for each in seats}),
        pool_count=len(store_pools.list_pools(tx, member_id=member.member_id)),
    )
    rules.require_granted(verdict, PoolRefused)


def _require_spender(tx: Tx, pool: KnownPool, member: LockedMember, spec: PoolSpec) -> None:
    seats = store_pools.list_pool_members(tx, pool_ids=[pool.pool_id])
    if member.member_id not in {each.member_id for each in seats}:
        raise PoolRefused(details={"reason": "not_in_pool", "pool_id": pool.pool_id})
    if spec.spenders is PoolSpenders.FIRST and seats[0].member_id != member.member_id:
        raise PoolRefused(details={"reason": "not_the_first", "pool_id": pool.pool_id})


def _sit(tx: Tx, pool_id: int, profile_id: UUID, member: LockedMember, *, now: datetime) -> None:
    store_pools.join_pool(
        tx, pool_id=pool_id, profile_id=profile_id, programme=member.programme, member_id=member.member_id, now=now
    )


def _view(tx: Tx, pool: KnownPool, member: LockedMember, *, is_duplicate: bool = False) -> PoolView:
    seats = store_pools.list_pool_members(tx, pool_ids=[pool.pool_id])
    first = {each.member_id: each for each in reversed(seats)}
    [standing] = ledger.get_standings(tx, account_ids=[pool.account_id], day=member.today)
    return PoolView(
        pool_id=pool.pool_id,
        programme=pool.programme,
        members=[
            PoolMember(profile_id=each.profile_id, joined_at=each.joined_at)
            for each in seats
            if first[each.member_id] is each
        ],
        spendable=standing.spendable,
        pending=standing.pending,
        is_duplicate=is_duplicate,
    )
