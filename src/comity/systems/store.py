"""Statements of systems."""

from collections.abc import Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder
from comity.systems.types import StreamCursor, SystemState

_sql = SqlFolder(__package__)


def put_system(tx: Tx, *, system: str, connector: str, title: str, now: datetime) -> None:
    """Make a system known."""
    _sql.put_system.execute(tx, system=system, connector=connector, title=title, now=now)


def remove_missing(tx: Tx, *, kept: Sequence[str]) -> None:
    """Mark systems that are configured no longer."""
    _sql.remove_missing.execute(tx, kept=list(kept))


def forget_removed(tx: Tx, *, kept: Sequence[str]) -> None:
    """Forget the cursors of systems that are configured no longer."""
    _sql.forget_removed.execute(tx, kept=list(kept))


def forget_cursors(tx: Tx, *, streams: Sequence[tuple[str, str]]) -> None:
    """Forget cursors, given as (system, stream)."""
    _sql.forget_cursors.execute(
        tx, systems=[system for system, _ in streams], streams=[stream for _, stream in streams]
    )


def set_state(tx: Tx, *, system: str, state: str) -> int:
    """Set the state of a system that is not removed; returns how many there are."""
    return _sql.set_state.execute(tx, system=system, state=state)


def list_systems(tx: Tx) -> list[SystemState]:
    """Return all systems."""
    return _sql.list_systems.fetch(tx, SystemState)


def get_cursor(tx: Tx, *, system: str, stream: str) -> str | None:
    """Return a stream's cursor."""
    rows = _sql.get_cursor.rows(tx, system=system, stream=stream)
    return rows[0][0] if rows else None


def save_cursor(
    tx: Tx, *, system: str, stream: str, cursor: str, read_count: int, is_last: bool, now: datetime
) -> None:
    """Move a stream's cursor."""
    _sql.save_cursor.execute(
        tx, system=system, stream=stream, cursor=cursor, read_count=read_count, is_last=is_last, now=now
    )


def settle_cursor(tx: Tx, *, system: str, stream: str) -> None:
    """Note that the first read of a stream has been unified."""
    _sql.settle_cursor.execute(tx, system=system, stream=stream)


def list_cursors(tx: Tx) -> list[StreamCursor]:
    """Return all cursors."""
    return _sql.list_cursors.fetch(tx, StreamCursor)


def note_success(tx: Tx, *, system: str, is_write: bool, now: datetime) -> None:
    """Note a success."""
    _sql.note_success.execute(tx, system=system, is_write=is_write, now=now)


def note_failure(tx: Tx, *, system: str, is_write: bool, message: str, blocked_until: datetime, now: datetime) -> None:
    """Note a failure."""
    _sql.note_failure.execute(
        tx, system=system, is_write=is_write, message=message, blocked_until=blocked_until, now=now
    )


def note_refused_hooks(tx: Tx, *, system: str, refused_count: int, reason: str, refused_at: datetime) -> None:
    """Add to the webhooks that were refused."""
    _sql.note_refused_hooks.execute(
        tx, system=system, refused_count=refused_count, reason=reason, refused_at=refused_at
    )
