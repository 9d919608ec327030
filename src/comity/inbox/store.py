"""Statements of the inbox."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from comity.inbox.types import Change, NewChange, ParkedChange, ParkedItem, Waiting
from comity.kernel.arrays import ByteStrings
from comity.kernel.database import Tx
from comity.kernel.readers import Position
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)

SEPARATOR = "\x1e"
KEY_CHARS_MAX = 300
KEY_CHARS_SHOWN = 200


def storable_key(key: str) -> str:
    """Return a key as it can be stored: almost always as it is.

    PostgreSQL holds no NUL in text and no index entry of more than about 2,700 bytes. One such key must not stop the
    page it came with: NUL (and the separator of our lists) is shown as U+FFFD, a key too long keeps its beginning and
    gets a hash of the whole.
    """
    if len(key) <= KEY_CHARS_MAX and "\x00" not in key and SEPARATOR not in key:
        return key
    shown = key.replace("\x00", "\ufffd").replace(SEPARATOR, "\ufffd")
    if len(shown) <= KEY_CHARS_MAX:
        return shown
    return f"{shown[:KEY_CHARS_SHOWN]}#{hashlib.blake2b(key.encode(errors='replace'), digest_size=16).hexdigest()}"


def accept_changes(
    tx: Tx, *, changes: Sequence[NewChange], received_at: datetime, channel: str
) -> list[tuple[str, str, str, str]]:
    """Append, wake whoever listens on the channel if any is new, and return the keys of those.

    Texts joined to one take half the time of client and server that a COPY into a temporary table takes, and less than
    arrays with their quoting.
    """
    rows = _sql.accept_changes.rows(
        tx,
        systems=SEPARATOR.join([change.system for change in changes]),
        streams=SEPARATOR.join([change.stream for change in changes]),
        external_ids=_joined_keys([change.external_id for change in changes]),
        versions=_joined_keys([change.version for change in changes]),
        kinds=SEPARATOR.join([change.kind for change in changes]),
        source_ats=SEPARATOR.join([change.source_at.isoformat() if change.source_at else "" for change in changes]),
        survivor_ids=_joined_keys([change.survivor_id or "" for change in changes]),
        payloads=ByteStrings([change.payload for change in changes]),
        received_at=received_at,
        channel=channel,
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _joined_keys(keys: Sequence[str]) -> str:
    """Write a list of keys as one text, each as it can be stored: almost always as it is."""
    joined = SEPARATOR.join(keys)
    if max(map(len, keys)) <= KEY_CHARS_MAX and "\x00" not in joined and joined.count(SEPARATOR) == len(keys) - 1:
        return joined
    return SEPARATOR.join([storable_key(key) for key in keys])


def read_changes(tx: Tx, *, position: Position, count_max: int) -> list[Change]:
    """Return the next changes after a place, columns by position: by name takes as long as all the rest."""
    rows = _sql.read_changes.rows(tx, xid=position.xid, id=position.id, count_max=count_max)
    return [Change(*row) for row in rows]


def list_passed(tx: Tx, *, records: Sequence[tuple[str, str, str]], position: Position, count_max: int) -> list[Change]:
    """Return the newest changes of records up to a place, in order."""
    systems, streams, external_ids = zip(*records, strict=True)
    return _sql.list_passed.fetch(
        tx,
        Change,
        systems=list(systems),
        streams=list(streams),
        external_ids=list(external_ids),
        xid=position.xid,
        id=position.id,
        count_max=count_max,
    )


def has_unread(tx: Tx, *, position: Position) -> bool:
    """Return whether anything stands after a place."""
    return bool(_sql.has_unread.value(tx, xid=position.xid, id=position.id))


def has_unread_of(tx: Tx, *, system: str, stream: str, until_xid: int, position: Position) -> bool:
    """Return whether anything of a stream stands after a place, up to a transaction."""
    return bool(
        _sql.has_unread_of.value(
            tx, system=system, stream=stream, until_xid=until_xid, xid=position.xid, id=position.id
        )
    )


def requeue_latest(tx: Tx, *, streams: Sequence[tuple[str, str]], mark: str, received_at: datetime) -> int:
    """Append the latest states of streams again; return how many."""
    return _sql.requeue_latest.execute(
        tx,
        systems=[system for system, _ in streams],
        streams=[stream for _, stream in streams],
        mark=mark,
        received_at=received_at,
    )


def park_changes(tx: Tx, *, parked: Sequence[ParkedChange], now: datetime) -> None:
    """Set changes aside."""
    _sql.park_changes.execute(
        tx,
        change_ids=[item.change_id for item in parked],
        codes=[item.code for item in parked],
        fields=[item.field for item in parked],
        messages=[item.message for item in parked],
        remedies=[item.remedy for item in parked],
        parked_at=now,
    )


def has_parked(tx: Tx) -> bool:
    """Return whether any item is open."""
    return bool(_sql.has_parked.value(tx))


def close_superseded(tx: Tx, *, change_ids: Sequence[int], now: datetime) -> int:
    """Close parked items of records that these changes tell something newer of."""
    return _sql.close_superseded.execute(tx, change_ids=list(change_ids), closed_at=now)


def list_parked(tx: Tx, *, system: str | None, is_closed: bool, after_id: int, count_max: int) -> list[ParkedItem]:
    """Return parked items."""
    return _sql.list_parked.fetch(
        tx, ParkedItem, system=system, is_closed=is_closed, after_id=after_id, count_max=count_max
    )


def replay_parked(tx: Tx, *, system: str | None, change_ids: Sequence[int] | None, now: datetime) -> list[int]:
    """Append parked changes again."""
    ids = None if change_ids is None else list(change_ids)
    return [row[0] for row in _sql.replay_parked.rows(tx, system=system, change_ids=ids, replayed_at=now)]


def discard_parked(tx: Tx, *, change_ids: Sequence[int], actor: str, now: datetime) -> list[int]:
    """Close parked items; return which were open."""
    return [row[0] for row in _sql.discard_parked.rows(tx, change_ids=list(change_ids), closed_by=actor, closed_at=now)]


def count_waiting(tx: Tx, *, position: Position) -> list[Waiting]:
    """Return what waits behind a place."""
    return _sql.count_changes.fetch(tx, Waiting, xid=position.xid, id=position.id)


def count_parked(tx: Tx) -> dict[str, int]:
    """Return open parked items per system."""
    return {row[0]: row[1] for row in _sql.count_parked.rows(tx)}


def list_unread(tx: Tx, *, changes: Sequence[NewChange], position: Position) -> list[int]:
    """Return the places, in the input, of changes that a reader at `position` has not passed."""
    rows = _sql.list_unread.rows(
        tx,
        systems=[change.system for change in changes],
        streams=[change.stream for change in changes],
        external_ids=[change.external_id for change in changes],
        versions=[change.version for change in changes],
        xid=position.xid,
        id=position.id,
    )
    return [int(row[0]) - 1 for row in rows]
