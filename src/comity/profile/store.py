"""Statements of the profile room."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from comity.definitions.types import AttributeType
from comity.kernel.arrays import Uuids
from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder, copy_in, execute_text, fetch_text
from comity.profile import names, observe_sql, rules
from comity.profile.types import AdoptedRecord, Attribute, Contended, ObservationBatch, ProfileModel

if TYPE_CHECKING:
    from polars import DataFrame

_sql = SqlFolder(__package__)

LOOK_UP_TYPES = (AttributeType.EMAIL, AttributeType.PHONE)
ATTEMPTS_MAX = 10
BEGIN_FILLING = """
drop index profile.observation_by_profile;
alter table profile.observation drop constraint observation_pkey;
alter table profile.observation set (fillfactor = 70);
alter table profile.golden set (fillfactor = 70)
"""
END_FILLING = """
alter table profile.observation set (fillfactor = 90);
alter table profile.golden set (fillfactor = 90)
"""
"""A first load leaves more room in pages than later rows do. Pages are tidied by who reads them where dead rows leave
less than the latter: so once in some four versions, and not after each."""
CREATE_PRIMARY_KEY = "alter table profile.observation add constraint observation_pkey primary key (record_id)"
CREATE_BY_PROFILE = "create index observation_by_profile on profile.observation (profile_id)"
SORT_MEMORY = "512MB"
"""What one big sort may take, so that it stays in memory."""

REPLAYED = "pg_temp.profile_replayed"
"""Where what records said is told again."""

REPLAY_CREATE = "create temp table profile_replayed (like profile.observation including defaults including indexes)"
REPLAY_COPY = """
insert into pg_temp.profile_replayed (record_id, profile_id, system, stream, external_id{names})
select record_id, %(profile_id)s, system, stream, external_id{values}
from profile.observation where record_id = %(record_id)s
"""
REPLAY_MOVE = "update pg_temp.profile_replayed set profile_id = %(profile_id)s where record_id = %(record_id)s"
REPLAY_DROP = "delete from pg_temp.profile_replayed where record_id = %(record_id)s"
REPLAY_NOTE = """
update pg_temp.profile_replayed set written = written || %(written)s::jsonb, written_at = %(written_at)s
where record_id = %(record_id)s
"""

_SPELLED = {"timestamptz": "timestamp with time zone"}


class Observed(msgspec.Struct, kw_only=True):
    """What the arrival of a batch did to the observations."""

    profile_ids: set[UUID]
    left_profile_ids: set[UUID]
    applied_count: int = 0
    echo_count: int = 0
    late_count: int = 0


def list_columns(tx: Tx) -> dict[tuple[str, str], str]:
    """Return the type of each column by (table, column)."""
    return {(row[0], row[1]): row[2] for row in _sql.list_columns.rows(tx)}


def is_column_of(attribute: Attribute, found: str) -> bool:
    """True when a column of this type holds the values of the attribute."""
    return found == _SPELLED.get(attribute.type.column_type, attribute.type.column_type)


def add_columns(tx: Tx, *, attributes: Sequence[Attribute]) -> None:
    """Add the columns of attributes to both tables, and an index where values are looked up."""
    if not attributes:
        return
    said = ", ".join(
        f"add column if not exists {names.column(each.name)} {each.type.column_type}, "
        f"add column if not exists {names.at(each.name)} timestamptz, "
        f"add column if not exists {names.seen(each.name)} timestamptz"
        for each in attributes
    )
    execute_text(tx, f"alter table profile.observation {said}")
    golden = ", ".join(
        f"add column if not exists {names.column(each.name)} {each.type.column_type}" for each in attributes
    )
    execute_text(tx, f"alter table profile.golden {golden}")
    _create_look_up_indexes(tx, attributes)


def _create_look_up_indexes(tx: Tx, attributes: Sequence[Attribute]) -> None:
    for attribute in attributes:
        if attribute.type in LOOK_UP_TYPES:
            execute_text(
                tx,
                f"create index if not exists {_look_up_index(attribute)} "
                f"on profile.golden ({names.column(attribute.name)})",
            )


def _look_up_index(attribute: Attribute) -> str:
    return names.column(f"golden_by_{attribute.name}")


def observe(tx: Tx, *, batch: ObservationBatch, model: ProfileModel) -> Observed:
    """Stage a batch and take it in, wave by wave."""
    waves = rules.plan_waves(batch.record_ids, batch.changed_ats)
    _stage(tx, batch=batch, waves=waves, model=model)
    observed = Observed(profile_ids=set(), left_profile_ids=set())
    for wave in range(max(waves) + 1):
        _observe_wave(tx, observed, wave=wave, model=model)
    return observed


def _observe_wave(tx: Tx, observed: Observed, *, wave: int, model: ProfileModel) -> None:
    """Take in one wave; once more when somebody else changed a record between our reading and our writing."""
    for attempt in range(ATTEMPTS_MAX):
        ((changed, left, applied_count, raced_count, echo_count, late_count),) = fetch_text(
            tx, model.texts.observe, {"wave": wave}
        )
        observed.profile_ids.update(changed)
        observed.left_profile_ids.update(left)
        observed.applied_count += applied_count
        if attempt == 0:
            observed.echo_count += echo_count
            observed.late_count += late_count
        if not raced_count:
            return
    raise Contended


def _stage(tx: Tx, *, batch: ObservationBatch, waves: Sequence[int], model: ProfileModel) -> None:
    table = model.texts.stage_table
    execute_text(tx, model.texts.stage_create)
    execute_text(tx, f"delete from pg_temp.{names.column(table)}")  # noqa: S608 - quoted by `names`.
    given = [batch.columns.get(attribute.name) for attribute in model.attributes]
    row_count = len(batch.record_ids)
    masks = rules.plan_masks(given, row_count=row_count, bits_max=observe_sql.MASK_BITS_MAX)
    nothing = [None] * row_count
    values = [nothing if column is None else rules.without_absent(column) for column in given]
    copy_in(
        tx,
        table=f"pg_temp.{table}",
        columns=[
            *("record_id", "profile_id", "system", "stream", "external_id", "changed_at__", "wave__"),
            *observe_sql.mask_columns(len(given)),
            *(attribute.name for attribute in model.attributes),
        ],
        types=[
            *("int8", "uuid", "text", "text", "text", "timestamptz", "int2"),
            *("int8" for _ in masks),
            *(attribute.type.column_type for attribute in model.attributes),
        ],
        rows=zip(
            *(batch.record_ids, batch.profile_ids, batch.systems, batch.streams, batch.external_ids),
            *(batch.changed_ats, waves),
            *masks,
            *values,
            strict=True,
        ),
    )


def refresh(tx: Tx, *, profile_ids: Sequence[UUID], model: ProfileModel, now: datetime) -> list[UUID]:
    """Decide golden rows anew and return the profiles whose row is new or differs."""
    params = {"profile_ids": Uuids(profile_ids), "rules_version": model.rules_version, "now": now}
    changed: list[UUID] = []
    for _ in range(ATTEMPTS_MAX):
        ((saved, missed_count),) = fetch_text(tx, model.texts.refresh, params)
        changed += saved
        if not missed_count:
            return changed
    raise Contended


def remove_golden(tx: Tx, *, profile_ids: Sequence[UUID]) -> list[UUID]:
    """Remove the golden rows of profiles without records."""
    return [row[0] for row in _sql.remove_golden.rows(tx, profile_ids=list(profile_ids))]


def refresh_all(tx: Tx, *, model: ProfileModel, now: datetime) -> int:
    """Decide all golden rows anew while nobody else writes them; return how many are new or differ."""
    execute_text(tx, "lock table profile.golden in exclusive mode")
    ((changed, _),) = fetch_text(tx, model.texts.rebuild, {"rules_version": model.rules_version, "now": now})
    return len(changed)


def remove_golden_all(tx: Tx) -> int:
    """Remove the golden rows of all profiles without records."""
    return _sql.remove_golden_all.execute(tx)


def move_records(tx: Tx, *, moves: Mapping[int, UUID]) -> list[UUID]:
    """Give records to other profiles; return the profiles that lost or won one."""
    rows = _sql.move_records.rows(tx, record_ids=list(moves), profile_ids=list(moves.values()))
    return rules.unique(profile_id for row in rows for profile_id in row)


def drop_observations(tx: Tx, *, record_ids: Sequence[int]) -> list[UUID]:
    """Forget what records said; return the profiles that lost one."""
    return [row[0] for row in _sql.drop_observations.rows(tx, record_ids=list(record_ids))]


def note_written(tx: Tx, *, written: Mapping[int, Mapping[str, str | None]], now: datetime) -> None:
    """Remember what was written into records."""
    texts = [msgspec.json.encode(values).decode() for values in written.values()]
    _sql.note_written.execute(tx, record_ids=list(written), written=texts, now=now)


def forget_written(tx: Tx, *, attributes: Mapping[int, Sequence[str]]) -> None:
    """Forget what was written into attributes of records."""
    texts = [msgspec.json.encode(list(names)).decode() for names in attributes.values()]
    _sql.forget_written.execute(tx, record_ids=list(attributes), attributes=texts)


def adopt_records(tx: Tx, *, records: Sequence[AdoptedRecord]) -> None:
    """Make room for records that Comity created."""
    _sql.adopt_records.execute(
        tx,
        record_ids=[record.record_id for record in records],
        profile_ids=[record.profile_id for record in records],
        systems=[record.system for record in records],
        streams=[record.stream for record in records],
        external_ids=[record.external_id for record in records],
    )


def count_profiles(tx: Tx) -> int:
    """Count golden rows."""
    return int(_sql.count_profiles.value(tx))


def filter_profiles(tx: Tx, *, profile_ids: Sequence[UUID], condition: str, today: date) -> list[UUID]:
    """Return those of the profiles for whom a compiled condition holds."""
    text = (
        "select g.profile_id from profile.golden g "  # noqa: S608 - compiled from the allow-list of conditions.
        f"where g.profile_id = any(%(profile_ids)s::uuid[]) and ({condition})"
    )
    return [row[0] for row in fetch_text(tx, text, {"profile_ids": list(profile_ids), "today": today})]


def list_profiles(tx: Tx, *, profile_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return golden rows by profile."""
    statement = _sql.list_profiles
    with tx.cursor(row_factory=dict_row) as cursor:
        # Never prepared: the table gets columns while sessions live, which a prepared `select *` does not survive.
        rows = cursor.execute(statement.text, {"profile_ids": list(profile_ids)}, prepare=False).fetchall()
    return {row["profile_id"]: row for row in rows}


