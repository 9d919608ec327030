"""The generic connector against an in-house CRM that is described by settings alone."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from comity.connect.budget import DailyQuota
from comity.connect.certification import CHECKS
from comity.connect.opening import open_connector
from comity.connect.types import (
    ChangeKind,
    Hint,
    HookMalformed,
    HookRequest,
    Outcome,
    ReadChange,
    SettingsInvalid,
    SignatureInvalid,
    WriteItem,
)
from comity.connectors.rest.spec import SPEC
from comity.kernel.clock import SystemClock

SECRETS = {"client_secret": "s3cret", "webhook_secret": "hook"}


class RestSubject:
    stream = "customers"
    key_field = "loyalty_no"
    text_field = "name"
    optional_field = "note"
    unknown_field = "shoe_size"
    unknown_id = "987654321"
    page_size = 3
    renews_login = True

    def __init__(self, inhouse, egress):
        self._inhouse = inhouse
        self._egress = egress

    def open(self, egress):
        described = self._inhouse.settings(page_size=self.page_size)
        return open_connector(SPEC, settings=described, secrets=SECRETS, clock=SystemClock(), egress=egress)

    def egress(self):
        return self._egress

    def fields(self, text):
        return {"name": text}

    def bad_fields(self):
        return {"contact.email": "nobody"}

    def user_creates(self, fields):
        with self._inhouse.store.lock:
            return str(self._inhouse.store.save(None, dict(fields))["id"])

    def user_edits(self, external_id, fields):
        with self._inhouse.store.lock:
            self._inhouse.store.save(external_id, dict(fields))

    def user_deletes(self, external_id):
        with self._inhouse.store.lock:
            self._inhouse.store.save(external_id, {}, deleted=True)

    def settle(self):
        """Polling sees everything at once here."""


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_certified(check, inhouse, egress):
    check.examine(RestSubject(inhouse, egress))


def open_inhouse(inhouse, egress, **changes):
    described = {**inhouse.settings(), **changes}
    return open_connector(SPEC, settings=described, secrets=SECRETS, clock=SystemClock(), egress=egress)


class TestWrite:
    def test_nests_dotted_names_and_reads_them_back(self, inhouse, egress):
        connector = open_inhouse(inhouse, egress)
        item = WriteItem(key="k", fields={"name": "Ada", "contact.email": "ada@example.org"})
        verdict = connector.write("customers", [item])[0]
        assert (verdict.outcome, verdict.is_created) == (Outcome.DELIVERED, True)
        assert inhouse.store.customers[verdict.external_id]["contact"] == {"email": "ada@example.org"}

    def test_names_the_record_in_the_way(self, inhouse, egress):
        connector = open_inhouse(inhouse, egress)
        taken = WriteItem(key="a", fields={"loyalty_no": "L1"})
        first = connector.write("customers", [taken])[0]
        second = connector.write("customers", [WriteItem(key="b", fields={"loyalty_no": "L1"})])[0]
        assert (second.outcome, second.external_id, second.reason_code) == (
            Outcome.CONFLICT,
            first.external_id,
            "TAKEN",
        )

    def test_escapes_values_in_paths(self, inhouse, egress):
        connector = open_inhouse(inhouse, egress)
        value = "a/b ?c#ü{d}"
        item = WriteItem(key="k", fields={"name": "x"}, match_field="loyalty_no", match_value=value)
        verdict = connector.write("customers", [item])[0]
        assert inhouse.store.customers[verdict.external_id]["loyalty_no"] == value


class TestRead:
    def test_fetches_one_token_for_many_calls(self, inhouse, egress):
        connector = open_inhouse(inhouse, egress)
        for _ in range(5):
            list(connector.read("customers", None))
        assert inhouse.store.token_requests == 1

    def test_sees_a_change_made_while_reading(self, inhouse, egress):
        """A record walked already changes before the pass ends, and one not yet walked changes even later."""
        with inhouse.store.lock:
            for _ in range(10):
                inhouse.store.save(None, {"name": "old"})
        connector = open_inhouse(inhouse, egress, streams=inhouse.settings(page_size=3)["streams"])
        pages = connector.read("customers", None)
        next(pages)
        for customer_id, minutes in (("100", 1), ("109", 10)):
            row = inhouse.store.save(customer_id, {"name": "changed"})
            row["updated_at"] = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        cursor = [page.cursor for page in pages][-1]
        changes = [c for page in connector.read("customers", cursor) for c in page.changes]
        assert "changed" in {json.loads(c.payload)["name"] for c in changes if c.external_id == "100"}


def signed(body, *, key="hook"):
    signature = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-signature": f"sha256={signature}"}
    return HookRequest(url="https://hub.example/hooks/x", headers=headers, body=body, now=datetime.now(UTC))


class TestReceive:
    def test_takes_records_deletions_and_merges(self, inhouse, egress):
        connector = open_inhouse(inhouse, egress)
        events = [
            {"action": "changed", "customer": {"id": 7, "name": "Ada", "updated_at": "2026-11-21T10:00:00Z"}},
            {"action": "removed", "customer": {"id": 8}, "event": "e1"},
            {"action": "joined", "customer": {"id": 9}, "event": "e2", "into": 7},
        ]
        changes = connector.receive(signed(json.dumps(events).encode()))
        assert [(c.external_id, c.kind, c.survivor_id) for c in changes] == [
            ("7", ChangeKind.UPSERT, None),
            ("8", ChangeKind.DELETE, None),
            ("9", ChangeKind.MERGE, "7"),
        ]
        assert changes[1].version == "delete.e1"

    def test_gives_the_version_that_reading_gives(self, inhouse, egress):
        connector = open_inhouse(inhouse, egress)
        row = inhouse.store.save(None, {"name": "Ada"})
        pushed = connector.receive(signed(json.dumps({"customer": row}).encode()))[0]
        read = next(iter(connector.read("customers", None))).changes[0]
        assert isinstance(pushed, ReadChange)
        assert pushed.version == read.version

    def test_hints_where_there_is_no_record(self, inhouse, egress):
        described = inhouse.settings()["webhook"]
        del described["record"]
        connector = open_inhouse(inhouse, egress, webhook=described)
        assert connector.receive(signed(b'{"customer": {"id": 7}}')) == [Hint(stream="customers", external_ids=("7",))]

    @pytest.mark.parametrize("key", ["other", ""])
    def test_refuses_other_signatures(self, inhouse, egress, key):
        request = signed(b"{}", key=key)
        with pytest.raises(SignatureInvalid):
            open_inhouse(inhouse, egress).receive(request)

    @pytest.mark.parametrize("body", [b"", b"{", b"7", b'{"customer": {}}'])
    def test_refuses_malformed_bodies(self, inhouse, egress, body):
        with pytest.raises(HookMalformed):
            open_inhouse(inhouse, egress).receive(signed(body))


def change_at(described, path, value):
    *outer, last = path
    here = described
    for step in outer:
        here = here[step]
    here[last] = value


class TestSettings:
    @pytest.mark.parametrize(
        ("path", "value", "said"),
        [
            (["base_url"], "crm.local", "base_url"),
            (["streams"], {}, "at least one stream"),
            (["colour"], "red", "colour"),
            (["auth"], {"kind": "kerberos"}, "kerberos"),
            (["auth"], {"kind": "api_key"}, "header or in a query"),
            (["auth"], {"kind": "bearer", "secret": "absent"}, "absent"),
            (["streams", "customers", "changed_at"], None, "changed_at"),
            (["streams", "customers", "list", "query"], {"x": "{since}"}, "{since}"),
            (["streams", "customers", "update", "path"], "/customers", "{id}"),
            (["webhook", "stream"], "orders", "orders"),
            (["webhook", "survivor"], None, "survivor"),
            (["webhook", "signature", "template"], "{timestamp}.{body}", "timestamp_header"),
            (["errors", "statuses"], {"teapot": "retry"}, "teapot"),
        ],
    )
    def test_says_what_is_wrong_and_where(self, inhouse, egress, path, value, said):
        described = inhouse.settings()
        change_at(described, path, value)
        with pytest.raises(SettingsInvalid) as caught:
            open_connector(SPEC, settings=described, secrets=SECRETS, clock=SystemClock(), egress=egress)
        assert said in caught.value.message


def test_a_poll_of_a_quiet_system_is_one_call(inhouse, egress):
    quota = DailyQuota(clock=SystemClock(), maximum=100)
    connector = open_connector(
        SPEC, settings=inhouse.settings(), secrets=SECRETS, clock=SystemClock(), egress=egress, budget=quota
    )
    list(connector.read("customers", None))
    assert quota.remaining_count == 99
