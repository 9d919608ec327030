"""What of members' points goes to the pools they are in, and comes back.

Who moves points between members and pools holds the members first, then the pools, then the accounts of all of them,
each in one statement in the order of their ids, and reads only then what is where.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from itertools import groupby

from comity.definitions.types import PoolSpec
from comity.kernel.database import Tx
from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.ledger.types import Piece, Posting, ReturnPolicy, Reversal, Takes
from comity.programme import rules, store, store_pools
from comity.programme.engine.limits import split_contribution
from comity.programme.moving import Stands, find_stands, post_all, publish_moved
from comity.programme.pools import Contribution, Homing, KnownPool, Pooled, PoolSeat
from comity.programme.types import LockedMember, Programme
from comity.programme.wishes import PointsMoved

POOL = "pool"
"""Kind of transfers into pools and back, and cause of `programme.points_moved`."""

IN_POOL = "The part of a pool."
BACK = "What a return takes back has come back from the pool."
NOT_POSTED = "Points could not be moved between a member and a pool."
LEFT = "A member has left the pool."
PARTED = "Two profiles are two again: what one of them took to a pool of the other comes back first."


def collect_in_pools(tx: Tx, *, events: Sequence[Event], programmes: Sequence[Programme], now: datetime) -> int:
    """Bring pools their part of what their members have earned, and return of how many purchases. Repeatable.

    A purchase counts for the pool that its member joined first, if that was before the points were booked. Pending
    points go there pending. Publishes `programme.points_moved`.
    """
    count = 0
    for programme in programmes:
        spec = programme.spec.pools
        told = {each.payload["purchase_id"] for each in events if each.payload["programme"] == programme.name}
        if spec is not None and told:
            count += _collect(tx, sorted(told), programme=programme, spec=spec, now=now)
    return count


def hold_pools_of(tx: Tx, *, lot_ids: Iterable[int], account_ids: Iterable[int]) -> dict[int, Pooled]:
    """Hold the pools that lots went to, their accounts and these ones; return what the pools have of the lots, by lot.

    To be asked once the members are held, and before anything is booked. Where there are no pools, no account is held.
    """
    wanted = sorted(set(lot_ids))
    accounts = store_pools.lock_pools(tx, lot_ids=wanted) if wanted else []
    if not accounts:
        return {}
    ledger.hold_accounts(tx, account_ids=[*accounts, *account_ids])
    return {each.lot_id: each for each in store_pools.list_pooled(tx, lot_ids=wanted)}


def call_home(tx: Tx, *, reversals: Sequence[Reversal], pooled: Mapping[int, Pooled], now: datetime) -> None:
    """Let what is to be taken back, and is in a pool, come back to whom it will be taken from.

    `pooled` is by lot, of pools that are held. What is let go of anyway stays there.
    """
    wanted = [each for each in reversals if each.transfer_id in pooled and each.account_id is not None]
    if not wanted:
        return
    accounts = sorted({each.account_id for each in wanted if each.account_id is not None})
    rests = {
        (account_id, each.lot_id): each.rest
        for account_id, lots in ledger.list_holdings(tx, account_ids=accounts).items()
        for each in lots
    }
    left = {lot_id: each.rest for lot_id, each in pooled.items()}
    homing: list[Homing] = []
    for each in wanted:
        lot = pooled[each.transfer_id]
        if each.policy is ReturnPolicy.ONLY_PENDING and not lot.to_holding().is_waiting(each.effective_on):
            continue
        account_id = each.account_id or 0
        amount = left[lot.lot_id]
        if each.amount is not None:
            amount = min(amount, each.amount - rests.get((account_id, lot.lot_id), 0))
        if amount > 0:
            left[lot.lot_id] -= amount
            homing.append(Homing(lot=lot, amount=amount, account_id=account_id, day=each.effective_on))
    bring_home(tx, homing, reason=BACK, now=now)


def call_strays_home(
    tx: Tx,
    *,
    account_id: int,
    member_ids: AbstractSet[int],
    target_member_id: int,
    side: AbstractSet[int],
    day: date,
    now: datetime,
) -> None:
    """Before two are parted, let points of one that lie in a pool by a membership of the other come to their account.

    `member_ids` are the memberships of both, `side` those that go; what is the target's has moved to it already. The
    pools are held. What these have spent of it counts as spent by whose membership brought it there.
    """
    strays = [
        Homing(lot=each, amount=each.rest, account_id=account_id, day=day)
        for each in store_pools.list_pooled(tx, member_ids=sorted(member_ids))
        if each.earned_by in member_ids and (each.earned_by == target_member_id) is not (each.brought_by in side)
    ]
    bring_home(tx, strays, reason=PARTED, now=now)


def bring_home(tx: Tx, homing: Sequence[Homing], *, reason: str, now: datetime) -> list[int]:
    """Let points come back from pools that are held; each transfer names the one that brought them there."""
    ordered = sorted(homing, key=_name_bringer)
    postings = [
        Posting(
            idempotency_key=f"pool-back:{first.lot.transfer_id}:{first.lot.back_count + 1}",
            debit_account_id=first.lot.pool_account_id,
            credit_account_id=first.account_id,
            amount=sum(each.amount for each in parts),
            kind=POOL,
            reason=reason,
            effective_on=first.day,
            system=first.lot.system,
            external_id=first.lot.external_id,
            reverses_transfer_id=first.lot.transfer_id,
            reversal_number=first.lot.back_count + 1,
            pieces=tuple(Piece(lot_id=each.lot.lot_id, amount=each.amount) for each in parts),
            takes=Takes.NAMED,
        )
        for parts in (list(group) for _, group in groupby(ordered, key=_name_bringer))
        for first in parts[:1]
    ]
    return [each.transfer_id or 0 for each in post_all(tx, postings, failure=NOT_POSTED, now=now)]


def _name_bringer(homing: Homing) -> int:
    return homing.lot.transfer_id


def hand_back(
    tx: Tx, *, pool: KnownPool, seats: Sequence[PoolSeat], target: LockedMember, takes_all: bool, now: datetime
) -> None:
    """Let what is left of what some seats brought to a pool, or all that it has, go to a member who leaves it."""
    brought = [
        each
        for each in store_pools.list_pooled(tx, pool_member_ids=[each.pool_member_id for each in seats])
        if each.pool_id == pool.pool_id
    ]
    homing = [Homing(lot=each, amount=each.rest, account_id=target.account_id, day=target.today) for each in brought]
    numbers = bring_home(tx, homing, reason=LEFT, now=now)
    lots = [each.to_holding() for each in brought]
    others = ledger.list_holdings(tx, account_ids=[pool.account_id]).get(pool.account_id, []) if takes_all else []
    if others:
        posting = Posting(
            idempotency_key=f"pool-left:{seats[0].pool_member_id}",
            debit_account_id=pool.account_id,
            credit_account_id=target.account_id,
            amount=sum(each.rest for each in others),
            kind=POOL,
            reason=LEFT,
            effective_on=target.today,
            system=rules.OWN_SYSTEM,
            external_id=f"pool:{pool.pool_id}",
            pieces=tuple(Piece(lot_id=each.lot_id, amount=each.rest) for each in others),
            takes=Takes.NAMED,
        )
        numbers += [each.transfer_id or 0 for each in post_all(tx, [posting], failure=NOT_POSTED, now=now)]
        lots += others
    if numbers:
        points = sum(each.rest for each in lots if each.is_spendable(target.today))
        _tell_moved(tx, [(target, points, numbers[-1])], now=now)


def _collect(tx: Tx, purchase_ids: Sequence[int], *, programme: Programme, spec: PoolSpec, now: datetime) -> int:
    found = store_pools.list_contributions(tx, programme=programme.name, purchase_ids=purchase_ids)
    wishes = [(each.profile_id, programme.name) for each in found]
    members = store.lock_members(tx, wishes=wishes, now=now) if found else {}
    accounts = {each.pool_account_id for each in found} | {each.account_id for each in members.values()}
    # Somebody else may have moved them meanwhile: what counts is what is there once all is held.
    ledger.hold_accounts(tx, account_ids=sorted(accounts))
    found = store_pools.list_contributions(tx, programme=programme.name, purchase_ids=purchase_ids) if found else []
    locked = {each.member_id: each for each in members.values()}
    purchases: dict[int, list[Contribution]] = {}
    for each in found:
        if each.member_id in locked:
            purchases.setdefault(each.purchase_id, []).append(each)
    parts = {purchase_id: _split(spec, lots) for purchase_id, lots in purchases.items()}
    parts = {purchase_id: part for purchase_id, part in parts.items() if part}
    firsts = {purchase_id: purchases[purchase_id][0] for purchase_id in parts}
    postings = [
        _plan_share(firsts[purchase_id], part, locked[firsts[purchase_id].member_id])
        for purchase_id, part in parts.items()
    ]
    booked = [each.transfer_id or 0 for each in post_all(tx, postings, failure=NOT_POSTED, now=now)]
    numbers = dict(zip(parts, booked, strict=True))
    store_pools.insert_shares(
        tx,
        shares=[
            {
                "purchase_id": purchase_id,
                "programme": programme.name,
                "lot_id": lot_id,
                "pool_member_id": firsts[purchase_id].pool_member_id,
                "points": points,
                "transfer_id": numbers[purchase_id],
            }
            for purchase_id, part in parts.items()
            for lot_id, points in part.items()
        ],
    )
    store.note_asked(
        tx,
        asked=[
            (numbers[purchase_id], first.seat_profile_id, programme.name)
            for purchase_id, first in firsts.items()
            if first.seat_profile_id != first.profile_id
        ],
    )
    moved = [
        (locked[first.member_id], -_sum_spendable(purchases[key], parts[key], locked[first.member_id]), numbers[key])
        for key, first in firsts.items()
    ]
    _tell_moved(tx, moved, now=now)
    return len(parts)


def _split(spec: PoolSpec, lots: Sequence[Contribution]) -> dict[int, int]:
    """Return what a pool gets of the lots of one purchase: its part of all, as far as that is still there."""
    left, _ = split_contribution(spec, sum(each.points for each in lots))
    part: dict[int, int] = {}
    for each in lots:
        amount = min(left, each.rest)
        if amount:
            part[each.lot_id] = amount
            left -= amount
    return part


def _sum_spendable(lots: Sequence[Contribution], part: Mapping[int, int], member: LockedMember) -> int:
    return sum(part.get(each.lot_id, 0) for each in lots if each.to_holding().is_spendable(member.today))


def _plan_share(first: Contribution, part: Mapping[int, int], member: LockedMember) -> Posting:
    return Posting(
        idempotency_key=f"pool:{member.programme}:{first.purchase_id}",
        debit_account_id=member.account_id,
        credit_account_id=first.pool_account_id,
        amount=sum(part.values()),
        kind=POOL,
        reason=IN_POOL,
        effective_on=member.today,
        system=first.system,
        external_id=first.external_id,
        pieces=tuple(Piece(lot_id=lot_id, amount=amount) for lot_id, amount in part.items()),
        takes=Takes.NAMED,
    )


def _tell_moved(tx: Tx, moved: Sequence[tuple[LockedMember, int, int]], *, now: datetime) -> None:
    stands: Stands = find_stands(tx, [member for member, _, _ in moved]) if moved else {}
    publish_moved(
        tx,
        moved=[
            PointsMoved(
                profile_id=member.profile_id,
                programme=member.programme,
                cause=POOL,
                points=points,
                balance=stands[member.account_id].points,
                transfer_id=transfer_id,
                kind=member.kind_name,
            )
            for member, points, transfer_id in moved
        ],
        now=now,
    )
