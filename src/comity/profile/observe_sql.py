"""The arrival of observations as SQL: what is staged is compared with what is known, value by value.

Each value of an arriving version gets a verdict:

- SILENT: the version does not contain the attribute, or says what is known for that time. Nothing happens.
- ECHO: it is what Comity wrote. Nothing happens: neither value nor time of the record's own opinion moves. But where
  another attribute of its group is NEW, whoever changed that saw and kept what Comity wrote: it is the record's opinion
  from now on, since a group moves as one.
- LATE: it differs, but a newer version of the record has been seen. It is ignored.
- SEEN: it is what is known; known to hold at a later time now.
- NEW: it differs (or somebody has undone what Comity wrote): value and time are taken over.
- FILLED: it is late, but tells that a value that seemed empty from the start was once there, so it has been cleared.

An empty value in a record that never had one is no opinion ("A__at" stays null); in one that had, it clears.
"""

from collections.abc import Sequence

from comity.profile import names
from comity.profile.types import Attribute

OBSERVATION = "profile.observation"
"""Where what records say is kept."""

SILENT, ECHO, LATE, SEEN, NEW, FILLED = range(6)

MASK_BITS_MAX = 62
"""Bits of one mask column that say which attributes a version contains."""


def mask_columns(attribute_count: int) -> list[str]:
    """Names of the mask columns of the staging table."""
    return [f"mask__{number}" for number in range((attribute_count + MASK_BITS_MAX - 1) // MASK_BITS_MAX)]


def stage_create(attributes: Sequence[Attribute], *, table: str) -> str:
    """Return the statement that makes the staging table of this session; its rows live as long as the transaction."""
    columns = [
        "record_id bigint",
        "profile_id uuid",
        "system text",
        "stream text",
        "external_id text",
        "changed_at__ timestamptz",
        "wave__ smallint",
        *(f"{name} bigint" for name in mask_columns(len(attributes))),
        *(f"{names.column(attribute.name)} {attribute.type.column_type}" for attribute in attributes),
    ]
    return f"create temp table if not exists {names.column(table)} ({', '.join(columns)}) on commit delete rows"


def observe(attributes: Sequence[Attribute], *, table: str, observation: str = OBSERVATION) -> str:
    """Return the statement that takes in one wave of the staging table and answers with one row of counts and ids.

    Everybody locks records in the order of their ids. So the first wave also writes those that a later one may change,
    as they are: that one would begin from the front again.
    """
    judged = ",\n    ".join(
        f"{_verdict(number, attribute)} as {_verdict_name(attribute)}" for number, attribute in enumerate(attributes)
    )
    return f"""\
with counted as materialized (
    select *,
        is_changed__ or {_any(attributes, SEEN)}
            or record_id in (select l.record_id from {names.column(table)} l where l.wave__ > %(wave)s) as is_written__,
        {_any(attributes, ECHO)} as is_echo__,
        {_any(attributes, LATE)} as is_late__
    from (
    select *, place__ is null or old_profile_id__ <> profile_id or {_any(attributes, NEW, FILLED)} as is_changed__
    from (
    select s.*, o.ctid as place__, o.xmin as version__, o.profile_id as old_profile_id__, o.written, o.written_at,
    {_known(attributes)},
    {judged}
    from {names.column(table)} s left join {observation} o on o.record_id = s.record_id
    where s.wave__ = %(wave)s
    offset 0
    ) as judged
    ) as changed
    order by record_id
), inserted as (
    insert into {observation} (record_id, profile_id, system, stream, external_id, {_names(attributes)})
    select record_id, profile_id, system, stream, external_id,
        {_values(attributes)}
    from counted c
    where place__ is null
    on conflict (record_id) do nothing
    returning record_id
), updated as (
    update {observation} o set profile_id = c.profile_id, written = {_written(attributes)},
        ({_names(attributes)}) = row(
        {_values(attributes)})
    from counted c
    where o.ctid = c.place__ and o.xmin = c.version__ and c.is_written__
    returning c.is_changed__
)
select
    coalesce(array_agg(distinct profile_id) filter (where is_changed__), '{{}}'),
    coalesce(array_agg(distinct old_profile_id__) filter (where old_profile_id__ <> profile_id), '{{}}'),
    (select count(*) from inserted) + (select count(*) filter (where is_changed__) from updated),
    count(*) filter (where is_written__)
        - (select count(*) from inserted) - (select count(*) from updated),
    count(*) filter (where is_echo__),
    count(*) filter (where is_late__)
from counted
"""  # noqa: S608 - quoted by `names`.


def _verdict_name(attribute: Attribute) -> str:
    return names.column(f"{attribute.name}__verdict")


def _known_name(attribute: Attribute) -> str:
    return names.column(f"{attribute.name}__known")


def _known(attributes: Sequence[Attribute]) -> str:
    return ",\n    ".join(
        f"o.{names.column(each.name)} as {_known_name(each)}, o.{names.at(each.name)}, o.{names.seen(each.name)}"
        for each in attributes
    )


def _verdict(number: int, attribute: Attribute) -> str:
    """The order of the cases is the rule; see the top of this file."""
    mask = f"s.mask__{number // MASK_BITS_MAX}"
    bit = 1 << number % MASK_BITS_MAX
    value, known = f"s.{names.column(attribute.name)}", f"o.{names.column(attribute.name)}"
    changed = f"o.{names.at(attribute.name)}"
    last = f"coalesce(o.{names.seen(attribute.name)}, {changed})"
    key = names.text_constant(attribute.name)
    is_written = f"(o.written_at is not null and o.written ? {key})"
    written = f"(o.written ->> {key})::{attribute.type.column_type}"
    is_news = f"({last} is null or s.changed_at__ > {last})"
    is_same = f"{value} is not distinct from {known}"
    return f"""case
        when {mask} & {bit} = 0 then {SILENT}
        when {is_written} and {value} is not distinct from {written} then {ECHO}
        when s.changed_at__ < {last} then case
            when {is_same} then {SILENT} when {changed} is null then {FILLED} else {LATE} end
        when {is_same} then case
            when {is_written} and s.changed_at__ >= o.written_at and {is_news} then {NEW}
            when s.changed_at__ = {last} then {SILENT} else {SEEN} end
        else {NEW} end"""


def _any(attributes: Sequence[Attribute], *verdicts: int) -> str:
    listed = ", ".join(map(str, verdicts))
    if len(verdicts) == 1:
        return f"{listed} in ({', '.join(map(_verdict_name, attributes))})"
    return "(" + " or ".join(f"{_verdict_name(each)} in ({listed})" for each in attributes) + ")"


def _names(attributes: Sequence[Attribute]) -> str:
    return ", ".join(
        f"{names.column(each.name)}, {names.at(each.name)}, {names.seen(each.name)}" for each in attributes
    )


def _is_taken(each: Attribute, attributes: Sequence[Attribute]) -> str:
    """The value becomes the record's own opinion: it is new, or kept by whoever changed another of its group."""
    verdict = _verdict_name(each)
    beside = [other for other in attributes if each.group and other.group == each.group and other.name != each.name]
    if not beside:
        return f"{verdict} = {NEW}"
    return f"({verdict} = {NEW} or {verdict} = {ECHO} and {_any(beside, NEW)})"


def _values(attributes: Sequence[Attribute]) -> str:
    return ",\n        ".join(
        f"case when {_is_taken(each, attributes)} then c.{names.column(each.name)} else {_known_name(each)} end, "
        f"case when {_is_taken(each, attributes)} then c.changed_at__ "
        f"when {_verdict_name(each)} = {FILLED} then c.{names.seen(each.name)} else c.{names.at(each.name)} end, "
        f"case when {_is_taken(each, attributes)} or {_verdict_name(each)} = {FILLED} then null "
        f"when {_verdict_name(each)} = {SEEN} then c.changed_at__ else c.{names.seen(each.name)} end"
        for each in attributes
    )


def _written(attributes: Sequence[Attribute]) -> str:
    """What was written counts no more where the record says something else since; an edit from before says nothing."""
    taken = ", ".join(
        f"case when {_is_taken(each, attributes)} then {names.text_constant(each.name)} end" for each in attributes
    )
    return (
        "case when c.written = '{}' or c.changed_at__ < c.written_at then c.written "
        f"else c.written - array_remove(array[{taken}]::text[], null) end"
    )
