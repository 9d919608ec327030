"""Purchases told at the counter: taken in, and followed by the points, in one transaction.

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
    PurchaseFact,
    PurchaseRecorded,
    RecordReference,
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
    PurchaseOfAnother,
    PurchaseTold,
    PurchaseWish,
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
    known = find_facts(tx, {each.number for each in wishes})
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
    earned = earn(tx, list(facts.values()), programmes=programmes, now=now, choose=choose)
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


def find_facts(tx: Tx, numbers: set[str]) -> dict[str, Fact]:
    """Return purchases by their number, each with what was told of it at the counter."""
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
    return find_facts(tx, {each.number for each in wishes})


def earn(
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
