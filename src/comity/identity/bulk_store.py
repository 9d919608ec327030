"""Statements for taking a whole population in."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from polars import DataFrame

from comity.kernel.columns import copy_columns
from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder, execute_text

_sql = SqlFolder(__package__)

FILLED_PERCENT = 70
FILLED_PERCENT_LATER = 90
"""How full pages of records get by a first load, and later. Pages are tidied by who reads them where dead rows leave
less room than the latter: so once in some four versions, and not after each."""

INDEXES: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "record": (
        (
            f"alter table identity.record set (fillfactor = {FILLED_PERCENT})",
            "alter table identity.record drop constraint record_pkey, drop constraint record_once",
            "drop index identity.record_by_profile",
        ),
        (
            "alter table identity.record add constraint record_pkey primary key (record_id)",
            "alter table identity.record add constraint record_once unique (external_id, stream, system)",
            "create index record_by_profile on identity.record (profile_id)",
            f"alter table identity.record set (fillfactor = {FILLED_PERCENT_LATER})",
        ),
    ),
    "identifier": (
        ("alter table identity.identifier drop constraint identifier_pkey",),
        ("alter table identity.identifier add constraint identifier_pkey primary key (key_hash, record_id)",),
    ),
    "edge": (
        (
            "alter table identity.edge drop constraint edge_pkey",
            "drop index identity.edge_by_second, identity.edge_by_evidence",
        ),
        (
            "alter table identity.edge add constraint edge_pkey primary key (record_a, record_b)",
            "create index edge_by_second on identity.edge (record_b)",
            "create index edge_by_evidence on identity.edge (value, rule)",
        ),
    ),
    "profile": (
        (
            "alter table identity.profile drop constraint profile_merged_into_fkey, drop constraint profile_pkey",
            "drop index identity.profile_by_founder, identity.profile_by_survivor",
        ),
        (
            "alter table identity.profile add constraint profile_pkey primary key (profile_id)",
            "create index profile_by_founder on identity.profile (founder_record_id)",
            "create index profile_by_survivor on identity.profile (merged_into) where merged_into is not null",
            """\
alter table identity.profile add constraint profile_merged_into_fkey
    foreign key (merged_into) references identity.profile (profile_id) deferrable initially deferred
""",
        ),
    ),
}
"""By table: what makes it ready to be filled, its indexes taken away, and what builds them again."""
SORT_MEMORY = "256MB"
"""What building one index may take, so that it stays in memory."""


def draw_record_id_range(tx: Tx, *, count: int) -> int:
    """Draw so many ids in a row and return the first; under the identity lock, as every drawing of ids."""
    return int(_sql.draw_record_id_range.value(tx, count=count))


def lock_tables(tx: Tx) -> None:
    """Keep everybody out of the tables, at once: one after the other would get in the way of who reads several."""
    execute_text(tx, "lock table identity.profile, identity.record, identity.identifier, identity.edge")


@contextmanager
def _without_indexes(tx: Tx, table: str) -> Generator[None]:
    """Take the indexes of a table away while it is filled, and build them again."""
    drops, builds = INDEXES[table]
    for text in drops:
        execute_text(tx, text)
    yield
    execute_text(tx, f"set local maintenance_work_mem = '{SORT_MEMORY}'")
    for text in builds:
        execute_text(tx, text)


def analyze(tx: Tx) -> None:
    """Tell the planner what is in the tables."""
    execute_text(tx, "analyze identity.record, identity.identifier, identity.edge, identity.profile")


def copy_records(tx: Tx, *, records: DataFrame) -> None:
    """Store records: id, key, profile (16 bytes), features (JSON), rule, match_hash, linked_at (wire)."""
    types = ("int8", "text", "text", "text", "uuid", "json", "text", "int8", "timestamptz")
    with _without_indexes(tx, "record"):
        copy_columns(tx, table="identity.record", frame=records, types=types)


def copy_identifiers(tx: Tx, *, identifiers: DataFrame) -> None:
    """Store keys of records: digest, record, tag."""
    with _without_indexes(tx, "identifier"):
        copy_columns(tx, table="identity.identifier", frame=identifiers, types=("int8", "int8", "int4"))


def copy_edges(tx: Tx, *, edges: DataFrame) -> None:
    """Store links: both records, rule, value, match_hash, linked_at (wire)."""
    types = ("int8", "int8", "text", "text", "int8", "timestamptz")
    with _without_indexes(tx, "edge"):
        copy_columns(tx, table="identity.edge", frame=edges, types=types)


def copy_reviews(tx: Tx, *, reviews: DataFrame) -> None:
    """Queue doubtful links: kind, rule, value, both records, detail (JSON), opened_at (wire)."""
    types = ("text", "text", "text", "int8", "int8", "jsonb", "timestamptz")
    copy_columns(tx, table="identity.review", frame=reviews, types=types)


def copy_profiles(tx: Tx, *, profiles: DataFrame) -> None:
    """Store new Global IDs: 16 bytes, founding record, created_at (wire)."""
    with _without_indexes(tx, "profile"):
        copy_columns(tx, table="identity.profile", frame=profiles, types=("uuid", "int8", "timestamptz"))
