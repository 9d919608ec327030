"""The door of systems."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from comity.kernel.database import Tx
from comity.systems import store
from comity.systems.types import StreamCursor, SystemState, SystemUnknown

__all__ = [
    "BACKOFF_SECONDS_MAX",
    "SystemUnknown",
    "forget_cursors",
    "get_cursor",
    "list_cursors",
    "list_systems",
    "note_failure",
    "note_refused_hooks",
    "note_success",
    "put_systems",
    "save_cursor",
    "set_paused",
    "settle_cursor",
]

BACKOFF_SECONDS_MAX = 60.0


def put_systems(tx: Tx, *, systems: Mapping[str, tuple[str, str]], now: datetime) -> None:
    """Make the connected systems be exactly these, given as name -> (connector, title); missing ones are removed."""
    for name, (connector, title) in sorted(systems.items()):
        store.put_system(tx, system=name, connector=connector, title=title, now=now)
    store.remove_missing(tx, kept=list(systems))
    store.forget_removed(tx, kept=list(systems))


def list_systems(tx: Tx) -> list[SystemState]:
    """Return all systems, the first to join first."""
    return store.list_systems(tx)


def get_cursor(tx: Tx, *, system: str, stream: str) -> str | None:
    """Return where reading a stream has come to, or None before its first page."""
    return store.get_cursor(tx, system=system, stream=stream)


def save_cursor(
    tx: Tx, *, system: str, stream: str, cursor: str, read_count: int, is_last: bool = False, now: datetime
) -> None:
    """Move a stream's cursor; call it in the transaction that stores the page.

    With the first page that `is_last` the stream counts as read to the end once.
    """
    store.save_cursor(tx, system=system, stream=stream, cursor=cursor, read_count=read_count, is_last=is_last, now=now)


def settle_cursor(tx: Tx, *, system: str, stream: str) -> None:
    """Note that all that the first read of a stream brought has been unified."""
    store.settle_cursor(tx, system=system, stream=stream)


def forget_cursors(tx: Tx, *, streams: Sequence[tuple[str, str]]) -> None:
    """Read these streams, given as (system, stream), from the beginning again; nothing is taken in twice by that."""
    if streams:
        store.forget_cursors(tx, streams=streams)


def set_paused(tx: Tx, *, system: str, is_paused: bool) -> None:
    """Pause a system, so that it is neither read nor written, or let it go on. Raises SystemUnknown."""
    if not store.set_state(tx, system=system, state="paused" if is_paused else "running"):
        raise SystemUnknown(details={"system": system})


def list_cursors(tx: Tx) -> list[StreamCursor]:
    """Return all cursors."""
    return store.list_cursors(tx)


def note_success(tx: Tx, *, system: str, is_write: bool, now: datetime) -> None:
    """Note that a read or a write went well; this ends a block."""
    store.note_success(tx, system=system, is_write=is_write, now=now)


def note_failure(
    tx: Tx,
    *,
    system: str,
    is_write: bool,
    message: str,
    failures_in_row: int,
    retry_after_seconds: float | None,
    now: datetime,
) -> datetime:
    """Note that a call failed as a whole and return until when the system is left alone.

    The wait doubles with every failure in a row, up to a minute, and is never shorter than what the system asked for.
    """
    backoff = min(BACKOFF_SECONDS_MAX, 0.25 * 2.0 ** min(failures_in_row, 10))
    until = now + timedelta(seconds=max(backoff, retry_after_seconds or 0.0))
    store.note_failure(tx, system=system, is_write=is_write, message=message[:500], blocked_until=until, now=now)
    return until


def note_refused_hooks(tx: Tx, *, system: str, refused_count: int, reason: str, refused_at: datetime) -> None:
    """Count webhooks of a system that were refused, and keep why and when the last of them was."""
    store.note_refused_hooks(tx, system=system, refused_count=refused_count, reason=reason[:500], refused_at=refused_at)
