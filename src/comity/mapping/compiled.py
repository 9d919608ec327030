"""A mapping ready for use."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from comity.definitions.types import Direction, MappingKind, MappingSpec
from comity.mapping.lenses.base import Lens, Rejection
from comity.mapping.paths import Extractor
from comity.mapping.types import ABSENT, Absent, Value

MEMO_MAX: Final = 16_384
"""Distinct texts a field remembers; when there are more it starts afresh."""

Reader = Callable[[Any], Value | Absent | Rejection]


class Memo(dict[Any, Any]):
    """Remembers what a text was read as. Rejections are not remembered, so that each one is told with its record."""

    __slots__ = ("_read",)

    def __init__(self, read: Reader) -> None:
        """Remember answers of `read`."""
        super().__init__()
        self._read = read

    def __missing__(self, found: Any) -> Any:
        """Ask once."""
        value = self._read(found)
        if value.__class__ is not Rejection:
            if len(self) >= MEMO_MAX:
                self.clear()
            self[found] = value
        return value


_MEMO_KEYS: Final = frozenset({str, None.__class__, ABSENT.__class__})


class CompiledField:
    """One row of a mapping: where the value is, how it is read and written."""

    def __init__(
        self, *, attribute: str, path: str, lens: Lens, direction: Direction, clears: bool, columns: tuple[int, ...]
    ) -> None:
        """Take the row and the columns of the extractor it reads."""
        self.attribute = attribute
        self.path = path
        self.lens = lens
        self.direction = direction
        self.clears = clears
        self.columns = columns
        self.read_one: Reader = _reader(lens, clears=clears, width=len(columns))
        self.read_stored: Reader = _reader(lens, clears=True, width=len(columns))
        self._memo = Memo(self.read_one) if lens.is_memoised and len(columns) == 1 else None

    @property
    def paths(self) -> tuple[str, ...]:
        """All fields of the row, its own first."""
        return (self.path, *self.lens.paths)

    def read_column(self, values: list[Any]) -> list[Any]:
        """Read a whole column; rejections stand in the places of their values."""
        memo = self._memo
        if memo is None:
            return list(map(self.read_one, values))
        read, keys = self.read_one, _MEMO_KEYS
        return [memo[value] if value.__class__ in keys else read(value) for value in values]


def _reader(lens: Lens, *, clears: bool, width: int) -> Reader:
    read = lens.read
    empty = None if clears else ABSENT
    if lens.name == "constant":
        return read
    if width > 1:

        def read_several(found: tuple[Any, ...]) -> Value | Absent | Rejection:
            if ABSENT in found:  # Part of a text would be taken for the whole.
                return ABSENT
            value = read(found)
            return empty if value is None else value

        return read_several

    def read_single(found: Any) -> Value | Absent | Rejection:
        if found is ABSENT:
            return ABSENT
        if found is None:
            return empty
        value = read(found)
        return empty if value is None else value

    return read_single


class CompiledMapping:
    """A mapping ready for use; made by `compile_mapping`, shared by threads.

    `fields` are the rows in the order of the specification (for purchases the values they may have); `lines` are the
    values of a purchase's lines, which stand as a list in a column of their own.
    """

    def __init__(
        self,
        *,
        spec: MappingSpec,
        fields: tuple[CompiledField, ...],
        extractor: Extractor,
        groups: tuple["Group", ...],
        external_id_column: int,
        changed_at_column: int | None,
        lines: Mapping[str, CompiledField] | None = None,
        lines_column: int | None = None,
    ) -> None:
        """Take what the compiler made."""
        self.spec = spec
        self.fields = fields
        self.extractor = extractor
        self.groups = groups
        self.external_id_column = external_id_column
        self.changed_at_column = changed_at_column
        self.lines = lines or {}
        self.lines_column = lines_column
        self.read_fields = tuple(field for field in fields if field.direction.is_read)
        self.written_fields = tuple(field for field in fields if field.direction.is_written)
        self.written_columns = tuple(dict.fromkeys(at for field in self.written_fields for at in field.columns))

    @property
    def kind(self) -> MappingKind:
        """What a record of the stream is."""
        return self.spec.kind

    @property
    def system(self) -> str:
        """The system the records are of."""
        return self.spec.system

    @property
    def stream(self) -> str:
        """The stream the records are of."""
        return self.spec.stream

    @property
    def read_attributes(self) -> tuple[str, ...]:
        """Attributes the hub takes over from the system."""
        return tuple(dict.fromkeys(field.attribute for field in self.read_fields))

    def path_of(self, attribute: str) -> str | None:
        """Find the field an attribute is written to, e.g. the one that holds our Global ID."""
        return next((field.path for field in self.written_fields if field.attribute == attribute), None)


class Group:
    """Rows that are written together: one row with one or several fields, or all the parts of one split field."""

    def __init__(self, *, fields: tuple[CompiledField, ...], paths: tuple[str, ...]) -> None:
        """Take the rows, in the order of the parts, and the fields they fill."""
        self.fields = fields
        self.paths = paths