def find_profiles(tx: Tx, *, attribute: Attribute, value: Any, found_max: int) -> list[UUID]:
    """Return the profiles with a golden value."""
    text = (
        f"select profile_id from profile.golden where {names.column(attribute.name)} = "  # noqa: S608 - quoted by `names`.
        f"%(value)s::{attribute.type.column_type} order by profile_id limit %(found_max)s"
    )
    return [row[0] for row in fetch_text(tx, text, {"value": value, "found_max": found_max})]


@contextmanager
def bulk_load(tx: Tx, *, attributes: Sequence[Attribute]) -> Generator[bool]:
    """Take the indexes away while empty tables are filled; yield True when they were empty."""
    execute_text(tx, "lock table profile.observation, profile.golden in exclusive mode")
    is_first = bool(_sql.is_empty.value(tx))
    if is_first:
        execute_text(tx, BEGIN_FILLING)
        for attribute in attributes:
            if attribute.type in LOOK_UP_TYPES:
                execute_text(tx, f"drop index if exists profile.{_look_up_index(attribute)}")
    yield is_first
    if is_first:
        execute_text(tx, CREATE_PRIMARY_KEY)
        execute_text(tx, CREATE_BY_PROFILE)
        _create_look_up_indexes(tx, attributes)
        execute_text(tx, END_FILLING)


