"""Checks of the documents about people: attributes, mappings, match rules and orchestration rules."""

from collections.abc import Iterator, Sequence

from comity.definitions.checks_shared import (
    Found,
    Project,
    check_attribute_name,
    check_cadence,
    check_condition,
    check_systems,
)
from comity.definitions.conditions import compile_condition
from comity.definitions.shape import suggest
from comity.definitions.types_attribute import RESERVED_NAMES, AttributeSpec, AttributeType
from comity.definitions.types_condition import Column, ConditionInvalid
from comity.definitions.types_document import Kind
from comity.definitions.types_mapping import (
    AT_ONCE,
    WRITE_ONLY_NAMES,
    FieldSpec,
    MappingKind,
    MappingSpec,
    PurchaseFields,
    SourceField,
)
from comity.definitions.types_match import Comparison, KeyPart, MatchRule, MatchSpec, Transform
from comity.definitions.types_rules import MERGE_TYPES, AttributeRule, MergeKind, RuleKind, RulesSpec

Path = tuple[str | int, ...]

_TRANSFORM_TYPES = {Transform.YEAR: frozenset({AttributeType.DATE, AttributeType.TIMESTAMP})}
_KEY_TYPES = frozenset(AttributeType) - {AttributeType.TAGS, AttributeType.BOOLEAN}
_TEXT_TYPES = frozenset({AttributeType.TEXT, AttributeType.EMAIL, AttributeType.PHONE})


def check_attribute(name: str, spec: AttributeSpec, project: Project) -> Iterator[Found]:
    """The name can be a word of conditions and a column; groups are not called like attributes."""
    if name in RESERVED_NAMES or not _is_word(name):
        yield Found(path=(), message=f"'{name}' is a reserved word.", remedy=f"Choose another, e.g. {name}_value.")
    if spec.group is not None and spec.group in project.attributes:
        yield Found(
            path=("group",),
            message=f"'{spec.group}' is an attribute and cannot be a group as well.",
            remedy="Give the group another name.",
        )


def _is_word(name: str) -> bool:
    try:
        text = f"{name} = 'x' and not ({name} is null)"
        return compile_condition(
            text, vocabulary={name: Column(sql="x", type=AttributeType.TEXT)}
        ).columns == frozenset({name})
    except ConditionInvalid:
        return False


def check_mapping(name: str, spec: MappingSpec, project: Project) -> Iterator[Found]:
    """System, stream and attributes exist; one mapping a stream; the fields are those of its kind."""
    if not project.has(Kind.SYSTEM, spec.system):
        remedy = suggest(spec.system, list(project.systems), what="Systems")
        yield Found(path=("system",), message=f"There is no system '{spec.system[:60]}'.", remedy=remedy)
    elif spec.system in project.systems and spec.stream not in (streams := project.systems[spec.system].streams):
        yield Found(
            path=("stream",),
            message=f"The system '{spec.system}' lists no stream '{spec.stream[:60]}'.",
            remedy=suggest(spec.stream, list(streams), what="Streams"),
        )
    same = [
        other
        for other, each in project.mappings.items()
        if other < name and (each.system, each.stream) == (spec.system, spec.stream)
    ]
    if same:
        yield Found(
            path=("stream",),
            message=f"The mapping '{same[0]}' is for this stream already.",
            remedy="Join them in one mapping.",
        )
    if spec.write_every is not None:
        if not any(field.direction.is_written for field in spec.person_fields):
            yield Found(path=("write_every",), message="No field of this mapping is written.", remedy="Remove it.")
        elif spec.write_every != AT_ONCE:
            yield from check_cadence(spec.write_every, path=("write_every",))
    if isinstance(spec.fields, PurchaseFields):
        yield from _check_purchase(spec, spec.fields, project)
    else:
        yield from _check_person(spec, project)


def _check_purchase(spec: MappingSpec, fields: PurchaseFields, project: Project) -> Iterator[Found]:
    if spec.kind is not MappingKind.PURCHASE:
        yield Found(
            path=("fields",),
            message="These are fields of a purchase.",
            remedy="Write kind: purchase, or a list of rows.",
        )
        return
    system = fields.person_system or spec.system
    if not project.has(Kind.SYSTEM, system):
        remedy = suggest(system, list(project.systems), what="Systems")
        yield Found(path=("fields", "person_system"), message=f"There is no system '{system[:60]}'.", remedy=remedy)
        return
    streams = [
        each.stream for each in project.mappings.values() if each.system == system and each.kind is MappingKind.PERSON
    ]
    if fields.person_stream not in streams:
        yield Found(
            path=("fields", "person_stream"),
            message=f"No mapping makes people of the stream '{fields.person_stream[:60]}' of '{system}'.",
            remedy=suggest(fields.person_stream, streams, what="Streams with people"),
        )
    for place, source in fields.sources.items():
        yield from _check_source(source, ("fields", *place.split(".")))
    for place, source in fields.lines.sources.items() if fields.lines else ():
        yield from _check_source(source, ("fields", "lines", place))


