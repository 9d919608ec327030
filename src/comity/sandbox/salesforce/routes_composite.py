"""Routes that carry many records or many calls: collections and composite."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from comity.sandbox.salesforce.errors import RowFault, refuse
from comity.sandbox.salesforce.identifiers import normalise_id
from comity.sandbox.salesforce.organisation import Organisation
from comity.sandbox.salesforce.query import render_rows
from comity.sandbox.salesforce.routes_records import base_path, check_lock, read_body
from comity.sandbox.salesforce.soql_filter import require_field
from comity.sandbox.salesforce.table import Table
from comity.sandbox.salesforce.upsert import AmbiguousKey, require_key, upsert
from comity.sandbox.wire import (
    JsonObject,
    Request,
    Response,
    Routes,
    answer,
    as_list,
    as_object,
    encode,
    parse_request,
)

COLLECTION_ROWS_MAX = 200
RETRIEVE_IDS_MAX = 2000
COMPOSITE_CALLS_MAX = 25
COMPOSITE_HEAVY_CALLS_MAX = 5

_REFERENCE = re.compile(r"@\{([A-Za-z][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}")
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+)\]")

Write = Callable[[JsonObject], JsonObject]


class CompositeRoutes:
    """Handlers for collections and composite calls."""

    def __init__(self, *, organisation: Organisation, dispatch: Callable[[Request], Response]) -> None:
        """Serve this organisation; `dispatch` answers one inner call."""
        self._organisation = organisation
        self._dispatch = dispatch

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        base = "/services/data/{version}/composite"
        routes.add("POST", base, self.run)
        routes.add("POST", base + "/sobjects", self.create)
        routes.add("PATCH", base + "/sobjects", self.update)
        routes.add("DELETE", base + "/sobjects", self.delete)
        routes.add("GET", base + "/sobjects/{object}", self.retrieve)
        routes.add("POST", base + "/sobjects/{object}", self.retrieve)
        routes.add("PATCH", base + "/sobjects/{object}/{field}", self.upsert)

    def create(self, request: Request) -> Response:
        """POST up to 200 records, of one or several objects."""

        def write(record: JsonObject) -> JsonObject:
            table = self._table_of(record)
            return _done(self._organisation.insert(table, record, actor=self._organisation.api))

        return self._write_rows(request, write)

    def update(self, request: Request) -> Response:
        """PATCH up to 200 records by id."""

        def write(record: JsonObject) -> JsonObject:
            table = self._table_of(record)
            name = next((name for name in record if name.lower() == "id"), None)
            if name is None:
                raise RowFault("MISSING_ARGUMENT", "Id not specified in an update call")
            fields = {key: value for key, value in record.items() if key != name}
            self._organisation.update(table, str(record[name]), fields, actor=self._organisation.api)
            return _done(normalise_id(str(record[name])) or "")

        return self._write_rows(request, write)

    def upsert(self, request: Request) -> Response:
        """PATCH up to 200 records of one object by an external id."""
        table = self._organisation.table(request.params["object"])
        field = require_key(table, request.params["field"])
        seen: set[str] = set()

        def write(record: JsonObject) -> JsonObject:
            if self._table_of(record) is not table:
                raise RowFault("INVALID_TYPE", f"All records must be of the type {table.kind.name}")
            name = next((name for name in record if name.lower() == field.name.lower()), None)
            value = record.get(name) if name else None
            if value is None or not str(value).strip():
                raise RowFault("MISSING_ARGUMENT", f"{field.name} not specified")
            if field.key(value) in seen:
                raise RowFault("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", fields=[field.name])
            seen.add(field.key(value))
            fields = {key: given for key, given in record.items() if key != name}
            try:
                done = upsert(self._organisation, table, field, value, fields)
            except AmbiguousKey as error:
                message = f"{field.name}: more than one record found for external id field: {error.record_ids}"
                raise RowFault("DUPLICATE_EXTERNAL_ID", message) from None
            return {**_done(done.record_id), "created": done.is_created}

        return self._write_rows(request, write)

    def delete(self, request: Request) -> Response:
        """DELETE up to 200 records named in `ids`."""
        ids = request.arguments("ids")
        _check_size(ids, COLLECTION_ROWS_MAX)
        tables = {table.kind.prefix: table for table in self._organisation.tables.values()}

        def write(record_id: str) -> JsonObject:
            table = tables.get(record_id[:3])
            if table is None:
                raise RowFault("MALFORMED_ID", f"malformed id {record_id}")
            self._organisation.delete(table, record_id, actor=self._organisation.api)
            return _done(normalise_id(record_id) or record_id)

        return answer(200, self._each(request, ids, write, is_all_or_none=request.has_flag("allOrNone")))

    def retrieve(self, request: Request) -> Response:
        """Return records by id, null for those that are not there."""
        table = self._organisation.table(request.params["object"])
        if request.method == "POST":
            body = read_body(request)
            ids = [str(value) for value in as_list(body.get("ids")) or []]
            names = [str(value) for value in as_list(body.get("fields")) or []]
        else:
            ids, names = request.arguments("ids"), request.arguments("fields")
        _check_size(ids, RETRIEVE_IDS_MAX)
        if not names:
            raise refuse(400, "MISSING_ARGUMENT", "The fields parameter is required")
        fields = tuple(require_field(table.kind, name) for name in names)
        rows = [table.get(normalise_id(record_id) or "") for record_id in ids]
        base = base_path(request)
        return answer(
            200, [render_rows(table, fields, [row], base)[0] if row and not row["IsDeleted"] else None for row in rows]
        )

    def run(self, request: Request) -> Response:
        """Run up to 25 calls one after the other; later ones may refer to the answers of earlier ones."""
        body = read_body(request)
        calls = [as_object(call) or {} for call in as_list(body.get("compositeRequest")) or []]
        if not calls or len(calls) > COMPOSITE_CALLS_MAX:
            message = f"The composite request needs 1 to {COMPOSITE_CALLS_MAX} subrequests"
            raise refuse(400, "PROCESSING_HALTED", message)
        heavy = [call for call in calls if re.search(r"/(query|queryAll|composite/sobjects)\b", str(call.get("url")))]
        if len(heavy) > COMPOSITE_HEAVY_CALLS_MAX:
            message = f"Cannot have more than {COMPOSITE_HEAVY_CALLS_MAX} query or collection subrequests"
            raise refuse(400, "PROCESSING_HALTED", message)
        is_all_or_none = body.get("allOrNone") is True
        answers: dict[str, Any] = {}
        results: list[JsonObject] = []
        with self._organisation.all_or_none(is_wanted=is_all_or_none) as failures:
            for call in calls:
                results.append(self._run_one(call, answers, request.headers))
                if results[-1]["httpStatusCode"] >= 400 and is_all_or_none:
                    failures.append("failed")
                    break
        if failures:
            halted = {
                "errorCode": "PROCESSING_HALTED",
                "message": "The transaction was rolled back since another operation in the same transaction failed.",
            }
            failed = results.pop()
            results = [{**result, "body": [halted], "httpStatusCode": 400} for result in results] + [failed]
            for call in calls[len(results) :]:
                reference = call.get("referenceId")
                results.append({"body": [halted], "httpHeaders": {}, "httpStatusCode": 400, "referenceId": reference})
        return answer(200, {"compositeResponse": results})

    def _run_one(self, call: JsonObject, answers: dict[str, Any], headers: Any) -> JsonObject:
        reference = str(call.get("referenceId", ""))
        try:
            url, body = _replace(call.get("url", ""), answers), _replace(call.get("body"), answers)
        except (KeyError, IndexError, TypeError):
            fault = [
                {"errorCode": "PROCESSING_HALTED", "message": "Invalid reference specified. No value for a reference"}
            ]
            return {"body": fault, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": reference}
        inner = parse_request(
            method=str(call.get("method", "")).upper(),
            target=str(url).replace(" ", "%20"),
            headers=headers,
            body=encode(body) if body is not None else b"",
        )
        response = self._dispatch(inner)
        value = msgspec.json.decode(response.body) if response.body else None
        answers[reference] = value
        return {
            "body": value,
            "httpHeaders": {"Location": dict(response.headers)["location"]}
            if "location" in dict(response.headers)
            else {},
            "httpStatusCode": response.status,
            "referenceId": reference,
        }

    def _write_rows(self, request: Request, write: Write) -> Response:
        body = read_body(request)
        records = as_list(body.get("records"))
        if records is None:
            raise refuse(400, "INVALID_INPUT", "records is required")
        _check_size(records, COLLECTION_ROWS_MAX)
        rows = [as_object(record) or {} for record in records]
        return answer(200, self._each(request, rows, write, is_all_or_none=body.get("allOrNone") is True))

    def _each(
        self, request: Request, items: list[Any], write: Callable[[Any], JsonObject], *, is_all_or_none: bool
    ) -> list[JsonObject]:
        results: list[JsonObject] = []
        with self._organisation.all_or_none(is_wanted=is_all_or_none) as failures:
            for item in items:
                try:
                    check_lock(request)
                    results.append(write(item))
                except RowFault as fault:
                    failures.append(fault.code)
                    results.append(fault.row())
        if is_all_or_none and failures:
            error: JsonObject = {
                "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "message": "Record rolled back because not all records were valid and the request was using"
                " AllOrNone header",
                "fields": [],
            }
            results = [{"success": False, "errors": [error]} if row["success"] else row for row in results]
        return results

    def _table_of(self, record: JsonObject) -> Table:
        attributes = as_object(record.get("attributes")) or {}
        name = attributes.get("type")
        if not isinstance(name, str):
            raise RowFault("INVALID_INPUT", "Each record needs attributes with a type")
        try:
            return self._organisation.table(name)
        except RowFault:
            raise RowFault("INVALID_TYPE", f"sObject type '{name}' is not supported.") from None


def _done(record_id: str) -> JsonObject:
    return {"id": record_id, "success": True, "errors": []}


def _check_size(items: list[Any], size_max: int) -> None:
    if not items or len(items) > size_max:
        message = (
            f"record limit reached. cannot submit more than {size_max} records in this call" if items else "no records"
        )
        raise refuse(400, "EXCEEDED_ID_LIMIT" if items else "INVALID_INPUT", message)


def _replace(value: Any, answers: dict[str, Any]) -> Any:
    """Replace `@{reference.path}` in texts, at any depth."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: str(_look_up(match, answers)), value)
    if (items := as_list(value)) is not None:
        return [_replace(item, answers) for item in items]
    if (fields := as_object(value)) is not None:
        return {name: _replace(item, answers) for name, item in fields.items()}
    return value


def _look_up(match: re.Match[str], answers: dict[str, Any]) -> Any:
    value = answers[match[1]]
    for name, place in _STEP.findall(match[2]):
        value = value[name] if name else value[int(place)]
    return value
