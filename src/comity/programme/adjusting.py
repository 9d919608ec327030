"""Points given or taken by hand: at once up to a limit, above it when a second key agrees."""

from datetime import date, datetime, timedelta

import msgspec

from comity.definitions.types import AdjustmentSpec
from comity.kernel.database import Tx
from comity.kernel.errors import Broken, ComityError
from comity.ledger import api as ledger
from comity.ledger.types import Piece, PostingStatus
from comity.programme import rules, store, store_stands
from comity.programme.engine.days import name_period
from comity.programme.engine.limits import Refusal, Verdict, decide_adjustment
from comity.programme.kind_accounts import provide
from comity.programme.kinds import choose_kind, name_unit
from comity.programme.moving import find_bound, find_stands, publish_moved, tell_short
from comity.programme.tiers import lock_members
from comity.programme.types import InsufficientPoints, KeyReused, LockedMember, Programme, UnknownMember
from comity.programme.wishes import (
    Adjustment,
    AdjustmentDecided,
    AdjustmentRefused,
    AdjustmentState,
    AdjustmentWish,
    PeriodLocked,
    PointsMoved,
    UnknownAdjustment,
    WishInvalid,
)

ANYBODY_ELSE = "\x00"
"""A checker who is not the maker, whoever that will be."""


def adjust(tx: Tx, *, wish: AdjustmentWish, programme: Programme, now: datetime) -> Adjustment:
    """Give or take points, or keep the wish waiting where it needs a second key; `state` says which.

    The same wish again answers with the first adjustment, balance and tier as they stand now. Raises WishInvalid,
    UnknownMember, UnknownKind, PeriodLocked, AdjustmentRefused, InsufficientPoints, KeyReused. Publishes
    `programme.points_moved`.
    """
    if not rules.can_post_wish(wish.idempotency_key, wish.reason, wish.reference) or not wish.reason:
        raise WishInvalid(
            "An adjustment needs a reason, of at most 450 printable characters like the key; a reference has 200."
        )
    store.lock_adjusting(tx)
    former = store.find_adjustment(tx, idempotency_key=wish.idempotency_key)
    if former is not None:
        if not rules.is_same_adjustment(former, wish):
            raise KeyReused(details={"idempotency_key": wish.idempotency_key})
        return _tell_again(tx, former, programme, now=now)
    if ledger.find_posted(tx, keys=[rules.to_key(wish.idempotency_key)]):
        raise KeyReused(details={"idempotency_key": wish.idempotency_key})
    member = _lock(tx, wish, programme, now=now)
    _require_open_day(tx, wish, member)
    period = name_period(member.today, programme.spec.adjustments.per)
    used = store.sum_adjusted(tx, maker=wish.maker, programme=programme.name, period=period)
    verdict = _judge(programme.spec.adjustments, wish, checker=None, used=used, today=member.today)
    needs_checker = verdict.refusal is Refusal.NEEDS_CHECKER
    if needs_checker:
        verdict = _judge(programme.spec.adjustments, wish, checker=ANYBODY_ELSE, used=used, today=member.today)
    rules.require_granted(verdict, AdjustmentRefused)
    booked = None if needs_checker else _post(tx, wish, member, programme, now=now)
    made = store.insert_adjustment(
        tx,
        wish=wish,
        period=period,
        state=AdjustmentState.POSTED if booked else AdjustmentState.WAITING,
        transfer_id=booked.transfer_id if booked else None,
        now=now,
    )
    return _tell(made, member, booked)


def confirm(tx: Tx, *, adjustment_id: int, checker: str, programme: Programme, now: datetime) -> Adjustment:
    """Post an adjustment that waits, as somebody else than its maker. The same again answers as the first time.

    Raises UnknownAdjustment, AdjustmentDecided, PeriodLocked, AdjustmentRefused, UnknownMember, InsufficientPoints,
    KeyReused (its key was used for something else while it waited). Publishes `programme.points_moved`.
    """
    store.lock_adjusting(tx)
    found = get_adjustment(tx, adjustment_id=adjustment_id)
    if found.state is not AdjustmentState.WAITING:
        return _tell_again(tx, _repeat(found, AdjustmentState.POSTED, checker), programme, now=now)
    wish = rules.to_adjustment_wish(found)
    member = _lock(tx, wish, programme, now=now)
    _require_open_day(tx, wish, member)
    verdict = _judge(programme.spec.adjustments, wish, checker=checker, used=0, today=member.today)
    rules.require_granted(verdict, AdjustmentRefused)
    booked = _post(tx, wish, member, programme, now=now)
    decided = store.decide_adjustment(
        tx,
        adjustment_id=adjustment_id,
        state=AdjustmentState.POSTED,
        checker=checker,
        transfer_id=booked.transfer_id,
        now=now,
    )
    return _tell(decided, member, booked)


def reject(tx: Tx, *, adjustment_id: int, checker: str, now: datetime) -> Adjustment:
    """Drop an adjustment that waits; its maker may do that too. The same again answers as the first time.

    Raises UnknownAdjustment, AdjustmentDecided.
    """
    store.lock_adjusting(tx)
    found = get_adjustment(tx, adjustment_id=adjustment_id)
    if found.state is not AdjustmentState.WAITING:
        return _repeat(found, AdjustmentState.REJECTED, checker)
    return store.decide_adjustment(
        tx, adjustment_id=adjustment_id, state=AdjustmentState.REJECTED, checker=checker, transfer_id=None, now=now
    )


