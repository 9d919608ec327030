"""What of members' points goes to the pools they are in, and comes back."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from comity.definitions.types import PoolSpec
from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.kernel.events import Event
from comity.ledger import api as ledger
from comity.ledger.types import Piece, Posting, Reversal, Takes
from comity.programme import rules, store, store_pools
from comity.programme.engine.limits import split_contribution
from comity.programme.moving import find_stands, publish_moved
from comity.programme.pools import Contribution
from comity.programme.types import LockedMember, Programme
from comity.programme.wishes import PointsMoved

POOL = "pool"
"""Kind of transfers into pools and back, and cause of `programme.points_moved`."""

IN_POOL = "The part of a pool."
BACK = "What a return takes back has come back from the pool."
LEFT = "A member has left the pool."


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


def call_home(tx: Tx, *, reversals: Sequence[Reversal], now: datetime) -> None:
    """Let what is to be taken back, and is in a pool, come back to whom it will be taken from. Repeatable."""
    pooled = {
        each.lot_id: each
        for each in (store_pools.list_pooled(tx, lot_ids=[each.transfer_id for each in reversals]) if reversals else ())
    }
    wanted = [each for each in reversals if each.transfer_id in pooled and each.account_id is not None]
    if not wanted:
        return
    accounts = sorted({each.account_id for each in wanted if each.account_id is not None})
    rests = {
        (account_id, each.lot_id): each.rest
        for account_id, lots in ledger.list_holdings(tx, account_ids=accounts).items()
        for each in lots
    }
    postings: list[Posting] = []
    for each in wanted:
        lot = pooled[each.transfer_id]
        missing = (each.amount or lot.rest) - rests.get((each.account_id or 0, each.transfer_id), 0)
        amount = min(lot.rest, missing)
        if amount > 0:
            postings.append(
                Posting(
                    idempotency_key=f"pool-back:{each.idempotency_key}",
                    debit_account_id=lot.pool_account_id,
                    credit_account_id=each.account_id or 0,
                    amount=amount,
                    kind=POOL,
                    reason=BACK,
                    effective_on=each.effective_on,
                    system=each.system,
                    external_id=each.external_id,
                    pieces=(Piece(lot_id=each.transfer_id, amount=amount),),
                    takes=Takes.NAMED,
                )
            )
    _post(tx, postings, now=now)


def _collect(tx: Tx, purchase_ids: Sequence[int], *, programme: Programme, spec: PoolSpec, now: datetime) -> int:
    found = store_pools.list_contributions(tx, programme=programme.name, purchase_ids=purchase_ids)
    wishes = [(each.profile_id, programme.name) for each in found]
    members = store.lock_members(tx, wishes=wishes, now=now) if found else {}
    # Somebody else may have moved them meanwhile: what counts is what is there once the members are held.
    found = store_pools.list_contributions(tx, programme=programme.name, purchase_ids=purchase_ids) if found else []
    locked = {each.member_id: each for each in members.values()}
    purchases: dict[int, list[Contribution]] = {}
    for each in found:
        if each.member_id in locked:
            purchases.setdefault(each.purchase_id, []).append(each)
    parts = {purchase_id: _split(spec, lots) for purchase_id, lots in purchases.items()}
    parts = {purchase_id: part for purchase_id, part in parts.items() if part}
    postings = [
        _plan_share(purchases[purchase_id][0], part, locked[purchases[purchase_id][0].member_id])
        for purchase_id, part in parts.items()
    ]
    numbers = dict(zip(parts, _post(tx, postings, now=now), strict=True))
    store_pools.insert_shares(
        tx,
        shares=[
            {
                "purchase_id": purchase_id,
                "programme": programme.name,
                "lot_id": lot_id,
                "pool_member_id": purchases[purchase_id][0].pool_member_id,
                "points": points,
                "transfer_id": numbers[purchase_id],
            }
            for purchase_id, part in parts.items()
            for lot_id, points in part.items()
        ],
    )
    moved = [(locked[purchases[each][0].member_id], -sum(part.values()), numbers[each]) for each, part in parts.items()]
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


def hand_back(
    tx: Tx, *, source: int, target: LockedMember, lots: Mapping[int, int], key: str, external_id: str, now: datetime
) -> None:
    """Let what a pool has of lots go to a member who leaves it."""
    posting = Posting(
        idempotency_key=key,
        debit_account_id=source,
        credit_account_id=target.account_id,
        amount=sum(lots.values()),
        kind=POOL,
        reason=LEFT,
        effective_on=target.today,
        system=rules.OWN_SYSTEM,
        external_id=external_id,
        pieces=tuple(Piece(lot_id=lot_id, amount=amount) for lot_id, amount in lots.items()),
        takes=Takes.NAMED,
    )
    [transfer_id] = _post(tx, [posting], now=now)
    _tell_moved(tx, [(target, posting.amount, transfer_id)], now=now)


def _post(tx: Tx, postings: Sequence[Posting], *, now: datetime) -> list[int]:
    verdicts = ledger.post(tx, postings=postings, now=now)
    for posting, verdict in zip(postings, verdicts, strict=True):
        if not verdict.is_booked:
            raise Broken(
                "Points could not be moved between a member and a pool.",
                details={"idempotency_key": posting.idempotency_key, "status": verdict.status},
            )
    return [each.transfer_id or 0 for each in verdicts]


def _tell_moved(tx: Tx, moved: Sequence[tuple[LockedMember, int, int]], *, now: datetime) -> None:
    stands = find_stands(tx, [member for member, _, _ in moved])
    publish_moved(
        tx,
        moved=[
            PointsMoved(
                profile_id=member.profile_id,
                programme=member.programme,
                cause=POOL,
                points=points,
                balance=stands[member.account_id][0],
                transfer_id=transfer_id,
            )
            for member, points, transfer_id in moved
        ],
        now=now,
    )
