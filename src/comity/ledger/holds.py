"""Holds: points reserved, then captured, released or timed out, once."""

from collections.abc import Sequence
from datetime import date, datetime

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import rules, store
from comity.ledger.referring import post_referring
from comity.ledger.rows import Ending, HoldEnd, HoldState
from comity.ledger.types import (
    Capture,
    HoldVerdict,
    NewHold,
    Posting,
    PostingStatus,
    PostingVerdict,
    Release,
    TimedOut,
)

HOLDS_MAX = 1_000


def reserve(tx: Tx, *, holds: Sequence[NewHold], now: datetime) -> list[PostingVerdict]:
    """Reserve points, in order, and return one verdict each; the transfer names the hold.

    The lots that would be spent move to an account beside the holder's, where nothing else can take them; they keep
    their terms, and do not expire there before the hold ends. Repetition with the same key answers as the first time.
    """
    if not holds:
        return []
    facts = store.lock_accounts(tx, account_ids=sorted({each.account_id for each in holds}))
    beside = {each.account_id: rules.plan_reserved_account(each) for each in facts.values() if rules.can_reserve(each)}
    opened = store.open_accounts(tx, accounts=list(beside.values()), now=now) if beside else []
    reserved = dict(zip(beside, opened, strict=True))
    postings = [rules.plan_hold(each, reserved.get(each.account_id, each.account_id)) for each in holds]
    verdicts = store.post(tx, postings=postings, now=now)
    made = [
        HoldState(
            hold_id=verdict.transfer_id,
            account_id=each.account_id,
            reserved_account_id=reserved[each.account_id],
            amount=each.amount,
            deadline_at=each.deadline_at,
        )
        for each, verdict in zip(holds, verdicts, strict=True)
        if verdict.status is PostingStatus.POSTED and verdict.transfer_id is not None
    ]
    if made:
        store.insert_holds(tx, holds=made)
    return verdicts


def capture(tx: Tx, *, captures: Sequence[Capture], now: datetime) -> list[HoldVerdict]:
    """Spend what holds reserve, whole or in part, release the rest, and return one verdict each.

    A hold ends once: the same wish again answers as the first time, any other gets `already_resolved` and how it
    ended. After its deadline a hold is `overdue`, whether it has been swept or not. Expired lots of a hold count: they
    were good when they were reserved.
    """
    return _end(tx, wishes=[rules.plan_capture(each) for each in captures], now=now)


def release(tx: Tx, *, releases: Sequence[Release], now: datetime) -> list[HoldVerdict]:
    """Let go of holds, in order, and return one verdict each; the lots go back as they are, expired ones too."""
    return _end(tx, wishes=[rules.plan_release(each) for each in releases], now=now)


def time_out_holds(tx: Tx, *, unit: str, today: date, now: datetime, limit_max: int = HOLDS_MAX) -> list[TimedOut]:
    """End holds of a unit whose deadline has passed, and return them; none at the end. Repeatable.

    `today` is the day where the programme lives. Each batch may be a transaction of its own.
    """
    ended: list[TimedOut] = []
    while not ended:
        overdue = store.list_overdue_holds(tx, unit=unit, now=now, limit_max=limit_max)
        if not overdue:
            return []
        # Who waited for the lock may find that another has ended them meanwhile: then it looks for the next.
        verdicts = _end(tx, wishes=[rules.plan_time_out(each, today) for each in overdue], now=now)
        for hold_id, verdict in zip(overdue, verdicts, strict=True):
            if verdict.status not in {PostingStatus.POSTED, PostingStatus.DUPLICATE, PostingStatus.ALREADY_RESOLVED}:
                raise Broken("A hold could not be ended.", details={"hold_id": hold_id, "status": verdict.status})
        states = store.list_holds(tx, hold_ids=overdue)
        ended = [
            TimedOut(hold_id=hold_id, account_id=states[hold_id].account_id, points=verdict.released)
            for hold_id, verdict in zip(overdue, verdicts, strict=True)
            if verdict.status is PostingStatus.POSTED
        ]
    return ended


def _end(tx: Tx, *, wishes: Sequence[Ending], now: datetime) -> list[HoldVerdict]:
    verdicts: dict[int, HoldVerdict] = {}
    for wave in rules.in_waves([each.hold_id for each in wishes]):
        ended = _end_wave(tx, wishes=[wishes[place] for place in wave], now=now)
        verdicts |= dict(zip(wave, ended, strict=True))
    return [verdicts[place] for place in range(len(wishes))]


def _end_wave(tx: Tx, *, wishes: Sequence[Ending], now: datetime) -> list[HoldVerdict]:
    """End different holds, each at most once."""
    hold_ids = [each.hold_id for each in wishes]
    known = store.list_holds(tx, hold_ids=hold_ids)
    touched = {each.account_id for each in known.values()} | {each.reserved_account_id for each in known.values()}
    store.lock_accounts(tx, account_ids=sorted(touched))
    states = store.list_holds(tx, hold_ids=hold_ids)
    verdicts = [rules.judge_ending(each, states.get(each.hold_id), now=now) for each in wishes]
    open_wishes = [each for each, verdict in zip(wishes, verdicts, strict=True) if verdict is None]
    lots = store.list_moved_lots(tx, transfer_ids=[each.hold_id for each in open_wishes])
    plans = [rules.plan_ending(each, states[each.hold_id], lots[each.hold_id]) for each in open_wishes]
    first = [each.capture or each.release for each in plans]
    booked = post_referring(tx, postings=[each for each in first if each], now=now)
    rests = [
        plan.release
        for plan, verdict in zip(plans, booked, strict=True)
        if plan.capture and plan.release and verdict.status is PostingStatus.POSTED
    ]
    released = dict(zip([each.idempotency_key for each in rests], _post_all(tx, rests, now=now), strict=True))
    ends: dict[int, HoldEnd] = {}
    answers: dict[int, HoldVerdict] = {}
    for wish, plan, verdict in zip(open_wishes, plans, booked, strict=True):
        if verdict.status is not PostingStatus.POSTED:
            answers[wish.hold_id] = HoldVerdict(status=rules.to_ending_status(verdict.status))
            continue
        rest = released.get(plan.release.idempotency_key) if plan.capture and plan.release else None
        ends[wish.hold_id] = HoldEnd(
            hold_id=wish.hold_id,
            outcome=wish.outcome,
            idempotency_key=wish.idempotency_key,
            captured=plan.capture.amount if plan.capture else 0,
            released=plan.release.amount if plan.release else 0,
            capture_transfer_id=verdict.transfer_id if plan.capture else None,
            release_transfer_id=rest if plan.capture else verdict.transfer_id,
        )
        answers[wish.hold_id] = rules.to_hold_verdict(ends[wish.hold_id], PostingStatus.POSTED)
    if ends:
        store.end_holds(tx, ends=list(ends.values()), now=now)
    return [verdict or answers[wish.hold_id] for wish, verdict in zip(wishes, verdicts, strict=True)]


def _post_all(tx: Tx, postings: Sequence[Posting], *, now: datetime) -> list[int | None]:
    verdicts = store.post(tx, postings=postings, now=now)
    for posting, verdict in zip(postings, verdicts, strict=True):
        if verdict.status is not PostingStatus.POSTED:
            raise Broken(
                "What a hold reserves could not be released.",
                details={"idempotency_key": posting.idempotency_key, "status": verdict.status},
            )
    return [each.transfer_id for each in verdicts]
