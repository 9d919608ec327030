"""Routes for single records, queries, and the updated and deleted lists."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from comity.sandbox.salesforce.errors import RowFault, refuse
from comity.sandbox.salesforce.fields import format_stamp, parse_stamp
from comity.sandbox.salesforce.identifiers import normalise_id
from comity.sandbox.salesforce.organisation import Organisation
from comity.sandbox.salesforce.query import Queries, render_rows
from comity.sandbox.salesforce.soql_filter import require_field
from comity.sandbox.salesforce.table import Row, Table
from comity.sandbox.salesforce.upsert import AmbiguousKey, find_ids, require_key, upsert
from comity.sandbox.wire import Handler, JsonObject, Request, Response, Routes, answer, decode_object

REPLICATION_DAYS_MAX = 30
RECYCLE_DAYS = 15
IDS_MAX = 600_000


def base_path(request: Request) -> str:
    """Return `/services/data/vXX.X` of the call."""
    return "/" + "/".join(request.segments[:3])


def read_body(request: Request) -> JsonObject:
    """Return the JSON object of the body. Raises the vendor's JSON_PARSER_ERROR."""
    body = decode_object(request.body)
    if body is None:
        raise refuse(
            400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no valid entity body."
        )
    return body


def page_rows(request: Request) -> int:
    """Return the page size asked for in Sforce-Query-Options."""
    for option in request.headers.get("sforce-query-options", "").split(","):
        name, _, value = option.strip().partition("=")
        if name.lower() == "batchsize" and value.isdecimal():
            return int(value)
    return 2000


