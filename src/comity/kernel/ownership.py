"""Which role owns a room's schema. Rooms that are *kept* belong to an owner of their own, all others to the hub's role.

The hub's role reads and adds to the immutable tables of a kept room and does no more: it can neither change nor delete
their rows, nor put their triggers out of force, for that takes their owner. The owner may act as the hub's role, never
the other way round.
"""

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from typing import LiteralString, cast

import msgspec
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from comity.kernel.database import Tx
from comity.kernel.errors import Invalid, Unavailable
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)


class OwnerUnsuitable(Invalid):
    """COMITY_DATABASE_OWNER_URL does not name an owner for the tables that the hub may not change."""


class OwnerMissing(Unavailable):
    """The schema has to be changed, which the hub's own role may not do."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A role and the number of the database it is connected to; whether it may act as the role that was asked about."""

    role: str
    database: int
    is_member: bool


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """The hub's role, and the rooms that are kept from it: they belong to the role of the session that migrates."""

    role: str
    kept: frozenset[str]

    @contextmanager
    def acting(self, tx: Tx, *, room: str) -> Generator[None]:
        """Act as the role that owns a room, and let the hub's role work with what a kept one has then."""
        is_kept = room in self.kept
        if not is_kept:
            tx.execute(sql.SQL("set local role {}").format(sql.Identifier(self.role)))
        yield
        tx.execute("set local role none")
        if is_kept:
            self.grant(tx, room=room)

    def grant(self, tx: Tx, *, room: str) -> None:
        """Let the hub's role work with a kept room, without changing what is immutable in it."""
        _say(tx, _sql.list_grants.rows(tx, schema=room, role=self.role))

    def hand_over(self, tx: Tx, *, rooms: Sequence[str]) -> None:
        """Give what is there to whom it belongs: a database may have been the hub's alone before."""
        owner = describe_session(tx, role=self.role).role
        roles = [owner if room in self.kept else self.role for room in rooms]
        changes = _sql.list_owner_changes.rows(tx, schemas=list(rooms), roles=roles)
        _say(tx, changes)
        for room in self.kept if changes else ():
            self.grant(tx, room=room)


def describe_session(tx: Tx, *, role: str = "") -> Session:
    """Return who this session is, and whether it may act as a role."""
    [found] = _sql.describe_session.fetch(tx, Session, role=role)
    return found


def is_split(tx: Tx, *, rooms: Sequence[str], kept: Collection[str]) -> bool:
    """True when the rooms that are there belong to this session's role, and those kept from it do not."""
    return _sql.is_split.value(tx, schemas=list(rooms), kept=list(kept))


def require_owner(tx: Tx, *, hub: Session) -> None:
    """Make sure that this session's role can be the owner beside the hub's. Raises OwnerUnsuitable."""
    owner = describe_session(tx, role=hub.role)
    if owner.database != hub.database:
        raise OwnerUnsuitable(details={"remedy": "Name the same server and database as in COMITY_DATABASE_URL."})
    if owner.role == hub.role:
        raise OwnerUnsuitable(details={"remedy": f"Name another role than {hub.role}, which the hub works as."})
    if not owner.is_member:
        raise OwnerUnsuitable(details={"remedy": f"Run: grant {hub.role} to {owner.role};"})


def name_right_missing(error: InsufficientPrivilege, *, has_owner: bool) -> OwnerMissing | OwnerUnsuitable:
    """Say whose right is missing, and where it comes from."""
    cause, guide = str(error).strip(), "see 'Two roles' in the guide 'Operations'."
    if has_owner:
        return OwnerUnsuitable(details={"cause": cause, "remedy": f"Give the owner this right; {guide}"})
    remedy = f"Set COMITY_DATABASE_OWNER_URL to the address of the role that owns the ledger for this start; {guide}"
    return OwnerMissing(details={"cause": cause, "remedy": remedy})


def _say(tx: Tx, statements: Sequence[tuple[str]]) -> None:
    for (statement,) in statements:
        tx.execute(cast("LiteralString", statement))
