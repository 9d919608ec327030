"""Runs a query and hands its result out in pages."""

from collections import OrderedDict
from operator import itemgetter
from typing import Any
from urllib.parse import quote

import msgspec

from comity.sandbox.salesforce.errors import refuse
from comity.sandbox.salesforce.fields import TEXT_TYPES, Field
from comity.sandbox.salesforce.organisation import Organisation
from comity.sandbox.salesforce.soql_filter import Test, candidates, compile_condition, require_field
from comity.sandbox.salesforce.soql_syntax import Ordering, Query, parse
from comity.sandbox.salesforce.table import Row, Table, read_value
from comity.sandbox.wire import JsonObject

PAGE_ROWS_MIN, PAGE_ROWS_MAX = 200, 2000
OFFSET_MAX = 2000
FIELDS_ALL_LIMIT_MAX = 200
LOCATORS_MAX = 100


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """A result that is being paged; the rows are those of the moment of the query."""

    table: Table
    fields: tuple[Field, ...]
    rows: list[Row]
    page_rows: int
    path: str


class Queries:
    """Queries of one organisation and their open locators."""

    def __init__(self, organisation: Organisation) -> None:
        """Start without locators."""
        self._organisation = organisation
        self._results: OrderedDict[str, _Result] = OrderedDict()

    def run(self, text: str, *, base: str, has_deleted: bool, page_rows: int) -> JsonObject:
        """Run a query and return its first page. Raises the vendor's errors for queries."""
        query = parse(text)
        table = self._organisation.tables.get(query.object.lower())
        if table is None:
            message = (
                f"sObject type '{query.object}' is not supported. If you are attempting to use a custom object, be sure"
                " to append the '__c' after the entity name. Please reference your WSDL or the describe call for the"
                " appropriate names."
            )
            raise refuse(400, "INVALID_TYPE", message)
        fields = _select_fields(table, query)
        rows = self._match(table, query, has_deleted=has_deleted)
        if query.is_count:
            count = len(rows) if query.limit is None else min(len(rows), query.limit)
            return {"totalSize": count, "done": True, "records": []}
        for ordering in reversed(query.order):
            _sort(rows, table, ordering)
        if query.offset > OFFSET_MAX:
            raise refuse(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {OFFSET_MAX}")
        end = None if query.limit is None else query.offset + query.limit
        rows = rows[query.offset : end]
        result = _Result(
            table=table,
            fields=fields,
            rows=rows,
            page_rows=min(max(page_rows, PAGE_ROWS_MIN), PAGE_ROWS_MAX),
            path=f"{base}/{'queryAll' if has_deleted else 'query'}",
        )
        return self._page(result, "", 0, base)

    def more(self, locator: str, *, base: str) -> JsonObject:
        """Return the page of a locator. Raises the vendor's INVALID_QUERY_LOCATOR."""
        key, _, start = locator.partition("-")
        result = self._results.get(key)
        if result is None or not start.isdecimal() or int(start) >= len(result.rows):
            raise refuse(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        self._results.move_to_end(key)
        return self._page(result, key, int(start), base)

    def forget(self) -> None:
        """Let all open locators expire."""
        self._results.clear()

    def _match(self, table: Table, query: Query, *, has_deleted: bool) -> list[Row]:
        test: Test | None = None
        if query.where:
            test = compile_condition(table.kind, query.where, self._organisation.clock.now())
        found = candidates(table, query.where)
        if has_deleted:
            return [row for row in found if test is None or test(row)]
        return [row for row in found if not row["IsDeleted"] and (test is None or test(row))]

    def _page(self, result: _Result, key: str, start: int, base: str) -> JsonObject:
        end = start + result.page_rows
        page: JsonObject = {
            "totalSize": len(result.rows),
            "done": end >= len(result.rows),
            "records": render_rows(result.table, result.fields, result.rows[start:end], base),
        }
        if not page["done"]:
            if not key:
                key = self._organisation.next_id("01g")
                self._results[key] = result
                if len(self._results) > LOCATORS_MAX:
                    self._results.popitem(last=False)
            page["nextRecordsUrl"] = f"{result.path}/{key}-{end}"
        return page


def render_rows(table: Table, fields: tuple[Field, ...], rows: list[Row], base: str) -> list[JsonObject]:
    """Return rows as an answer shows them, each with its `attributes`."""
    name = table.kind.name
    url = f"{base}/sobjects/{quote(name)}/"
    plain = [field.name for field in fields if field.type != "address"]
    derived = [field for field in fields if field.type == "address"]
    rendered: list[JsonObject] = []
    for row in rows:
        shown: JsonObject = {"attributes": {"type": name, "url": url + row["Id"]}}
        for field_name in plain:
            shown[field_name] = row.get(field_name)
        for field in derived:
            shown[field.name] = read_value(row, field)
        rendered.append(shown)
    return rendered


def _select_fields(table: Table, query: Query) -> tuple[Field, ...]:
    if query.fields[:1] and query.fields[0].startswith("FIELDS("):
        scope = query.fields[0].removeprefix("FIELDS(").removesuffix(")")
        fields = tuple(
            field for field in table.kind.fields.values() if scope == "ALL" or (scope == "CUSTOM") == field.custom
        )
        if scope not in {"ALL", "CUSTOM", "STANDARD"}:
            raise refuse(400, "MALFORMED_QUERY", f"unexpected token: '{scope}'")
        if scope != "STANDARD" and not 0 < (query.limit or 0) <= FIELDS_ALL_LIMIT_MAX:
            message = f"The SOQL FIELDS function must have a LIMIT of at most {FIELDS_ALL_LIMIT_MAX}"
            raise refuse(400, "MALFORMED_QUERY", message)
        return fields
    names = [name.lower() for name in query.fields]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled:
        raise refuse(400, "MALFORMED_QUERY", f"duplicate field selected: {doubled}")
    return tuple(require_field(table.kind, name) for name in query.fields)


def _sort(rows: list[Row], table: Table, ordering: Ordering) -> None:
    field = require_field(table.kind, ordering.field)
    if field.type in {"address", "textarea"}:
        raise refuse(400, "INVALID_FIELD", f"field '{field.name}' can not be sorted in a query call")
    name = field.name
    is_folded = field.type in TEXT_TYPES and field.type not in {"id", "reference"}

    if not field.nillable and not is_folded:
        rows.sort(key=itemgetter(name), reverse=ordering.is_descending)
        return

    def key(row: Row) -> Any:
        value = row[name]
        return value.casefold() if is_folded else value

    filled = [row for row in rows if row.get(name) is not None]
    filled.sort(key=key, reverse=ordering.is_descending)
    if len(filled) == len(rows):
        rows[:] = filled
        return
    empty = [row for row in rows if row.get(name) is None]
    rows[:] = filled + empty if ordering.has_nulls_last else empty + filled
