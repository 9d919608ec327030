"""Somebody joins a programme because they asked to."""

from datetime import datetime
from uuid import UUID

import msgspec

from comity.identity import api as identity
from comity.kernel.database import TransactionsCollided, Tx
from comity.kernel.errors import Refused
from comity.ledger import api as ledger
from comity.programme import rules, store
from comity.programme.enrolment import Chooser, enrol
from comity.programme.tiers import show_tiers
from comity.programme.types import Programme, UnknownMember


class EnrolmentRefused(Refused):
    """The programme enrols by itself those whom its condition fits, and it does not fit."""


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """A membership as it stands; `is_duplicate`: it was there already."""

    global_id: UUID
    programme: str
    enrolled_at: datetime
    tier: str | None
    balance: int
    spendable: int
    pending: int
    is_duplicate: bool


def join(tx: Tx, *, profile_id: UUID, programme: Programme, now: datetime, choose: Chooser) -> Enrolment:
    """Make somebody a member, if they are none, and return how they stand. Repeatable.

    Where the programme enrols by a condition, nobody joins past it: `choose` judges it. Raises UnknownMember,
    EnrolmentRefused, TransactionsCollided. Publishes `programme.member_enrolled`.
    """
    living = identity.resolve_aliases(tx, profile_ids=[profile_id]).get(profile_id)
    if living is None:
        raise UnknownMember("There is nobody of this Global ID.", details={"profile_id": str(profile_id)})
    if not identity.hold_profiles(tx, profile_ids=[living]):
        raise TransactionsCollided("Somebody was merged meanwhile.")
    spec = programme.spec.enrol
    is_member = bool(store.list_members(tx, profile_ids=[living], programme=programme.name))
    if not is_member and spec.automatic and spec.when is not None and living not in choose(tx, programme, [living]):
        raise EnrolmentRefused(details={"programme": programme.name, "reason": "condition", "condition": spec.when})
    enrolled = [] if is_member else enrol(tx, profile_ids=[living], programme=programme, now=now)
    [(_, found)] = store.list_members(tx, profile_ids=[living], programme=programme.name)
    [member] = show_tiers(tx, [found], programmes={programme.name: programme}, now=now)
    today = rules.to_local_date(now, programme.spec.timezone)
    [standing] = ledger.get_standings(tx, account_ids=[member.account_id], day=today)
    return Enrolment(
        global_id=living,
        programme=programme.name,
        enrolled_at=member.enrolled_at,
        tier=member.tier,
        balance=standing.balance,
        spendable=standing.spendable,
        pending=standing.pending,
        is_duplicate=not enrolled,
    )