def _check_source(source: SourceField, path: Path) -> Iterator[Found]:
    if (source.field is None) == (source.constant is None):
        yield Found(path=path, message="It needs exactly one of field and constant.", remedy="Write {field: Name}.")
    if isinstance(source.lens, dict) and len(source.lens) != 1:
        yield Found(path=(*path, "lens"), message="One lens is needed.", remedy="Write {name: {option: value}}.")


def _check_person(spec: MappingSpec, project: Project) -> Iterator[Found]:
    if spec.kind is not MappingKind.PERSON:
        remedy = "Write business_key, occurred_at, amount, currency, person, person_stream; or kind: person."
        yield Found(path=("fields",), message="A purchase needs a map of its fields.", remedy=remedy)
        return
    for index, field in enumerate(spec.person_fields):
        path: Path = ("fields", index)
        if field.attribute in WRITE_ONLY_NAMES:
            if field.direction.is_read:
                yield Found(
                    path=(*path, "direction"),
                    message=f"{field.attribute} only travels towards systems.",
                    remedy="Write direction: write.",
                )
        elif not project.has(Kind.ATTRIBUTE, field.attribute):
            remedy = suggest(field.attribute, [*project.attributes, *WRITE_ONLY_NAMES], what="Attributes")
            message = f"There is no attribute '{field.attribute[:60]}'."
            yield Found(path=(*path, "attribute"), message=message, remedy=remedy)
        if isinstance(field.lens, dict) and len(field.lens) != 1:
            yield Found(path=(*path, "lens"), message="One lens is needed.", remedy="Write {name: {option: value}}.")
        yield from _check_every(spec, field, path)


def _check_every(spec: MappingSpec, field: FieldSpec, path: Path) -> Iterator[Found]:
    """A written field has one cadence, however many attributes it is made of."""
    if field.every is not None and not field.direction.is_written:
        message = f"'{field.field[:60]}' is only read, and `every` is of writing."
        remedy = "Remove it; how often a stream is read is said in its system."
        yield Found(path=(*path, "every"), message=message, remedy=remedy)
    elif field.every is not None and field.every != AT_ONCE:
        yield from check_cadence(field.every, path=(*path, "every"))
    parts = [each for each in spec.person_fields if each.field == field.field and each.direction.is_written]
    if field in parts[1:] and spec.write_cadence(field) != spec.write_cadence(parts[0]):
        yield Found(
            path=(*path, "every"),
            message=f"'{field.field[:60]}' is written as one, and its rows say different cadences.",
            remedy="Say the same `every` in all of them.",
        )


def check_match(name: str, spec: MatchSpec, project: Project) -> Iterator[Found]:
    """Keys and guards name attributes of types that can be compared so; rules have names of their own."""
    del name
    seen: set[str] = set()
    for index, rule in enumerate(spec.rules):
        path: Path = ("rules", index)
        if rule.name in seen:
            yield Found(path=(*path, "name"), message=f"There are two rules '{rule.name}'.", remedy="Rename one.")
        seen.add(rule.name)
        for position, part in enumerate(rule.key_parts):
            yield from _check_key_part(part, project, (*path, "key", position))
        yield from _check_guards(rule, project, path)


def _check_key_part(part: KeyPart, project: Project, path: Path) -> Iterator[Found]:
    yield from check_attribute_name(part.attribute, project, path=path)
    spec = project.attributes.get(part.attribute)
    if spec is None:
        return
    if spec.type not in _KEY_TYPES:
        yield Found(path=path, message=f"An attribute of type {spec.type} cannot be a key.", remedy="Use another one.")
        return
    if part.transform is Transform.LOWER:
        return
    fitting = _TRANSFORM_TYPES.get(part.transform) if isinstance(part.transform, Transform) else None
    if spec.type not in (fitting or _TEXT_TYPES):
        shown = part.transform if isinstance(part.transform, Transform) else "prefix"
        remedy = f"It fits {', '.join(sorted(fitting or _TEXT_TYPES))}."
        yield Found(path=path, message=f"The transform {shown} does not fit the type {spec.type}.", remedy=remedy)


