"""What purchases should have earned, given all that is known of them now, and what to book for it. Pure.

The engine decides; this is what it is told of stored facts, and what its deltas come to in lots of the ledger.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import msgspec
from msgspec.structs import replace

from comity.definitions.types import CorrectionPolicy, ReturnPolicy
from comity.ledger import types as books
from comity.ledger.types import TEXT_LENGTH_MAX, Posting, Reversal
from comity.programme.engine import facts
from comity.programme.engine.arithmetic import apportion_within
from comity.programme.engine.asking import count_lines
from comity.programme.engine.correcting import Correction, Delta, plan_correction
from comity.programme.engine.lifetimes import is_lapsed
from comity.programme.engine.replaying import Booked, Person, Version, sum_lots
from comity.programme.kinds import list_kinds, split_points
from comity.programme.rules import EARN, to_ledger_terms, to_local_date
from comity.programme.running import has_memory, list_versions, tell_purchase, to_id
from comity.programme.simulating_types import Decided
from comity.programme.stands import BookedLot, PurchaseState, Stand, tell_cause
from comity.programme.types import Counted, EarnOutcome, LockedMember, Programme
from comity.programme.waiting import NewTerms, split_deltas

TAKE = "take"
COUNTED_OUTCOMES = frozenset(
    {EarnOutcome.EARNED, EarnOutcome.BELOW_ONE_POINT, EarnOutcome.NOTHING} | {EarnOutcome.RETURNED, EarnOutcome.LAPSED}
)
"""Purchases that make the next one not the first."""

POLICIES = {
    ReturnPolicy.ONLY_PENDING: books.ReturnPolicy.ONLY_PENDING,
    ReturnPolicy.WITHIN_BALANCE: books.ReturnPolicy.WITHIN_BALANCE,
    ReturnPolicy.ALLOW_NEGATIVE: books.ReturnPolicy.ALLOW_NEGATIVE,
}


class LotToMake(msgspec.Struct, frozen=True, kw_only=True):
    """A posting, and the lot it makes but for the transfer."""

    posting: Posting
    delta: Delta
    lot_number: int


class TakeBack(msgspec.Struct, frozen=True, kw_only=True):
    """A reversal, and the lot it takes from."""

    reversal: Reversal
    lot: BookedLot


class Bookings(msgspec.Struct, frozen=True, kw_only=True):
    """What deltas of a member come to: lots to make, what is left of an earlier shortfall, take-backs of lots.

    Of what is left of them after that, some get other terms.
    """

    made: tuple[LotToMake, ...]
    restored: tuple[BookedLot, ...]
    taken: tuple[TakeBack, ...]
    changed: tuple[NewTerms, ...]

    def list_touched(self) -> list[int]:
        """Return the lots that something is taken of, or that get other terms."""
        return [each.lot.transfer_id for each in (*self.taken, *self.changed)]


def to_facts(state: PurchaseState | Decided, *, known_on: date | None = None) -> facts.Purchase:
    """Tell the engine of a purchase and of what was returned of it, never more than was paid.

    All that happened through `known_on` is known. What a return says of lines comes off them; the rest of it is spread
    over what has not come back.
    """
    purchase = tell_purchase(state)
    if known_on is not None:
        purchase = replace(purchase, known_on=known_on)
    if not state.returns:
        return purchase
    lines = count_lines(purchase)
    left = [each.amount_minor for each in lines]
    places = {each.line_id: place for place, each in enumerate(lines)}
    steps: list[facts.Returned] = []
    for each in state.returns:
        amount = min(each["amount_minor"], sum(left))
        for line in each["lines"] or ():
            place = places.get(line["line_id"])
            part = min(abs(line["amount_minor"]), left[place], amount) if place is not None else 0
            if place is not None:
                left[place] -= part
                amount -= part
        parts = apportion_within(amount, left) if left else []
        left = [rest - part for rest, part in zip(left, parts, strict=True)]
        returned = {line.line_id: line.amount_minor - rest for line, rest in zip(lines, left, strict=True)}
        steps.append(
            facts.Returned(
                occurred_at=datetime.fromisoformat(each["occurred_at"]),
                returned_minor={line: amount for line, amount in returned.items() if amount},
            )
        )
    return replace(purchase, returned_minor=steps[-1].returned_minor, returns=tuple(steps))


def to_booked(stand: Stand) -> Booked:
    """Tell the engine what a purchase has earned."""
    return Booked(
        purchase_id=to_id(stand.purchase_id),
        business_on=stand.effective_on,
        lots=tuple(
            facts.Lot(currency=each.currency, points=each.points, terms=each.terms)
            for each in stand.lots
            if each.points
        ),
        counts=tuple(facts.Count(counter=(name, period), amount=amount) for name, period, amount in stand.counted),
        draws=stand.drawn,
        is_counted=stand.outcome in COUNTED_OUTCOMES,
        is_lapsed=stand.outcome is EarnOutcome.LAPSED,
    )


def needs_all(programme: Programme) -> bool:
    """True when what one purchase earns may depend on others of the member."""
    return any(has_memory(each.rules) for each in list_versions(programme))


def is_usable(state: PurchaseState | Decided) -> bool:
    """True for purchases that can earn at all; others are as if they were gone."""
    return not state.is_cancelled and abs(state.amount_minor) <= facts.AMOUNT_MAX


def plan(
    programme: Programme,
    stands: Sequence[Stand],
    states: Mapping[int, PurchaseState],
    *,
    changed: Collection[int],
    is_entry: bool,
    today: date,
    open_from: date,
    budgets: facts.Counts | None = None,
    explains: bool = False,
) -> Correction:
    """Return what to book so that purchases of one member have earned what they should.

    With `is_entry` the changed ones come after all others, and these stand. What has no facts any more stands, too.
    """
    versions: list[Version] = list_versions(programme)
    kept = {each.purchase_id for each in stands if is_entry or each.purchase_id not in states} - set(changed)
    told = [
        to_facts(states[each], known_on=today)
        for each in sorted(states)
        if each not in kept and is_usable(states[each])
    ]
    told += [_stand_in(each, programme) for each in stands if each.purchase_id in kept]
    return plan_correction(
        versions,
        Person(),
        told,
        {to_id(each.purchase_id): to_booked(each) for each in stands},
        changed={to_id(each) for each in changed},
        policy=CorrectionPolicy.RE_DERIVE if is_entry else programme.spec.corrections,
        today=today,
        open_from=open_from,
        kept={to_id(each) for each in kept},
        budgets=budgets,
        explains=explains,
    )


def _stand_in(stand: Stand, programme: Programme) -> facts.Purchase:
    return facts.Purchase(
        purchase_id=to_id(stand.purchase_id),
        occurred_at=stand.occurred_at,
        amount_minor=0,
        currency=programme.spec.currency,
    )


def plan_bookings(
    deltas: Sequence[Delta],
    lots: Mapping[int, Sequence[BookedLot]],
    states: Mapping[int, PurchaseState],
    *,
    member: LockedMember,
    programme: Programme,
) -> Bookings:
    """Turn the deltas of a member into postings and reversals; what is too much goes back to the lots it came from.

    What could not be taken back earlier is there still: it comes first when points are to be added again.
    """
    made: list[LotToMake] = []
    taken: list[TakeBack] = []
    restored: dict[tuple[int, int], BookedLot] = {}
    numbers = {purchase_id: len(each) for purchase_id, each in lots.items()}
    split = split_deltas(deltas, lots)
    changed = {(each.lot.purchase_id, each.lot.lot_number) for each in split.changed}
    for each in split.changed:
        state, surplus = states.get(each.lot.purchase_id), each.lot.points - each.points
        if surplus:
            taken.append(_plan_take(each.lot, surplus, "corrected", state, member=member, programme=programme))
    for delta in split.left:
        purchase_id = int(delta.purchase_id)
        same = [
            each
            for each in lots.get(purchase_id, ())
            if each.currency == delta.currency
            and each.terms == delta.terms
            and (purchase_id, each.lot_number) not in changed
        ]
        if delta.points < 0:
            taken += _plan_taken(delta, same, states.get(purchase_id), member=member, programme=programme)
            continue
        missing = delta.points
        for lot in same:
            part = min(lot.kept, missing)
            missing -= part
            if part:
                restored[purchase_id, lot.lot_number] = replace(lot, points=lot.points + part, kept=lot.kept - part)
        if missing:
            number = numbers.get(purchase_id, 0)
            numbers[purchase_id] = number + 1
            posting = _plan_posting(delta, missing, number, states[purchase_id], member=member, programme=programme)
            made.append(LotToMake(posting=posting, delta=delta, lot_number=number))
    return Bookings(made=tuple(made), restored=tuple(restored.values()), taken=tuple(taken), changed=split.changed)


def _plan_posting(
    delta: Delta, points: int, number: int, state: PurchaseState, *, member: LockedMember, programme: Programme
) -> Posting:
    key = f"{EARN}:{programme.name}:{int(delta.purchase_id)}"
    holder = member.of_kind(delta.currency)
    return Posting(
        idempotency_key=f"{key}:{number}" if number else key,
        request="purchase",
        debit_account_id=holder.programme_account_id,
        credit_account_id=holder.account_id,
        amount=points,
        kind=EARN,
        effective_on=delta.effective_on,
        system=state.system,
        external_id=state.external_id[:TEXT_LENGTH_MAX],
        terms=to_ledger_terms(delta.terms, min(delta.effective_on, member.today)),
    )


def _plan_taken(
    delta: Delta,
    lots: Sequence[BookedLot],
    state: PurchaseState | None,
    *,
    member: LockedMember,
    programme: Programme,
) -> list[TakeBack]:
    taken: list[TakeBack] = []
    wanted = -delta.points
    for lot in reversed(lots):
        part = min(wanted, lot.points)
        wanted -= part
        if part:
            taken.append(_plan_take(lot, part, delta.cause, state, member=member, programme=programme))
    return taken


def _plan_take(
    lot: BookedLot,
    points: int,
    cause: str,
    state: PurchaseState | None,
    *,
    member: LockedMember,
    programme: Programme,
) -> TakeBack:
    """Take points of a lot back; what has lapsed was never there to be spent, so it comes from nowhere else."""
    has_lapsed = is_lapsed(lot.terms, member.today)
    reason = f"What the points waited for did not come: {lot.awaits}." if has_lapsed else tell_cause(cause, state)
    reversal = Reversal(
        transfer_id=lot.transfer_id,
        idempotency_key=f"{TAKE}:{programme.name}:{lot.purchase_id}:{lot.lot_number}:{lot.take_count + 1}",
        effective_on=member.today,
        reason=reason,
        system=state.system if state else "comity",
        external_id=(state.external_id if state else str(lot.purchase_id))[:TEXT_LENGTH_MAX],
        amount=points,
        policy=books.ReturnPolicy.ONLY_PENDING if has_lapsed else POLICIES[programme.spec.returns.policy],
        account_id=member.of_kind(lot.currency).account_id,
    )
    return TakeBack(reversal=reversal, lot=lot)


def to_lot(made: LotToMake, transfer_id: int) -> BookedLot:
    """Return the lot that a posting made."""
    terms = made.delta.terms
    return BookedLot(
        purchase_id=int(made.delta.purchase_id),
        lot_number=made.lot_number,
        transfer_id=transfer_id,
        currency=made.delta.currency,
        points=made.posting.amount,
        available_from=terms.available_from,
        expires_on=terms.expires_on,
        awaits=terms.awaits,
        waits_until=terms.waits_until,
    )


def restate(
    stands: Mapping[int, Stand],
    states: Mapping[int, PurchaseState],
    correction: Correction,
    *,
    changed: Collection[int],
    member_id: int,
    programme: Programme,
) -> list[Stand]:
    """Return what stands of the purchases of a member that are other than they were."""
    found: list[Stand] = []
    further = list_kinds(programme).further
    for purchase_id in sorted({*stands, *changed}):
        before, state = stands.get(purchase_id), states.get(purchase_id)
        booked = correction.booked.get(to_id(purchase_id))
        told = state or before
        if told is None or (state is None and purchase_id not in changed and booked is None):
            continue  # What has no facts any more stands as it does; one that was cancelled meanwhile is gone.
        points, further_points = split_points(sum_lots(booked.lots) if booked else {}, further)
        after = Stand(
            purchase_id=purchase_id,
            member_id=member_id,
            occurred_at=told.occurred_at,
            effective_on=booked.business_on if booked else to_local_date(told.occurred_at, programme.spec.timezone),
            points=points,
            further_points=further_points,
            outcome=to_outcome(state, booked, programme) if state or before is None else before.outcome,
            counted=tuple((*each.counter, each.amount) for each in booked.counts) if booked else (),
            drawn=booked.draws if booked else (),
            lots=before.lots if before else (),
        )
        if after != before:
            found.append(after)
    return found


def compare_counts(before: Mapping[int, Stand], after: Sequence[Stand]) -> list[Counted]:
    """Return what caps are to count more, or (below zero) less, of a member."""
    found: dict[tuple[int, str, str], int] = {}
    for stand in after:
        former = before.get(stand.purchase_id)
        for sign, each in ((1, stand), (-1, former)):
            for counter, period, amount in each.counted if each else ():
                key = (stand.member_id, counter, period)
                found[key] = found.get(key, 0) + sign * amount
    return [
        Counted(member_id=member_id, counter=counter, period=period, amount=amount)
        for (member_id, counter, period), amount in sorted(found.items())
        if amount
    ]


def compare_draws(before: Mapping[int, Stand], after: Sequence[Stand]) -> dict[facts.Counter, int]:
    """Return what budgets are to count more, or (below zero) less."""
    found: dict[facts.Counter, int] = {}
    for stand in after:
        former = before.get(stand.purchase_id)
        for sign, each in ((1, stand), (-1, former)):
            for draw in each.drawn if each else ():
                found[draw.counter] = found.get(draw.counter, 0) + sign * draw.net
    return {counter: amount for counter, amount in sorted(found.items()) if amount}


def _to_refusal(state: PurchaseState, programme: Programme) -> EarnOutcome:
    if state.currency != programme.spec.currency:
        return EarnOutcome.OTHER_CURRENCY
    brands = programme.spec.brands
    is_ours = not brands or (state.details or {}).get("brand") in brands
    return EarnOutcome.TOO_LARGE if is_ours else EarnOutcome.OTHER_BRAND


def to_outcome(state: PurchaseState | None, booked: Booked | None, programme: Programme) -> EarnOutcome:
    """Say why a purchase has earned what it has by now."""
    if state is None or state.is_cancelled:
        return EarnOutcome.CANCELLED
    if state.amount_minor <= 0:
        return EarnOutcome.NOT_POSITIVE
    if booked is None:
        return EarnOutcome.TOO_LARGE
    if booked.lots:
        return EarnOutcome.EARNED
    if not booked.is_counted:
        return _to_refusal(state, programme)
    is_returned = sum(each["amount_minor"] for each in state.returns) >= state.amount_minor
    nothing = EarnOutcome.NOTHING if programme.spec.earning_rules else EarnOutcome.BELOW_ONE_POINT
    nothing = EarnOutcome.LAPSED if booked.is_lapsed else nothing
    return EarnOutcome.RETURNED if is_returned else nothing
