"""What only Salesforce does: merges, restores, locks, limits that are a 403, fields made over the Tooling API."""

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
from comity.connectors.salesforce.spec import SPEC
from comity.kernel.egress import Egress
from comity.sandbox.api import SandboxOptions, serve

FIELDS = ["LastName", "Email", "Global_Id__c"]


def open_salesforce(sandbox, *, egress=None, budget=None, **settings):
    return open_connector(
        SPEC,
        settings={"instance_url": sandbox.url, **settings},
        secrets={"token": sandbox.token, "webhook_token": "hook"},
        clock=sandbox.clock,
        egress=egress or sandbox.egress,
        budget=budget,
    )


def create(sandbox, **fields):
    return sandbox.post("edit", object="Contact", fields={"LastName": "X", **fields})["id"]


def read_all(connector, cursor=None, stream="Contact", fields=FIELDS):
    changes = []
    for page in connector.read(stream, cursor, fields=fields, limit_pages=1000):
        changes += page.changes
        cursor = page.cursor
        if page.is_last:
            break
    return changes, cursor


class TestRead:
    def test_tells_a_merge_from_a_deletion(self, salesforce):
        connector = open_salesforce(salesforce)
        survivor, loser, deleted = create(salesforce), create(salesforce), create(salesforce)
        salesforce.advance(seconds=60)
        _, cursor = read_all(connector)
        salesforce.post("merge", object="Contact", survivor=survivor, losers=[loser])
        salesforce.post("delete", object="Contact", ids=[deleted])
        fetched = {c.external_id: (c.kind, c.survivor_id) for c in connector.fetch("Contact", [loser, deleted])}
        salesforce.advance(seconds=60)
        changes, _ = read_all(connector, cursor)
        expected = {loser: (ChangeKind.MERGE, survivor), deleted: (ChangeKind.DELETE, None)}
        assert fetched == expected
        assert {c.external_id: (c.kind, c.survivor_id) for c in changes if c.external_id in expected} == expected

    def test_a_restored_record_is_no_deletion(self, salesforce):
        connector = open_salesforce(salesforce)
        restored = create(salesforce)
        salesforce.advance(seconds=60)
        _, cursor = read_all(connector)
        salesforce.post("delete", object="Contact", ids=[restored])
        salesforce.post("undelete", object="Contact", ids=[restored])
        salesforce.advance(seconds=60)
        changes, _ = read_all(connector, cursor)
        assert {c.kind for c in changes if c.external_id == restored} == {ChangeKind.UPSERT}

    def test_a_deletion_is_told_once(self, salesforce):
        connector = open_salesforce(salesforce)
        deleted = create(salesforce)
        salesforce.advance(seconds=60)
        _, cursor = read_all(connector)
        salesforce.post("delete", object="Contact", ids=[deleted])
        versions = []
        for _ in range(3):
            salesforce.advance(seconds=40)
            changes, cursor = read_all(connector, cursor)
            versions += [c.version for c in changes if c.external_id == deleted]
        assert len(set(versions)) == 1

    def test_a_quiet_poll_is_one_call(self, salesforce):
        calls = []

        class Counting(Egress):
            def __init__(self):
                pass

            def request(self, method, url, **options):
                calls.append(url)
                return salesforce.egress.request(method, url, **options)

        connector = open_salesforce(salesforce, egress=Counting())
        _, cursor = read_all(connector)
        calls.clear()
        _, cursor = read_all(connector, cursor)
        assert len(calls) == 1

    def test_the_cursor_stays_small(self, salesforce):
        connector = open_salesforce(salesforce, page_size=50)
        for _ in range(120):
            create(salesforce)
        _, cursor = read_all(connector)
        assert len(cursor) < 120 * 2 * 8 * 4

    def test_refuses_names_that_are_none(self, salesforce):
        with pytest.raises(SettingsInvalid):
            list(open_salesforce(salesforce).read("Contact WHERE", None, fields=["Id"]))
        with pytest.raises(SettingsInvalid):
            list(open_salesforce(salesforce).read("Contact", None, fields=["Id, Name"]))

    def test_finds_values_with_quotes(self, salesforce):
        value = "O'Neil \\ 'x' OR Id != ''"
        contact = create(salesforce, LastName=value)
        found = open_salesforce(salesforce).find("Contact", "LastName", [value, "nobody"], fields=FIELDS)
        assert [change.external_id for change in found] == [contact]

    def test_fetches_more_ids_than_fit_in_a_url(self, salesforce):
        ids = [create(salesforce) for _ in range(450)]
        changes = open_salesforce(salesforce).fetch("Contact", ids, fields=FIELDS)
        assert [change.external_id for change in changes] == ids

    def test_a_field_that_is_not_there_is_named(self, salesforce):
        with pytest.raises(CallFailed) as caught:
            read_all(open_salesforce(salesforce), fields=["Shoe_Size__c"])
        assert (caught.value.error_class, caught.value.field) == (ErrorClass.VALIDATION, "Shoe_Size__c")


