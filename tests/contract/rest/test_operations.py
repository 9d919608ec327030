"""Systems, what was set aside, webhooks, the description of the API, health and metrics."""

import hashlib
import hmac
import json
import time
from base64 import b64encode
from uuid import uuid4

import pytest

from comity.interfaces.rest.app import HANDLERS
from comity.interfaces.rest.description import list_hot_paths, list_routes
from tests.contract.rest.desk import SECRET
from tests.scenario.rehearsal import eventually


def park(desk) -> dict:
    """Send a change that cannot be used; return it as it is shown among the parked ones."""
    number = uuid4().hex
    sale = {"number": number, "sold_at": "2026-01-05T10:00:00Z", "total": "much", "currency": "EUR", "customer": "x"}
    assert desk.send({"system": "shop", "stream": "order", "id": number, "data": sale}).status_code == 202

    def find():
        shown = desk.http.get("/v1/parked/changes", params={"system": "shop", "limit": 500}).json()
        return next((each for each in shown if each["external_id"] == number), None)

    return eventually(find, what="the change is parked")


class TestParked:
    def test_tells_reason_field_and_remedy(self, desk):
        shown = park(desk)
        assert (shown["field"], bool(shown["code"]), bool(shown["message"]), bool(shown["remedy"])) == (
            "total",
            True,
            True,
            True,
        )

    def test_of_other_systems_is_not_shown(self, desk):
        park(desk)
        assert desk.http.get("/v1/parked/changes", params={"system": "crm"}).json() == []

    def test_page_goes_on_after_an_id(self, desk):
        first, second = park(desk), park(desk)
        query = {"system": "shop", "after_id": first["change_id"], "limit": 500}
        shown = [each["change_id"] for each in desk.http.get("/v1/parked/changes", params=query).json()]
        assert first["change_id"] not in shown and second["change_id"] in shown

    def test_replay_tries_again_and_parks_again(self, desk):
        shown = park(desk)
        answer = desk.http.post("/v1/parked/changes/replay", json={"change_ids": [shown["change_id"]]})
        assert answer.json() == {"count": 1, "not_open": []}

        def parked_anew():
            all_of_shop = desk.http.get("/v1/parked/changes", params={"system": "shop", "limit": 500}).json()
            found = [each for each in all_of_shop if each["external_id"] == shown["external_id"]]
            return found and found[0]["change_id"] != shown["change_id"]

        eventually(parked_anew, what="the replayed change is parked again")

    def test_discard_closes_for_good(self, desk):
        shown = park(desk)
        ids = {"change_ids": [shown["change_id"]]}
        nothing = {"count": 0, "not_open": ids["change_ids"]}
        assert desk.http.post("/v1/parked/changes/discard", json=ids).json() == {"count": 1, "not_open": []}
        assert desk.http.post("/v1/parked/changes/discard", json=ids).json() == nothing
        assert desk.http.post("/v1/parked/changes/replay", json=ids).json() == nothing
        query = {"system": "shop", "limit": 500, "closed": True}
        closed = {
            each["change_id"]: each["closed_by"] for each in desk.http.get("/v1/parked/changes", params=query).json()
        }
        assert closed[shown["change_id"]]

    def test_deliveries_can_be_listed_and_replayed(self, desk):
        assert desk.http.get("/v1/parked/deliveries").json() == []
        assert desk.http.post("/v1/parked/deliveries/replay", params={"system": "crm"}).json() == {"count": 0}
        nobody = {"system": "crm", "profile_ids": ["019cb391-eaa0-7c7f-ac99-108ddb5b5fab"]}
        assert desk.http.post("/v1/parked/deliveries/discard", json=nobody).json() == {"count": 0}

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=-1", "limit=501", "limit=many", "after_id=-1", f"after_id={2**63}"]
    )
    def test_query_out_of_bounds_is_refused(self, desk, query):
        answer = desk.http.get(f"/v1/parked/changes?{query}")
        assert answer.status_code == 422 and answer.json()["details"]["remedy"], answer.text

    @pytest.mark.parametrize("ids", [[0], [2**63], ["one"], "all", None])
    def test_ids_out_of_bounds_are_refused(self, desk, ids):
        answer = desk.http.post("/v1/parked/changes/discard", json={"change_ids": ids})
        assert answer.status_code == 422 and answer.json()["details"]["remedy"], answer.text

    def test_deep_payload_is_parked_and_stops_nobody(self, desk):
        """The edge refuses it; a webhook or an older release may have let it in."""
        from comity.inbox import api as inbox
        from comity.inbox.types import NewChange

        number = uuid4().hex
        deep = b'{"first":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
        with desk.hub.database.transaction() as tx:
            change = NewChange(system="crm", stream="customer", external_id=number, version="1", payload=deep)
            inbox.accept_changes(tx, changes=[change], now=desk.hub.hub.clock.now())
        assert desk.join(points=0)
        with desk.hub.database.transaction() as tx:
            parked = inbox.list_parked(tx, system="crm", count_max=500)
            assert number in {each.external_id for each in parked}
            inbox.discard_parked(
                tx, change_ids=[each.change_id for each in parked], actor="test", now=desk.hub.hub.clock.now()
            )


