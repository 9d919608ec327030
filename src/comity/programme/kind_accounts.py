"""Members have an account for each kind of points; those after the first are opened when they are needed."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from comity.kernel.database import Tx
from comity.kernel.errors import ComityError
from comity.ledger import api as ledger
from comity.ledger.types import AccountKind, Book, NewAccount
from comity.programme import store_kinds
from comity.programme.enrolment import open_programme
from comity.programme.kinds import choose_kind, list_kinds, name_unit
from comity.programme.types import LockedMember, Programme

PlaceT = TypeVar("PlaceT")


def provide(
    tx: Tx, members: Mapping[PlaceT, LockedMember], *, programme: Programme | None = None, now: datetime
) -> dict[PlaceT, LockedMember]:
    """Return locked members with an account for each kind of points that `programme` has, or had when it was opened."""
    found = dict(members)
    if programme is not None and list_kinds(programme).further:
        found = _introduce(tx, found, programme, now=now)
    lacking = {each.member_id: each for each in found.values() if each.list_lacking()}
    if not lacking:
        return found
    wanted = [(member, kind) for _, member in sorted(lacking.items()) for kind in member.list_lacking()]
    opened = open_accounts(tx, [(each.programme, each.member_id, kind) for each, kind in wanted], now=now)
    accounts = {member_id: dict(member.accounts or {}) for member_id, member in lacking.items()}
    for (member, kind), account_id in zip(wanted, opened, strict=True):
        accounts[member.member_id][kind] = account_id
    return {
        place: replace(each, accounts=accounts[each.member_id]) if each.member_id in accounts else each
        for place, each in found.items()
    }


def open_accounts(tx: Tx, wanted: list[tuple[str, int, str]], *, now: datetime) -> list[int]:
    """Open accounts of (programme, member, kind), whose members are locked, and return them in the order asked."""
    accounts = ledger.open_accounts(
        tx,
        accounts=[
            NewAccount(book=Book.POINTS, unit=name_unit(programme, kind), kind=AccountKind.MEMBER, owner=str(member_id))
            for programme, member_id, kind in wanted
        ],
        now=now,
    )
    rows = [(member_id, kind, account_id) for (_, member_id, kind), account_id in zip(wanted, accounts, strict=True)]
    store_kinds.insert_accounts(tx, accounts=rows)
    return accounts


def _introduce(
    tx: Tx, members: dict[PlaceT, LockedMember], programme: Programme, *, now: datetime
) -> dict[PlaceT, LockedMember]:
    """Make kinds known that the programme has got since it was opened."""
    wanted = set(list_kinds(programme).further)
    if all(wanted <= (each.further_kinds or {}).keys() for each in members.values()):
        return members
    known = open_programme(tx, programme=programme, now=now)
    return {
        place: replace(each, first_kind=known.kind, is_spendable=known.is_spendable, further_kinds=known.further_kinds)
        for place, each in members.items()
    }


def choose(
    tx: Tx,
    members: Mapping[PlaceT, LockedMember],
    kinds: Mapping[PlaceT, str | None],
    *,
    now: datetime,
) -> tuple[dict[PlaceT, LockedMember], dict[PlaceT, ComityError]]:
    """Return members as holders of the kinds that wishes name (None: the first) to spend of, and what is wrong else."""
    if all(each.is_spendable and kinds[place] is None for place, each in members.items()):
        return dict(members), {}
    judged = {place: choose_kind(each, kinds[place], is_spent=True) for place, each in members.items()}
    refused = {place: each for place, each in judged.items() if isinstance(each, ComityError)}
    named = {place: each for place, each in members.items() if place not in refused and kinds[place] is not None}
    provided = provide(tx, named, now=now)
    chosen = {
        place: provided[place].of_kind(kinds[place] or each.first_kind) if place in provided else each
        for place, each in members.items()
        if place not in refused
    }
    return chosen, refused
