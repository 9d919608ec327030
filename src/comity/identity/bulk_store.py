"""Statements for taking a whole population in."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder, copy_in, execute_text

_sql = SqlFolder(__package__)

DROP_INDEXES = (
    "alter table identity.record drop constraint record_pkey, drop constraint record_once",
    "alter table identity.identifier drop constraint identifier_pkey",
    "alter table identity.edge drop constraint edge_pkey",
    "drop index identity.record_by_profile",
    "drop index identity.edge_by_second, identity.edge_by_evidence",
)
CREATE_INDEXES = (
    "alter table identity.record add constraint record_pkey primary key (record_id)",
    "alter table identity.record add constraint record_once unique (system, stream, external_id)",
    "create index record_by_profile on identity.record (profile_id)",
    "alter table identity.identifier add constraint identifier_pkey primary key (key_hash, record_id)",
    "alter table identity.edge add constraint edge_pkey primary key (record_a, record_b)",
    "create index edge_by_second on identity.edge (record_b)",
    "create index edge_by_evidence on identity.edge (rule, value)",
    "analyze identity.record, identity.identifier, identity.edge, identity.profile",
)
SORT_MEMORY = "256MB"
"""What building one index may take, so that it stays in memory."""


def draw_record_id_range(tx: Tx, *, count: int) -> int:
    """Draw so many ids in a row and return the first; under the identity lock, as every drawing of ids."""
    return int(_sql.draw_record_id_range.value(tx, count=count))


@contextmanager
def bulk_load(tx: Tx) -> Generator[None]:
    """Take the indexes away while empty tables are filled."""
    for text in DROP_INDEXES:
        execute_text(tx, text)
    yield
    execute_text(tx, f"set local maintenance_work_mem = '{SORT_MEMORY}'")
    for text in CREATE_INDEXES:
        execute_text(tx, text)


def copy_records(tx: Tx, *, rows: Iterable[tuple[Any, ...]], match_hash: int, now: datetime) -> None:
    """Store records: id, key, profile (16 bytes), features (JSON in the form of the wire), rule."""
    copy_in(
        tx,
        table="identity.record",
        columns=(
            *("record_id", "system", "stream", "external_id", "profile_id", "features", "rule"),
            *("match_hash", "linked_at"),
        ),
        types=("int8", "text", "text", "text", "bytea", "text", "text", "int8", "timestamptz"),
        rows=((*row, match_hash, now) for row in rows),
    )


def copy_edges(tx: Tx, *, rows: Iterable[tuple[Any, ...]], match_hash: int, now: datetime) -> None:
    """Store links: both records, rule, value."""
    copy_in(
        tx,
        table="identity.edge",
        columns=("record_a", "record_b", "rule", "value", "match_hash", "linked_at"),
        types=("int8", "int8", "text", "text", "int8", "timestamptz"),
        rows=((*row, match_hash, now) for row in rows),
    )


def copy_reviews(tx: Tx, *, rows: Iterable[tuple[Any, ...]], now: datetime) -> None:
    """Queue doubtful links: kind, rule, value, both records, detail (JSON in the form of the wire)."""
    copy_in(
        tx,
        table="identity.review",
        columns=("kind", "rule", "value", "record_a", "record_b", "detail", "opened_at"),
        types=("text", "text", "text", "int8", "int8", "text", "timestamptz"),
        rows=((*row, now) for row in rows),
    )
