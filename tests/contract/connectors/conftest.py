"""An in-house CRM nobody has a connector for: customers over JSON, behind OAuth client credentials."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from comity.kernel.clock import SystemClock
from comity.kernel.egress import Egress
from comity.sandbox.api import serve

FIELDS = {"name", "loyalty_no", "note", "contact"}


class Store:
    """The customers, and whose token is good."""

    def __init__(self):
        self.lock = threading.Lock()
        self.customers = {}
        self.tokens = {"fixed"}
        self.token_requests = 0
        self.next_id = 100
        self.extra_delay = 0.0
        self.page_bug = False

    def save(self, customer_id, fields, *, deleted=False):
        if customer_id is None:
            customer_id = str(self.next_id)
            self.next_id += 1
        row = self.customers.setdefault(customer_id, {"id": int(customer_id)})
        row.update(fields)
        row["updated_at"] = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
        row["deleted"] = deleted
        return row


class Refused(Exception):
    def __init__(self, status, code, message, **more):
        self.status = status
        self.body = {"error": {"code": code, "message": message, **more}}


def check_fields(store, fields, *, own_id):
    for name in fields:
        if name not in FIELDS:
            raise Refused(422, "UNKNOWN_FIELD", f"there is no field {name}", field=name)
    email = (fields.get("contact") or {}).get("email", "")
    if email and "@" not in email:
        raise Refused(422, "BAD_EMAIL", f"{email} is no address", field="contact.email")
    for row in store.customers.values():
        same = fields.get("loyalty_no") and row.get("loyalty_no") == fields["loyalty_no"]
        if same and not row["deleted"] and row["id"] != own_id:
            raise Refused(409, "TAKEN", "loyalty_no is taken", existing=row["id"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _answer(self, status, body):
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _handle(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        store = self.server.store
        try:
            with store.lock:
                status, body = self._route(store, parts.path, query, raw)
        except Refused as refused:
            status, body = refused.status, refused.body
        self._answer(status, body)

    do_GET = do_POST = do_PUT = do_PATCH = _handle  # noqa: N815 - the names http.server calls.

    def _route(self, store, path, query, raw):
        if path == "/oauth/token":
            form = parse_qs(raw.decode())
            if form.get("client_secret") != ["s3cret"]:
                return 401, {"error": "invalid_client"}
            store.token_requests += 1
            token = f"t{store.token_requests}"
            store.tokens.add(token)
            return 200, {"access_token": token, "expires_in": 3600}
        if (self.headers.get("Authorization") or "").removeprefix("Bearer ") not in store.tokens:
            raise Refused(401, "TOKEN", "this token is not known")
        body = json.loads(raw) if raw else {}
        steps = [unquote(step) for step in path.removeprefix("/api/customers").split("/") if step]
        if not steps:
            return self._collection(store, query, body)
        if steps[0] == "by-loyalty":
            return self._upsert(store, steps[1], body)
        return self._one(store, steps[0], body)

    def _collection(self, store, query, body):
        if self.command == "POST":
            check_fields(store, body, own_id=None)
            return 201, {"customer": store.save(None, body)}
        rows = sorted(store.customers.values(), key=lambda row: row["id"])
        if "loyalty_no" in query:
            rows = [r for r in rows if r.get("loyalty_no") == query["loyalty_no"] and not r["deleted"]]
        rows = [r for r in rows if r["updated_at"] >= query.get("since", "") and r["id"] > int(query.get("after", 0))]
        return 200, {"data": rows[: int(query.get("limit", 100))]}

    def _upsert(self, store, loyalty_no, body):
        found = next((r for r in store.customers.values() if r.get("loyalty_no") == loyalty_no), None)
        fields = {**body, "loyalty_no": loyalty_no}
        check_fields(store, fields, own_id=found and found["id"])
        return (200 if found else 201), {"customer": store.save(str(found["id"]) if found else None, fields)}

    def _one(self, store, customer_id, body):
        row = store.customers.get(customer_id)
        if row is None:
            raise Refused(404, "NOT_FOUND", "no such customer")
        if row["deleted"]:
            raise Refused(410, "DELETED", "this customer was deleted")
        if self.command == "PATCH":
            check_fields(store, body, own_id=row["id"])
            store.save(customer_id, body)
        return 200, {"customer": row}


class InHouse:
    """The server, on a free port of the loopback."""

    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.store = self.server.store = Store()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def settings(self, *, page_size=100):
        """Describe this system."""
        return described(self.url, page_size=page_size)


def described(url, *, page_size=100):
    """The description of this system, as a project's YAML would have it."""
    return {
        "base_url": f"{url}/api",
        "auth": {"kind": "oauth", "token_url": f"{url}/oauth/token", "client_id": "comity"},
        "errors": {
            "code": "error.code",
            "message": "error.message",
            "field": "error.field",
            "existing_id": "error.existing",
            "codes": {"TAKEN": "conflict", "DELETED": "gone"},
        },
        "streams": {
            "customers": {
                "records": "data",
                "changed_at": "updated_at",
                "deleted": "deleted",
                "list": {
                    "path": "/customers",
                    "query": {"since": "{cursor}"},
                    "paging": {"kind": "keyset", "param": "after", "path": "id", "size": page_size},
                    "cursor": {"kind": "changed_at", "overlap_seconds": 5},
                },
                "fetch": {"path": "/customers/{id}", "record": "customer"},
                "find": {"path": "/customers", "query": {"{field}": "{value}"}},
                "create": {"path": "/customers", "id": "customer.id"},
                "update": {"path": "/customers/{id}", "method": "PATCH", "id": "customer.id"},
                "upsert": {"path": "/customers/by-loyalty/{match_value}", "method": "PUT", "id": "customer.id"},
            }
        },
        "webhook": {
            "signature": {"kind": "hmac", "header": "X-Signature", "prefix": "sha256="},
            "stream": "customers",
            "id": "customer.id",
            "record": "customer",
            "kind": "action",
            "kinds": {"removed": "delete", "joined": "merge"},
            "event_id": "event",
            "survivor": "into",
        },
    }


