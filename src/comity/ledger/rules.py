"""Decisions of the ledger."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from comity.ledger.rows import AccountFacts, DueLot, Ending, EndingPlan, HoldEnd, HoldState, MovedLot
from comity.ledger.types import (
    POSTINGS_MAX,
    AccountKind,
    Book,
    Capture,
    Holding,
    HoldOutcome,
    HoldVerdict,
    Move,
    NewAccount,
    NewHold,
    Piece,
    Posting,
    PostingStatus,
    Release,
    Takes,
    TooManyPostings,
)

EXPIRE_KIND = "expire"
HOLD_KIND = "hold"
RELEASE_KIND = "release"
OWN_SYSTEM = "comity"
"""The source of what no connected system caused."""

DEBT = ":debt"
"""What the key of a move is followed by for what is owed."""

"""What the key of a capture is followed by for the release of the rest."""


def check_batch(postings: Sequence[object]) -> None:
    """Refuse a batch that is too large."""
    if len(postings) > POSTINGS_MAX:
        raise TooManyPostings(details={"count": len(postings), "count_max": POSTINGS_MAX})


def in_waves(keys: Sequence[object]) -> Iterator[list[int]]:
    """Part places into waves in which each key comes once, keeping the order of each key's places.

    >>> list(in_waves(["a", "b", "a", "a"]))
    [[0, 1], [2], [3]]
    """
    left = list(range(len(keys)))
    while left:
        seen: set[object] = set()
        wave: list[int] = []
        later: list[int] = []
        for place in left:
            (later if keys[place] in seen else wave).append(place)
            seen.add(keys[place])
        yield wave
        left = later


def is_same_person(one: str, other: str) -> bool:
    """True when two names are those of one person, or one of them names nobody."""
    names = {each.strip().casefold() for each in (one, other)}
    return len(names) == 1 or "" in names


def plan_expiry(due: DueLot, *, expired_account_id: int) -> Posting:
    """Let the rest of a lot expire on its day; the key is the lot, where it is, and how often it has expired there."""
    return Posting(
        idempotency_key=f"{EXPIRE_KIND}:{due.account_id}:{due.lot_id}:{due.expired_count + 1}",
        debit_account_id=due.account_id,
        credit_account_id=expired_account_id,
        amount=due.rest,
        kind=EXPIRE_KIND,
        effective_on=due.effective_on,
        system=OWN_SYSTEM,
        external_id=f"lot:{due.lot_id}",
        pieces=(Piece(lot_id=due.lot_id, amount=due.rest),),
        takes=Takes.NAMED,
    )


def plan_move(move: Move, held: Sequence[Holding]) -> list[Posting]:
    """Move the lots one way and pay the debts the other way; the keys stand for the move, whatever there is to move."""
    lots = tuple(Piece(lot_id=each.lot_id, amount=each.rest) for each in held if each.rest > 0)
    parts = [
        (move.idempotency_key, move.source_account_id, move.target_account_id, lots),
        (f"{move.idempotency_key}{DEBT}", move.target_account_id, move.source_account_id, ()),
    ]
    sums = (sum(each.amount for each in lots), -sum(each.rest for each in held if each.rest < 0))
    return [
        Posting(
            idempotency_key=key,
            request=f"move\n{source}\n{target}",
            debit_account_id=source,
            credit_account_id=target,
            amount=amount,
            kind=move.kind,
            reason=move.reason,
            effective_on=move.effective_on,
            system=move.system,
            external_id=move.external_id,
            pieces=pieces,
            takes=Takes.NAMED if pieces else Takes.SPENDABLE,
            may_owe=not pieces,
        )
        for (key, source, target, pieces), amount in zip(parts, sums, strict=True)
        if amount
    ]


def plan_hold_move(move: Move, hold: HoldState, lots: Sequence[MovedLot], reserved_account_id: int) -> Posting:
    """Move what a hold reserves to the account beside the target's; the transfer names the hold."""
    pieces = tuple(
        Piece(lot_id=each.lot_id, amount=each.amount) for each in lots if each.account_id == hold.reserved_account_id
    )
    return Posting(
        idempotency_key=f"{move.idempotency_key}:hold:{hold.hold_id}",
        request=f"move\n{hold.reserved_account_id}\n{reserved_account_id}",
        debit_account_id=hold.reserved_account_id,
        credit_account_id=reserved_account_id,
        amount=sum(each.amount for each in pieces),
        kind=move.kind,
        reason=move.reason,
        effective_on=move.effective_on,
        system=move.system,
        external_id=move.external_id,
        reverses_transfer_id=hold.hold_id,
        reversal_number=hold.change_count + 1,
        pieces=pieces,
        takes=Takes.NAMED,
    )


def can_reserve(account: AccountFacts) -> bool:
    """True for accounts whose points can be held."""
    return account.book == Book.POINTS and account.kind in {AccountKind.MEMBER, AccountKind.POOL}


def plan_reserved_account(account: AccountFacts) -> NewAccount:
    """Return the account beside a holder's where its reserved points are."""
    return NewAccount(
        book=Book.POINTS, unit=account.unit, kind=AccountKind.RESERVED, owner=f"account:{account.account_id}"
    )


