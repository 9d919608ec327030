"""Compiling mapping specifications: every fault is found here, none when records flow."""

from collections.abc import Mapping
from typing import Any

from comity.definitions.types import (
    EVENTS,
    AttributeSpec,
    AttributeType,
    Direction,
    FieldSpec,
    LineFields,
    MappingSpec,
    SourceField,
)
from comity.definitions.types import lens_name as name_of
from comity.definitions.types import lens_options as options_of
from comity.mapping.compiled import CompiledField, CompiledMapping, Group
from comity.mapping.lenses.base import Lens
from comity.mapping.lenses.registry import build_lens, check_fit, suggest
from comity.mapping.lenses.text import SplitLens
from comity.mapping.paths import Extractor, is_path, parse_path
from comity.mapping.types import LINE_TYPES, LOYALTY_TYPES, PURCHASE_TYPES, Fault, MappingInvalid

Attributes = Mapping[str, AttributeSpec | AttributeType]


def compile_mapping(spec: MappingSpec, *, attributes: Attributes) -> CompiledMapping:
    """Compile a mapping against the golden attributes (by name). Raises MappingInvalid with every fault found."""
    compiler = _Compiler(spec, attributes)
    mapping = compiler.compile()
    if compiler.faults or mapping is None:
        raise MappingInvalid(compiler.faults)
    return mapping


def check_mapping(spec: MappingSpec, *, attributes: Attributes) -> list[Fault]:
    """List what is wrong with a mapping; empty when it can be compiled."""
    compiler = _Compiler(spec, attributes)
    compiler.compile()
    return compiler.faults


class _Row:
    """A row on its way: checked, without its columns yet."""

    def __init__(
        self, *, place: str, attribute: str, path: str, lens: Lens, direction: Direction, clears: bool
    ) -> None:
        self.place = place
        self.attribute = attribute
        self.path = path
        self.lens = lens
        self.direction = direction
        self.clears = clears


