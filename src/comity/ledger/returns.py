"""Pure decisions about reversals; see reversing."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from comity.ledger.rows import MovedLot, TakenBack, TransferLegs
from comity.ledger.types import (
    HOLDERS,
    TEXT_LENGTH_MAX,
    AccountKind,
    Holding,
    MoneyLeg,
    Piece,
    Posting,
    PostingStatus,
    PostingVerdict,
    ReturnPolicy,
    Reversal,
    ReversalVerdict,
    Takes,
    Terms,
)

REVERSAL_KIND = "reversal"

Holdings = Mapping[int, Sequence[Holding]]


class ReversalPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a reversal comes to: an answer at once, or a posting (none where nothing is taken) and what to note."""

    answer: ReversalVerdict | None = None
    posting: Posting | None = None
    note: TakenBack | None = None


def find_account(reversal: Reversal, legs: TransferLegs | None) -> int:
    """Return the account that decides what can be undone: the holder's, where there is one."""
    if reversal.account_id is not None or legs is None:
        return reversal.account_id or -reversal.transfer_id
    if legs.held_account_id is not None:
        return legs.held_account_id
    return legs.credit_account_id if legs.credit_kind in HOLDERS else legs.debit_account_id


def list_accounts(reversals: Sequence[Reversal], legs: Mapping[int, TransferLegs]) -> list[int]:
    """Return every account that reversals may touch, in order."""
    found = {find_account(each, legs.get(each.transfer_id)) for each in reversals}
    for each in legs.values():
        found |= {each.debit_account_id, each.credit_account_id}
    return sorted(found)


def plan_reversal(
    wish: Reversal, legs: TransferLegs | None, known: TakenBack | None, lots: Sequence[MovedLot], holdings: Holdings
) -> ReversalPlan:
    """Decide on one reversal: what it takes from where, what it gives back into which lots, or why it cannot."""
    refusal = _judge(wish, legs, known)
    if refusal is not None or legs is None:
        return ReversalPlan(answer=refusal)
    wanted = legs.amount - legs.reversed_amount if wish.amount is None else wish.amount
    if legs.credit_kind in HOLDERS:
        posting = _plan_take_back(wish, legs, wanted, lots, holdings)
    else:
        posting = _plan_give_back(wish, legs, wanted, lots)
    return ReversalPlan(
        posting=posting,
        note=TakenBack(
            idempotency_key=wish.idempotency_key,
            transfer_id=wish.transfer_id,
            wanted=wanted,
            taken=posting.amount if posting else 0,
            policy=wish.policy,
            reversal_transfer_id=None,
            reversal_number=legs.reversal_count + 1,
        ),
    )


def to_verdict(plan: ReversalPlan, posted: PostingVerdict | None) -> ReversalVerdict:
    """Answer a reversal."""
    if plan.answer is not None:
        return plan.answer
    wanted = plan.note.wanted if plan.note else 0
    if plan.posting is None or posted is None:
        return ReversalVerdict(status=PostingStatus.NOTHING_TAKEN, shortfall=wanted)
    # A transfer that has the key of a reversal nobody noted is no reversal.
    status = PostingStatus.KEY_REUSED if posted.status is PostingStatus.DUPLICATE else posted.status
    is_posted = status is PostingStatus.POSTED
    return ReversalVerdict(
        status=status,
        transfer_id=posted.transfer_id,
        amount=plan.posting.amount if is_posted else 0,
        shortfall=wanted - plan.posting.amount if is_posted else 0,
        debit_balance_after=posted.debit_balance_after,
        credit_balance_after=posted.credit_balance_after,
    )


def complete(note: TakenBack, posted: PostingVerdict | None) -> TakenBack:
    """Name the transfer that did it."""
    return replace(note, reversal_transfer_id=posted.transfer_id if posted else None)


def _judge(wish: Reversal, legs: TransferLegs | None, known: TakenBack | None) -> ReversalVerdict | None:
    if known is not None:
        is_same = known.transfer_id == wish.transfer_id and known.policy == wish.policy
        is_same = is_same and wish.amount in {None, known.wanted}
        if not is_same:
            return ReversalVerdict(status=PostingStatus.KEY_REUSED)
        return ReversalVerdict(
            status=PostingStatus.DUPLICATE,
            transfer_id=known.reversal_transfer_id,
            amount=known.taken,
            shortfall=known.wanted - known.taken,
            debit_balance_after=known.debit_balance_after,
            credit_balance_after=known.credit_balance_after,
        )
    if legs is None or _is_beyond_reversal(legs) or not 0 < len(wish.idempotency_key) <= TEXT_LENGTH_MAX:
        return ReversalVerdict(status=PostingStatus.INVALID)
    left = legs.amount - legs.reversed_amount
    if left == 0:
        return ReversalVerdict(status=PostingStatus.ALREADY_REVERSED)
    if wish.amount is not None and not 0 < wish.amount <= left:
        return ReversalVerdict(status=PostingStatus.INVALID if wish.amount <= 0 else PostingStatus.ALREADY_REVERSED)
    return None


