"""Statements of the queue of doubtful links."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from comity.identity.arrays import array, json_text, texts
from comity.identity.match import Key
from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)


class Doubt(msgspec.Struct, frozen=True, order=True):
    """A link not made, for the steward's queue."""

    kind: str
    rule: str
    value: str
    record_a: int = 0
    record_b: int = 0


def put_reviews(tx: Tx, *, doubts: Sequence[Doubt], details: Sequence[dict[str, Any]], now: datetime) -> None:
    """Queue doubtful links, each once."""
    _sql.put_reviews.execute(
        tx,
        kinds=texts(doubt.kind for doubt in doubts),
        rules=texts(doubt.rule for doubt in doubts),
        values=texts(doubt.value for doubt in doubts),
        records_a=array(doubt.record_a for doubt in doubts),
        records_b=array(doubt.record_b for doubt in doubts),
        details=texts(map(json_text, details)),
        opened_at=now,
    )


def close_reviews(tx: Tx, *, record_ids: Sequence[int], doubts: Sequence[Doubt], now: datetime) -> None:
    """Close the doubts about pairs among these records that no longer stand."""
    _sql.close_reviews.execute(
        tx,
        record_ids=array(record_ids),
        kinds=texts(doubt.kind for doubt in doubts),
        rules=texts(doubt.rule for doubt in doubts),
        values=texts(doubt.value for doubt in doubts),
        records_a=array(doubt.record_a for doubt in doubts),
        records_b=array(doubt.record_b for doubt in doubts),
        closed_at=now,
    )


def find_shared_values(tx: Tx, *, keys: Sequence[Key]) -> list[Key]:
    """Find the key values that were shared by too many when last looked at."""
    rows = _sql.find_shared_values.rows(
        tx, rules=texts(rule for rule, _ in keys), values=texts(value for _, value in keys)
    )
    return [keys[position - 1] for (position,) in rows]


def close_shared_values(tx: Tx, *, keys: Sequence[Key], now: datetime) -> None:
    """Close the doubts about values no longer shared by too many."""
    _sql.close_shared_values.execute(
        tx, rules=texts(rule for rule, _ in keys), values=texts(value for _, value in keys), closed_at=now
    )


def list_reviews(
    tx: Tx, *, after: int, limit: int
) -> list[tuple[int, str, str, str, int, int, dict[str, str | int], datetime]]:
    """List doubtful links that wait: id, kind, rule, value, two records (0: none is meant), detail, since when."""
    return _sql.list_reviews.rows(tx, after=after, limit=limit)
