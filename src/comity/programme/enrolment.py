"""How programmes open and people become members."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import asdict

from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.ledger.types import AccountKind, Book, NewAccount
from comity.programme import ladders, store
from comity.programme.kinds import KindMoved, list_kinds, name_unit
from comity.programme.types import MEMBER_ENROLLED, KnownProgramme, MemberEnrolled, Programme

Chooser = Callable[[Tx, Programme, Sequence[UUID]], Sequence[UUID]]
"""Returns those of the profiles for whom the programme's enrolment condition holds."""


def open_programme(tx: Tx, *, programme: Programme, now: datetime) -> KnownProgramme:
    """Open a programme's accounts, one for each kind of points, or take over what has changed. Repeatable.

    Raises KindMoved.
    """
    name, kinds = programme.name, list_kinds(programme)
    known = store.find_programme(tx, programme=name)
    if known and _is_known(known, programme):
        return known
    former = (known.further_kinds if known else None) or {}
    if kinds.first in former or (known and known.kind in kinds.further):
        raise KindMoved(details={"programme": name, "kind": kinds.first})
    further = list(dict.fromkeys([*kinds.further, *former]))
    opened = ledger.open_accounts(
        tx,
        accounts=[
            NewAccount(book=Book.POINTS, unit=name_unit(name, kind), kind=AccountKind.PROGRAMME, owner=name)
            for kind in (None, *further)
        ],
        now=now,
    )
    found = KnownProgramme(
        programme=name,
        timezone=programme.spec.timezone,
        account_id=opened[0],
        kind=kinds.first,
        is_spendable=kinds.first in kinds.spendable,
        further_kinds={
            kind: {"account_id": account_id, "is_spendable": kind in kinds.spendable}
            for kind, account_id in zip(further, opened[1:], strict=True)
        }
        or None,
    )
    store.open_programme(tx, programme=found, now=now)
    return found


def _is_known(known: KnownProgramme, programme: Programme) -> bool:
    kinds = list_kinds(programme)
    spendable = {each: told["is_spendable"] for each, told in (known.further_kinds or {}).items()}
    return (
        known.timezone == programme.spec.timezone
        and (known.kind, known.is_spendable) == (kinds.first, kinds.first in kinds.spendable)
        and set(kinds.further) <= spendable.keys()
        and all(told == (each in kinds.spendable) for each, told in spendable.items())
    )


def enrol(tx: Tx, *, profile_ids: Sequence[UUID], programme: Programme, now: datetime) -> list[UUID]:
    """Make profiles members and return those that were none; opens the programme when it is new. Repeatable.

    Publishes `programme.member_enrolled`.
    """
    if not profile_ids:
        return []
    open_programme(tx, programme=programme, now=now)
    drawn = store.draw_members(tx, programme=programme.name, profile_ids=profile_ids)
    if not drawn:
        return []
    accounts = ledger.open_accounts(
        tx,
        accounts=[
            NewAccount(book=Book.POINTS, unit=programme.name, kind=AccountKind.MEMBER, owner=str(member_id))
            for _, member_id in drawn
        ],
        now=now,
    )
    levels = ladders.start(programme.spec)
    enrolled = store.enrol(
        tx,
        programme=programme.name,
        members=[(profile, member, account) for (profile, member), account in zip(drawn, accounts, strict=True)],
        levels=levels,
        ladders_key=ladders.name_ladders(programme.spec),
        now=now,
    )
    publish(
        tx,
        kind=MEMBER_ENROLLED,
        payloads=[
            asdict(MemberEnrolled(profile_id=each, programme=programme.name, tier=levels.tier)) for each in enrolled
        ],
        now=now,
    )
    return enrolled