def copy_observations(tx: Tx, *, observations: "DataFrame", types: Sequence[str]) -> int:
    """Append observations of records nobody has seen; types are those on the wire."""
    from comity.kernel.columns import copy_columns

    return copy_columns(tx, table="profile.observation", frame=observations, types=types)


def insert_golden(tx: Tx, *, model: ProfileModel, now: datetime) -> int:
    """Decide all golden rows into the empty table; return how many there are."""
    execute_text(tx, f"set local work_mem = '{SORT_MEMORY}'")
    return execute_text(tx, model.texts.insert_all, {"rules_version": model.rules_version, "now": now})


def explain(tx: Tx, *, profile_id: UUID, text: str) -> tuple[Any, ...] | None:
    """Run the compiled explanation of an attribute for one profile; None when no record belongs to it."""
    rows = fetch_text(tx, text, {"profile_ids": [profile_id]})
    return rows[0] if rows else None


@contextmanager
def lend_replay(tx: Tx) -> Generator[None]:
    """Make the table; it is taken back with all that was done to it, and the statement cache forgets it."""
    with tx.transaction(force_rollback=True):
        execute_text(tx, REPLAY_CREATE)
        yield


def replay_copy(
    tx: Tx, *, record_id: int, profile_id: UUID, attributes: Sequence[Attribute], until: datetime | None
) -> None:
    """Bring in a record with what is stored of these attributes and came about before a time (None: all of it)."""
    columns, values = "", ""
    for name in (each.name for each in attributes):
        is_before = f"{names.at(name)} < coalesce(%(until)s::timestamptz, 'infinity')"
        for column in (names.column(name), names.at(name)):
            columns += f", {column}"
            values += f", case when {is_before} then {column} end"
    params = {"record_id": record_id, "profile_id": profile_id, "until": until}
    execute_text(tx, REPLAY_COPY.format(names=columns, values=values), params)


def replay_move(tx: Tx, *, record_id: int, profile_id: UUID) -> None:
    """Give a record to another profile."""
    execute_text(tx, REPLAY_MOVE, {"record_id": record_id, "profile_id": profile_id})


def replay_drop(tx: Tx, *, record_id: int) -> None:
    """Forget what a record said."""
    execute_text(tx, REPLAY_DROP, {"record_id": record_id})


def replay_written(tx: Tx, *, record_id: int, written: Mapping[str, str | None], written_at: datetime) -> None:
    """Take values for ones that Comity wrote into a record."""
    params = {"record_id": record_id, "written": msgspec.json.encode(written).decode(), "written_at": written_at}
    execute_text(tx, REPLAY_NOTE, params)


def replay_decide(tx: Tx, *, profile_id: UUID, text: str) -> tuple[Any, ...] | None:
    """Run a compiled decision for one profile; None when no record belongs to it."""
    rows = fetch_text(tx, text, {"profile_ids": [profile_id]})
    return rows[0] if rows else None
