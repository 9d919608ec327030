"""Compiles a WHERE clause to a test of one row, and picks the rows worth testing."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from comity.sandbox.salesforce.catalogue import ObjectType
from comity.sandbox.salesforce.errors import refuse
from comity.sandbox.salesforce.fields import NUMBER_TYPES, TEXT_TYPES, Field, parse_stamp
from comity.sandbox.salesforce.identifiers import normalise_id
from comity.sandbox.salesforce.soql_syntax import Comparison, Condition, Constant, Group, Not
from comity.sandbox.salesforce.table import Row, Table

Test = Callable[[Row], bool]

_WILDCARDS: dict[str, str] = {"%": ".*", "_": "."}


def require_field(kind: ObjectType, name: str) -> Field:
    """Return a field. Raises the vendor's INVALID_FIELD."""
    field = kind.find(name)
    if field is None:
        message = (
            f"No such column '{name}' on entity '{kind.name}'. If you are attempting to use a custom field, be sure to"
            " append the '__c' after the custom field name. Please reference your WSDL or the describe call for the"
            " appropriate names."
        )
        raise refuse(400, "INVALID_FIELD", message)
    return field


def compile_condition(kind: ObjectType, condition: Condition, now: datetime) -> Test:
    """Compile a condition. Raises the vendor's INVALID_FIELD when field and literal do not fit."""
    if isinstance(condition, Group):
        tests = [compile_condition(kind, part, now) for part in condition.parts]
        return _join(tests, has_to_fit_all=condition.word == "and")
    if isinstance(condition, Not):
        inner = compile_condition(kind, condition.part, now)
        return lambda row: not inner(row)
    return _compile_comparison(kind, condition, now)


def _join(tests: list[Test], *, has_to_fit_all: bool) -> Test:
    if len(tests) == 2:
        first, second = tests
        return (lambda row: first(row) and second(row)) if has_to_fit_all else (lambda row: first(row) or second(row))
    return (
        (lambda row: all(test(row) for test in tests)) if has_to_fit_all else (lambda row: any(t(row) for t in tests))
    )


def candidates(table: Table, condition: Condition | None) -> Iterable[Row]:
    """Return rows among which all matches are, as few as the indexes allow."""
    if condition is None:
        return table.rows.values()
    ids = _ids_by_key(table, condition)
    if ids is not None:
        return [row for record_id in ids if (row := table.get(record_id))]
    bound = _stamp_bound(condition)
    return table.list_since(bound) if bound else table.rows.values()


def _compile_comparison(kind: ObjectType, comparison: Comparison, now: datetime) -> Test:
    field = require_field(kind, comparison.field)
    if field.type in {"address", "textarea"}:
        message = f"field '{field.name}' can not be filtered in a query call"
        raise refuse(400, "INVALID_FIELD", message)
    name, operator = field.name, comparison.operator
    if operator == "like":
        return _compile_like(field, comparison.constants[0])
    if comparison.constants[0].kind == "range":
        return _compile_range(field, comparison, now)
    values = [_comparable(field, constant) for constant in comparison.constants]
    is_folded = field.type in TEXT_TYPES and not field.case_sensitive

    def read(row: Row) -> Any:
        value = row.get(name)
        return value.casefold() if is_folded and value is not None else value

    if operator in {"in", "not in"}:
        wanted = set(values)
        return (lambda row: read(row) in wanted) if operator == "in" else (lambda row: read(row) not in wanted)
    return _compile_order(read, operator, values[0], field)


def _compile_order(read: Callable[[Row], Any], operator: str, wanted: Any, field: Field) -> Test:
    if operator == "=":
        return lambda row: read(row) == wanted
    if operator == "!=":
        return lambda row: read(row) != wanted
    if wanted is None or field.type == "boolean":
        raise refuse(400, "INVALID_OPERATOR", f"invalid operator {operator} for field '{field.name}'")
    if operator == "<":
        return lambda row: (value := read(row)) is not None and value < wanted
    if operator == "<=":
        return lambda row: (value := read(row)) is not None and value <= wanted
    if operator == ">":
        return lambda row: (value := read(row)) is not None and value > wanted
    return lambda row: (value := read(row)) is not None and value >= wanted