class TestHooks:
    def sign(self, desk, body, *, secret=SECRET, at=None):
        stamp = str(round((time.time() if at is None else at) * 1000))
        text = b"POST" + f"{desk.hub.url}/hooks/portal".encode() + body + stamp.encode()
        digest = hmac.new(secret.encode(), text, hashlib.sha256).digest()
        return {"x-hubspot-signature-v3": b64encode(digest).decode(), "x-hubspot-request-timestamp": stamp}

    def body(self):
        event = {
            "eventId": 1,
            "subscriptionType": "contact.propertyChange",
            "objectId": 7,
            "propertyName": "firstname",
            "propertyValue": "Ada",
            "occurredAt": round(time.time() * 1000),
        }
        return json.dumps([event]).encode()

    def post(self, desk, body, headers):
        return desk.bare.post("/hooks/portal", content=body, headers={"content-type": "application/json"} | headers)

    def test_signed_is_taken_in(self, desk):
        body = self.body()
        answer = self.post(desk, body, self.sign(desk, body))
        assert answer.status_code == 202, answer.text

    @pytest.mark.parametrize("how", ["none", "other secret", "other body", "old", "nonsense"])
    def test_signed_wrongly_is_refused(self, desk, how):
        body = self.body()
        headers = {
            "none": {},
            "other secret": self.sign(desk, body, secret="guess"),
            "other body": self.sign(desk, body + b" "),
            "old": self.sign(desk, body, at=time.time() - 3600),
            "nonsense": {"x-hubspot-signature-v3": "%%%", "x-hubspot-request-timestamp": "soon"},
        }[how]
        answer = self.post(desk, body, headers)
        assert answer.status_code == 401, answer.text
        reason = {"none": "header_missing", "old": "time_far", "nonsense": "time_unreadable"}.get(how, "mismatch")
        told = answer.json()
        assert (told["code"], told["details"]["reason"]) == ("signature_invalid", reason) and told["details"]["remedy"]

    def test_signed_nonsense_is_refused(self, desk):
        body = b"{"
        answer = self.post(desk, body, self.sign(desk, body))
        assert answer.status_code == 422 and answer.json()["details"]["remedy"], answer.text

    def test_refused_is_counted_and_told(self, desk):
        def portal():
            return next(each for each in desk.http.get("/v1/systems").json() if each["system"] == "portal")

        before = portal()["hooks_refused_count"]
        body = self.body()
        for _ in range(3):
            assert self.post(desk, body, self.sign(desk, body, secret="guess")).status_code == 401
        assert self.post(desk, body, self.sign(desk, body, at=time.time() - 3600)).status_code == 401
        eventually(lambda: portal()["hooks_refused_count"] >= before + 4, what="the refusals are counted")
        told = portal()
        assert "X-HubSpot-Request-Timestamp" in told["hook_refusal"] and told["hook_refused_at"]
        assert "comity_system_hooks_refused" in desk.bare.get("/metrics").text

    def test_of_an_unknown_system_is_not_found(self, desk):
        answer = desk.bare.post("/hooks/nobody", content=b"{}")
        assert (answer.status_code, answer.json()["code"]) == (404, "system_unknown")
        assert "crm" not in answer.text, "strangers are not told what is connected"

    def test_of_a_system_without_webhooks_is_refused(self, desk):
        answer = desk.bare.post("/hooks/crm", content=b"{}")
        assert answer.status_code in {401, 422} and answer.json()["details"]["remedy"], answer.text

    def test_too_large_is_refused(self, desk):
        answer = desk.bare.post("/hooks/portal", content=b" " * 5_000_001)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