def _is_beyond_reversal(legs: TransferLegs) -> bool:
    """True for reversals, and for points on their way to a hold or back: a hold is captured or released."""
    kinds = {legs.debit_kind, legs.credit_kind}
    return legs.reverses_transfer_id is not None or (AccountKind.RESERVED in kinds and kinds <= HOLDERS)


def _plan_take_back(
    wish: Reversal, legs: TransferLegs, wanted: int, lots: Sequence[MovedLot], holdings: Holdings
) -> Posting | None:
    """Take from the lots the transfer brought first, then, where the policy lets it, from the others."""
    account_id = find_account(wish, legs)
    held = [each for each in holdings.get(account_id, ()) if each.rest > 0]
    brought = {each.lot_id: each.amount for each in lots if each.account_id == legs.credit_account_id}
    if legs.debit_kind not in HOLDERS:
        # Of the accrual's own lot all that is there; what it paid of debts or gave to others is not.
        brought = {legs.transfer_id: legs.amount}
    own = [each for each in held if brought.get(each.lot_id, 0) > 0]
    if wish.policy is ReturnPolicy.ONLY_PENDING:
        own = [each for each in own if each.is_waiting(wish.effective_on)]
    pieces = _take([(each, min(each.rest, brought[each.lot_id])) for each in own], wanted)
    found = sum(each.amount for each in pieces)
    amount = wanted
    if wish.policy is ReturnPolicy.ONLY_PENDING:
        amount = found
    elif wish.policy is ReturnPolicy.WITHIN_BALANCE:
        taken = {each.lot_id: each.amount for each in pieces}
        others = sum(each.rest - taken.get(each.lot_id, 0) for each in held if each.is_spendable(wish.effective_on))
        owed = -sum(each.rest for each in holdings.get(account_id, ()) if each.rest < 0)
        amount = min(wanted, found + max(0, others - owed))
    if amount == 0:
        return None
    return _plan(
        wish,
        legs,
        amount,
        debit_account_id=account_id,
        credit_account_id=legs.debit_account_id,
        pieces=pieces,
        takes=Takes.NAMED if amount == found else Takes.SPENDABLE,
        may_owe=wish.policy is ReturnPolicy.ALLOW_NEGATIVE,
    )


def _take(found: Sequence[tuple[Holding, int]], wanted: int) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for holding, most in found:
        part = min(most, wanted)
        wanted -= part
        if part:
            pieces.append(Piece(lot_id=holding.lot_id, amount=part))
    return tuple(pieces)


def _plan_give_back(wish: Reversal, legs: TransferLegs, wanted: int, lots: Sequence[MovedLot]) -> Posting:
    """Give back into the lots that were spent, the last one first.

    A lot that has expired meanwhile takes its units back and expires again at once, so that nobody dodges expiry by
    cancelling.
    """
    spent: dict[int, tuple[int, Terms]] = {}
    for each in lots:
        if each.lot_id != legs.transfer_id:
            spent[each.lot_id] = (spent.get(each.lot_id, (0, each.terms))[0] - each.amount, each.terms)
    left = wanted
    pieces: list[Piece] = []
    for lot_id, (amount, terms) in reversed(spent.items()):
        part = min(left, amount)
        if part <= 0:
            continue
        left -= part
        pieces.append(Piece(lot_id=lot_id, amount=part, terms=terms))
    return _plan(
        wish,
        legs,
        wanted,
        debit_account_id=legs.credit_account_id,
        credit_account_id=find_account(wish, legs),
        pieces=tuple(pieces),
        takes=Takes.SPENDABLE,
        may_owe=False,
    )


def _plan(
    wish: Reversal,
    legs: TransferLegs,
    amount: int,
    *,
    debit_account_id: int,
    credit_account_id: int,
    pieces: tuple[Piece, ...],
    takes: Takes,
    may_owe: bool,
) -> Posting:
    money = wish.money
    if money is None and amount == legs.amount and legs.money_amount is not None:
        money = MoneyLeg(
            debit_account_id=legs.money_credit_account_id or 0,
            credit_account_id=legs.money_debit_account_id or 0,
            amount_minor=legs.money_amount,
        )
    return Posting(
        idempotency_key=wish.idempotency_key,
        request=f"reverse\n{wish.transfer_id}\n{amount}\n{wish.policy}",
        debit_account_id=debit_account_id,
        credit_account_id=credit_account_id,
        amount=amount,
        kind=REVERSAL_KIND,
        effective_on=wish.effective_on,
        reason=wish.reason,
        system=wish.system,
        external_id=wish.external_id,
        reverses_transfer_id=wish.transfer_id,
        reversal_number=legs.reversal_count + 1,
        pieces=pieces,
        takes=takes,
        may_owe=may_owe,
        money=money,
    )
