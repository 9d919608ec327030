"""Statements of sync."""

from collections.abc import Sequence
from datetime import datetime

from comity.identity.types import RecordKey
from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder
from comity.sync.types import HintRow, RunBooks

_sql = SqlFolder(__package__)


def put_hints(tx: Tx, *, system: str, records: Sequence[tuple[str, str]], now: datetime) -> None:
    """Note records, given as (stream, external id), to be fetched."""
    _sql.put_hints.execute(
        tx,
        system=system,
        streams=[stream for stream, _ in records],
        external_ids=[external_id for _, external_id in records],
        hinted_at=now,
    )


def list_hints(tx: Tx, *, system: str, count_max: int) -> list[HintRow]:
    """Return records to fetch."""
    return _sql.list_hints.fetch(tx, HintRow, system=system, count_max=count_max)


def drop_hints(tx: Tx, *, hint_ids: Sequence[int]) -> None:
    """Forget hints that were followed."""
    _sql.drop_hints.execute(tx, hint_ids=list(hint_ids))


def put_merges(tx: Tx, *, merges: Sequence[tuple[RecordKey, RecordKey]], now: datetime) -> None:
    """Keep merges, given as (loser, survivor)."""
    _sql.put_merges.execute(
        tx,
        systems=[survivor.system for _, survivor in merges],
        streams=[survivor.stream for _, survivor in merges],
        survivor_ids=[survivor.external_id for _, survivor in merges],
        loser_ids=[loser.external_id for loser, _ in merges],
        told_at=now,
    )


def take_merges(tx: Tx, *, survivors: Sequence[RecordKey]) -> list[tuple[RecordKey, RecordKey]]:
    """Return and forget the merges, as (loser, survivor), that waited for these records."""
    rows = _sql.take_merges.rows(
        tx,
        systems=[key.system for key in survivors],
        streams=[key.stream for key in survivors],
        survivor_ids=[key.external_id for key in survivors],
    )
    return [
        (RecordKey(system, stream, loser), RecordKey(system, stream, survivor))
        for system, stream, survivor, loser in rows
    ]


def note_run(tx: Tx, *, kind: str, system: str | None, books: RunBooks, now: datetime) -> None:
    """Keep the books of a run; the database refuses books that do not balance."""
    _sql.note_run.execute(
        tx,
        kind=kind,
        system=system,
        finished_at=now,
        read_count=books.read_count,
        applied_count=books.applied_count,
        unchanged_count=books.unchanged_count,
        filtered_count=books.filtered_count,
        parked_count=books.parked_count,
    )