class TestDescription:
    def test_covers_every_route(self, desk):
        document = desk.bare.get("/v1/openapi.json").json()
        described = {(path, method) for path, operations in document["paths"].items() for method in operations}
        pages = {"/", "/api", "/status.css", "/status.js", "/api.js", "/status.svg"}
        wanted = {(path, method) for _, path, method in list_routes(HANDLERS) if path not in pages}
        assert described == wanted | {(path, "post") for path in list_hot_paths()}

    def test_names_every_operation_once_and_what_it_needs(self, desk):
        document = desk.bare.get("/v1/openapi.json").json()
        operations = [each for path in document["paths"].values() for each in path.values()]
        names = [each["operationId"] for each in operations]
        assert len(set(names)) == len(names)
        for operation in operations:
            assert operation["summary"] and operation["responses"]["default"]
            assert ("Needs a key" in operation["description"]) == bool(operation["security"])

    def test_tells_of_a_key_where_one_is_taken(self, desk):
        paths = desk.bare.get("/v1/openapi.json").json()["paths"]
        told = {path: [each["name"] for each in paths[path]["post"]["parameters"]] for path in list_hot_paths()}
        assert told["/v1/redemptions"] == ["Idempotency-Key"]
        assert told["/v1/purchases"] == [], "the number is the key"

    def test_refers_to_nothing_that_is_missing(self, desk):
        text = desk.bare.get("/v1/openapi.json").text
        schemas = json.loads(text)["components"]["schemas"]
        wanted = {each.split('"')[0] for each in text.split("#/components/schemas/")[1:]}
        assert wanted <= set(schemas)


class TestElsewhere:
    @pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/profiles/x/y", "/v1/openapi.yaml", "/docs"])
    def test_unknown_route_is_a_problem(self, desk, path):
        answer = desk.bare.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert answer.json()["code"] == "route_unknown" and answer.json()["details"]["remedy"]

    @pytest.mark.parametrize("path", ["/v1/events", "/v1/events/bulk", "/v1/redemptions"])
    def test_hot_routes_take_post_only(self, desk, path):
        answer = desk.bare.get(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert answer.json()["code"] == "method_not_allowed"

    def test_method_that_a_route_does_not_take_is_a_problem(self, desk):
        answer = desk.http.delete("/v1/systems")
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")

    def test_slash_at_the_end_of_a_hot_route_is_told(self, desk):
        assert "slash" in desk.http.post("/v1/events/").json()["title"]


PARTS = {"/status.css": "text/css", "/status.js": "text/javascript", "/status.svg": "image/svg+xml"}
API_PARTS = {"/status.css": "text/css", "/api.js": "text/javascript", "/status.svg": "image/svg+xml"}


class TestStatus:
    def test_counts_and_names_systems(self, desk):
        desk.join(points=3)
        told = desk.bare.get("/v1/status").json()
        assert told["is_ready"] and told["trial_balance"] == 0 and told["profile_count"] >= 1
        assert {each["system"] for each in told["systems"]} >= {"crm", "shop", "portal"}
        assert desk.http.get("/v1/systems").json() == told["systems"] or told["systems"]

    def test_health(self, desk):
        answer = desk.bare.get("/health")
        assert (answer.status_code, answer.text) == (200, "ok")

    def test_metrics_tell_of_the_hub_and_of_each_system(self, desk):
        park(desk)
        text = eventually(
            lambda: (t := desk.bare.get("/metrics").text) and 'queue="parked_changes",system="shop"} 0.0' not in t and t
        )
        for line in (
            "comity_database_up 1.0",
            "comity_trial_balance 0.0",
            'comity_reader_lag_items{reader="unify"}',
            'comity_reader_lag_items{reader="programme"}',
            'comity_queue_items{queue="stale",system="crm"}',
            'comity_queue_items{queue="held",system="crm"} 0.0',
            'comity_queue_items{queue="waiting_changes",system="shop"}',
            'comity_system_healthy{system="portal"}',
            "comity_people ",
        ):
            assert line in text, line

    @pytest.mark.parametrize(("address", "parts"), [("/", PARTS), ("/api", API_PARTS)])
    def test_page_is_served_with_its_parts_and_asks_nobody_else(self, desk, address, parts):
        page = desk.bare.get(address)
        assert page.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "://" not in page.text.replace("http://www.w3.org/", "")
        for path, kind in parts.items():
            assert path in page.text
            assert desk.bare.get(path).headers["content-type"].startswith(kind)
