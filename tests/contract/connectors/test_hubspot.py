"""What only HubSpot does: a search that lags and is capped, merges into a third record, signed webhooks."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from comity.connect.budget import DailyQuota
from comity.connect.opening import open_connector
from comity.connect.types import (
    CallFailed,
    ChangeKind,
    ErrorClass,
    FieldWanted,
    Hint,
    HookRequest,
    Outcome,
    SettingsInvalid,
    SignatureInvalid,
    WriteItem,
)
from comity.connectors.hubspot.spec import SPEC
from comity.sandbox.api import SandboxOptions, serve

FIELDS = ["lastname", "email", "global_id"]


def open_hubspot(sandbox, *, budget=None, secrets=None, **settings):
    return open_connector(
        SPEC,
        settings={"base_url": sandbox.url, "archived_every_seconds": 60, **settings},
        secrets={"token": sandbox.token, **(secrets or {})},
        clock=sandbox.clock,
        egress=sandbox.egress,
        budget=budget,
    )


def create(sandbox, **fields):
    return sandbox.post("edit", object="contacts", fields={"lastname": "X", **fields})["id"]


def read_all(connector, cursor=None, fields=FIELDS):
    changes = []
    for page in connector.read("contacts", cursor, fields=fields, limit_pages=1000):
        changes += page.changes
        cursor = page.cursor
        if page.is_last:
            break
    return changes, cursor


class TestRead:
    def test_reads_past_the_cap_of_the_search(self, tmp_path, running_sandbox):
        """10,300 contacts with one time of change: each is read once, which paging by `after` cannot do."""
        people = tmp_path / "people.csv"
        rows = [f"Person {number},p{number}@example.org" for number in range(10_300)]
        people.write_text("\n".join(["lastname,email", *rows]))
        with serve(kind="hubspot", seed=5, people_csv=people) as sandbox:
            running = running_sandbox(sandbox)
            running.advance(seconds=120)
            changes, cursor = read_all(open_hubspot(running))
            assert len({c.external_id for c in changes}) == len(changes) == 10_300
            assert read_all(open_hubspot(running), cursor)[0] == []

    @pytest.mark.parametrize("settings", [{"lookback_seconds": 0}, {"index_lag_seconds": 0}, {}])
    def test_misses_nothing_while_the_index_lags(self, running_sandbox, settings):
        """Waiting for the index and reading a second time each suffice."""
        options = SandboxOptions(search_lag_seconds=30)
        with serve(kind="hubspot", seed=5, options=options) as sandbox:
            running = running_sandbox(sandbox)
            connector, cursor, seen, ids = open_hubspot(running, **settings), None, [], []
            for _ in range(12):
                ids.append(create(running))
                running.advance(seconds=17)
                changes, cursor = read_all(connector, cursor)
                seen += [c.external_id for c in changes]
            running.advance(seconds=120)
            seen += [c.external_id for c in read_all(connector, cursor)[0]]
            assert sorted(seen) == sorted(ids)

    def test_a_merge_goes_into_a_third_record(self, hubspot):
        connector = open_hubspot(hubspot)
        one, two = create(hubspot, email="one@example.org"), create(hubspot)
        hubspot.advance(seconds=120)
        _, cursor = read_all(connector)
        third = hubspot.post("merge", object="contacts", survivor=one, losers=[two])["id"]
        fetched = connector.fetch("contacts", [one, two, third], fields=FIELDS)
        hubspot.advance(seconds=120)
        changes, _ = read_all(connector, cursor)
        polled = {c.external_id: c.survivor_id for c in changes if c.kind is ChangeKind.MERGE}
        assert third not in {one, two}
        assert [(c.kind, c.survivor_id) for c in fetched] == [
            (ChangeKind.MERGE, third),
            (ChangeKind.MERGE, third),
            (ChangeKind.UPSERT, None),
        ]
        assert polled == {one: third, two: third}

    def test_what_does_not_exist_is_absent_not_null(self, hubspot):
        contact = create(hubspot)
        change = open_hubspot(hubspot).fetch("contacts", [contact], fields=["company", "shoe_size"])[0]
        payload = json.loads(change.payload)
        assert payload["company"] in {None, ""}
        assert "shoe_size" not in payload
        assert payload["id"] == contact

    def test_a_new_property_is_seen_after_a_while(self, running_sandbox):
        with serve(kind="hubspot", seed=6, options=SandboxOptions(has_loyalty_fields=False)) as sandbox:
            running = running_sandbox(sandbox)
            connector = open_hubspot(running)
            contact = create(running)
            assert b"global_id" not in connector.fetch("contacts", [contact], fields=["global_id"])[0].payload
            wanted = FieldWanted(stream="contacts", name="global_id", label="Global ID", is_unique=True)
            assert connector.provision([wanted]) == ["global_id"]
            assert connector.provision([wanted]) == []
            running.advance(seconds=400)
            assert b"global_id" in connector.fetch("contacts", [contact], fields=["global_id"])[0].payload

    def test_a_restored_record_has_its_deletion_and_its_state(self, hubspot):
        contact = create(hubspot)
        connector = open_hubspot(hubspot)
        hubspot.post("delete", object="contacts", ids=[contact])
        assert connector.fetch("contacts", [contact])[0].kind is ChangeKind.DELETE
        hubspot.post("undelete", object="contacts", ids=[contact])
        assert connector.fetch("contacts", [contact])[0].kind is ChangeKind.UPSERT


class TestWrite:
    def test_a_taken_address_names_the_record_in_the_way(self, hubspot):
        first = create(hubspot, email="taken@example.org")
        items = [
            WriteItem(key="a", fields={"email": "free@example.org"}),
            WriteItem(key="b", fields={"email": "taken@example.org"}),
        ]
        verdicts = open_hubspot(hubspot).write("contacts", items)
        assert [v.outcome for v in verdicts] == [Outcome.DELIVERED, Outcome.CONFLICT]
        assert verdicts[1].external_id == first

    def test_tells_created_from_updated(self, hubspot):
        item = WriteItem(key="k", fields={"lastname": "N"}, match_field="global_id", match_value="created-1")
        verdicts = [open_hubspot(hubspot).write("contacts", [item])[0] for _ in range(2)]
        assert [v.is_created for v in verdicts] == [True, False]

    def test_250_records_with_one_bad_one(self, hubspot):
        ids = [create(hubspot) for _ in range(250)]
        items = [WriteItem(key=i, external_id=i, fields={"lastname": "Many"}) for i in ids]
        items[130] = WriteItem(key=ids[130], external_id=ids[130], fields={"email": "no address"})
        verdicts = open_hubspot(hubspot).write("contacts", items)
        assert [v.key for v in verdicts if v.outcome is not Outcome.DELIVERED] == [ids[130]]
        assert verdicts[130].field == "email"

    def test_values_go_as_text(self, hubspot):
        contact = create(hubspot)
        fields = {"points_balance": 120, "hs_email_optout": None, "lastname": "T"}
        del fields["hs_email_optout"]
        item = WriteItem(key="k", external_id=contact, fields=fields)
        connector = open_hubspot(hubspot)
        assert connector.write("contacts", [item])[0].outcome is Outcome.DELIVERED
        change = connector.fetch("contacts", [contact], fields=["points_balance"])[0]
        assert json.loads(change.payload)["points_balance"] == "120"


class TestLimits:
    @pytest.mark.parametrize(
        ("policy", "expected"),
        [("DAILY", ErrorClass.LIMIT_LONG), ("TEN_SECONDLY_ROLLING", ErrorClass.LIMIT_SHORT)],
    )
    def test_the_policy_says_how_long(self, hubspot, policy, expected):
        body = {"status": "error", "message": "limit", "errorType": "RATE_LIMIT", "policyName": policy}
        hubspot.post("faults", rules=[{"kind": "status", "status": 429, "body": body}])
        with pytest.raises(CallFailed) as caught:
            open_hubspot(hubspot).fetch("contacts", ["1"], fields=["lastname"])
        assert caught.value.error_class is expected
        assert caught.value.retry_after_seconds >= 1

    def test_the_budget_hears_what_the_account_counts(self, hubspot):
        quota = DailyQuota(clock=hubspot.clock, maximum=10_000_000)
        open_hubspot(hubspot, budget=quota).fetch("contacts", ["1"], fields=["lastname"])
        assert quota.remaining_count < 10_000_000


class Listener:
    """Takes webhooks, as the hub would."""

    def __init__(self):
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((dict(self.headers), body))
                self.send_response(204)
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/hubspot"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture
def listener():
    listening = Listener()
    yield listening
    listening.server.shutdown()
    listening.server.server_close()


def wait_for(condition):
    waiting = threading.Event()
    for _ in range(1200):
        if condition():
            return
        waiting.wait(0.05)
    raise AssertionError("It did not happen within a minute.")


class TestWebhooks:
    def test_subscribes_once_and_understands_what_comes(self, running_sandbox, listener):
        with serve(kind="hubspot", seed=9) as sandbox:
            running = running_sandbox(sandbox)
            secrets = {"client_secret": running.ready.client_secret}
            connector = open_hubspot(running, secrets=secrets, app_id=running.ready.app_id, public_url=listener.url)
            fields = {"contacts": ["lastname", "email"]}
            assert connector.subscribe(listener.url, fields=fields).is_new
            assert not connector.subscribe(listener.url, fields=fields).is_new
            one, two = create(running), create(running)
            third = running.post("merge", object="contacts", survivor=one, losers=[two])["id"]
            running.post("delete", object="contacts", ids=[third])
            running.post("undelete", object="contacts", ids=[third])

            def received():
                found = []
                for headers, body in listener.requests:
                    request = HookRequest(
                        url="http://10.0.0.7/behind/a/proxy", headers=headers, body=body, now=running.clock.now()
                    )
                    found += connector.receive(request)
                return found

            wait_for(lambda: any(getattr(c, "kind", None) is ChangeKind.RESTORE for c in received()))
            changes = received()
            hinted = {i for c in changes if isinstance(c, Hint) for i in c.external_ids}
            merged = {(c.external_id, c.survivor_id) for c in changes if getattr(c, "kind", None) is ChangeKind.MERGE}
            assert {one, two, third} <= hinted
            assert merged == {(one, third), (two, third)}
            assert any(getattr(c, "kind", None) is ChangeKind.DELETE and c.external_id == third for c in changes)

    def test_refuses_a_body_that_was_changed(self, running_sandbox, listener):
        with serve(kind="hubspot", seed=9) as sandbox:
            running = running_sandbox(sandbox)
            secrets = {"client_secret": running.ready.client_secret}
            connector = open_hubspot(running, secrets=secrets, public_url=listener.url)
            running.post("webhook", url=listener.url, events=[])
            create(running)
            wait_for(lambda: listener.requests)
            headers, body = listener.requests[0]
            good = HookRequest(url=listener.url, headers=headers, body=body, now=running.clock.now())
            assert connector.receive(good)
            bad = HookRequest(
                url=listener.url, headers=headers, body=body.replace(b":", b": ", 1), now=running.clock.now()
            )
            with pytest.raises(SignatureInvalid):
                connector.receive(bad)

    def test_needs_the_apps_secret(self, hubspot):
        request = HookRequest(url="x", headers={}, body=b"[]", now=hubspot.clock.now())
        with pytest.raises(SettingsInvalid, match="client_secret"):
            open_hubspot(hubspot).receive(request)


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [({"page_size": 500}, "page_size"), ({"portal": 1}, "portal"), ({"auth": "refresh_token"}, "client_id")],
    )
    def test_says_what_is_wrong(self, hubspot, settings, said):
        with pytest.raises(SettingsInvalid, match=said):
            open_hubspot(hubspot, **settings)

    def test_a_dated_version_has_its_own_paths(self, hubspot):
        connector = open_hubspot(hubspot, api_version="2026-03")
        assert connector._client.objects_path("contacts") == "/crm/objects/2026-03/contacts"
        assert connector._client.path("properties", "contacts") == "/crm/properties/2026-03/contacts"
