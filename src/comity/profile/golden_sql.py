"""The golden table as SQL: decide, compare with what is stored, write what differs."""

from collections.abc import Sequence

from comity.profile import names
from comity.profile.decide_sql import decide
from comity.profile.types import Attribute, Unit

OF_PROFILES = "profile_id = any(%(profile_ids)b)"
OF_ALL = "true"


def refresh(attributes: Sequence[Attribute], units: Sequence[Unit], *, scope: str, is_alone: bool) -> str:
    """Return the statement that decides golden rows and writes those that are new or differ; it returns their ids.

    Two who decide on one profile at a time must do so one after the other, each seeing what the other has observed. So
    unless who runs it `is_alone`, rows that come out the same are written as well: then the row of the one is not where
    the other has seen it, who counts it as missed. The last column of the only row is the number of rows that were
    missed; they are to be decided again.
    """
    columns = [names.column(attribute.name) for attribute in attributes]
    listed = ", ".join(columns)
    stored, decided = (", ".join(f"{table}.{column}" for column in columns) for table in ("g", "d"))
    is_changed = f"g.profile_id is null or row({stored}) is distinct from row({decided})"
    return f"""\
with decided as (
{decide(attributes, units, scope=scope)}
), compared as materialized (
    select d.profile_id, {decided}, g.ctid as place__, {is_changed} as is_changed__
    from decided d left join profile.golden g on g.profile_id = d.profile_id
    {f"where {is_changed}" if is_alone else ""}
    order by d.profile_id
), inserted as (
    insert into profile.golden (profile_id, rules_version, updated_at, {listed})
    select d.profile_id, %(rules_version)s, %(now)s, {decided} from compared d where place__ is null
    on conflict (profile_id) do nothing
    returning profile_id, true as is_changed__
), updated as (
    update profile.golden g set (rules_version, updated_at, {listed}) = row(
        case when d.is_changed__ then %(rules_version)s else g.rules_version end,
        case when d.is_changed__ then %(now)s else g.updated_at end, {decided})
    from compared d
    where g.ctid = d.place__ and g.profile_id = d.profile_id
    returning g.profile_id, d.is_changed__
)
select coalesce(array_agg(profile_id) filter (where is_changed__), '{{}}'), (select count(*) from compared) - count(*)
from (select * from inserted union all select * from updated) as saved
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