def get_adjustment(tx: Tx, *, adjustment_id: int) -> Adjustment:
    """Return an adjustment. Raises UnknownAdjustment."""
    found = store.get_adjustment(tx, adjustment_id=adjustment_id)
    if found is None:
        raise UnknownAdjustment(details={"adjustment_id": adjustment_id})
    return found


def list_waiting_adjustments(tx: Tx, *, limit_max: int = 100) -> list[Adjustment]:
    """Return adjustments that wait for a second key, oldest first."""
    return store.list_waiting_adjustments(tx, limit_max=limit_max)


def _judge(spec: AdjustmentSpec, wish: AdjustmentWish, *, checker: str | None, used: int, today: date) -> Verdict:
    counter = (f"adjustment.points.{spec.per}", name_period(today, spec.per))
    return decide_adjustment(
        spec,
        wish.points,
        maker=rules.to_person(wish.maker),
        checker=None if checker is None else rules.to_person(checker),
        on=today,
        counts={counter: used},
    )


def _repeat(found: Adjustment, state: AdjustmentState, checker: str) -> Adjustment:
    if found.state is state and found.checker == checker:
        return msgspec.structs.replace(found, is_duplicate=True)
    raise AdjustmentDecided(details={"state": found.state, "checker": found.checker})


def _lock(tx: Tx, wish: AdjustmentWish, programme: Programme, *, now: datetime) -> LockedMember:
    wishes = [(wish.profile_id, wish.programme)]
    found = lock_members(tx, wishes=wishes, programmes={programme.name: programme}, now=now)
    if not found:
        raise UnknownMember(details={"profile_id": str(wish.profile_id), "programme": wish.programme})
    chosen = choose_kind(provide(tx, found, programme=programme, now=now)[0], wish.kind, is_spent=False)
    if isinstance(chosen, ComityError):
        raise chosen
    return chosen


def _require_open_day(tx: Tx, wish: AdjustmentWish, member: LockedMember) -> None:
    """Refuse a day that is still to come, and one whose books are closed: by hand nobody goes round that."""
    if wish.effective_on is None:
        return
    if wish.effective_on > member.today:
        raise WishInvalid("`effective_on` is still to come; an adjustment counts from today or from a day before.")
    open_from = store_stands.find_open_day(tx, units=[name_unit(member.programme, member.kind)])
    if open_from is not None and wish.effective_on < open_from:
        raise PeriodLocked(details={"effective_on": wish.effective_on, "locked_through": open_from - timedelta(days=1)})


def _post(tx: Tx, wish: AdjustmentWish, member: LockedMember, programme: Programme, *, now: datetime) -> PointsMoved:
    pieces = _list_pieces(tx, wish, member)
    [verdict] = ledger.post(tx, postings=[rules.plan_adjustment(wish, member, programme, pieces=pieces)], now=now)
    if verdict.status is PostingStatus.INSUFFICIENT:
        bound = find_bound(tx, [member])[member.account_id]
        raise tell_short(wish.points, balance=verdict.balance_after, bound=bound)
    if verdict.status is PostingStatus.INVALID:
        raise WishInvalid("These are more points than can be counted.")
    if verdict.status is PostingStatus.KEY_REUSED:
        raise KeyReused(details={"idempotency_key": wish.idempotency_key})
    if verdict.status is not PostingStatus.POSTED:
        raise Broken("An adjustment could not be posted.", details={"status": verdict.status})
    moved = PointsMoved(
        profile_id=member.profile_id,
        programme=member.programme,
        cause=rules.ADJUST,
        points=wish.points,
        balance=find_stands(tx, [member])[member.account_id].points,
        transfer_id=verdict.transfer_id,
        kind=member.kind_name,
    )
    publish_moved(tx, moved=[moved], now=now)
    return moved


def _list_pieces(tx: Tx, wish: AdjustmentWish, member: LockedMember) -> list[Piece] | None:
    """Return the lots that points are taken from as of a day before today; None where any may be taken.

    Nobody takes points as of a day before they were there, or that have gone since. Raises InsufficientPoints.
    """
    if wish.points > 0 or wish.effective_on is None or wish.effective_on >= member.today:
        return None
    lasting, pieces = ledger.list_lasting(tx, account_id=member.account_id, day=wish.effective_on)
    if lasting < -wish.points:
        raise InsufficientPoints(
            "The member had fewer points than that on that day, or on a day since.",
            details={"points": wish.points, "effective_on": wish.effective_on, "balance": lasting},
        )
    return pieces


def _tell(made: Adjustment, member: LockedMember, booked: PointsMoved | None) -> Adjustment:
    if booked is None:
        return made
    return msgspec.structs.replace(made, balance=booked.balance, tier=member.tier)


def _tell_again(tx: Tx, found: Adjustment, programme: Programme, *, now: datetime) -> Adjustment:
    """Tell of an adjustment that is known, with balance and tier as they are now where it moved points."""
    known = msgspec.structs.replace(found, is_duplicate=True)
    if found.state is not AdjustmentState.POSTED:
        return known
    member = _lock(tx, rules.to_adjustment_wish(found), programme, now=now)
    balance = find_stands(tx, [member])[member.account_id].points
    return msgspec.structs.replace(known, balance=balance, tier=member.tier)
