"""Visits of members told at the counter: they earn nothing, and keep points alive that expire without activity."""

from datetime import datetime
from uuid import UUID

import msgspec

from comity.activity import api as activity
from comity.activity.types import RecordReference, VisitFact
from comity.kernel.database import Tx
from comity.kernel.errors import Invalid
from comity.programme.recording import hold_people, tell_unknown
from comity.programme.types import KeyReused


class VisitInvalid(Invalid):
    """The visit cannot be taken; the details name the place."""


class VisitWish(msgspec.Struct, frozen=True, kw_only=True):
    """A visit of somebody named by a Global ID or a record; `number` stands for it for good."""

    person: RecordReference
    number: str
    occurred_at: datetime | None = None


class VisitTold(msgspec.Struct, frozen=True, kw_only=True):
    """A visit as it stands."""

    number: str
    global_id: UUID
    occurred_at: datetime
    is_duplicate: bool


def record_visit(tx: Tx, *, wish: VisitWish, now: datetime) -> VisitTold:
    """Take a visit in, of now unless the wish says when; the same wish again changes nothing.

    It belongs to whom the wish names, also where people are merged or parted. Raises UnknownMember, KeyReused,
    TransactionsCollided.
    """
    profile_id = hold_people(tx, {wish.person}).get(wish.person)
    if profile_id is None:
        raise tell_unknown(wish.person)
    fact = VisitFact(
        business_key=wish.number, profile_id=profile_id, occurred_at=wish.occurred_at or now, person=wish.person
    )
    is_new = bool(activity.accept_visits(tx, visits=[fact], now=now))
    known = activity.find_visits(tx, business_keys=[wish.number])[wish.number]
    if known.profile_id != profile_id or wish.occurred_at not in {None, known.occurred_at}:
        raise KeyReused("Another visit has this number.", details={"number": wish.number})
    return VisitTold(number=wish.number, global_id=profile_id, occurred_at=known.occurred_at, is_duplicate=not is_new)
