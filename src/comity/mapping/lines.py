"""Reading the lines of purchases: lists of objects, each with an amount, perhaps an item, a category, a quantity."""

from typing import Any, Final, cast

from comity.mapping.compiled import CompiledField, CompiledMapping
from comity.mapping.lenses.base import Rejection
from comity.mapping.lenses.numbers import MoneyLens
from comity.mapping.paths import Columns, look_up, parse_path
from comity.mapping.problems import problem_of
from comity.mapping.types import ABSENT, Problem

NOT_LINES: Final = Rejection("not_lines", "a list of objects", "Name the field that holds the lines of the purchase.")
NO_AMOUNT: Final = Rejection("missing", "an amount of the line", "Correct the record at the source, or the mapping.")
NEGATIVE: Final = Rejection("negative", "a quantity of zero or more", "Correct the record at the source.")
TWICE: Final = Rejection("twice", "a line_id of its own for each line", "Name a field that differs, or leave it out.")

TOO_LARGE: Final = Rejection("too_large", "at most 10,000 lines, and numbers of 15 digits", "Correct the record.")

LINES_MAX: Final = 10_000
NUMBER_MAX: Final = 1_000_000_000_000_000
"""What programmes can count with."""

Line = dict[str, Any]


def read_lines(
    mapping: CompiledMapping,
    columns: Columns,
    *,
    currencies: list[Any],
    positions: list[int],
    bad_rows: set[int],
    problems: list[Problem],
) -> list[list[Line] | None]:
    """Read the lines of each purchase; one bad value makes the purchase a fatal problem, and its row a bad one."""
    if mapping.lines_column is None:
        return []
    read: list[list[Line] | None] = []
    for row, found in enumerate(columns[mapping.lines_column]):
        lines = None if found is None or found is ABSENT else _read_list(mapping, found, currencies[row])
        if isinstance(lines, Rejection):
            path = mapping.extractor.paths[mapping.lines_column]
            if row not in bad_rows:
                problems.append(problem_of(lines, position=positions[row], field=path, found=found, is_fatal=True))
            bad_rows.add(row)
            lines = None
        read.append(lines)
    return read


def _read_list(mapping: CompiledMapping, found: Any, currency: Any) -> list[Line] | Rejection:
    if not isinstance(found, list):
        return NOT_LINES
    if len(cast("list[Any]", found)) > LINES_MAX:
        return TOO_LARGE
    lines: list[Line] = []
    for number, told in enumerate(cast("list[Any]", found), start=1):
        line = _read_line(mapping, told, currency if isinstance(currency, str) else "")
        if isinstance(line, Rejection):
            return line
        line.setdefault("line_id", str(number))
        lines.append(line)
    return lines if len({each["line_id"] for each in lines}) == len(lines) else TWICE


def _read_line(mapping: CompiledMapping, told: Any, currency: str) -> Line | Rejection:
    if not isinstance(told, dict):
        return NOT_LINES
    line: Line = {}
    for name, field in mapping.lines.items():
        value = _read_value(field, told, currency)
        if isinstance(value, Rejection):
            return value
        if value is not None and value is not ABSENT:
            line["amount_minor" if name == "amount" else name] = value
    if "amount_minor" not in line:
        return NO_AMOUNT
    if max(abs(line["amount_minor"]), abs(line.get("quantity", 0))) > NUMBER_MAX:
        return TOO_LARGE
    return NEGATIVE if line.get("quantity", 0) < 0 else line


def _read_value(field: CompiledField, told: Any, currency: str) -> Any:
    found = [look_up(told, parse_path(path)) for path in field.paths]
    lens = field.lens
    if isinstance(lens, MoneyLens) and not lens.has_currency:
        return found[0] if found[0] is None or found[0] is ABSENT else lens.read_amount(found[0], currency)
    return field.read_one(found[0] if len(found) == 1 else tuple(found))