def _check_guards(rule: MatchRule, project: Project, path: Path) -> Iterator[Found]:
    if rule.agree is not None:
        yield from _check_comparisons(rule.agree.comparisons, project, (*path, "agree", "of"))
        if rule.agree.at_least > len(rule.agree.of):
            yield Found(
                path=(*path, "agree", "at_least"),
                message=f"{rule.agree.at_least} of {len(rule.agree.of)} can never agree.",
                remedy=f"Write at most {len(rule.agree.of)}.",
            )
    guard = rule.conflict_guard
    if guard is not None:
        inner: Path = ("conflict",) if isinstance(rule.conflict, tuple) else ("conflict", "of")
        yield from _check_comparisons(guard.comparisons, project, (*path, *inner))


def _check_comparisons(comparisons: Sequence[Comparison], project: Project, path: Path) -> Iterator[Found]:
    for index, each in enumerate(comparisons):
        yield from check_attribute_name(each.attribute, project, path=(*path, index))
        spec = project.attributes.get(each.attribute)
        if spec is not None and each.similar_min is not None and spec.type not in _TEXT_TYPES:
            yield Found(
                path=(*path, index),
                message=f"Only texts can be similar; '{each.attribute}' is of type {spec.type}.",
                remedy="Leave `compare` out.",
            )


def check_rules(name: str, spec: RulesSpec, project: Project) -> Iterator[Found]:
    """Attributes, groups and systems exist; merges fit the types; every entry can be reached."""
    del name
    if spec.default.rule is RuleKind.MERGE:
        yield Found(
            path=("default", "rule"),
            message="Not every type can be merged, so merge cannot be the default.",
            remedy="Use most_recent or system_of_record, and name what is merged under `attributes`.",
        )
    yield from check_systems(spec.default.systems, project, path=("default", "systems"))
    if spec.default.rule is RuleKind.SYSTEM_OF_RECORD and not spec.default.systems:
        yield Found(path=("default",), message="It names no systems.", remedy="Add `systems`, the strongest first.")
    decided: set[str] = set()
    for index, rule in enumerate(spec.attributes):
        path: Path = ("attributes", index)
        yield from check_systems(rule.systems, project, path=(*path, "systems"))
        if rule.rule is RuleKind.SYSTEM_OF_RECORD and not rule.systems:
            yield Found(path=path, message="It names no systems.", remedy="Add `systems`, the strongest first.")
        if rule.when is not None:
            yield from check_condition(rule.when, project, path=(*path, "when"))
        for position, target in enumerate(rule.of):
            yield from _check_target(target, rule, project, (*path, "of", position))
            if target in decided:
                yield Found(
                    path=(*path, "of", position),
                    message=f"An earlier entry without `when` already decides '{target}'.",
                    remedy="Remove one, or put the one with `when` first.",
                )
        if rule.when is None:
            decided.update(rule.of)
        yield from _check_merge_kind(rule, path)


def _check_merge_kind(rule: AttributeRule, path: Path) -> Iterator[Found]:
    if rule.rule is RuleKind.MERGE and rule.merge is None:
        remedy = f"Add `merge:` with one of {', '.join(MergeKind)}."
        yield Found(path=path, message="It does not say how to merge.", remedy=remedy)
    if rule.rule is not RuleKind.MERGE and rule.merge is not None:
        yield Found(path=(*path, "merge"), message=f"The rule {rule.rule} merges nothing.", remedy="Write rule: merge.")


def _check_target(target: str, rule: AttributeRule, project: Project, path: Path) -> Iterator[Found]:
    if target in project.groups:
        if rule.rule is RuleKind.MERGE:
            yield Found(path=path, message="A group moves as one and cannot be merged.", remedy="Name attributes.")
        return
    if not project.has(Kind.ATTRIBUTE, target):
        if not project.has_broken_attributes:  # A broken attribute may have been the only one of the group.
            known = [*project.attributes, *project.groups]
            message = f"There is no attribute or group '{target[:60]}'."
            yield Found(path=path, message=message, remedy=suggest(target, known, what="Attributes and groups"))
        return
    spec = project.attributes.get(target)
    if spec is None:
        return
    if spec.group is not None:
        yield Found(
            path=path,
            message=f"'{target}' moves with its group '{spec.group}'.",
            remedy=f"Write {spec.group}, or take the attribute out of the group.",
        )
    if rule.merge is not None and spec.type not in MERGE_TYPES[rule.merge]:
        fitting = [kind for kind in MergeKind if spec.type in MERGE_TYPES[kind]]
        yield Found(
            path=path,
            message=f"{rule.merge} does not fit the type {spec.type} of '{target}'.",
            remedy=f"Use {' or '.join(fitting)}." if fitting else "This type cannot be merged.",
        )
