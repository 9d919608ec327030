"""Attributes and orchestration rules, checked against each other and compiled."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise

from comity.definitions.api import compile_condition
from comity.definitions.types import (
    MERGE_TYPES,
    AttributeRule,
    AttributeSpec,
    Column,
    ConditionInvalid,
    DefaultRule,
    MergeKind,
    RuleKind,
    RulesSpec,
)
from comity.profile import golden_sql, names, observe_sql
from comity.profile.types import Attribute, Entry, ModelInvalid, ProfileModel, Texts, Unit

ATTRIBUTES_MAX = 300


def compile_model(
    *, attributes: Sequence[tuple[str, AttributeSpec]], rules: RulesSpec, rules_version: int
) -> ProfileModel:
    """Check attributes and rules and compile them. Raises ModelInvalid with the place and the remedy."""
    columns = _attributes(attributes)
    units = _conditions_compiled(_units(columns, rules), columns)
    return ProfileModel(attributes=columns, units=units, rules_version=rules_version, texts=_texts(columns, units))


def _texts(columns: tuple[Attribute, ...], units: tuple[Unit, ...]) -> Texts:
    shape = ",".join(f"{attribute.name}:{attribute.type.column_type}" for attribute in columns)
    table = f"profile_stage_{blake2b(shape.encode(), digest_size=8).hexdigest()}"
    of_profiles = golden_sql.OF_PROFILES
    return Texts(
        stage_table=table,
        stage_create=observe_sql.stage_create(columns, table=table),
        observe=observe_sql.observe(columns, table=table),
        refresh=golden_sql.refresh(columns, units, scope=of_profiles, is_alone=False),
        rebuild=golden_sql.refresh(columns, units, scope=golden_sql.OF_ALL, is_alone=True),
        insert_all=golden_sql.insert_all(columns, units),
    )


def _attributes(attributes: Sequence[tuple[str, AttributeSpec]]) -> tuple[Attribute, ...]:
    if not 0 < len(attributes) <= ATTRIBUTES_MAX:
        raise _invalid("attributes", f"There are {len(attributes)} attributes.", f"Define 1 to {ATTRIBUTES_MAX}.")
    columns = tuple(
        Attribute(name=name, type=spec.type, group=spec.group) for name, spec in sorted(attributes, key=_name_of)
    )
    for column, following in pairwise(columns):
        if column.name == following.name:
            raise _invalid(column.name, "The attribute is defined twice.", "Keep one definition.")
    for column in columns:
        if not names.is_attribute_name(column.name):
            raise _invalid(column.name, "An attribute cannot be called so.", "Choose another name.")
        if column.group in {each.name for each in columns}:
            raise _invalid(column.name, f"{column.group!r} is a group and an attribute.", "Rename one of them.")
    return columns


def _name_of(pair: tuple[str, AttributeSpec]) -> str:
    return pair[0]


def _units(columns: tuple[Attribute, ...], rules: RulesSpec) -> tuple[Unit, ...]:
    members: dict[str, list[Attribute]] = {}
    for column in columns:
        members.setdefault(column.group or column.name, []).append(column)
    grouped = {column.name: column.group for column in columns if column.group}
    entries: dict[str, list[Entry]] = {name: [] for name in members}
    for index, rule in enumerate(rules.attributes):
        _check_systems(f"attributes[{index}]", rule)
        for name in rule.of:
            place = f"attributes[{index}].of"
            if name in grouped:
                raise _invalid(place, f"{name!r} moves with its group.", f"Write the group: {grouped[name]}.")
            if name not in members:
                raise _invalid(place, f"There is no attribute or group {name!r}.", "Define it or correct the name.")
            if entries[name] and entries[name][-1].when is None:
                raise _invalid(
                    place, f"An earlier entry without `when` already decides {name!r}.", "Move or remove one of them."
                )
            _check_merge(f"attributes[{index}].merge", rule, members[name])
            entries[name].append(_entry(index, rule))
    default = _default(rules.default)
    for found in entries.values():
        if not found or found[-1].when is not None:
            found.append(default)
    return tuple(
        Unit(name=name, members=tuple(each.name for each in members[name]), entries=tuple(entries[name]))
        for name in sorted(members)
    )


def _entry(index: int, rule: AttributeRule) -> Entry:
    return Entry(
        index=index,
        rule=rule.rule,
        systems=rule.systems,
        merge=rule.merge,
        when=rule.when,
        text=_text(rule.rule, rule.systems, rule.merge, rule.when),
    )


def _default(rule: DefaultRule) -> Entry:
    if rule.rule is RuleKind.MERGE:
        raise _invalid("default", "The default rule cannot merge.", "Merge the attributes it fits by entries.")
    _check_systems("default", rule)
    text = "default: " + _text(rule.rule, rule.systems, None, None)
    return Entry(index=None, rule=rule.rule, systems=rule.systems, text=text)


def _text(rule: RuleKind, systems: Sequence[str], merge: MergeKind | None, when: str | None) -> str:
    words = [rule.value, *([merge.value] if merge else []), *(["of", ", ".join(systems)] if systems else [])]
    return " ".join([*words, *(["when", when] if when else [])])


def _check_systems(place: str, rule: AttributeRule | DefaultRule) -> None:
    if rule.rule is RuleKind.SYSTEM_OF_RECORD and not rule.systems:
        raise _invalid(f"{place}.systems", "No system of record is named.", "List the systems, the leading one first.")
    for system in rule.systems:
        if not names.is_system_name(system):
            raise _invalid(f"{place}.systems", f"{system!r} is no name of a system.", "Correct the name.")
    if len(set(rule.systems)) < len(rule.systems):
        raise _invalid(f"{place}.systems", "A system is listed twice.", "List each system once.")


def _check_merge(place: str, rule: AttributeRule, members: Sequence[Attribute]) -> None:
    if rule.rule is not RuleKind.MERGE:
        if rule.merge is not None:
            raise _invalid(place, f"`merge` says nothing to {rule.rule.value}.", "Leave it out or write rule: merge.")
        return
    if rule.merge is None:
        raise _invalid(
            place, "How to merge is not said.", f"Write one of {', '.join(kind.value for kind in MergeKind)}."
        )
    if any(member.group for member in members):
        raise _invalid(place, "A group moves as one and cannot be merged.", "Choose another rule for the group.")
    fitting = MERGE_TYPES[rule.merge]
    if members[0].type not in fitting:
        raise _invalid(
            place,
            f"{rule.merge.value} does not fit {members[0].name}, which is of type {members[0].type.value}.",
            f"It fits {', '.join(sorted(kind.value for kind in fitting))}.",
        )


def _conditions_compiled(units: tuple[Unit, ...], columns: tuple[Attribute, ...]) -> tuple[Unit, ...]:
    """Compile the conditions; they see only what is decided without conditions, so there is no circle."""
    vocabulary = {column.name: Column(sql=names.column(column.name), type=column.type) for column in columns}
    conditional = {member: unit.name for unit in units if unit.is_conditional for member in unit.members}

    def compiled(entry: Entry) -> Entry:
        if entry.when is None:
            return entry
        place = f"attributes[{entry.index}].when"
        try:
            condition = compile_condition(entry.when, vocabulary=vocabulary)
        except ConditionInvalid as error:
            raise _invalid(place, error.reason, error.remedy or "Correct the condition.") from error
        if condition.is_time_dependent:
            raise _invalid(
                place, "A golden value cannot depend on the day it is looked at.", "Leave the current date out."
            )
        circular = sorted(condition.columns & conditional.keys())
        if circular:
            raise _invalid(
                place,
                f"{circular[0]!r} is decided by conditions itself, so a condition cannot ask for it.",
                "Ask only for attributes whose rules have no `when`.",
            )
        return Entry(
            index=entry.index,
            rule=entry.rule,
            systems=entry.systems,
            merge=entry.merge,
            when=entry.when,
            condition=condition.sql,
            text=entry.text,
        )

    return tuple(
        Unit(name=unit.name, members=unit.members, entries=tuple(map(compiled, unit.entries))) for unit in units
    )


def _invalid(place: str, found: str, remedy: str) -> ModelInvalid:
    return ModelInvalid(f"{place}: {found} {remedy}", details={"place": place, "found": found, "remedy": remedy})