class RecordRoutes:
    """Handlers for records and queries."""

    def __init__(self, *, organisation: Organisation, queries: Queries) -> None:
        """Serve this organisation."""
        self._organisation = organisation
        self._queries = queries

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        sobjects = "/services/data/{version}/sobjects/{object}"
        routes.add("POST", sobjects, self.create)
        routes.add("GET", sobjects + "/updated", self.list_updated)
        routes.add("GET", sobjects + "/deleted", self.list_deleted)
        routes.add("GET", sobjects + "/{id}", self.get)
        routes.add("PATCH", sobjects + "/{id}", self.update)
        routes.add("DELETE", sobjects + "/{id}", self.delete)
        routes.add("POST", sobjects + "/Id", self.create)
        routes.add("GET", sobjects + "/{field}/{value}", self.get_by_key)
        routes.add("PATCH", sobjects + "/{field}/{value}", self.upsert)
        routes.add("DELETE", sobjects + "/{field}/{value}", self.delete_by_key)
        for name, has_deleted in (("query", False), ("queryAll", True)):
            routes.add("GET", f"/services/data/{{version}}/{name}", self._query_handler(has_deleted=has_deleted))
            routes.add("GET", f"/services/data/{{version}}/{name}/{{locator}}", self.more)

    def create(self, request: Request) -> Response:
        """POST a record."""
        table = self._organisation.table(request.params["object"])
        check_lock(request)
        record_id = self._organisation.insert(table, read_body(request), actor=self._organisation.api)
        created = answer(201, {"id": record_id, "success": True, "errors": []})
        created.headers.append(("location", f"{base_path(request)}/sobjects/{table.kind.name}/{record_id}"))
        return created

    def get(self, request: Request) -> Response:
        """GET a record, whole or the fields asked for."""
        table = self._organisation.table(request.params["object"])
        return self._show(request, table, self._existing(table, request.params["id"]))

    def get_by_key(self, request: Request) -> Response:
        """GET a record by an external id."""
        table = self._organisation.table(request.params["object"])
        return self._show(request, table, self._existing(table, self._one_id(request, table)))

    def update(self, request: Request) -> Response:
        """PATCH a record."""
        table = self._organisation.table(request.params["object"])
        check_lock(request, request.params["id"])
        self._organisation.update(table, request.params["id"], read_body(request), actor=self._organisation.api)
        return Response(status=204)

    def delete(self, request: Request) -> Response:
        """DELETE a record."""
        table = self._organisation.table(request.params["object"])
        check_lock(request, request.params["id"])
        self._organisation.delete(table, request.params["id"], actor=self._organisation.api)
        return Response(status=204)

    def delete_by_key(self, request: Request) -> Response:
        """DELETE a record by an external id."""
        table = self._organisation.table(request.params["object"])
        check_lock(request)
        self._organisation.delete(table, self._one_id(request, table), actor=self._organisation.api)
        return Response(status=204)

    def upsert(self, request: Request) -> Response:
        """PATCH by an external id: 201 created, 200 updated, 300 when several records hold it."""
        table = self._organisation.table(request.params["object"])
        field = require_key(table, request.params["field"])
        check_lock(request)
        is_update_only = request.has_flag("updateOnly")
        value, fields = request.params["value"], read_body(request)
        try:
            done = upsert(self._organisation, table, field, value, fields, is_update_only=is_update_only)
        except AmbiguousKey as error:
            return self._many(request, table, error.record_ids)
        body: JsonObject = {"id": done.record_id, "success": True, "errors": [], "created": done.is_created}
        return answer(201 if done.is_created else 200, body)

    def more(self, request: Request) -> Response:
        """GET the next page of a query."""
        return answer(200, self._queries.more(request.params["locator"], base=base_path(request)))

    def list_updated(self, request: Request) -> Response:
        """List ids created or changed in a time span."""
        table = self._organisation.table(request.params["object"])
        start, end = self._span(request)
        ids = [
            row["Id"]
            for row in table.list_since(start)
            if start <= row["SystemModstamp"] < end and not row["IsDeleted"]
        ]  # fmt: skip
        _check_count(ids)
        return answer(200, {"ids": ids, "latestDateCovered": end})

    def list_deleted(self, request: Request) -> Response:
        """List ids deleted in a time span, as far back as the recycle bin reaches."""
        table = self._organisation.table(request.params["object"])
        start, end = self._span(request)
        earliest = format_stamp(self._organisation.clock.now() - timedelta(days=RECYCLE_DAYS))
        rows = [
            {"id": record_id, "deletedDate": stamp}
            for record_id, stamp in table.deleted_at.items()
            if max(start, earliest) <= stamp < end
        ]
        _check_count(rows)
        body = {"deletedRecords": rows, "earliestDateAvailable": earliest, "latestDateCovered": end}
        return answer(200, body)

    def _query_handler(self, *, has_deleted: bool) -> Handler:
        def run(request: Request) -> Response:
            text = request.argument("q")
            if text is None:
                raise refuse(400, "MALFORMED_QUERY", "A query string has to be specified")
            page = self._queries.run(
                text, base=base_path(request), has_deleted=has_deleted, page_rows=page_rows(request)
            )
            return answer(200, page)

        return run

    def _existing(self, table: Table, record_id: str) -> Row:
        row = table.get(normalise_id(record_id) or "")
        if row is None or row["IsDeleted"]:
            raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
        return row

    def _one_id(self, request: Request, table: Table) -> str:
        field = require_key(table, request.params["field"])
        if field.type == "id":
            return request.params["value"]
        ids = find_ids(table, field, request.params["value"])
        if len(ids) != 1:
            raise RowFault("NOT_FOUND", "The requested resource does not exist", status=404)
        return ids[0]

    def _show(self, request: Request, table: Table, row: Row) -> Response:
        if (request.headers.get("if-modified-since") or "") and _is_unmodified(
            row, request.headers["if-modified-since"]
        ):
            return Response(status=304)
        names = request.arguments("fields")
        fields = [require_field(table.kind, name.strip()) for name in names] or list(table.kind.fields.values())
        record = render_rows(table, tuple(fields), [row], base_path(request))[0]
        return answer(200, record if not names or "Id" in record else {**record, "Id": row["Id"]})

    def _many(self, request: Request, table: Table, record_ids: list[str]) -> Response:
        url = f"{base_path(request)}/sobjects/{quote(table.kind.name)}/"
        return answer(300, [url + record_id for record_id in record_ids])

    def _span(self, request: Request) -> tuple[str, str]:
        now = self._organisation.clock.now()
        found: list[str] = []
        for name in ("start", "end"):
            # A `+` that was not encoded arrives as a blank.
            stamp = parse_stamp((request.argument(name) or "").replace(" ", "+"))
            if stamp is None:
                raise refuse(400, "INVALID_REPLICATION_DATE", f"{name} is not a date with a time zone")
            found.append(stamp)
        start, end = found
        if start < format_stamp(now - timedelta(days=REPLICATION_DAYS_MAX)):
            message = f"startDate cannot be more than {REPLICATION_DAYS_MAX} days ago"
            raise refuse(400, "INVALID_REPLICATION_DATE", message)
        if datetime.fromisoformat(end) - datetime.fromisoformat(start) < timedelta(minutes=1):
            raise refuse(400, "INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
        return start, min(end, format_stamp(now))


def check_lock(request: Request, record_id: str = "") -> None:
    """Refuse the write when a lock fault is set. Raises RowFault."""
    if request.is_locked:
        message = f"unable to obtain exclusive access to this record or 1 records: {record_id}".rstrip(": ")
        raise RowFault("UNABLE_TO_LOCK_ROW", message)


def _check_count(rows: list[str] | list[dict[str, str]]) -> None:
    if len(rows) > IDS_MAX:
        raise refuse(400, "EXCEEDED_ID_LIMIT", f"more than {IDS_MAX} ids")


def _is_unmodified(row: Row, header: str) -> bool:
    try:
        since = datetime.strptime(header, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC)
    except ValueError:
        return False
    return row["LastModifiedDate"] <= format_stamp(since)
