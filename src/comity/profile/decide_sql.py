"""The decision as SQL: from the observations of some profiles to their golden values.

Built from inside out, one select around the other:

1. the observations, with system, stream and external id as the order that breaks ties;
2. for each entry what the winner has: where an entry compares by two things (rank of the system, then time) the best
   of the first one in the profile, then the best of the second one among those;
3. one row a profile: for each entry the value of the first record, in the order that breaks ties, that has just that;
4. the values of the units that have no conditions;
5. the values of the others, whose conditions see those of step 4.

One sort serves all. Its order is total, so the outcome does not depend on the order of arrival.
"""

from collections.abc import Sequence

import msgspec

from comity.definitions.types import AttributeType, MergeKind, RuleKind
from comity.profile import names
from comity.profile.observe_sql import OBSERVATION
from comity.profile.types import Attribute, Entry, Unit

TIE = "tie_a__, tie_b__, tie_c__"
"""The order that breaks ties: system, stream, external id, each by code point."""

WHOLE = f"partition by profile_id order by {TIE} rows between unbounded preceding and unbounded following"
"""The whole profile as a window, in the order the aggregates want as well, so that rows are sorted once."""

ONCE = "offset 0"
"""Keeps the planner from folding the selects into one, which would compute the values again for every use."""

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


def pick_of(unit: Unit, entry: Entry) -> Pick | None:
    """Say how the entry picks a winner; None for a union, which has none."""
    time = time_of(unit)
    takes_part = f"{time} is not null"
    if entry.rule is RuleKind.MERGE:
        if entry.merge is None or entry.merge is MergeKind.UNION:
            return None
        value = names.column(unit.members[0])
        takes_part = f"{value} is not null{_listed(entry)}"
        first = f"length({value})" if entry.merge is MergeKind.LONGEST else value
        return Pick(takes_part=takes_part, first=first, aggregate=_MERGE_AGGREGATES[entry.merge], second=time)
    if entry.rule is RuleKind.SYSTEM_OF_RECORD:
        return Pick(takes_part=takes_part, first=rank_of(entry), aggregate="min", second=time)
    if entry.systems:
        takes_part += _listed(entry)
        return Pick(takes_part=takes_part, first=time, aggregate="max", second=f"-{rank_of(entry)}")
    return Pick(takes_part=takes_part, first=None, aggregate="max", second=time)


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


def decide(
    attributes: Sequence[Attribute], units: Sequence[Unit], *, scope: str, observation: str = OBSERVATION
) -> str:
    """Return a select of `profile_id` and every attribute by name; `scope` says which observations take part."""
    return _Decision(attributes, units, observation).select(scope)


def explain(
    attributes: Sequence[Attribute],
    units: Sequence[Unit],
    *,
    unit: Unit,
    member: str,
    scope: str,
    observation: str = OBSERVATION,
) -> str:
    """Return a select of all that bears on one attribute of one profile, out of the very decision.

    Its row holds arrays over the records in tie order (ids, systems, streams, external ids, times, values), the
    winner of each entry by record id, whether each entry's condition holds, the value decided and the value stored.
    """
    decision = _Decision(attributes, units, observation)
    winners = [
        decision.first_of("record_id", unit, entry) if pick_of(unit, entry) else "null" for entry in unit.entries
    ]
    held = [f"coalesce({entry.condition}, false)" if entry.condition else "true" for entry in unit.entries]
    value = names.column(member)
    said = {
        "records__": "record_id",
        "systems__": "system",
        "streams__": "stream",
        "external_ids__": "external_id",
        "times__": time_of(unit),
        "values__": decision.element(member),
    }
    extra = [f"array_agg({item} order by {TIE}) as {name}" for name, item in said.items()]
    extra.append(f"array[{', '.join(winners)}]::bigint[] as winners__")
    listed = ", ".join(f"d.{name}" for name in said)
    return (
        f"select {listed},\n"  # noqa: S608 - quoted by `names`.
        f"    d.winners__, d.held__, d.{value}, g.{value}\n"
        f"from (select *, array[{', '.join(held)}] as held__ from (\n"
        f"{decision.select(scope, extra)}\n) as decided) as d left join profile.golden g on g.profile_id = d.profile_id"
    )


