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
from comity.programme.types import MEMBER_ENROLLED, MemberEnrolled, Programme

Chooser = Callable[[Tx, Programme, Sequence[UUID]], Sequence[UUID]]
"""Returns those of the profiles for whom the programme's enrolment condition holds."""


def open_programme(tx: Tx, *, programme: Programme, now: datetime) -> int:
    """Open a programme's account, or take over its time zone when it is open, and return the account. Repeatable."""
    known = store.find_programme(tx, programme=programme.name)
    if known and known.timezone == programme.spec.timezone:
        return known.account_id
    [account_id] = ledger.open_accounts(
        tx,
        accounts=[NewAccount(book=Book.POINTS, unit=programme.name, kind=AccountKind.PROGRAMME, owner=programme.name)],
        now=now,
    )
    store.open_programme(tx, programme=programme.name, timezone=programme.spec.timezone, account_id=account_id, now=now)
    return account_id


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