@pytest.fixture
def inhouse():
    with InHouse() as server:
        yield server


@pytest.fixture
def egress():
    client = Egress()
    yield client
    client.close()


class MovedClock(SystemClock):
    """The machine's clock, ahead by what it was told."""

    def __init__(self):
        self.ahead = timedelta()

    def now(self):
        return super().now() + self.ahead

    def monotonic(self):
        return super().monotonic() + self.ahead.total_seconds()


class RunningSandbox:
    """A simulated vendor system, its admin routes, and a clock for connectors that moves with it."""

    def __init__(self, sandbox):
        self.url = sandbox.url
        self.token = sandbox.token
        self.ready = sandbox.ready
        self.clock = MovedClock()
        self.egress = Egress(ca_file=sandbox.ca_file)

    def post(self, route, **body):
        response = self.egress.request("POST", f"{self.url}/_sandbox/{route}", json=body)
        assert response.status == 200, response.text()
        return response.json()

    def state(self):
        return self.egress.request("GET", f"{self.url}/_sandbox/state").json()

    def advance(self, *, seconds):
        self.post("clock", advance_seconds=seconds)
        self.clock.ahead += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def salesforce():
    with serve(kind="salesforce", tls=True, seed=7) as sandbox:
        running = RunningSandbox(sandbox)
        yield running
        running.egress.close()


@pytest.fixture(scope="module")
def hubspot():
    with serve(kind="hubspot", seed=7) as sandbox:
        running = RunningSandbox(sandbox)
        yield running
        running.egress.close()


@pytest.fixture
def running_sandbox():
    running = []

    def make(sandbox):
        running.append(RunningSandbox(sandbox))
        return running[-1]

    yield make
    for sandbox in running:
        sandbox.egress.close()
