"""Search: filter groups, operators, sorts, free text, and the ceiling of 10,000 results."""

import re
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import msgspec

from comity.sandbox.hubspot.errors import ObjectFault
from comity.sandbox.hubspot.portal import Collection, Record, fold
from comity.sandbox.hubspot.properties import Property, parse_stamp
from comity.sandbox.wire import JsonObject, as_list, as_object

RESULTS_MAX = 10_000
PAGE_MAX = 200
GROUPS_MAX, FILTERS_MAX, FILTERS_TOTAL_MAX = 5, 6, 18
QUERY_CHARACTERS_MAX = 3000
OPERATORS = frozenset(
    {
        "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "BETWEEN", "IN", "NOT_IN", "HAS_PROPERTY", "NOT_HAS_PROPERTY",
        "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN",
    }
)  # fmt: skip

Test = Callable[[dict[str, str]], bool]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a search."""

    total: int
    records: list[Record]
    after: int | None


def search(collection: Collection, visible: dict[str, Record], body: JsonObject) -> Found:
    """Run a search over the records search can see. Raises ObjectFault for what the vendor refuses."""
    limit, start = _paging(body)
    groups = [as_object(group) or {} for group in as_list(body.get("filterGroups")) or []]
    filters = [[as_object(item) or {} for item in as_list(group.get("filters")) or []] for group in groups]
    if len(groups) > GROUPS_MAX or any(len(group) > FILTERS_MAX for group in filters):
        raise _bad(f"At most {GROUPS_MAX} filterGroups with {FILTERS_MAX} filters each are allowed")
    if sum(len(group) for group in filters) > FILTERS_TOTAL_MAX:
        raise _bad(f"At most {FILTERS_TOTAL_MAX} filters are allowed")
    tests = [[_compile(collection, item) for item in group] for group in filters]
    rows = _candidates(collection, visible, filters)
    if tests:
        fits = _join([_join(group, has_to_fit_all=True) for group in tests], has_to_fit_all=False)
        rows = [row for row in rows if fits(row.properties)]
    text = str(body.get("query") or "")
    if len(text) > QUERY_CHARACTERS_MAX:
        raise _bad(f"The query is longer than {QUERY_CHARACTERS_MAX} characters")
    if text:
        rows = [row for row in rows if _mentions(collection, row, text)]
    rows = _sorted(collection, list(rows), as_list(body.get("sorts")) or [])
    end = start + limit
    is_more = end < len(rows)
    return Found(total=len(rows), records=rows[start:end], after=end if is_more else None)


def _join(tests: list[Test], *, has_to_fit_all: bool) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return (lambda row: first(row) and second(row)) if has_to_fit_all else (lambda row: first(row) or second(row))
    return (
        (lambda row: all(test(row) for test in tests)) if has_to_fit_all else (lambda row: any(t(row) for t in tests))
    )


def _paging(body: JsonObject) -> tuple[int, int]:
    limit = body.get("limit", 10)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 0 <= limit <= PAGE_MAX:
        raise _bad(f"limit must be an integer between 0 and {PAGE_MAX}")
    after = str(body.get("after") or "0")
    if not after.isdecimal():
        raise _bad("after must be a number")
    if int(after) + limit > RESULTS_MAX:
        raise _bad(f"Paging past {RESULTS_MAX} results is not possible: after={after}, limit={limit}")
    return limit, int(after)


def _bad(message: str) -> ObjectFault:
    return ObjectFault(400, "VALIDATION_ERROR", f"There was a problem with the request. {message}")


def _compile(collection: Collection, item: JsonObject) -> Test:
    name, operator = str(item.get("propertyName", "")), str(item.get("operator", ""))
    definition = collection.kind.properties.get(name)
    if definition is None:
        raise _bad(f"Property {name} does not exist")
    if operator not in OPERATORS:
        raise _bad(f"{operator} is not an operator")
    if operator in {"HAS_PROPERTY", "NOT_HAS_PROPERTY"}:
        return _compile_presence(name, is_present=operator == "HAS_PROPERTY")
    if operator in {"IN", "NOT_IN"}:
        return _compile_membership(definition, as_list(item.get("values")) or [], is_in=operator == "IN")
    if item.get("value") is None:
        raise _bad(f"{operator} needs a value")
    if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
        return _compile_token(name, str(item["value"]), is_in=operator == "CONTAINS_TOKEN")
    wanted = _comparable(definition, item["value"])
    if operator != "BETWEEN":
        return _compile_order(definition, operator, wanted)
    if item.get("highValue") is None:
        raise _bad("BETWEEN needs a highValue")
    high = _comparable(definition, item["highValue"])
    return lambda row: name in row and wanted <= _stored(definition, row[name]) <= high


def _compile_presence(name: str, *, is_present: bool) -> Test:
    return lambda row: (name in row) is is_present


def _compile_membership(definition: Property, values: list[Any], *, is_in: bool) -> Test:
    if not values:
        raise _bad("IN and NOT_IN need values")
    name, wanted = definition.name, {_comparable(definition, value) for value in values}
    return lambda row: name in row and (_stored(definition, row[name]) in wanted) is is_in


def _compile_token(name: str, value: str, *, is_in: bool) -> Test:
    match = _token_pattern(value)
    if is_in:
        return lambda row: name in row and match(row[name])
    return lambda row: name not in row or not match(row[name])


def _compile_order(definition: Property, operator: str, wanted: Any) -> Test:
    name = definition.name
    # Times are stored as texts that sort as times do, so most searches compare without any conversion.
    is_plain = definition.type == "datetime"

    def read(row: dict[str, str]) -> Any:
        return row[name] if is_plain else _stored(definition, row[name])

    tests: dict[str, Test] = {
        "EQ": lambda row: name in row and read(row) == wanted,
        "NEQ": lambda row: name in row and read(row) != wanted,
        "LT": lambda row: name in row and read(row) < wanted,
        "LTE": lambda row: name in row and read(row) <= wanted,
        "GT": lambda row: name in row and read(row) > wanted,
        "GTE": lambda row: name in row and read(row) >= wanted,
    }
    return tests[operator]


def _comparable(definition: Property, value: Any) -> Any:
    """Return a value of a filter in the form it is compared in. Raises ObjectFault when it does not fit."""
    text = str(value).strip()
    if definition.type == "number":
        try:
            return float(text)
        except ValueError:
            raise _bad(f"{text} is not a number") from None
    if definition.type in {"datetime", "date"}:
        stamp = parse_stamp(text)
        if stamp is None:
            raise _bad(f"{text} is not a time")
        return stamp if definition.type == "datetime" else stamp[:10]
    return text.casefold()


def _stored(definition: Property, value: str) -> Any:
    if definition.type == "number":
        try:
            return float(value)
        except ValueError:
            # Loaded from an old export: never equal to a number.
            return float("nan")
    return value if definition.type in {"datetime", "date"} else value.casefold()


def _token_pattern(value: str) -> Callable[[str], bool]:
    """Match whole words (an e-mail address is several), `*` standing for any letters."""
    pattern = ".*".join(re.escape(part) for part in value.strip().split("*"))
    whole = re.compile(rf"(?<![^\W_]){pattern}(?![^\W_])", re.IGNORECASE)
    return lambda text: whole.search(text) is not None


def _mentions(collection: Collection, row: Record, text: str) -> bool:
    haystack = " ".join(row.properties.get(name, "") for name in collection.kind.searched).casefold()
    return all(word in haystack for word in text.casefold().split())


def _sorted(collection: Collection, rows: list[Record], sorts: list[Any]) -> list[Record]:
    if len(sorts) > 1:
        raise _bad("Only one sort is allowed")
    # The vendor's default order is the order of creation.
    name, is_descending = "hs_object_id", False
    if sorts:
        order = as_object(sorts[0])
        # Several of the vendor's own clients type a sort as text; `-name` means descending.
        name = str(order.get("propertyName", "")) if order else str(sorts[0]).lstrip("-")
        is_descending = order.get("direction") == "DESCENDING" if order else str(sorts[0]).startswith("-")
    definition = collection.kind.properties.get(name)
    if definition is None:
        raise _bad(f"Property {name} does not exist")
    if name == "hs_object_id":
        rows.sort(key=attrgetter("number"), reverse=is_descending)
        return rows
    filled = [row for row in rows if name in row.properties]
    empty = [row for row in rows if name not in row.properties]
    filled.sort(key=lambda row: _stored(definition, row.properties[name]), reverse=is_descending)
    return filled + empty


def _candidates(collection: Collection, visible: dict[str, Record], groups: list[list[JsonObject]]) -> Iterable[Record]:
    """Return records among which all matches are; keys and the change time make them few."""
    if not groups:
        return visible.values()
    ids: dict[str, None] = {}
    for group in groups:
        found = next((found for item in group if (found := _ids_by_key(collection, item)) is not None), None)
        if found is None:
            return _since(collection, visible, groups)
        ids.update(dict.fromkeys(found))
    return [visible[record_id] for record_id in ids if record_id in visible]


def _ids_by_key(collection: Collection, item: JsonObject) -> list[str] | None:
    name, operator = item.get("propertyName"), item.get("operator")
    if operator not in {"EQ", "IN"}:
        return None
    values = (
        [str(value) for value in (as_list(item.get("values")) or [])] if operator == "IN" else [str(item.get("value"))]
    )
    if name == "hs_object_id":
        return [value.strip() for value in values]
    # The keys know the present; while search lags behind it must look at what it knows itself.
    index = collection.keys.get(str(name)) if not collection.unsearched else None
    return None if index is None else [holder for value in values if (holder := index.get(fold(value)))]


def _since(collection: Collection, visible: dict[str, Record], groups: list[list[JsonObject]]) -> Iterable[Record]:
    bounds = [_bound(collection, group) for group in groups]
    known = [bound for bound in bounds if bound]
    if len(known) < len(bounds):
        return visible.values()
    oldest = min(known)
    found: list[Record] = []
    # What changed last was learned last.
    for record in reversed(visible.values()):
        if record.updated_at < oldest:
            break
        found.append(record)
    return found


def _bound(collection: Collection, group: list[JsonObject]) -> str | None:
    bounds = [
        stamp
        for item in group
        if item.get("propertyName") == collection.kind.modified
        and item.get("operator") in {"EQ", "GT", "GTE", "BETWEEN"}
        and (stamp := parse_stamp(str(item.get("value"))))
    ]
    return max(bounds, default=None)