def _compile_like(field: Field, constant: Constant) -> Test:
    if field.type not in TEXT_TYPES or field.type in {"id", "reference"} or constant.kind != "text":
        raise refuse(400, "INVALID_FIELD", f"invalid operator LIKE for field '{field.name}'")
    pattern = "".join(_WILDCARDS.get(letter, re.escape(letter)) for letter in str(constant.value))
    match = re.compile(pattern, re.IGNORECASE | re.DOTALL).fullmatch
    name = field.name
    return lambda row: (value := row.get(name)) is not None and match(value) is not None


def _compile_range(field: Field, comparison: Comparison, now: datetime) -> Test:
    if field.type not in {"date", "datetime"}:
        raise _wrong_type(field)
    word, _, count = str(comparison.constants[0].value).partition(":")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first, last = {
        "today": (0, 0), "yesterday": (-1, -1), "tomorrow": (1, 1),
        "last_n_days": (-int(count or 0), 0), "next_n_days": (1, int(count or 0)),
    }[word]  # fmt: skip
    begin, end = ((today + timedelta(days=days)).date().isoformat() for days in (first, last + 1))
    name = field.name
    tests: dict[str, Test] = {
        "=": lambda row: (value := row.get(name)) is not None and begin <= value < end,
        "!=": lambda row: (value := row.get(name)) is None or not begin <= value < end,
        "<": lambda row: (value := row.get(name)) is not None and value < begin,
        "<=": lambda row: (value := row.get(name)) is not None and value < end,
        ">": lambda row: (value := row.get(name)) is not None and value >= end,
        ">=": lambda row: (value := row.get(name)) is not None and value >= begin,
    }
    if comparison.operator not in tests:
        raise _wrong_type(field)
    return tests[comparison.operator]


def _comparable(field: Field, constant: Constant) -> Any:
    """Return the literal in the form the rows hold."""
    kind, value = constant.kind, constant.value
    if kind == "null":
        return None
    if field.type in TEXT_TYPES:
        return _comparable_text(field, constant)
    fitting = {"boolean": "boolean", "date": "date", "datetime": "datetime"}.get(field.type, "number")
    if field.type in NUMBER_TYPES:
        fitting = "number"
    if kind != fitting:
        raise _wrong_type(field)
    if kind != "datetime":
        return value
    stamp = parse_stamp(value)
    if stamp is None:
        raise refuse(400, "MALFORMED_QUERY", f"line 1:1 no viable alternative at {value}")
    return stamp


def _comparable_text(field: Field, constant: Constant) -> str | None:
    if constant.kind != "text":
        raise _wrong_type(field)
    text = str(constant.value)
    if not text:
        return None
    if field.type in {"id", "reference"}:
        record_id = normalise_id(text)
        if record_id is None:
            raise refuse(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
        text = record_id
    return text if field.case_sensitive else text.casefold()


def _wrong_type(field: Field) -> Exception:
    is_text = field.type in TEXT_TYPES
    quoted = " and should be enclosed in quotes" if is_text else " and should not be enclosed in quotes"
    shown = {"datetime": "dateTime", "currency": "double"}.get(field.type, "string" if is_text else field.type)
    message = f"value of filter criterion for field '{field.name}' must be of type {shown}{quoted}"
    return refuse(400, "INVALID_FIELD", message)


def _ids_by_key(table: Table, condition: Condition) -> list[str] | None:
    if isinstance(condition, Group) and condition.word == "and":
        return next((ids for part in condition.parts if (ids := _ids_by_key(table, part)) is not None), None)
    if not isinstance(condition, Comparison) or condition.operator not in {"=", "in"}:
        return None
    field = table.kind.find(condition.field)
    values = [constant.value for constant in condition.constants if constant.kind == "text"]
    if field is None or len(values) != len(condition.constants):
        return None
    if field.type == "id":
        return list(dict.fromkeys(filter(None, map(normalise_id, values))))
    found: dict[str, None] = {}
    for value in values:
        ids = table.find_ids(field, value)
        if ids is None or not value:
            return None
        found.update(dict.fromkeys(ids))
    return list(found)


def _stamp_bound(condition: Condition) -> str | None:
    """Return the oldest SystemModstamp that can match, or None when any can."""
    if isinstance(condition, Group):
        bounds = [_stamp_bound(part) for part in condition.parts]
        known = [bound for bound in bounds if bound]
        if condition.word == "and":
            return max(known, default=None)
        return min(known) if len(known) == len(bounds) else None
    if isinstance(condition, Not) or condition.field.lower() != "systemmodstamp":
        return None
    if condition.operator not in {"=", ">", ">="} or condition.constants[0].kind != "datetime":
        return None
    return parse_stamp(condition.constants[0].value)
