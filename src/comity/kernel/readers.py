"""Named cursors over append-only logs.

A log row carries the id of the transaction that wrote it (`xid`). A reader works through a log in (xid, id) order
and only below `pg_snapshot_xmin`: every transaction below that horizon has ended, so no row can appear behind the
cursor later, whatever order sequence numbers were drawn and commits happened in.
"""

import msgspec

from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in a log."""

    xid: int = 0
    id: int = 0


def get_position(tx: Tx, *, name: str) -> Position:
    """Return where a reader stands and lock it for this transaction."""
    return _sql.get_position.fetch(tx, Position, name=name)[0]


def peek_position(tx: Tx, *, name: str) -> Position:
    """Return where a reader stands without locking it; a reader that never ran stands at the start."""
    return _sql.peek_position.fetch_one(tx, Position, name=name) or Position()


def advance(tx: Tx, *, name: str, position: Position) -> None:
    """Move a reader forward in the same transaction as the effects of what it read. Never moves back."""
    _sql.advance.execute(tx, name=name, xid=position.xid, id=position.id)


def get_horizon(tx: Tx) -> Position:
    """Return the place below which everything is decided: a reader that found less than it asked for goes there."""
    return Position(xid=int(_sql.horizon.value(tx)), id=0)
