"""Purchases and returns told at the counter: taken in, and followed by the points, in one transaction.

The facts go to `activity`, as those that systems report do, and the points follow by the same code that the reader of
their events runs. So that reader finds the work done; and what a system reports of the same number counts once.
Locks come in the order of the reader: people, then facts, then budgets, then members, all of them at once by their ids.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from comity.activity import api as activity
from comity.activity.types import (
    Fact,
    KnownReturn,
    PurchaseFact,
    PurchaseRecorded,
    RecordReference,
    ReturnFact,
    read_profile,
)
from comity.identity import api as identity
from comity.kernel.database import TransactionsCollided, Tx
from comity.kernel.errors import ComityError
from comity.mapping.types import RecordKey
from comity.programme import budgets, recording_told, store
from comity.programme.earning import earn_for_purchases
from comity.programme.enrolment import Chooser, enrol
from comity.programme.purchases import (
    STREAM_OF_PURCHASES,
    STREAM_OF_RETURNS,
    PurchaseInvalid,
    PurchaseOfAnother,
    PurchaseTold,
    PurchaseWish,
    ReturnRefused,
    ReturnTold,
    ReturnWish,
    UnknownPurchase,
)
from comity.programme.rules import OWN_SYSTEM
from comity.programme.settling import follow_purchases
from comity.programme.types import Earned, KeyReused, Programme, UnknownMember


def record_purchases(
    tx: Tx,
    *,
    wishes: Sequence[PurchaseWish],
    programmes: Sequence[Programme],
    now: datetime,
    choose: Chooser | None = None,
) -> list[PurchaseTold | ComityError]:
    """Take purchases in and let them earn; return for each how it stands, or the error it met.

    A number stands for one purchase for good: the same wish again answers how it stands now, another one is KeyReused.
    What a system reported under the number before is the same purchase; whoever was first decides what it says.
    `choose` judges conditions of enrolment. Raises TransactionsCollided when somebody else told of one meanwhile.
    """
    living = hold_people(tx, {each.person for each in wishes})
    known = _find(tx, {each.number for each in wishes})
    errors: dict[int, ComityError] = {}
    first: dict[str, int] = {}
    for place, wish in enumerate(wishes):
        twin = wishes[first[wish.number]] if wish.number in first else None
        error = judge(wish, living, known.get(wish.number), twin)
        if error is not None:
            errors[place] = error
        else:
            first.setdefault(wish.number, place)
    fresh = [wishes[place] for number, place in first.items() if number not in known or known[number].told_at is None]
    facts = _accept(tx, fresh, living, known, now=now) | {
        number: fact for number, fact in known.items() if number in first and fact.told_at is not None
    }
    earned = _earn(tx, list(facts.values()), programmes=programmes, now=now, choose=choose)
    followed = sorted(each.purchase_id for each in facts.values() if each.is_followed)
    earned += follow_purchases(tx, purchase_ids=followed, programmes=programmes, now=now, explains=True)
    told = recording_told.tell(tx, facts=list(facts.values()), programmes=programmes, earned=earned, now=now)
    return [
        errors[place]
        if place in errors
        else recording_told.to_purchase(
            facts[wish.number],
            told[facts[wish.number].purchase_id],
            is_duplicate=wish.number in known or first[wish.number] != place,
            is_differing=_differs(wish, facts[wish.number]),
        )
        for place, wish in enumerate(wishes)
    ]


def judge(
    wish: PurchaseWish, living: Mapping[RecordReference, UUID], known: Fact | None, twin: PurchaseWish | None
) -> ComityError | None:
    """Say what speaks against a purchase, given what is known of its number and who asked for it just before. Pure."""
    profile_id = living.get(wish.person)
    if profile_id is None:
        return tell_unknown(wish.person)
    if known is not None and known.profile_id not in {None, profile_id}:
        return PurchaseOfAnother(details={"number": wish.number})
    if twin is not None and living[twin.person] != profile_id:
        return PurchaseOfAnother(details={"number": wish.number})
    is_other = twin is not None and _content(twin) != _content(wish)
    if known is not None and known.told_at is not None:
        said = (known.told_at, known.told_minor, known.told_currency)
        is_other = is_other or said != _content(wish)[:3]
        is_own = (known.system, known.stream) == (OWN_SYSTEM, STREAM_OF_PURCHASES)
        is_other = is_other or (is_own and known.details != wish.details)
    return KeyReused("Another purchase has this number.", details={"number": wish.number}) if is_other else None


def tell_unknown(person: RecordReference) -> UnknownMember:
    """Say that nobody is known by this Global ID or record."""
    if read_profile(person) is not None:
        return UnknownMember("There is nobody of this Global ID.", details={"profile_id": person.external_id})
    record = f"{person.system}/{person.stream}/{person.external_id}"
    return UnknownMember("The hub knows no such record.", details={"record": record})


def hold_people(tx: Tx, people: Collection[RecordReference]) -> dict[RecordReference, UUID]:
    """Return who stands for these Global IDs and records, for as long as the transaction lasts."""
    told = {each: read_profile(each) for each in people}
    named = {profile_id: each for each, profile_id in told.items() if profile_id is not None}
    records = {
        RecordKey(each.system, each.stream, each.external_id): each
        for each, profile_id in told.items()
        if profile_id is None
    }
    by_id = identity.resolve_aliases(tx, profile_ids=sorted(named))
    by_record = identity.find_profiles_by_records(tx, keys=sorted(records)) if records else {}
    living = {*by_id.values(), *by_record.values()}
    held = identity.hold_profiles(tx, profile_ids=sorted(living | by_id.keys()))
    aliases = {source: target for source, target in by_id.items() if source != target}
    if (
        not held.issuperset(living)
        or (aliases and identity.resolve_aliases(tx, profile_ids=sorted(aliases)) != aliases)
        or (by_record and identity.hold_records(tx, keys=sorted(by_record)) != by_record)
    ):
        raise TransactionsCollided("Somebody was merged or parted meanwhile.")
    return {named[source]: target for source, target in by_id.items()} | {
        records[key]: target for key, target in by_record.items()
    }


def _content(wish: PurchaseWish) -> tuple[object, ...]:
    return (wish.occurred_at, wish.amount_minor, wish.currency, wish.details)


def _differs(wish: PurchaseWish, fact: Fact) -> bool:
    return (wish.amount_minor, wish.currency, False) != (fact.amount_minor, fact.currency, fact.is_cancelled)


def _find(tx: Tx, numbers: set[str]) -> dict[str, Fact]:
    return activity.find_facts(tx, business_keys=sorted(numbers), system=OWN_SYSTEM, stream=STREAM_OF_PURCHASES)


def _accept(
    tx: Tx,
    wishes: Sequence[PurchaseWish],
    living: Mapping[RecordReference, UUID],
    known: Mapping[str, Fact],
    *,
    now: datetime,
) -> dict[str, Fact]:
    if not wishes:
        return {}
    profile_ids = [living[each.person] for each in wishes]
    accepted = activity.accept_purchases(
        tx,
        purchases=[
            PurchaseFact(
                system=OWN_SYSTEM,
                stream=STREAM_OF_PURCHASES,
                external_id=each.number,
                business_key=each.number,
                occurred_at=each.occurred_at,
                amount_minor=each.amount_minor,
                currency=each.currency,
                details=each.details,
                person=each.person,
            )
            for each in wishes
        ],
        profile_ids=list(profile_ids),
        now=now,
    )
    for wish, profile_id, taken in zip(wishes, profile_ids, accepted, strict=True):
        if taken.is_new == (wish.number in known) or taken.profile_id != profile_id:
            raise TransactionsCollided("Somebody else told of this purchase meanwhile.")
    return _find(tx, {each.number for each in wishes})


def _earn(
    tx: Tx, facts: Sequence[Fact], *, programmes: Sequence[Programme], now: datetime, choose: Chooser | None
) -> list[Earned]:
    """Let purchases earn, as the reader of their events would; what it did already stays as it is."""
    if not facts:
        return []
    for programme in programmes:
        budgets.hold(tx, programme=programme, now=now)
    purchases = [_to_recorded(each) for each in facts]
    profile_ids = sorted({each.profile_id for each in purchases})
    wishes = [(profile_id, programme.name) for programme in programmes for profile_id in profile_ids]
    members = store.lock_members(tx, wishes=wishes, now=now)
    for programme in programmes:
        if choose is not None and programme.spec.enrol.automatic and programme.spec.enrol.when is not None:
            strangers = [
                profile_id
                for place, (profile_id, name) in enumerate(wishes)
                if name == programme.name and place not in members
            ]
            enrol(tx, profile_ids=choose(tx, programme, strangers) if strangers else (), programme=programme, now=now)
    return earn_for_purchases(tx, purchases=purchases, programmes=programmes, now=now, explains=True)


def _to_recorded(fact: Fact) -> PurchaseRecorded:
    return PurchaseRecorded(
        purchase_id=fact.purchase_id,
        business_key=fact.business_key,
        profile_id=recording_told.require_profile(fact),
        occurred_at=fact.occurred_at,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        system=fact.system,
        stream=fact.stream,
        external_id=fact.external_id,
        is_cancelled=fact.is_cancelled,
        details=fact.details,
    )


def record_return(
    tx: Tx,
    *,
    wish: ReturnWish,
    programmes: Sequence[Programme],
    now: datetime,
    choose: Chooser | None = None,
) -> ReturnTold:
    """Take a return in and let the points follow by the policy of returns; return how its purchase stands since.

    A number stands for one return for good: the same wish again changes nothing, another one is KeyReused. Raises
    UnknownPurchase, UnknownMember, PurchaseOfAnother, ReturnRefused, PurchaseInvalid.
    """
    activity.hold_facts(tx, business_keys=[wish.purchase_number])
    fact = _find(tx, {wish.purchase_number}).get(wish.purchase_number)
    if fact is None or fact.profile_id is None:
        raise UnknownPurchase(details={"purchase": wish.purchase_number})
    _require_person(tx, wish, fact)
    known = activity.find_returns(tx, business_keys=[wish.number]).get(wish.number)
    amount = known.amount_minor if known is not None else plan_return(wish, fact)
    if known is not None and not is_same_return(wish, known):
        raise KeyReused("Another return has this number.", details={"number": wish.number})
    if known is None:
        check_lines(wish, fact, amount)
        _accept_return(tx, wish, fact, amount, now=now)
    _earn(tx, [fact], programmes=programmes, now=now, choose=choose)
    before = recording_told.list_worth(tx, purchase_id=fact.purchase_id)
    fact = _find(tx, {wish.purchase_number})[wish.purchase_number]
    earned = follow_purchases(tx, purchase_ids=[fact.purchase_id], programmes=programmes, now=now, explains=True)
    told = recording_told.tell(tx, facts=[fact], programmes=programmes, earned=earned, now=now, before=before)
    return ReturnTold(
        number=wish.number,
        returned_minor=amount,
        left_minor=max(0, fact.amount_minor - fact.returned_minor),
        is_duplicate=known is not None,
        purchase=recording_told.to_purchase(fact, told[fact.purchase_id], is_duplicate=True, is_differing=False),
    )


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


def _require_person(tx: Tx, wish: ReturnWish, fact: Fact) -> None:
    if wish.profile_id is None:
        return
    living = identity.resolve_aliases(tx, profile_ids=[wish.profile_id]).get(wish.profile_id)
    if living is None:
        raise UnknownMember("There is nobody of this Global ID.", details={"profile_id": str(wish.profile_id)})
    if living != fact.profile_id:
        raise PurchaseOfAnother(details={"number": fact.business_key})


def _accept_return(tx: Tx, wish: ReturnWish, fact: Fact, amount: int, *, now: datetime) -> None:
    told = ReturnFact(
        system=OWN_SYSTEM,
        stream=STREAM_OF_RETURNS,
        external_id=wish.number,
        business_key=wish.number,
        purchase_key=fact.business_key,
        occurred_at=wish.occurred_at or now,
        amount_minor=amount,
        currency=fact.currency,
        details=wish.details,
    )
    if activity.accept_returns(tx, returns=[told], now=now) != 1:
        raise TransactionsCollided("Somebody else told of this return meanwhile.")
