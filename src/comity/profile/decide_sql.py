"""The decision as SQL: from the observations of some profiles to their golden values.

Built from inside out, one select around the other:

1. the observations, with system, stream and external id as the order that breaks ties;
2. where an entry compares by two things (rank of the system, then time), the best of the first one in the profile;
3. one row a profile: all values of an attribute as an array in tie order, and for each entry the position of the
   winner in it, which is the first one with the greatest key;
4. the values of the units that have no conditions;
5. the values of the others, whose conditions see those of step 4.

One sort serves all. The sort order is total, so the outcome does not depend on the order of arrival.
"""

from collections.abc import Sequence

import msgspec

from comity.definitions.types import AttributeType, MergeKind, RuleKind
from comity.profile import names
from comity.profile.types import Attribute, Entry, Unit

TIE = "tie_a__, tie_b__, tie_c__"
"""The order that breaks ties: system, stream, external id, each by code point."""

WHOLE = f"partition by profile_id order by {TIE} rows between unbounded preceding and unbounded following"
"""The whole profile as a window, in the order the aggregates want as well, so that rows are sorted once."""

ONCE = "offset 0"
"""Keeps the planner from folding the selects into one, which would compute the winners again for every use."""

_MERGE_AGGREGATES = {
    MergeKind.LONGEST: "max",
    MergeKind.MAX: "max",
    MergeKind.MIN: "min",
    MergeKind.ALL: "bool_and",
    MergeKind.ANY: "bool_or",
}


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """How an entry compares candidates: by `first` (its best value by `aggregate`), then by the greatest `second`."""

    takes_part: str
    first: str | None
    aggregate: str
    second: str
    is_partial: bool


def pick_of(unit: Unit, entry: Entry) -> Pick | None:
    """Say how the entry picks a winner; None for a union, which has none."""
    time = time_of(unit)
    is_partial = bool(entry.systems) and entry.rule is not RuleKind.SYSTEM_OF_RECORD
    takes_part = f"{time} is not null"
    if entry.rule is RuleKind.MERGE:
        if entry.merge is None or entry.merge is MergeKind.UNION:
            return None
        value = names.column(unit.members[0])
        takes_part = f"{value} is not null{_listed(entry)}"
        first = f"length({value})" if entry.merge is MergeKind.LONGEST else value
        return Pick(
            takes_part=takes_part,
            first=first,
            aggregate=_MERGE_AGGREGATES[entry.merge],
            second=time,
            is_partial=is_partial,
        )
    if entry.rule is RuleKind.SYSTEM_OF_RECORD:
        return Pick(takes_part=takes_part, first=rank_of(entry), aggregate="min", second=time, is_partial=is_partial)
    if entry.systems:
        takes_part += _listed(entry)
        return Pick(
            takes_part=takes_part, first=time, aggregate="max", second=f"-{rank_of(entry)}", is_partial=is_partial
        )
    return Pick(takes_part=takes_part, first=None, aggregate="max", second=time, is_partial=is_partial)


def time_of(unit: Unit) -> str:
    """When a unit came about in a record: for a group the latest time of its members."""
    times = ", ".join(map(names.at, unit.members))
    return times if len(unit.members) == 1 else f"greatest({times})"


def rank_of(entry: Entry) -> str:
    """Rank of a record's system in the order of the entry, from 0; systems that are not listed come after all."""
    listed = " ".join(f"when {names.text_constant(system)} then {rank}" for rank, system in enumerate(entry.systems))
    return f"(case system {listed} else {len(entry.systems)} end)" if listed else "0"


def _listed(entry: Entry) -> str:
    return f" and system in ({', '.join(map(names.text_constant, entry.systems))})" if entry.systems else ""


def decide(attributes: Sequence[Attribute], units: Sequence[Unit], *, scope: str) -> str:
    """Return a select of `profile_id` and every attribute by name; `scope` says which observations take part."""
    return _Decision(attributes, units).select(scope)


def explain(attributes: Sequence[Attribute], units: Sequence[Unit], *, unit: Unit, member: str, scope: str) -> str:
    """Return a select of all that bears on one attribute of one profile, out of the very decision.

    Its row holds arrays over the records in tie order (ids, systems, streams, external ids, times, values), the
    position of each entry's winner, whether each entry's condition holds, the value decided and the value stored.
    """
    decision = _Decision(attributes, units)
    number = decision.place[unit.name]
    winners = [
        "null" if pick_of(unit, entry) is None else f"d.i__{number}_{place}" for place, entry in enumerate(unit.entries)
    ]
    held = [f"coalesce({entry.condition}, false)" if entry.condition else "true" for entry in unit.entries]
    value = names.column(member)
    said = [f"array_agg({item} order by {TIE}) as {name}" for name, item in _said(unit)]
    return (
        f"select d.records__, d.systems__, d.streams__, d.external_ids__, d.times__, d.{_values(member)},\n"  # noqa: S608 - quoted by `names`.
        f"    array[{', '.join(winners)}]::int[], d.held__, d.{value}, g.{value}\n"
        f"from (select *, array[{', '.join(held)}] as held__ from (\n"
        f"{decision.select(scope, said)}\n) as decided) as d left join profile.golden g on g.profile_id = d.profile_id"
    )


def _said(unit: Unit) -> list[tuple[str, str]]:
    return [
        ("records__", "record_id"),
        ("systems__", "system"),
        ("streams__", "stream"),
        ("external_ids__", "external_id"),
        ("times__", time_of(unit)),
    ]