class TestWrite:
    def test_a_locked_row_is_for_later(self, salesforce):
        contact = create(salesforce)
        salesforce.post("faults", rules=[{"kind": "lock", "path": "*/composite/sobjects*"}])
        item = WriteItem(key="k", external_id=contact, fields={"LastName": "Y"})
        connector = open_salesforce(salesforce)
        verdict = connector.write("Contact", [item])[0]
        assert (verdict.outcome, verdict.reason_code) == (Outcome.RETRY, "UNABLE_TO_LOCK_ROW")
        assert verdict.after_seconds > 0
        assert connector.write("Contact", [item])[0].outcome is Outcome.DELIVERED

    def test_a_taken_global_id_names_the_record_in_the_way(self, salesforce):
        first = create(salesforce, Global_Id__c="taken-1")
        second = create(salesforce)
        item = WriteItem(key="k", external_id=second, fields={"Global_Id__c": "taken-1"})
        verdict = open_salesforce(salesforce).write("Contact", [item])[0]
        assert (verdict.outcome, verdict.external_id) == (Outcome.CONFLICT, first)

    def test_writes_a_custom_object_of_its_own(self, salesforce):
        connector = open_salesforce(salesforce)
        schema = connector.discover("Loyalty_Account__c")
        points = next(field for field in schema.fields if "Points" in field.name)
        key = next(f for f in schema.fields if f.is_unique and f.name.endswith("__c"))
        item = WriteItem(key="k", fields={points.name: 120}, match_field=key.name, match_value="L-1")
        verdicts = [connector.write("Loyalty_Account__c", [item])[0] for _ in range(2)]
        assert [v.is_created for v in verdicts] == [True, False]
        assert verdicts[0].external_id == verdicts[1].external_id

    def test_creations_updates_and_upserts_in_one_batch(self, salesforce):
        contact = create(salesforce)
        items = [
            WriteItem(key="a", fields={"LastName": "New"}),
            WriteItem(key="b", external_id=contact, fields={"LastName": "B1"}),
            WriteItem(key="c", fields={"LastName": "C"}, match_field="Global_Id__c", match_value="mixed-1"),
            WriteItem(key="d", external_id=contact, fields={"LastName": "B2"}),
        ]
        connector = open_salesforce(salesforce)
        verdicts = connector.write("Contact", items)
        assert [(v.key, v.outcome, v.is_created) for v in verdicts] == [
            ("a", Outcome.DELIVERED, True),
            ("b", Outcome.DELIVERED, False),
            ("c", Outcome.DELIVERED, True),
            ("d", Outcome.DELIVERED, False),
        ]
        assert b'"B2"' in connector.fetch("Contact", [contact], fields=FIELDS)[0].payload

    def test_a_match_field_that_is_no_external_id_is_told(self, salesforce):
        item = WriteItem(key="k", fields={"LastName": "x"}, match_field="No_Such__c", match_value="v")
        verdict = open_salesforce(salesforce).write("Contact", [item])[0]
        assert (verdict.outcome, verdict.field) == (Outcome.REJECTED, "No_Such__c")

    def test_450_records_go_in_three_calls(self, salesforce):
        ids = [create(salesforce) for _ in range(450)]
        items = [WriteItem(key=i, external_id=i, fields={"LastName": "Many"}) for i in ids]
        verdicts = open_salesforce(salesforce).write("Contact", items)
        assert {v.outcome for v in verdicts} == {Outcome.DELIVERED}
        assert [v.external_id for v in verdicts] == ids


