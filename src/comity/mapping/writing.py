"""Writing: canonical values to the fields of a system."""

from collections.abc import Mapping, Sequence
from typing import Any

from comity.mapping.compiled import CompiledMapping, Group
from comity.mapping.lenses.base import Rejection
from comity.mapping.lenses.text import SplitLens
from comity.mapping.problems import problem_of
from comity.mapping.types import ABSENT, Problem, Written


def write_records(mapping: CompiledMapping, *, rows: Sequence[Mapping[str, Any]]) -> list[Written]:
    """Write canonical values in the system's form, one result a row.

    Only rows of the mapping with direction write or both count. None clears the field; an attribute that is ABSENT or
    not in the row is left alone. A value the system has no form for is a problem and its field is left out.
    """
    return [_write(mapping, position, row) for position, row in enumerate(rows)]


def _write(mapping: CompiledMapping, position: int, values: Mapping[str, Any]) -> Written:
    fields: dict[str, Any] = {}
    problems: list[Problem] = []
    for group in mapping.groups:
        written = _write_group(group, values)
        if written is ABSENT:
            continue
        if written.__class__ is Rejection:
            found = [values.get(field.attribute) for field in group.fields]
            problems.append(
                problem_of(
                    written, position=position, field=group.paths[0], found=found[0] if len(found) == 1 else found
                )
            )
        elif len(group.paths) == 1:
            fields[group.paths[0]] = written
        else:
            fields.update(zip(group.paths, written, strict=True))
    return Written(fields=fields, problems=tuple(problems))


def _write_group(group: Group, values: Mapping[str, Any]) -> Any:
    first = group.fields[0]
    if isinstance(first.lens, SplitLens):
        parts = [values.get(field.attribute, ABSENT) for field in group.fields]
        return ABSENT if ABSENT in parts else first.lens.join(parts)
    value = values.get(first.attribute, ABSENT)
    if value is ABSENT:
        return ABSENT
    if value is None:
        return None if len(group.paths) == 1 else (None,) * len(group.paths)
    return first.lens.write(value)
