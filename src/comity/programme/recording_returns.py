"""Returns told at the counter: taken in, and followed by the points, in one transaction.

The facts go to `activity`, as those that systems report do, and the points follow by the code that the reader of their
events runs. Locks come in the order of purchases: facts, then budgets, then members, each by their keys.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from comity.activity import api as activity
from comity.activity.types import Fact, KnownReturn, ReturnFact
from comity.identity import api as identity
from comity.kernel.database import TransactionsCollided, Tx
from comity.kernel.errors import ComityError
from comity.programme import recording_told
from comity.programme.enrolment import Chooser
from comity.programme.purchases import (
    STREAM_OF_RETURNS,
    PurchaseInvalid,
    PurchaseOfAnother,
    ReturnRefused,
    ReturnTold,
    ReturnWish,
    UnknownPurchase,
)
from comity.programme.recording import earn, find_facts
from comity.programme.rules import OWN_SYSTEM
from comity.programme.settling import follow_purchases
from comity.programme.types import KeyReused, Programme, UnknownMember

Answers = dict[int, ReturnTold | ComityError]


class _Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back of a purchase, by a return that is new or was told before."""

    wish: ReturnWish
    fact: Fact
    amount: int
    is_known: bool


def record_returns(
    tx: Tx,
    *,
    wishes: Sequence[ReturnWish],
    programmes: Sequence[Programme],
    now: datetime,
    choose: Chooser | None = None,
) -> list[ReturnTold | ComityError]:
    """Take returns in, and let the points follow by the policy of returns.

    Returns for each how its purchase stands since, or the error it met: UnknownPurchase, UnknownMember,
    PurchaseOfAnother, ReturnRefused, PurchaseInvalid. A number stands for one return for good: the same wish again
    changes nothing, another one is KeyReused. Several of one purchase, or under one number, follow each other in the
    order given. Raises TransactionsCollided when somebody else told of one meanwhile.
    """
    activity.hold_facts(tx, business_keys=sorted({each.purchase_number for each in wishes}))
    answers: Answers = {}
    while len(answers) < len(wishes):
        wave: dict[int, ReturnWish] = {}
        taken: set[tuple[str, str]] = set()
        for place, wish in enumerate(wishes):
            names = {("purchase", wish.purchase_number), ("return", wish.number)}
            if place not in answers:
                if taken.isdisjoint(names):
                    wave[place] = wish
                taken |= names
        answers |= _record_wave(tx, wave, programmes=programmes, now=now, choose=choose)
    return [answers[place] for place in range(len(wishes))]


def _record_wave(
    tx: Tx,
    wishes: Mapping[int, ReturnWish],
    *,
    programmes: Sequence[Programme],
    now: datetime,
    choose: Chooser | None,
) -> Answers:
    """Take in returns of purchases that are all different."""
    answers: Answers = {}
    plans: dict[int, _Planned] = {}
    facts = find_facts(tx, {each.purchase_number for each in wishes.values()})
    known = activity.find_returns(tx, business_keys=sorted({each.number for each in wishes.values()}))
    told = sorted({each.profile_id for each in wishes.values() if each.profile_id is not None})
    living = identity.resolve_aliases(tx, profile_ids=told) if told else {}
    for place, wish in wishes.items():
        try:
            plans[place] = _plan(wish, facts.get(wish.purchase_number), known.get(wish.number), living)
        except ComityError as error:
            answers[place] = error
    if not plans:
        return answers
    _accept_returns(tx, [each for each in plans.values() if not each.is_known], now=now)
    earn(tx, [each.fact for each in plans.values()], programmes=programmes, now=now, choose=choose)
    purchase_ids = sorted(each.fact.purchase_id for each in plans.values())
    before = recording_told.list_worth(tx, purchase_ids=purchase_ids)
    earned = follow_purchases(tx, purchase_ids=purchase_ids, programmes=programmes, now=now, explains=True)
    facts = find_facts(tx, {each.fact.business_key for each in plans.values()})
    stand = recording_told.tell(
        tx, facts=list(facts.values()), programmes=programmes, earned=earned, now=now, before=before
    )
    for place, each in plans.items():
        fact = facts[each.fact.business_key]
        answers[place] = ReturnTold(
            number=each.wish.number,
            returned_minor=each.amount,
            left_minor=max(0, fact.amount_minor - fact.returned_minor),
            is_duplicate=each.is_known,
            purchase=recording_told.to_purchase(fact, stand[fact.purchase_id], is_duplicate=True, is_differing=False),
        )
    return answers


