"""A member gives points to another, within the limits of the programme."""

from collections.abc import Mapping
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import api as ledger
from comity.ledger.types import PostingStatus
from comity.programme import rules, store
from comity.programme.engine.limits import decide_transfer
from comity.programme.kind_accounts import choose, provide
from comity.programme.moving import find_stands, publish_moved
from comity.programme.tiers import lock_members
from comity.programme.types import Counted, InsufficientPoints, KeyReused, LockedMember, Programme, UnknownMember
from comity.programme.wishes import PointsMoved, Transferred, TransferRefused, TransferWish, WishInvalid


def transfer(tx: Tx, *, wish: TransferWish, programme: Programme, now: datetime) -> Transferred:
    """Move points from one member to another; the lots go as they are, soonest expiry first, with their days.

    The same wish again answers as the first time. Raises WishInvalid, UnknownMember, UnknownKind,
    KindNotSpendable, TransferRefused, InsufficientPoints, KeyReused. Publishes `programme.points_moved` for both.
    """
    if not rules.can_post_wish(wish.idempotency_key, wish.reason, wish.reference):
        raise WishInvalid
    giver, receiver = _lock(tx, wish, programme, now=now)
    posting = rules.plan_transfer(wish, giver, receiver)
    if not ledger.find_posted(tx, keys=[posting.idempotency_key]):
        _count(tx, wish, programme, giver, receiver)
    [verdict] = ledger.post(tx, postings=[posting], now=now)
    match verdict.status:
        case PostingStatus.POSTED | PostingStatus.DUPLICATE:
            pass
        case PostingStatus.INSUFFICIENT:
            raise InsufficientPoints(details={"points": wish.points, "balance": verdict.debit_balance_after})
        case PostingStatus.KEY_REUSED:
            raise KeyReused(details={"idempotency_key": wish.idempotency_key})
        case _:
            raise Broken("A transfer between members could not be posted.", details={"status": verdict.status})
    if verdict.transfer_id is None:
        raise Broken("A transfer between members stands in the books without id.")
    is_duplicate = verdict.status is PostingStatus.DUPLICATE
    stands = find_stands(tx, [giver, receiver])
    balances = {account_id: each.points for account_id, each in stands.items()}
    if not is_duplicate:
        _note(tx, wish, giver, receiver, balances, transfer_id=verdict.transfer_id, now=now)
    return Transferred(
        transfer_id=verdict.transfer_id,
        balance=balances[giver.account_id],
        tier=giver.tier,
        is_duplicate=is_duplicate,
    )


def _note(
    tx: Tx,
    wish: TransferWish,
    giver: LockedMember,
    receiver: LockedMember,
    balances: Mapping[int, int],
    *,
    transfer_id: int,
    now: datetime,
) -> None:
    """Note who asked, where that is somebody else than who stands for them, and tell both."""
    if wish.profile_id != giver.profile_id:
        store.note_asked(tx, asked=[(transfer_id, wish.profile_id, giver.programme)])
    publish_moved(
        tx,
        moved=[
            PointsMoved(
                profile_id=member.profile_id,
                programme=giver.programme,
                cause=rules.TRANSFER,
                points=points,
                balance=balances[member.account_id],
                transfer_id=transfer_id,
                kind=member.kind_name,
            )
            for member, points in ((giver, -wish.points), (receiver, wish.points))
        ],
        now=now,
    )


def _lock(tx: Tx, wish: TransferWish, programme: Programme, *, now: datetime) -> tuple[LockedMember, LockedMember]:
    """Return both, locked, as holders of the kind that is named, or that transfers are of."""
    wishes = [(wish.profile_id, programme.name), (wish.to_profile_id, programme.name)]
    found = lock_members(tx, wishes=wishes, programmes={programme.name: programme}, now=now)
    for place, (profile_id, name) in enumerate(wishes):
        if place not in found:
            raise UnknownMember(details={"profile_id": str(profile_id), "programme": name})
    spec = programme.spec.transfers
    kind = wish.kind or (spec.points if spec is not None else None)
    provided = provide(tx, found, programme=programme, now=now)
    chosen, refused = choose(tx, provided, dict.fromkeys(found, kind), now=now)
    for error in refused.values():
        raise error
    return chosen[0], chosen[1]


def _count(tx: Tx, wish: TransferWish, programme: Programme, giver: LockedMember, receiver: LockedMember) -> None:
    """Make sure the programme allows the transfer, and count it. Raises TransferRefused."""
    spec = programme.spec.transfers
    if spec is None:
        raise TransferRefused("Members of this programme cannot give points away.")
    if giver.kind_name != (spec.points or giver.first_kind):
        raise TransferRefused(
            "Points of this kind cannot be given away.",
            details={"kind": giver.kind_name, "transferable": spec.points or giver.first_kind},
        )
    [standing] = ledger.get_standings(tx, account_ids=[giver.account_id], day=giver.today)
    counted = store.list_counted(tx, member_ids=[giver.member_id])
    verdict = decide_transfer(
        spec,
        wish.points,
        on=giver.today,
        balance=standing.spendable,
        levels=giver.levels,
        counts={(each.counter, each.period): each.amount for each in counted},
        is_same_member=giver.member_id == receiver.member_id,
    )
    rules.require_granted(verdict, TransferRefused)
    store.add_counted(
        tx,
        counted=[
            Counted(member_id=giver.member_id, counter=each.counter[0], period=each.counter[1], amount=each.amount)
            for each in verdict.counts
        ],
    )
