"""The readable specification of mappings, for people who know the systems and not the hub."""

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from comity.definitions.types import MappingKind
from comity.mapping.compiled import CompiledField, CompiledMapping

_DIRECTIONS = {"read": "system to hub", "write": "hub to system", "both": "both ways"}


def document(mappings: Iterable[CompiledMapping]) -> str:
    """Write the specification of mappings as Markdown, by system and stream."""
    ordered = sorted(mappings, key=lambda mapping: (mapping.system, mapping.stream))
    parts = ["# Mapping specification", ""]
    for mapping in ordered:
        parts += _chapter(mapping)
    return "\n".join(parts).rstrip() + "\n"


def _chapter(mapping: CompiledMapping) -> list[str]:
    spec = mapping.spec
    thing = "people" if mapping.kind is MappingKind.PERSON else "purchases"
    lines = [
        f"## {mapping.system}: {mapping.stream}",
        "",
        f"Records are {thing}. Their id is `{spec.external_id}`"
        + (f"; they changed at `{spec.changed_at}`." if spec.changed_at else "; the time of receipt counts as change."),
    ]
    purchase = spec.purchase_fields
    if purchase is not None:
        owner = f"`{purchase.person_stream}` of {purchase.person_system or mapping.system}"
        lines.append(f"The person is a record of {owner}.")
    lines += ["", "| attribute | field | value | direction | when empty |", "|---|---|---|---|---|"]
    cadences = {(row.attribute, row.field): spec.write_cadence(row) for row in spec.person_fields}
    lines += [_line(field, cadences.get((field.attribute, field.path))) for field in mapping.fields]
    return [*lines, ""]


def _line(field: CompiledField, cadence: str | None) -> str:
    paths = ", ".join(f"`{_cell(path)}`" for path in field.paths)
    if field.lens.name == "constant":
        paths = "(none)"
    empty = ("means there is none" if field.clears else "says nothing") if field.direction.is_read else ""
    way = _DIRECTIONS[field.direction]
    if cadence is not None and field.direction.is_written:
        way += f", written at the ticks of {cadence}"
    cells = (_cell(field.attribute), paths, _cell(_lens_text(field)), way, empty)
    return f"| {' | '.join(cells)} |"


def _lens_text(field: CompiledField) -> str:
    told = [f"{name}: {_value(value)}" for name, value in msgspec.to_builtins(field.lens.options).items()]
    return f"{field.lens.name} ({'; '.join(told)})" if told else field.lens.name


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_value(each)}" for key, each in cast("dict[str, Any]", value).items())
    if isinstance(value, list):
        return ", ".join(_value(each) for each in cast("list[Any]", value))
    return repr(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "\\n")