class _Decision:
    """Inner columns: `v__A` values of A, and of entry M of unit N: `i__N_M` winner, `u__N_M` union, `b__N_M` best.

    No attribute has two underscores in a row, so none is called like an inner column.
    """

    def __init__(self, attributes: Sequence[Attribute], units: Sequence[Unit]) -> None:
        self.attributes = attributes
        self.units = units
        self.types = {attribute.name: attribute.type for attribute in attributes}
        self.place = {unit.name: number for number, unit in enumerate(units)}

    def select(self, scope: str, extra: Sequence[str] = ()) -> str:
        """Wrap step around step; `extra` is gathered as well."""
        text = self._best(self._ordered(scope))
        gathered = _lines([*self._gathered(), *extra])
        text = f"select profile_id,\n    {gathered}\nfrom (\n{text}\n) as compared\ngroup by profile_id {ONCE}"
        text = self._valued(text, is_conditional=False)
        if any(unit.is_conditional for unit in self.units):
            text = self._valued(text, is_conditional=True)
        return text

    def _ordered(self, scope: str) -> str:
        said = [each for name in self.types for each in (names.column(name), names.at(name))]
        return (
            f"select profile_id, record_id, system, stream, external_id, {', '.join(said)},\n"
            '    system collate "C" as tie_a__, stream collate "C" as tie_b__, external_id collate "C" as tie_c__\n'
            f"from profile.observation\nwhere {scope}"
        )

    def picks(self) -> list[tuple[str, Pick]]:
        """All picks with the suffix of their inner columns."""
        found = [
            (f"{number}_{place}", pick_of(unit, entry))
            for number, unit in enumerate(self.units)
            for place, entry in enumerate(unit.entries)
        ]
        return [(suffix, pick) for suffix, pick in found if pick is not None]

    def _best(self, inner: str) -> str:
        best = [
            f"{pick.aggregate}({pick.first}) filter (where {pick.takes_part}) over same as b__{suffix}"
            for suffix, pick in self.picks()
            if pick.first is not None
        ]
        if not best:
            return inner
        listed = _lines(best)
        return f"select *,\n    {listed}\nfrom (\n{inner}\n) as ordered\nwindow same as ({WHOLE})"

    def _gathered(self) -> list[str]:
        gathered = [
            f"array_agg({_elements(attribute)} order by {TIE}) as {_values(attribute.name)}"
            for attribute in self.attributes
        ]
        gathered += [f"{_position(suffix, pick)} as i__{suffix}" for suffix, pick in self.picks()]
        gathered += [
            f"array_agg({names.column(unit.members[0])}::text order by {TIE}) filter (where "
            f"{names.column(unit.members[0])} is not null{_listed(entry)}) as u__{number}_{place}"
            for number, unit in enumerate(self.units)
            for place, entry in enumerate(unit.entries)
            if pick_of(unit, entry) is None
        ]
        return gathered

    def _valued(self, inner: str, *, is_conditional: bool) -> str:
        chosen = [
            f"{self._value(unit, member)} as {names.column(member)}"
            for unit in self.units
            if unit.is_conditional is is_conditional
            for member in unit.members
        ]
        label = "decided" if is_conditional else "gathered"
        return f"select *,\n    {_lines(chosen)}\nfrom (\n{inner}\n) as {label}" if chosen else inner

    def _value(self, unit: Unit, member: str) -> str:
        values = [self._entry_value(unit, place, member) for place in range(len(unit.entries))]
        cases = [
            f"when {entry.condition} then {value}"
            for entry, value in zip(unit.entries, values, strict=True)
            if entry.condition is not None
        ]
        return f"case {' '.join(cases)} else {values[-1]} end" if cases else values[0]

    def _entry_value(self, unit: Unit, place: int, member: str) -> str:
        suffix = f"{self.place[unit.name]}_{place}"
        if pick_of(unit, unit.entries[place]) is None:
            return _union(f"u__{suffix}")
        element = f"{_values(member)}[i__{suffix}]"
        return f"{element}::text[]" if self.types[member] is AttributeType.TAGS else element


def _values(name: str) -> str:
    return names.column(f"v__{name}")


def _elements(attribute: Attribute) -> str:
    # Arrays of different lengths do not fit into one array, so tags travel as text.
    name = names.column(attribute.name)
    return f"{name}::text" if attribute.type is AttributeType.TAGS else name


def _position(suffix: str, pick: Pick) -> str:
    """Position of the winner; without candidates that of some record that has no value.

    Where an entry leaves systems out there may be none such, so it is null.
    """
    conditions = [pick.takes_part] if pick.takes_part != f"{pick.second} is not null" else []
    if pick.first is not None:
        conditions.append(f"{pick.first} = b__{suffix}")
    key = f"case when {' and '.join(conditions)} then {pick.second} end" if conditions else pick.second
    position = f"array_position(array_agg({key} order by {TIE}), max({key}))"
    return f"case when bool_or({pick.takes_part}) then {position} end" if pick.is_partial else position


def _union(arrays: str) -> str:
    return (
        f'case when {arrays} is not null then coalesce((select array_agg(distinct tag collate "C" order by '  # noqa: S608 - quoted by `names`.
        f"tag collate \"C\") from unnest({arrays}) as said, unnest(said::text[]) as tag), '{{}}') end"
    )


def _lines(items: Sequence[str]) -> str:
    return ",\n    ".join(items)
