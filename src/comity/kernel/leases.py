"""Leases: work that one worker does at a time, with a fence against a slow former holder."""

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import msgspec

from comity.kernel.database import Database, Tx
from comity.kernel.errors import Conflict
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)


class LeaseLost(Conflict):
    """Another worker has taken this work over."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to do some work until it is taken over."""

    name: str
    holder: UUID
    fence: int


def presence_of(holder: UUID) -> int:
    """Return the number of the advisory lock by which a holder's session shows that it lives."""
    return (holder.int & ((1 << 63) - 1)) or 1


def acquire(tx: Tx, *, name: str, holder: UUID, seconds: float, presence: int | None = None) -> Lease | None:
    """Take or renew a lease for some seconds; None when somebody else holds it.

    With `presence`, an advisory lock that a session of the holder keeps, the lease of a killed process is free at
    once: the server sees its session end. Without, and for a process that hangs, the time decides.
    """
    rows = _sql.acquire_lease.rows(tx, name=name, holder=holder, seconds=seconds, presence=presence)
    return Lease(name=name, holder=holder, fence=rows[0][0]) if rows else None


def check(tx: Tx, *, lease: Lease) -> None:
    """Make sure the lease is ours until this transaction commits. Raises LeaseLost."""
    if not _sql.check_lease.rows(tx, name=lease.name, holder=lease.holder, fence=lease.fence):
        raise LeaseLost(details={"lease": lease.name})


@contextmanager
def held(database: Database, *, lease: Lease) -> Generator[Tx]:
    """Open a transaction in which the lease is ours until it commits. Raises LeaseLost."""
    with database.transaction() as tx:
        check(tx, lease=lease)
        yield tx


def release(tx: Tx, *, lease: Lease) -> None:
    """Let the lease go so that another worker need not wait for its end."""
    _sql.release_lease.execute(tx, name=lease.name, holder=lease.holder)
