"""The golden table as SQL: decide, compare with what is stored, write what differs."""

from collections.abc import Sequence

from comity.profile import names
from comity.profile.decide_sql import decide
from comity.profile.types import Attribute, Unit

OF_PROFILES = "profile_id = any(%(profile_ids)b)"
OF_ALL = "true"


def refresh(attributes: Sequence[Attribute], units: Sequence[Unit], *, scope: str) -> str:
    """Return the statement that decides golden rows and writes those that are new or differ; it returns their ids.

    Rows that exist are expected to be locked. A row somebody else inserted meanwhile is left out, and the count of the
    ids shows it to be missing: the last column of the only row is the number of rows that should have been written.
    """
    columns = [names.column(attribute.name) for attribute in attributes]
    listed = ", ".join(columns)
    stored, decided = (", ".join(f"{table}.{column}" for column in columns) for table in ("g", "d"))
    return f"""\
with decided as (
{decide(attributes, units, scope=scope)}
), differing as materialized (
    select d.profile_id, {decided}, g.ctid as place__
    from decided d left join profile.golden g on g.profile_id = d.profile_id
    where g.profile_id is null or row({stored}) is distinct from row({decided})
), inserted as (
    insert into profile.golden (profile_id, rules_version, updated_at, {listed})
    select d.profile_id, %(rules_version)s, %(now)s, {decided} from differing d where place__ is null
    on conflict (profile_id) do nothing
    returning profile_id
), updated as (
    update profile.golden g set (rules_version, updated_at, {listed}) = row(%(rules_version)s, %(now)s, {decided})
    from differing d
    where g.ctid = d.place__ and g.profile_id = d.profile_id
    returning g.profile_id
)
select coalesce(array_agg(profile_id), '{{}}'), (select count(*) from differing)
from (select profile_id from inserted union all select profile_id from updated) as saved
"""  # noqa: S608 - quoted by `names`.


def insert_all(attributes: Sequence[Attribute], units: Sequence[Unit]) -> str:
    """Return the statement that decides the golden rows of all profiles into an empty table."""
    listed = ", ".join(names.column(attribute.name) for attribute in attributes)
    return f"""\
insert into profile.golden (profile_id, rules_version, updated_at, {listed})
select profile_id, %(rules_version)s, %(now)s, {listed} from (
{decide(attributes, units, scope=OF_ALL)}
) as decided
"""  # noqa: S608 - quoted by `names`.