def _plan(wish: ReturnWish, fact: Fact | None, known: KnownReturn | None, living: Mapping[UUID, UUID]) -> _Planned:
    """Return what comes back, given the purchase and the return of these numbers. Pure. Raises what speaks against."""
    if fact is None or fact.profile_id is None:
        raise UnknownPurchase(details={"purchase": wish.purchase_number})
    if wish.profile_id is not None:
        if wish.profile_id not in living:
            raise UnknownMember("There is nobody of this Global ID.", details={"profile_id": str(wish.profile_id)})
        if living[wish.profile_id] != fact.profile_id:
            raise PurchaseOfAnother(details={"number": fact.business_key})
    amount = known.amount_minor if known is not None else plan_return(wish, fact)
    if known is None:
        check_lines(wish, fact, amount)
    elif not is_same_return(wish, known):
        raise KeyReused("Another return has this number.", details={"number": wish.number})
    return _Planned(wish=wish, fact=fact, amount=amount, is_known=known is not None)


def plan_return(wish: ReturnWish, fact: Fact) -> int:
    """Return how much comes back. Pure. Raises ReturnRefused, PurchaseInvalid."""
    left = fact.amount_minor - fact.returned_minor
    amount = left if wish.amount_minor is None else wish.amount_minor
    details = {"purchase": fact.business_key, "left_minor": max(0, left), "currency": fact.currency}
    if wish.currency not in {None, fact.currency}:
        raise ReturnRefused(
            f"The purchase was paid in {fact.currency}, not in {wish.currency}.",
            details={**details, "reason": "other_currency"},
        )
    if fact.is_cancelled or left <= 0:
        reason = "cancelled" if fact.is_cancelled else "nothing_left"
        raise ReturnRefused("Nothing is left of this purchase to come back.", details={**details, "reason": reason})
    if amount > left:
        raise ReturnRefused("More comes back than is left of the purchase.", details={**details, "reason": "too_much"})
    if wish.occurred_at is not None and wish.occurred_at < fact.occurred_at:
        raise PurchaseInvalid(
            "The return was before its purchase - at `$.occurred_at`.",
            details={"field": "$.occurred_at", "purchase_occurred_at": fact.occurred_at.isoformat()},
        )
    return amount


def check_lines(wish: ReturnWish, fact: Fact, amount: int) -> None:
    """Make sure that lines which come back were bought, and come to no more than comes back. Pure.

    Of a purchase that was reported without lines any may come back. Raises PurchaseInvalid.
    """
    returned = (wish.details or {}).get("lines", ())
    bought = {line["line_id"] for line in (fact.details or {}).get("lines", ())}
    strange = sorted({line["line_id"] for line in returned} - bought) if bought else []
    details = {"field": "$.lines", "purchase": fact.business_key}
    if strange:
        raise PurchaseInvalid(
            f"The purchase has no line {strange[0]!r} - at `$.lines`.",
            details={**details, "known": sorted(bought)[:20], "remedy": "Send `line_id` as the purchase has it."},
        )
    if sum(line["amount_minor"] for line in returned) > amount:
        raise PurchaseInvalid(
            "The lines come to more than what comes back - at `$.lines`.",
            details={**details, "amount_minor": amount, "remedy": "Send an amount that holds all of its lines."},
        )


def is_same_return(wish: ReturnWish, known: KnownReturn) -> bool:
    """True when the wish says what is known of a return, as far as it says anything. Pure."""
    pairs = (
        (wish.purchase_number, known.purchase_key),
        (wish.amount_minor, known.amount_minor),
        (wish.currency, known.currency),
        (wish.occurred_at, known.occurred_at),
        (wish.details, known.details),
    )
    return all(wished is None or wished == found for wished, found in pairs)


def _accept_returns(tx: Tx, plans: Sequence[_Planned], *, now: datetime) -> None:
    told = [
        ReturnFact(
            system=OWN_SYSTEM,
            stream=STREAM_OF_RETURNS,
            external_id=each.wish.number,
            business_key=each.wish.number,
            purchase_key=each.fact.business_key,
            occurred_at=each.wish.occurred_at or now,
            amount_minor=each.amount,
            currency=each.fact.currency,
            details=each.wish.details,
        )
        for each in plans
    ]
    if activity.accept_returns(tx, returns=told, now=now) != len(told):
        raise TransactionsCollided("Somebody else told of this return meanwhile.")