class _Decision:
    """Inner columns of entry M of unit N: `b__N_M` and `k__N_M` what the winner has, `v__N_M_A` its value of A.

    No attribute has two underscores in a row, so none is called like an inner column.
    """

    def __init__(self, attributes: Sequence[Attribute], units: Sequence[Unit], observation: str) -> None:
        self.observation = observation
        self.types = {attribute.name: attribute.type for attribute in attributes}
        self.units = units
        self.place = {unit.name: number for number, unit in enumerate(units)}

    def select(self, scope: str, extra: Sequence[str] = ()) -> str:
        """Wrap step around step; `extra` is gathered as well."""
        gathered = _lines([*self._gathered(), *extra])
        text = self._compared(self._ordered(scope))
        text = f"select profile_id,\n    {gathered}\nfrom (\n{text}\n) as compared\ngroup by profile_id {ONCE}"
        text = self._valued(text, is_conditional=False)
        if any(unit.is_conditional for unit in self.units):
            text = self._valued(text, is_conditional=True)
        return text

    def element(self, member: str) -> str:
        """Return a value as an array element; tags travel as text, since unequal arrays do not fit into one."""
        column = names.column(member)
        return f"{column}::text" if self.types[member] is AttributeType.TAGS else column

    def first_of(self, item: str, unit: Unit, entry: Entry) -> str:
        """Return the aggregate that takes something from the winner; null when nobody takes part."""
        suffix, pick = self._suffix(unit, entry), pick_of(unit, entry)
        if pick is None:
            tags = names.column(unit.members[0])
            return f"array_agg({item} order by {TIE}) filter (where {tags} is not null{_listed(entry)})"
        is_winner = [*self._is_first_best(suffix, pick), f"{pick.second} = k__{suffix}"]
        return f"(array_agg({item} order by {TIE}) filter (where {' and '.join(is_winner)}))[1]"

    def _suffix(self, unit: Unit, entry: Entry) -> str:
        return f"{self.place[unit.name]}_{unit.entries.index(entry)}"

    def _is_first_best(self, suffix: str, pick: Pick) -> list[str]:
        conditions = [] if pick.takes_part == f"{pick.second} is not null" else [pick.takes_part]
        return conditions if pick.first is None else [*conditions, f"{pick.first} = b__{suffix}"]

    def _ordered(self, scope: str) -> str:
        said = [each for name in self.types for each in (names.column(name), names.at(name))]
        return (
            f"select profile_id, record_id, system, stream, external_id, {', '.join(said)},\n"
            '    system collate "C" as tie_a__, stream collate "C" as tie_b__, external_id collate "C" as tie_c__\n'
            f"from {self.observation}\nwhere {scope}"
        )

    def _compared(self, inner: str) -> str:
        picks = [
            (self._suffix(unit, entry), pick)
            for unit in self.units
            for entry in unit.entries
            if (pick := pick_of(unit, entry)) is not None
        ]
        firsts = [
            f"{pick.aggregate}({pick.first}) filter (where {pick.takes_part}) over whole as b__{suffix}"
            for suffix, pick in picks
            if pick.first is not None
        ]
        seconds = [
            f"max({pick.second}){self._filter(suffix, pick)} over whole as k__{suffix}" for suffix, pick in picks
        ]
        for windows in (firsts, seconds):
            if windows:
                listed = _lines(windows)
                inner = f"select *,\n    {listed}\nfrom (\n{inner}\n) as ordered\nwindow whole as ({WHOLE})"
        return inner

    def _filter(self, suffix: str, pick: Pick) -> str:
        conditions = self._is_first_best(suffix, pick)
        return f" filter (where {' and '.join(conditions)})" if conditions else ""

    def _gathered(self) -> list[str]:
        return [
            f"{self.first_of(self.element(member), unit, entry)} as {self._value_name(unit, entry, member)}"
            for unit in self.units
            for entry in unit.entries
            for member in unit.members
        ]

    def _value_name(self, unit: Unit, entry: Entry, member: str) -> str:
        return names.column(f"v__{self._suffix(unit, entry)}_{member}")

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
        cases = [
            f"when {entry.condition} then {self._entry_value(unit, entry, member)}"
            for entry in unit.entries
            if entry.condition is not None
        ]
        value = self._entry_value(unit, unit.entries[-1], member)
        return f"case {' '.join(cases)} else {value} end" if cases else value

    def _entry_value(self, unit: Unit, entry: Entry, member: str) -> str:
        name = self._value_name(unit, entry, member)
        if pick_of(unit, entry) is None:
            return _union(name)
        return f"{name}::text[]" if self.types[member] is AttributeType.TAGS else name


def _union(arrays: str) -> str:
    tags = f"from unnest({arrays}) as said, unnest(said::text[]) as tag"
    union = f'array_agg(distinct tag collate "C" order by tag collate "C") {tags}'
    return f"case when {arrays} is not null then coalesce((select {union}), '{{}}') end"


def _lines(items: Sequence[str]) -> str:
    return ",\n    ".join(items)