def plan_hold(hold: NewHold, reserved_account_id: int) -> Posting:
    """Move points to the account beside the holder's; where there is none, the posting is refused as it is."""
    return Posting(
        idempotency_key=hold.idempotency_key,
        request=f"hold\n{hold.account_id}\n{hold.amount}\n{hold.reason}\n{hold.system}\n{hold.external_id}",
        debit_account_id=hold.account_id,
        credit_account_id=reserved_account_id,
        amount=hold.amount,
        kind=HOLD_KIND,
        reason=hold.reason,
        effective_on=hold.effective_on,
        system=hold.system,
        external_id=hold.external_id,
    )


def plan_capture(capture: Capture) -> Ending:
    """Say how a capture ends its hold."""
    return Ending(
        outcome=HoldOutcome.CAPTURED,
        idempotency_key=capture.idempotency_key,
        hold_id=capture.hold_id,
        effective_on=capture.effective_on,
        system=capture.system,
        external_id=capture.external_id,
        reason=capture.reason,
        kind=capture.kind,
        credit_account_id=capture.credit_account_id,
        amount=capture.amount,
        money=capture.money,
        reference=capture.reference,
    )


def plan_release(release: Release) -> Ending:
    """Say how a release ends its hold."""
    return Ending(
        outcome=HoldOutcome.RELEASED,
        idempotency_key=release.idempotency_key,
        hold_id=release.hold_id,
        effective_on=release.effective_on,
        system=release.system,
        external_id=release.external_id,
        reason=release.reason,
        kind=RELEASE_KIND,
        amount=0,
    )


def plan_time_out(hold_id: int, today: date) -> Ending:
    """Say how a deadline ends its hold."""
    return Ending(
        outcome=HoldOutcome.TIMED_OUT,
        idempotency_key=f"timeout:{hold_id}",
        hold_id=hold_id,
        effective_on=today,
        system=OWN_SYSTEM,
        external_id=f"hold:{hold_id}",
        reason="The deadline has passed.",
        kind=RELEASE_KIND,
        amount=0,
    )


def judge_ending(wish: Ending, hold: HoldState | None, *, now: datetime) -> HoldVerdict | None:
    """Say at once why a hold cannot be ended so, or answer as the first time; None: go on."""
    if hold is None:
        return HoldVerdict(status=PostingStatus.INVALID)
    captured = hold.amount if wish.amount is None else wish.amount
    if hold.outcome is not None:
        is_same = (hold.ended_by, hold.outcome, hold.captured) == (wish.idempotency_key, wish.outcome, captured)
        return HoldVerdict(
            status=PostingStatus.DUPLICATE if is_same else PostingStatus.ALREADY_RESOLVED,
            outcome=HoldOutcome(hold.outcome),
            captured=hold.captured,
            released=hold.released,
            capture_transfer_id=hold.capture_transfer_id,
            release_transfer_id=hold.release_transfer_id,
        )
    is_capture = wish.outcome is HoldOutcome.CAPTURED
    if not 0 <= captured <= hold.amount or (is_capture and captured == 0):
        return HoldVerdict(status=PostingStatus.INVALID)
    if is_capture and now >= hold.deadline_at:
        return HoldVerdict(status=PostingStatus.OVERDUE)
    return None


def plan_ending(wish: Ending, hold: HoldState, lots: Sequence[MovedLot]) -> EndingPlan:
    """Capture the lots of a hold that expire soonest, and give the others back."""
    captured = hold.amount if wish.amount is None else wish.amount
    left = captured
    taken: list[Piece] = []
    rest: list[Piece] = []
    for each in lots:
        if each.account_id == hold.reserved_account_id:
            part = min(left, each.amount)
            left -= part
            if part:
                taken.append(Piece(lot_id=each.lot_id, amount=part))
            if each.amount > part:
                rest.append(Piece(lot_id=each.lot_id, amount=each.amount - part))
    return EndingPlan(
        capture=_plan_part(wish, hold, taken, kind=wish.kind, key=wish.idempotency_key) if captured else None,
        release=_plan_part(
            wish, hold, rest, kind=RELEASE_KIND, key=f"rest:{hold.hold_id}" if captured else wish.idempotency_key
        )
        if captured < hold.amount
        else None,
    )


def _plan_part(wish: Ending, hold: HoldState, pieces: Sequence[Piece], *, kind: str, key: str) -> Posting:
    is_release = kind == RELEASE_KIND or wish.credit_account_id is None
    return Posting(
        idempotency_key=key,
        request=f"{wish.outcome}\n{hold.hold_id}\n{sum(each.amount for each in pieces)}",
        debit_account_id=hold.reserved_account_id,
        credit_account_id=hold.account_id if is_release else wish.credit_account_id or 0,
        amount=sum(each.amount for each in pieces),
        kind=kind,
        reason=wish.reason,
        effective_on=wish.effective_on,
        system=wish.system,
        external_id=wish.external_id,
        pieces=tuple(pieces),
        takes=Takes.NAMED,
        money=None if is_release else wish.money,
        reference="" if is_release else wish.reference,
    )


def to_ending_status(status: PostingStatus) -> PostingStatus:
    """Translate what a posting that ends a hold met: a key that stands for something else is reused."""
    return PostingStatus.KEY_REUSED if status is PostingStatus.DUPLICATE else status


def to_hold_verdict(end: HoldEnd, status: PostingStatus) -> HoldVerdict:
    """Answer with how a hold ended."""
    return HoldVerdict(
        status=status,
        outcome=end.outcome,
        captured=end.captured,
        released=end.released,
        capture_transfer_id=end.capture_transfer_id,
        release_transfer_id=end.release_transfer_id,
    )
