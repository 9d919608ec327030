"""Bad input over the wire: refused with place and remedy, nothing half-applied; what was parked comes back."""

import base64
import hashlib
import hmac
import time

from tests.scenario.conftest import connect
from tests.scenario.project import SHOP
from tests.scenario.rehearsal import eventually

PERSON = {"firstname": "Ada", "lastname": "Byron", "email": "ada@byron.example"}


def _count(hub):
    with hub.database.transaction() as tx:
        return tx.execute("select (select count(*) from inbox.change), (select count(*) from sync.hint)").fetchone()


def _signed(hub, secret, body, *, url=None, at=None):
    """Headers as HubSpot sends them (v3)."""
    stamp = str(int((at or time.time()) * 1000))
    source = f"POST{url or hub.url + '/hooks/crm-c'}".encode() + body + stamp.encode()
    signature = base64.b64encode(hmac.new(secret.encode(), source, hashlib.sha256).digest()).decode()
    return {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": stamp}


def _post(hub, body, headers):
    return hub.http.post("/hooks/crm-c", content=body, headers={"content-type": "application/json", **headers})


def test_bad_hooks_and_bad_records(rehearsal, hubspot):
    hubspot.edit("contacts", None, **PERSON)
    connect(rehearsal, "hubspot", "crm-c", hubspot.sandbox)
    rules = (rehearsal.folder / "rules.yaml").read_text()
    rehearsal.write(rules=rules.replace("salesforce-emea, ", "").replace("hubspot-us", "crm-c"))
    rehearsal.write(shop=SHOP.format(name="shop", person_system="crm-c", person_stream="contacts"))
    rehearsal.apply()
    rehearsal.start()
    rehearsal.settle()
    _check_refused(rehearsal, hubspot.sandbox.ready.client_secret)
    _check_sizes(rehearsal)
    _check_parked(rehearsal)
    assert "Traceback" not in rehearsal.read_log("worker")


def _check_refused(hub, secret):
    before = _count(hub)
    good = b'[{"subscriptionType": "contact.propertyChange", "objectId": 1, "occurredAt": 1}]'
    cases = [
        (good, {}, {401, 403}),
        (good, _signed(hub, "another secret", good), {401, 403}),
        (good + b" ", _signed(hub, secret, good), {401, 403}),
        (good, _signed(hub, secret, good, url="http://elsewhere.example/hooks/crm-c"), {401, 403}),
        (good, _signed(hub, secret, good, at=time.time() - 600), {401, 403}),
        *((body, _signed(hub, secret, body), {400, 422}) for body in (b"", b"{", b"{}", b"[1]", b'[{"objectId": []}]')),
    ]
    for body, headers, expected in cases:
        answer = _post(hub, body, headers)
        assert answer.status_code in expected, (body, answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.json()["title"]
    assert hub.http.post("/hooks/nobody", content=good).status_code == 404
    assert hub.http.post("/hooks/shop", content=good).status_code in {400, 403, 404, 422}
    assert _count(hub) == before
    for _ in range(3):  # The same one several times is one hint.
        assert _post(hub, good, _signed(hub, secret, good)).status_code == 202
    eventually(lambda: _count(hub)[1] == 0, what="the hint is followed")


def _check_parked(hub):
    def parked():
        return hub.http.get("/v1/parked/changes", params={"system": "shop"}).json()

    event = {"system": "shop", "stream": "order", "id": "n1", "event_id": "e1"}
    data = {"number": "n1", "sold_at": "2026-03-01", "total": "many", "currency": "EUR", "customer": "1"}
    assert hub.http.post("/v1/events", json={**event, "data": data}).status_code == 202
    unknown = hub.http.post("/v1/events", json={**event, "stream": "nothing", "data": data})
    assert unknown.status_code in {400, 404, 422}
    assert "nothing" in unknown.text and "remedy" in unknown.text
    [item] = eventually(parked, what="the sale is parked")
    assert item["field"] == "total" and item["remedy"]
    replay = hub.http.post("/v1/parked/changes/replay", json={})
    assert replay.status_code == 200 and replay.json()["count"] == 1
    [item] = eventually(lambda: [each for each in parked() if each["change_id"] != item["change_id"]], what="as before")
    assert item["field"] == "total"
    shop = SHOP.format(name="shop", person_system="crm-c", person_stream="contacts")
    hub.write(shop=shop.replace("field: total", "field: cents"))
    hub.apply()  # A new mapping has what it reads read again, parked records too.
    data = {**data, "cents": "12.00"}
    again = eventually(lambda: [each for each in parked() if each["field"] == "cents"], what="parked anew")
    assert len(parked()) == len(again) == 1
    assert hub.http.post("/v1/events", json={**event, "event_id": "e2", "data": data}).status_code == 202
    eventually(lambda: hub.status()["waiting_count"] == 0, what="the sale is taken in")
    with hub.database.transaction() as tx:
        assert tx.execute("select business_key, amount_minor from activity.purchase").fetchall() == [("n1", 1200)]


def _check_sizes(hub):
    before = _count(hub)
    for path in ("/v1/events", "/v1/events/bulk", "/hooks/crm-c"):
        answer = hub.http.post(path, content=b"x" * 20_000_000)
        assert answer.status_code == 413, (path, answer.text)
    assert _count(hub) == before
