"""What goes in by columns comes out as the same values."""

import json
from datetime import date, timedelta
from uuid import UUID

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.kernel.columns import CHUNK_ROWS, EPOCH, copy_columns
from comity.kernel.ids import RandomIds, SeededIds
from tests.conftest import NOW

SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
CREATE = """
create temp table given (
    position int4 not null, small int2, number int8, yes boolean, day date, moment timestamptz, name text, data bytea,
    id uuid, plain json, binary_json jsonb, tags text[]
) on commit drop
"""
TYPES = (
    *("int4", "int2", "int8", "bool", "date", "timestamptz", "text", "bytea"),
    *("uuid", "json", "jsonb", "text[]"),
)
MOMENTS = st.integers(-(2**52), 2**52).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))
TEXTS = st.one_of(
    st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
    st.sampled_from(["x" * 65_535, "ä" * 40_000]),
)
FIELDS = (
    st.integers(-(2**15), 2**15 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.dates(min_value=date(1800, 1, 1), max_value=date(2200, 1, 1)),
    MOMENTS,
    TEXTS,
    st.binary(),
    st.uuids(),
    st.dictionaries(TEXTS, st.integers(0, 9), max_size=2),
    st.dictionaries(st.text("ab"), st.integers(0, 9), max_size=2),
    st.lists(st.none() | TEXTS, max_size=3),
)
ROWS = st.lists(st.tuples(*(st.none() | field for field in FIELDS)), max_size=12)


def frame_of(rows):
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in FIELDS]
    small, number, yes, day, moment, name, data, identifier, plain, binary_json, tags = columns
    texts = [pl.Series([None if each is None else json.dumps(each) for each in said]) for said in (plain, binary_json)]
    return pl.DataFrame(
        {
            "position": pl.Series(range(len(rows)), dtype=pl.Int32),
            "small": pl.Series(small, dtype=pl.Int16),
            "number": pl.Series(number, dtype=pl.Int64),
            "yes": pl.Series(yes, dtype=pl.Boolean),
            "day": pl.Series([None if each is None else (each - EPOCH.date()).days for each in day], dtype=pl.Int32),
            "moment": pl.Series(moment, dtype=pl.Datetime("us", "UTC")).dt.epoch("us")
            - int(EPOCH.timestamp()) * 1_000_000,
            "name": pl.Series(name, dtype=pl.String),
            "data": pl.Series(data, dtype=pl.Binary),
            "id": pl.Series([None if each is None else each.bytes for each in identifier], dtype=pl.Binary),
            "plain": texts[0].cast(pl.String),
            "binary_json": texts[1].cast(pl.String),
            "tags": pl.Series(tags, dtype=pl.List(pl.String)),
        }
    )


@SETTINGS
@given(rows=ROWS)
def test_columns_come_out_as_they_went_in(database, rows):
    """All types, empty and not, in one chunk."""
    with database.transaction() as tx:
        tx.execute(CREATE)
        assert copy_columns(tx, table="pg_temp.given", frame=frame_of(rows), types=TYPES) == len(rows)
        found = tx.execute("select * from pg_temp.given order by position").fetchall()
    assert [row[1:] for row in found] == rows


def test_columns_of_many_chunks(database):
    """The rows of several chunks, and values of many lengths."""
    count = CHUNK_ROWS + 7
    numbers = pl.Series("number", range(count), dtype=pl.Int64)
    frame = numbers.to_frame().with_columns(name=pl.lit("x").repeat_by(numbers % 7).list.join("") + numbers.cast(str))
    with database.transaction() as tx:
        tx.execute("create temp table many (number int8, name text) on commit drop")
        copy_columns(tx, table="pg_temp.many", frame=frame, types=("int8", "text"))
        found = tx.execute(
            "select count(*), sum(number), bool_and(name = repeat('x', (number % 7)::int) || number) from pg_temp.many"
        ).fetchall()
    assert found == [(count, count * (count - 1) // 2, True)]


def test_ids_by_the_many_are_of_version_7():
    """As `uuid7` gives them one by one."""
    for ids in (RandomIds(), SeededIds(3)):
        drawn = [UUID(bytes=each) for each in ids.uuid7_bytes(NOW, 500)]
        assert drawn == sorted(set(drawn))
        assert len(drawn) == 500
        assert ids.uuid7_bytes(NOW, 0) == []
        assert {each.version for each in drawn} == {7}
        assert {each.variant for each in drawn} == {ids.uuid7(NOW).variant}
        assert {each.int >> 80 for each in drawn} == {ids.uuid7(NOW).int >> 80}
