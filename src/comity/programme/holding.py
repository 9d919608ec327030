"""Members' points are reserved for a purchase under way, then captured (whole or in part) or released."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.errors import Broken, ComityError
from comity.ledger import api as ledger
from comity.ledger.types import Capture, HoldVerdict, NewHold, PostingStatus, PostingVerdict, Release
from comity.programme import rules, store
from comity.programme.kind_accounts import choose
from comity.programme.moving import (
    find_bound,
    find_stands,
    publish_moved,
    publish_redeemed,
    tell_balance,
    tell_short,
)
from comity.programme.strangers import tell_strangers
from comity.programme.tiers import lock_members
from comity.programme.types import KeyReused, LockedMember, PointsRedeemed, Programme
from comity.programme.wishes import (
    EndWish,
    Held,
    HoldEnded,
    HoldExceeded,
    HoldOverdue,
    HoldResolved,
    HoldWish,
    PointsMoved,
    UnknownHold,
    WishInvalid,
)

HOLD = "hold"
RELEASE = "release"
"""Causes of `programme.points_moved`."""


def hold_many(
    tx: Tx, *, holds: Sequence[HoldWish], now: datetime, programmes: Mapping[str, Programme] | None = None
) -> list[Held | ComityError]:
    """Reserve points, in order, each wish on its own merits; return for each what is held, or why nothing is.

    The same wish again answers with the first hold. Errors: WishInvalid, UnknownMember, ProgrammeNotDefined,
    UnknownKind, KindNotSpendable, InsufficientPoints, KeyReused.
    Publishes `programme.points_moved` and `programme.tier_changed`.
    """
    answers: list[Held | ComityError] = [WishInvalid() for _ in holds]
    places = [place for place, each in enumerate(holds) if rules.can_post_wish(each.idempotency_key, each.reason)]
    wishes = [(holds[place].profile_id, holds[place].programme) for place in places]
    found = lock_members(tx, wishes=wishes, programmes=programmes, now=now) if places else {}
    members = {place: found[index] for index, place in enumerate(places) if index in found}
    strangers = [place for place in places if place not in members]
    told = tell_strangers(tx, asked=[(holds[place].profile_id, holds[place].programme) for place in strangers])
    for place, stranger in zip(strangers, told, strict=True):
        answers[place] = stranger
    members, refused = choose(tx, members, {place: holds[place].kind for place in members}, now=now)
    for place, error in refused.items():
        answers[place] = error
    wanted = [_to_hold(holds[place], member) for place, member in members.items()]
    verdicts = dict(zip(members, ledger.reserve(tx, holds=wanted, now=now), strict=True))
    store.note_asked(
        tx,
        asked=[
            (each.transfer_id, holds[place].profile_id, holds[place].programme)
            for place, each in verdicts.items()
            if each.transfer_id is not None and holds[place].profile_id != members[place].profile_id
        ],
    )
    booked = [each.transfer_id for each in verdicts.values() if each.transfer_id is not None and each.is_booked]
    deadlines = {each.hold_id: each.deadline_at for each in ledger.list_holds(tx, hold_ids=booked)}
    short = [members[place] for place, each in verdicts.items() if each.status is PostingStatus.INSUFFICIENT]
    bound = find_bound(tx, short)
    stands = find_stands(tx, members.values())
    balances = {
        place: tell_balance(each.status, each.debit_balance_after, stands[members[place].account_id])
        for place, each in verdicts.items()
    }
    for place, verdict in verdicts.items():
        answers[place] = _to_held(holds[place], members[place], verdict, deadlines, bound, balance=balances[place])
    publish_moved(
        tx,
        moved=[
            PointsMoved(
                profile_id=members[place].profile_id,
                programme=members[place].programme,
                cause=HOLD,
                points=-holds[place].points,
                balance=balances[place],
                transfer_id=verdict.transfer_id,
                kind=members[place].kind_name,
            )
            for place, verdict in verdicts.items()
            if verdict.status is PostingStatus.POSTED
        ],
        now=now,
    )
    return answers


def end_holds(
    tx: Tx, *, ends: Sequence[EndWish], now: datetime, programmes: Mapping[str, Programme] | None = None
) -> list[HoldEnded | ComityError]:
    """Capture or release holds, each wish on its own merits; return for each how the hold ended, or what is wrong.

    What is not captured is released. A hold ends once; the same wish again answers as the first time. Errors:
    WishInvalid, UnknownHold, HoldExceeded, HoldResolved, HoldOverdue, KeyReused. Publishes `programme.points_redeemed`,
    `programme.points_moved`, `programme.large_redemption` and `programme.tier_changed`.
    """
    answers: list[HoldEnded | ComityError] = [WishInvalid() for _ in ends]
    places = [
        place
        for place, each in enumerate(ends)
        if rules.can_post_wish(each.idempotency_key, each.reason, each.reference)
    ]
    known = {
        each.hold_id: each for each in ledger.list_holds(tx, hold_ids=sorted({ends[place].hold_id for place in places}))
    }
    backings = store.list_backings(tx, account_ids=sorted({each.account_id for each in known.values()}))
    for place in places:
        answers[place] = UnknownHold(details={"hold_id": ends[place].hold_id})
    places = [place for place in places if ends[place].hold_id in known]
    if not places:
        return answers
    held = [backings[known[ends[place].hold_id].account_id] for place in places]
    wishes = [(each.profile_id, each.programme) for each in held]
    found = lock_members(tx, wishes=wishes, programmes=programmes, now=now)
    members = {place: found[index].of_kind(held[index].kind or "") for index, place in enumerate(places)}
    verdicts = _end(tx, {place: ends[place] for place in places}, members, now=now)
    balances = {account_id: each.points for account_id, each in find_stands(tx, members.values()).items()}
    for place, verdict in verdicts.items():
        member = members[place]
        answers[place] = _to_ended(ends[place], member, verdict, balance=balances[member.account_id])
    _publish_ended(tx, members, verdicts, balances, programmes, now=now)
    return answers


def _to_hold(wish: HoldWish, member: LockedMember) -> NewHold:
    return NewHold(
        idempotency_key=rules.to_key(wish.idempotency_key),
        account_id=member.account_id,
        amount=wish.points,
        deadline_at=wish.deadline_at,
        effective_on=member.today,
        system=rules.OWN_SYSTEM,
        external_id=wish.idempotency_key,
        reason=wish.reason,
    )


def _to_held(
    wish: HoldWish,
    member: LockedMember,
    verdict: PostingVerdict,
    deadlines: Mapping[int, datetime],
    bound: Mapping[int, int],
    *,
    balance: int | None,
) -> Held | ComityError:
    match verdict.status:
        case PostingStatus.POSTED | PostingStatus.DUPLICATE:
            if verdict.transfer_id is None or balance is None:
                raise Broken("A hold stands in the books without transfer or balance.")
            return Held(
                hold_id=verdict.transfer_id,
                points=wish.points,
                deadline_at=deadlines[verdict.transfer_id],
                balance=balance,
                tier=member.tier,
                is_duplicate=verdict.status is PostingStatus.DUPLICATE,
            )
        case PostingStatus.INSUFFICIENT:
            return tell_short(wish.points, balance=verdict.debit_balance_after, bound=bound[member.account_id])
        case PostingStatus.KEY_REUSED:
            return KeyReused(details={"idempotency_key": wish.idempotency_key})
        case PostingStatus.INVALID:
            return WishInvalid("Points are above zero, and not more than can be counted.")
        case _:
            raise Broken("A member's account is missing.", details={"account_id": member.account_id})


def _end(
    tx: Tx, ends: Mapping[int, EndWish], members: Mapping[int, LockedMember], *, now: datetime
) -> dict[int, HoldVerdict]:
    captures = {place: each for place, each in ends.items() if each.points != 0}
    releases = {place: each for place, each in ends.items() if each.points == 0}
    captured = ledger.capture(
        tx,
        captures=[
            Capture(
                idempotency_key=rules.to_key(each.idempotency_key),
                hold_id=each.hold_id,
                credit_account_id=members[place].programme_account_id,
                effective_on=members[place].today,
                system=rules.OWN_SYSTEM,
                external_id=each.idempotency_key,
                amount=each.points,
                kind=rules.REDEEM,
                reason=each.reason,
                reference=each.reference,
            )
            for place, each in captures.items()
        ],
        now=now,
    )
    released = ledger.release(
        tx,
        releases=[
            Release(
                idempotency_key=rules.to_key(each.idempotency_key),
                hold_id=each.hold_id,
                effective_on=members[place].today,
                system=rules.OWN_SYSTEM,
                external_id=each.idempotency_key,
                reason=each.reason,
            )
            for place, each in releases.items()
        ],
        now=now,
    )
    return dict(zip([*captures, *releases], [*captured, *released], strict=True))


def _to_ended(wish: EndWish, member: LockedMember, verdict: HoldVerdict, *, balance: int) -> HoldEnded | ComityError:
    match verdict.status:
        case PostingStatus.POSTED | PostingStatus.DUPLICATE:
            return HoldEnded(
                hold_id=wish.hold_id,
                outcome=verdict.outcome or "",
                captured=verdict.captured,
                released=verdict.released,
                transfer_id=verdict.capture_transfer_id or verdict.release_transfer_id,
                balance=balance,
                tier=member.tier,
                is_duplicate=verdict.status is PostingStatus.DUPLICATE,
            )
        case PostingStatus.ALREADY_RESOLVED:
            told = {"outcome": verdict.outcome, "captured": verdict.captured, "released": verdict.released}
            return HoldResolved(details={"hold_id": wish.hold_id, **told})
        case PostingStatus.OVERDUE:
            return HoldOverdue(details={"hold_id": wish.hold_id})
        case PostingStatus.KEY_REUSED:
            return KeyReused(details={"idempotency_key": wish.idempotency_key})
        case PostingStatus.INVALID:
            return HoldExceeded(details={"hold_id": wish.hold_id, "points": wish.points})
        case _:
            raise Broken("A hold could not be ended.", details={"hold_id": wish.hold_id, "status": verdict.status})


def _publish_ended(
    tx: Tx,
    members: Mapping[int, LockedMember],
    verdicts: Mapping[int, HoldVerdict],
    balances: Mapping[int, int],
    programmes: Mapping[str, Programme] | None,
    *,
    now: datetime,
) -> None:
    done = {place: each for place, each in verdicts.items() if each.status is PostingStatus.POSTED}
    publish_redeemed(
        tx,
        member_ids=[members[place].member_id for place, each in done.items() if each.captured],
        redeemed=[
            PointsRedeemed(
                profile_id=members[place].profile_id,
                programme=members[place].programme,
                points=each.captured,
                balance=balances[members[place].account_id],
                transfer_id=each.capture_transfer_id,
                kind=members[place].kind_name,
            )
            for place, each in done.items()
            if each.captured
        ],
        programmes=programmes,
        now=now,
    )
    publish_moved(
        tx,
        moved=[
            PointsMoved(
                profile_id=members[place].profile_id,
                programme=members[place].programme,
                cause=RELEASE,
                points=each.released,
                balance=balances[members[place].account_id],
                transfer_id=each.release_transfer_id,
                kind=members[place].kind_name,
            )
            for place, each in done.items()
            if each.released
        ],
        now=now,
    )