class TestLimits:
    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            ("TotalRequests Limit exceeded.", ErrorClass.LIMIT_LONG),
            ("ConcurrentPerOrgLongTxn Limit exceeded.", ErrorClass.LIMIT_SHORT),
        ],
    )
    def test_a_403_may_be_a_limit(self, salesforce, message, expected):
        body = [{"message": message, "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
        salesforce.post("faults", rules=[{"kind": "status", "status": 403, "body": body}])
        with pytest.raises(CallFailed) as caught:
            read_all(open_salesforce(salesforce))
        assert caught.value.error_class is expected
        assert caught.value.retry_after_seconds > 0

    def test_a_gateways_page_is_told_by_its_status(self, salesforce):
        salesforce.post("faults", rules=[{"kind": "status", "status": 502, "body": "<html>bad gateway</html>"}])
        with pytest.raises(CallFailed) as caught:
            read_all(open_salesforce(salesforce))
        assert caught.value.error_class is ErrorClass.TRANSIENT

    def test_the_budget_hears_what_the_organisation_counts(self, salesforce):
        quota = DailyQuota(clock=salesforce.clock, maximum=10_000_000)
        read_all(open_salesforce(salesforce, budget=quota))
        assert quota.remaining_count < 10_000_000
        assert any(limit.name == "DailyApiRequests" for limit in open_salesforce(salesforce).limits())


class TestReceive:
    def test_a_notice_is_a_hint(self, salesforce):
        body = b'{"stream": "Contact", "ids": ["003a"]}'
        request = HookRequest(
            url="https://hub.example/x",
            headers={"authorization": "Bearer hook"},
            body=body,
            now=salesforce.clock.now(),
        )
        assert open_salesforce(salesforce).receive(request) == [Hint(stream="Contact", external_ids=("003a",))]
        stranger = HookRequest(url=request.url, headers={}, body=body, now=request.now)
        with pytest.raises(SignatureInvalid):
            open_salesforce(salesforce).receive(stranger)


class TestProvision:
    def test_creates_what_is_missing_and_nothing_twice(self, bare):
        connector = open_salesforce(bare)
        assert [missing.what for missing in connector.check().missing] == ["Contact.Global_Id__c"]
        wanted = [
            FieldWanted(stream="Contact", name="Global_Id__c", label="Global ID", length_max=64, is_unique=True),
            FieldWanted(stream="Contact", name="Points__c", label="Points", type="integer"),
            FieldWanted(stream="Contact", name="Redeemed_On__c", label="Last redemption", type="date"),
        ]
        before = connector.discover("Contact").fingerprint
        assert connector.provision(wanted) == [field.name for field in wanted]
        assert connector.provision(wanted) == []
        assert connector.discover("Contact").fingerprint != before
        assert connector.check().is_ok
        item = WriteItem(key="k", fields={"LastName": "P", "Points__c": 5}, match_field="Global_Id__c", match_value="g")
        assert connector.write("Contact", [item])[0].outcome is Outcome.DELIVERED


@pytest.fixture
def bare(running_sandbox):
    with serve(kind="salesforce", tls=True, seed=3, options=SandboxOptions(has_loyalty_fields=False)) as sandbox:
        yield running_sandbox(sandbox)


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"instance_url": "example.my.salesforce.com"}, "instance_url"),
            ({"page_size": 5000}, "page_size"),
            ({"api_versoin": "66.0"}, "api_versoin"),
            ({"auth": "client_credentials"}, "client_id, client_secret"),
            ({"auth": "password"}, "auth"),
        ],
    )
    def test_says_what_is_wrong(self, salesforce, settings, said):
        with pytest.raises(SettingsInvalid, match=said):
            open_salesforce(salesforce, **settings)

    def test_an_unreachable_system_is_a_result_of_check(self, salesforce):
        result = open_salesforce(salesforce, instance_url="http://127.0.0.1:9").check()
        assert not result.is_ok
        assert "instance_url" in result.missing[0].remedy