class _Compiler:
    def __init__(self, spec: MappingSpec, attributes: Attributes) -> None:
        self.spec = spec
        self.faults: list[Fault] = []
        self._lines: dict[str, CompiledField] = {}
        self._types = {
            name: each if isinstance(each, AttributeType) else each.type for name, each in attributes.items()
        }

    def compile(self) -> CompiledMapping | None:
        """Compile; None, or a mapping not to be used, when faults were found."""
        spec = self.spec
        for place, path in (("external_id", spec.external_id), ("changed_at", spec.changed_at)):
            if path is not None:
                self._check_path(place, path)
        purchase = spec.purchase_fields
        if purchase is not None:
            found = [self._purchase_row(name, source) for name, source in purchase.sources.items()]
            if purchase.lines is not None:
                self._line_rows(purchase.lines)
        else:
            found = [self._person_row(at, field) for at, field in enumerate(spec.person_fields)]
        rows = [row for row in found if row is not None]
        self._check_written(rows)
        self._check_read(rows)
        return None if self.faults else self._assemble(rows)

    def _fault(self, field: str, message: str, remedy: str) -> None:
        self.faults.append(Fault(field=field, message=message, remedy=remedy))

    def _check_path(self, place: str, path: str) -> None:
        if not is_path(path):
            self._fault(place, f"The path {path!r} has an empty part.", "Write names joined by single dots.")

    def _person_row(self, at: int, field: FieldSpec) -> _Row | None:
        place = f"fields[{at}]"
        attribute_type = LOYALTY_TYPES.get(field.attribute) or self._types.get(field.attribute)
        if attribute_type is None:
            known = (*self._types, *LOYALTY_TYPES)
            self._fault(
                f"{place}.attribute", f"There is no attribute {field.attribute!r}.", suggest(field.attribute, known)
            )
            return None
        if field.attribute in LOYALTY_TYPES and field.direction.is_read:
            self._fault(
                f"{place}.direction", f"{field.attribute} only travels towards systems.", "Use `direction: write`."
            )
        lens = self._lens(place, field.lens_name, field.lens_options, attribute_type, field.direction)
        self._check_path(f"{place}.field", field.field)
        if lens is None:
            return None
        return _Row(
            place=place,
            attribute=field.attribute,
            path=field.field,
            lens=lens,
            direction=field.direction,
            clears=field.clears,
        )

    def _purchase_row(self, name: str, source: SourceField) -> _Row | None:
        place = f"fields.{name}"
        if (source.field is None) == (source.constant is None):
            self._fault(place, "It needs either `field` or `constant`.", "Give one of the two.")
            return None
        if source.constant is not None:
            lens = self._lens(place, "constant", {"value": source.constant}, AttributeType.TEXT, Direction.READ)
            if name in {"amount", "occurred_at"} or name.startswith(EVENTS):
                self._fault(place, f"{name} cannot be the same for all records.", "Give the field that holds it.")
            path = self.spec.external_id
        else:
            given = source.lens or "text"
            kind = PURCHASE_TYPES.get("amount_minor" if name == "amount" else name, AttributeType.TEXT)
            if name == "cancelled" and name_of(given) == "boolean":
                kind = AttributeType.BOOLEAN
            if name.startswith(EVENTS):
                kind = AttributeType.TIMESTAMP
            lens = self._lens(place, name_of(given), options_of(given), kind, Direction.READ)
            path = source.field or ""
            self._check_path(f"{place}.field", path)
        if lens is None:
            return None
        return _Row(place=place, attribute=name, path=path, lens=lens, direction=Direction.READ, clears=True)

    def _line_rows(self, lines: LineFields) -> None:
        self._check_path("fields.lines.field", lines.field)
        for name, source in lines.sources.items():
            place = f"fields.lines.{name}"
            if source.field is None or source.constant is not None:
                self._fault(place, "It needs a `field` of the line.", "Write the path of the value inside the line.")
                continue
            given = source.lens or "text"
            lens = self._lens(place, name_of(given), options_of(given), LINE_TYPES[name], Direction.READ)
            self._check_path(f"{place}.field", source.field)
            if lens is not None:
                self._lines[name] = CompiledField(
                    attribute=name,
                    path=source.field,
                    lens=lens,
                    direction=Direction.READ,
                    clears=True,
                    columns=tuple(range(1 + len(lens.paths))),
                )

    def _lens(
        self, place: str, name: str, options: Mapping[str, Any], attribute_type: AttributeType, direction: Direction
    ) -> Lens | None:
        lens = build_lens(name, options)
        faults = lens if not isinstance(lens, Lens) else check_fit(lens, attribute_type, direction)
        for fault in faults:
            self._fault(f"{place}.{fault.field}", fault.message, fault.remedy)
        if not isinstance(lens, Lens) or faults:
            return None
        for path in lens.paths:
            self._check_path(f"{place}.lens.{name}", path)
        if direction.is_written and lens.write_fault is not None:
            self._fault(f"{place}.direction", lens.write_fault, "Use `direction: read`.")
        return lens

    def _check_read(self, rows: list[_Row]) -> None:
        seen: dict[str, str] = {}
        for row in rows:
            if row.direction.is_read and seen.setdefault(row.attribute, row.place) != row.place:
                self._fault(
                    f"{row.place}.attribute",
                    f"{row.attribute} is read by {seen[row.attribute]} already.",
                    "Read it once; join several fields with the lens concat.",
                )

    def _check_written(self, rows: list[_Row]) -> None:
        taken: dict[str, _Row] = {}
        for row in rows:
            if not row.direction.is_written:
                continue
            for path in (row.path, *row.lens.paths) if row.lens.fills_all_paths else (row.path,):
                other = taken.setdefault(path, row)
                are_parts = isinstance(other.lens, SplitLens) and isinstance(row.lens, SplitLens)
                if other is not row and not are_parts:
                    self._fault(
                        f"{row.place}.field", f"{path} is written by {other.place} already.", "Write it from one row."
                    )
                if any(isinstance(segment, int) for segment in parse_path(path)):
                    self._fault(f"{row.place}.field", f"A list position in {path} can only be read.", "Use `read`.")
        for path, row in taken.items():
            if isinstance(row.lens, SplitLens):
                self._check_parts([each for each in rows if each.path == path and each.direction.is_written])

    def _check_parts(self, rows: list[_Row]) -> None:
        options = [row.lens.options for row in rows]
        shapes = {(each.of, each.separator, each.rest) for each in options}
        if len(shapes) > 1 or sorted(each.part for each in options) != list(range(1, options[0].of + 1)):
            self._fault(
                f"{rows[0].place}.lens.split",
                f"To write {rows[0].path} every part needs one row, all with the same separator.",
                f"Add rows for the parts 1 to {options[0].of}, or use `direction: read`.",
            )

    def _assemble(self, rows: list[_Row]) -> CompiledMapping:
        spec = self.spec
        paths = [spec.external_id, spec.changed_at or spec.external_id]
        paths += [path for row in rows for path in (row.path, *row.lens.paths)]
        listed = spec.purchase_fields.lines if spec.purchase_fields else None
        paths += [listed.field] if listed else []
        extractor = Extractor(paths)
        at = {path: column for column, path in enumerate(extractor.paths)}
        fields = tuple(
            CompiledField(
                attribute=row.attribute,
                path=row.path,
                lens=row.lens,
                direction=row.direction,
                clears=row.clears,
                columns=tuple(at[path] for path in (row.path, *row.lens.paths)),
            )
            for row in rows
        )
        return CompiledMapping(
            spec=spec,
            fields=fields,
            extractor=extractor,
            groups=_groups(fields),
            external_id_column=at[spec.external_id],
            changed_at_column=None if spec.changed_at is None else at[spec.changed_at],
            lines=self._lines,
            lines_column=at[listed.field] if listed else None,
        )


def _groups(fields: tuple[CompiledField, ...]) -> tuple[Group, ...]:
    groups: dict[str, Group] = {}
    for field in fields:
        if not field.direction.is_written:
            continue
        if isinstance(field.lens, SplitLens):
            parts = [each for each in fields if each.path == field.path and each.direction.is_written]
            parts.sort(key=lambda each: each.lens.options.part)
            groups[field.path] = Group(fields=tuple(parts), paths=(field.path,))
        else:
            paths = field.paths if field.lens.fills_all_paths else (field.path,)
            groups[field.path] = Group(fields=(field,), paths=paths)
    return tuple(groups.values())
