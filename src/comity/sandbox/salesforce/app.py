"""The simulated Salesforce: sessions, limits, the way of a call, and what the admin routes need."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from comity.kernel.ids import Ids
from comity.sandbox.clock import ShiftedClock
from comity.sandbox.faults import FaultOrder
from comity.sandbox.salesforce.errors import RowFault, refuse, refuse_unknown
from comity.sandbox.salesforce.organisation import Organisation, report_tables
from comity.sandbox.salesforce.query import Queries
from comity.sandbox.salesforce.routes_composite import CompositeRoutes
from comity.sandbox.salesforce.routes_records import RecordRoutes
from comity.sandbox.salesforce.routes_schema import VERSIONS, SchemaRoutes
from comity.sandbox.salesforce.table import Table
from comity.sandbox.simulator import BadAdmin, Tally
from comity.sandbox.types import SandboxOptions
from comity.sandbox.wire import JsonObject, Refusal, Request, Response, Routes, answer

DAILY_CALLS_GENEROUS, DAILY_CALLS_DOCUMENTED = 5_000_000, 100_000
TARGET_BYTES_MAX = 16_384
SESSIONS_MAX = 1000


class Salesforce:
    """One simulated organisation behind its REST API."""

    app_id: int | None = None
    portal_id: int | None = None

    def __init__(self, *, clock: ShiftedClock, ids: Ids, seed: int, options: SandboxOptions) -> None:
        """Start an organisation without customers."""
        self.tally = Tally()
        self.public_url = ""
        self._clock = clock
        self._ids = ids
        self._options = options
        self.organisation = Organisation(
            clock=clock, seed=seed, tally=self.tally, has_loyalty_fields=options.has_loyalty_fields
        )
        self.token = f"{self.organisation.organisation_id[:15]}!{ids.token(24)}"
        self.client_secret: str | None = None
        self._refresh_token = f"5Aep{ids.token(24)}"
        self._sessions: dict[str, datetime | None] = {self.token: None}
        self._daily_max = DAILY_CALLS_DOCUMENTED if options.has_documented_limits else DAILY_CALLS_GENEROUS
        self._daily_used = 0
        self._day_began_at = clock.now()
        self._schema = SchemaRoutes(organisation=self.organisation)
        self._routes = Routes()
        self._schema.register(self._routes)
        self._queries = Queries(self.organisation)
        RecordRoutes(organisation=self.organisation, queries=self._queries).register(self._routes)
        CompositeRoutes(organisation=self.organisation, dispatch=self._dispatch).register(self._routes)
        self._routes.add("GET", "/services/data/{version}/limits", self._list_limits)

    def answer(self, request: Request) -> Response:
        """Answer one call."""
        try:
            if request.raw_target_bytes > TARGET_BYTES_MAX:
                raise refuse(414, "URI_TOO_LONG", f"The length of the URI exceeds the {TARGET_BYTES_MAX} byte limit.")
            if request.segments == ("services", "oauth2", "token"):
                return self._grant(request)
            if request.segments == ("services", "data") and request.method == "GET":
                return self._schema.list_versions(request)
            self._require_session(request)
            self._take_call()
            self.tally.count_call(is_write=request.method != "GET")
        except Refusal as refusal:
            return refusal.response
        response = self._dispatch(request)
        response.headers.append(("sforce-limit-info", f"api-usage={self._daily_used}/{self._daily_max}"))
        return response

    def _dispatch(self, request: Request) -> Response:
        try:
            handler = self._routes.find(request)
            if handler is None:
                methods = self._routes.methods(request)
                if methods:
                    message = f"HTTP Method '{request.method}' not allowed. Allowed are {','.join(methods)}"
                    raise refuse(405, "METHOD_NOT_ALLOWED", message)
                raise refuse_unknown(f"{request.method} {request.path}")
            version = request.params.get("version", "")
            if version not in {f"v{number}" for _, number in VERSIONS}:
                raise refuse(404, "NOT_FOUND", "The requested resource does not exist")
            return handler(request)
        except Refusal as refusal:
            return refusal.response
        except RowFault as fault:
            return fault.refusal().response

    def _grant(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        grant = form.get("grant_type", "")
        if request.method != "POST" or grant not in {"client_credentials", "refresh_token"}:
            return _grant_error("unsupported_grant_type", "grant type not supported")
        if not form.get("client_id") and "authorization" not in request.headers:
            return _grant_error("invalid_client_id", "client identifier invalid")
        if grant == "refresh_token" and form.get("refresh_token") != self._refresh_token:
            return _grant_error("invalid_grant", "expired access/refresh token")
        now = self._clock.now()
        token = f"{self.organisation.organisation_id[:15]}!{self._ids.token(24)}"
        self._sessions = {known: end for known, end in self._sessions.items() if end is None or end > now}
        if len(self._sessions) > SESSIONS_MAX:
            return _grant_error("invalid_grant", "login rate exceeded")
        self._sessions[token] = now + timedelta(seconds=self._options.session_seconds)
        organisation_id = self.organisation.organisation_id
        body = {
            "access_token": token,
            "instance_url": self.public_url,
            "id": f"{self.public_url}/id/{organisation_id}/{self.organisation.api.user_id}",
            "token_type": "Bearer",
            "issued_at": str(int(now.timestamp() * 1000)),
            "signature": self._ids.token(32),
            "scope": "api refresh_token",
        }
        if grant == "client_credentials":
            body["refresh_token"] = self._refresh_token
        return answer(200, body)

    def _require_session(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        end = self._sessions.get(token.strip(), self._clock.now() - timedelta(seconds=1))
        if scheme.lower() not in {"bearer", "oauth"} or (end is not None and end <= self._clock.now()):
            raise refuse(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def _take_call(self) -> None:
        now = self._clock.now()
        if now - self._day_began_at >= timedelta(days=1):
            self._day_began_at, self._daily_used = now, 0
        if self._daily_used >= self._daily_max:
            raise refuse(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self._daily_used += 1

    def _list_limits(self, _request: Request) -> Response:
        remaining = max(self._daily_max - self._daily_used, 0)
        return answer(200, {"DailyApiRequests": {"Max": self._daily_max, "Remaining": remaining}})

    def load(self, *, kind: str | None, rows: Iterable[Mapping[str, str]]) -> int:
        """Load old records."""
        table = self._table(kind or "Contact")
        return self.organisation.load(table, rows, has_one_stamp=self._options.has_one_stamp)

    def edit(self, *, kind: str, record_id: str | None, fields: JsonObject) -> str:
        """Edit or create a record as a user; `$late_seconds` stamps it as an earlier change that commits now."""
        table = self._table(kind)
        late_seconds = float(fields.pop("$late_seconds", 0.0))
        try:
            if record_id is None:
                return self.organisation.insert(table, fields, actor=self.organisation.user)
            self.organisation.update(table, record_id, fields, actor=self.organisation.user, late_seconds=late_seconds)
        except RowFault as fault:
            raise BadAdmin(f"{fault.code}: {fault.message}") from fault
        return record_id

    def remove(self, *, kind: str, record_ids: list[str]) -> None:
        """Delete records as a user."""
        self._each(kind, record_ids, self.organisation.delete)

    def restore(self, *, kind: str, record_ids: list[str]) -> None:
        """Undelete records as a user."""
        self._each(kind, record_ids, self.organisation.restore)

    def merge(self, *, kind: str, survivor_id: str, loser_ids: list[str]) -> str:
        """Merge: the losers are deleted and point to the survivor."""
        table = self._table(kind)
        try:
            survivor = self.organisation.live(table, survivor_id)
            for loser_id in loser_ids:
                self.organisation.delete(table, loser_id, actor=self.organisation.user, master_id=survivor["Id"])
            self.organisation.update(table, survivor["Id"], {}, actor=self.organisation.user)
        except RowFault as fault:
            raise BadAdmin(f"{fault.code}: {fault.message}") from fault
        return survivor["Id"]

    def find(self, *, kind: str, field: str, value: str) -> list[JsonObject]:
        """List records whose field holds the value."""
        table = self._table(kind)
        known = table.kind.find(field)
        if known is None:
            raise BadAdmin(f"{kind} has no field {field}.")
        return [
            {"id": row["Id"], "fields": row}
            for row in table.rows.values()
            if (held := row.get(known.name)) is not None and known.key(held) == known.key(value)
        ]

    def state(self) -> JsonObject:
        """Report the records and the calls left for today."""
        return {
            "objects": report_tables(self.organisation.tables.values()),
            "daily": {"used": self._daily_used, "max": self._daily_max},
        }

    def disturb(self, order: FaultOrder) -> None:
        """Leave so many calls; let locators expire."""
        if order.daily_remaining is not None:
            self._daily_max = self._daily_used + order.daily_remaining
        if order.has_locators_expired:
            self._queries.forget()

    def register_webhook(self, *, url: str, event_kinds: list[str]) -> JsonObject:
        """Refuse: Salesforce pushes over the Pub/Sub API only, which is not simulated."""
        del url, event_kinds
        raise BadAdmin("Salesforce has no webhooks; poll with SOQL.")

    def close(self) -> None:
        """Nothing runs beside the calls."""

    def _table(self, kind: str) -> Table:
        try:
            return self.organisation.table(kind)
        except RowFault as fault:
            raise BadAdmin(f"There is no object {kind}.") from fault

    def _each(self, kind: str, record_ids: list[str], act: Any) -> None:
        table = self._table(kind)
        try:
            for record_id in record_ids:
                act(table, record_id, actor=self.organisation.user)
        except RowFault as fault:
            raise BadAdmin(f"{fault.code}: {fault.message}") from fault


def _grant_error(code: str, description: str) -> Response:
    return answer(400, {"error": code, "error_description": description})
