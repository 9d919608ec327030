"""The admin routes: edits as a user, counts, faults, the clock; and how a sandbox starts."""

import json
import signal
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from comity.kernel.clock import ManualClock
from comity.sandbox.api import SandboxOptions, serve

CONTACTS = "/services/data/v66.0/sobjects/Contact"


def write_people(path, header, count):
    lines = [header, *(f"First{number},Last{number},p{number}@example.com" for number in range(count))]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def connect(sandbox, **more):
    headers = {"authorization": f"Bearer {sandbox.token}"}
    return httpx2.Client(base_url=sandbox.url, headers=headers, trust_env=False, timeout=5, **more)


class TestEdit:
    def test_salesforce_stamps_the_user_and_counts_origins_apart(self, http_salesforce):
        before = http_salesforce.get("/_sandbox/state").json()["writes"]
        record_id = http_salesforce.post(CONTACTS, json={"LastName": "Counted"}).json()["id"]
        api_user = http_salesforce.get(f"{CONTACTS}/{record_id}").json()["LastModifiedById"]
        order = {"object": "Contact", "id": record_id, "fields": {"FirstName": "C"}}
        http_salesforce.post("/_sandbox/edit", json=order).raise_for_status()
        http_salesforce.patch(f"{CONTACTS}/{record_id}", json={"FirstName": "C"})
        record = http_salesforce.get(f"{CONTACTS}/{record_id}").json()
        after = http_salesforce.get("/_sandbox/state").json()["writes"]
        assert after["user"]["records"] == before["user"]["records"] + 1
        assert after["api"]["records"] == before["api"]["records"] + 2
        assert after["api"]["unchanged"] == before["api"].get("unchanged", 0) + 1
        assert record["LastModifiedById"] == api_user

    def test_finds_records_by_a_value(self, http_salesforce):
        http_salesforce.post(CONTACTS, json={"LastName": "Findable", "Email": "find@example.com"})
        arguments = {"object": "Contact", "field": "Email", "value": "FIND@example.com"}
        (found,) = http_salesforce.get("/_sandbox/find", params=arguments).json()["records"]
        assert found["fields"]["LastName"] == "Findable"

    def test_salesforce_merges_and_undeletes(self, http_salesforce):
        ids = [http_salesforce.post(CONTACTS, json={"LastName": name}).json()["id"] for name in ("Win", "Lose")]
        order = {"object": "Contact", "survivor": ids[0], "losers": [ids[1]]}
        assert http_salesforce.post("/_sandbox/merge", json=order).json()["id"] == ids[0]
        text = "SELECT Id, MasterRecordId FROM Contact WHERE IsDeleted = true AND MasterRecordId != null"
        rows = http_salesforce.get("/services/data/v66.0/queryAll", params={"q": text}).json()["records"]
        assert [(row["Id"], row["MasterRecordId"]) for row in rows] == [(ids[1], ids[0])]
        http_salesforce.post("/_sandbox/undelete", json={"object": "Contact", "ids": [ids[1]]}).raise_for_status()
        assert http_salesforce.get(f"{CONTACTS}/{ids[1]}").json()["MasterRecordId"] is None

    def test_a_late_commit_is_found_behind_the_cursor(self, http_salesforce):
        first, late = (http_salesforce.post(CONTACTS, json={"LastName": "Late"}).json()["id"] for _ in range(2))
        order = {"object": "Contact", "id": late, "fields": {"FirstName": "L", "$late_seconds": 120}}
        http_salesforce.post("/_sandbox/edit", json=order).raise_for_status()
        stamps = {
            record_id: http_salesforce.get(f"{CONTACTS}/{record_id}").json()["SystemModstamp"]
            for record_id in (first, late)
        }
        assert stamps[late] < stamps[first]
        text = (
            f"SELECT Id FROM Contact WHERE LastName = 'Late' AND SystemModstamp >= {stamps[late].replace('+0000', 'Z')}"  # noqa: S608 - SOQL.
        )
        rows = http_salesforce.get("/services/data/v66.0/query", params={"q": text}).json()["records"]
        assert {row["Id"] for row in rows} == {first, late}

    def test_says_what_is_wrong_with_an_order(self, http_salesforce, http_hubspot):
        for client, body in (
            (http_salesforce, {"object": "Nothing", "fields": {}}),
            (http_salesforce, {"object": "Contact", "fields": {"FirstName": "x"}}),
            (http_hubspot, {"object": "contacts", "id": "404404", "fields": {}}),
            (http_hubspot, {"unknown": 1}),
        ):
            assert client.post("/_sandbox/edit", json=body).status_code == 400


class TestFaults:
    def test_answers_with_the_status_asked_for_so_many_times(self, http_salesforce):
        rule = {"kind": "status", "path": "*/sobjects/Contact*", "method": "POST", "status": 503, "count": 2, "skip": 1}
        http_salesforce.post("/_sandbox/faults", json={"rules": [rule]}).raise_for_status()
        statuses = [http_salesforce.post(CONTACTS, json={"LastName": "F"}).status_code for _ in range(4)]
        assert statuses == [201, 503, 503, 201]

    def test_loses_the_answer_after_applying_the_call(self, http_salesforce):
        rule = {"kind": "drop", "path": "*/sobjects/Contact", "method": "POST"}
        http_salesforce.post("/_sandbox/faults", json={"rules": [rule]}).raise_for_status()
        with pytest.raises(httpx2.RemoteProtocolError):
            http_salesforce.post(CONTACTS, json={"LastName": "Dropped", "Global_Id__c": "dropped-1"})
        assert http_salesforce.get(f"{CONTACTS}/Global_Id__c/dropped-1").status_code == 200

    def test_loses_the_call_itself(self, http_salesforce):
        rule = {"kind": "drop", "path": "*/sobjects/Contact", "method": "POST", "is_applied": False}
        http_salesforce.post("/_sandbox/faults", json={"rules": [rule]}).raise_for_status()
        with pytest.raises(httpx2.RemoteProtocolError):
            http_salesforce.post(CONTACTS, json={"LastName": "Dropped", "Global_Id__c": "dropped-2"})
        assert http_salesforce.get(f"{CONTACTS}/Global_Id__c/dropped-2").status_code == 404

    def test_delays_an_answer(self, http_hubspot):
        rule = {"kind": "delay", "path": "*/search", "seconds": 0.2}
        http_hubspot.post("/_sandbox/faults", json={"rules": [rule]}).raise_for_status()
        with pytest.raises(httpx2.ReadTimeout):
            http_hubspot.post("/crm/v3/objects/contacts/search", json={}, timeout=httpx2.Timeout(30, read=0.05))

    def test_locks_rows(self, http_salesforce, http_hubspot):
        body = {"records": [{"attributes": {"type": "Contact"}, "LastName": "Locked"}]}
        http_salesforce.post("/_sandbox/faults", json={"rules": [{"kind": "lock"}]}).raise_for_status()
        (row,) = http_salesforce.post("/services/data/v66.0/composite/sobjects", json=body).json()
        assert row["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
        http_hubspot.post("/_sandbox/faults", json={"rules": [{"kind": "lock"}]}).raise_for_status()
        assert http_hubspot.post("/crm/v3/objects/contacts", json={"properties": {}}).status_code == 423

    def test_can_be_listed_and_cleared(self, http_hubspot):
        http_hubspot.post("/_sandbox/faults", json={"rules": [{"kind": "status", "count": 5}]})
        assert len(http_hubspot.get("/_sandbox/faults").json()["rules"]) == 1
        assert http_hubspot.delete("/_sandbox/faults").json()["rules"] == []
        assert http_hubspot.post("/_sandbox/faults", json={"rules": [{"kind": "unheard of"}]}).status_code == 400

    def test_salesforce_lets_locators_expire(self, http_salesforce):
        for _ in range(2):
            records = [{"attributes": {"type": "Lead"}, "LastName": "L", "Company": "Expiry"}] * 200
            http_salesforce.post("/services/data/v66.0/composite/sobjects", json={"records": records})
        options = {"Sforce-Query-Options": "batchSize=200"}
        text = {"q": "SELECT Id FROM Lead WHERE Company = 'Expiry'"}
        page = http_salesforce.get("/services/data/v66.0/query", params=text, headers=options).json()
        assert len(page["records"]) == 200
        assert http_salesforce.get(page["nextRecordsUrl"]).json()["done"]
        http_salesforce.post("/_sandbox/faults", json={"has_locators_expired": True}).raise_for_status()
        expired = http_salesforce.get(page["nextRecordsUrl"])
        assert (expired.status_code, expired.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")

    def test_hubspot_ends_the_day_when_told(self, http_hubspot):
        http_hubspot.post("/_sandbox/faults", json={"daily_remaining": 0})
        refused = http_hubspot.get("/crm/v3/objects/contacts")
        http_hubspot.post("/_sandbox/faults", json={"daily_remaining": 1_000_000})
        assert (refused.status_code, refused.json()["policyName"]) == (429, "DAILY")


class TestRefusals:
    @pytest.mark.parametrize(
        "path",
        [
            "/services/data/v66.0/jobs/ingest",
            "/services/data/v66.0/composite/graph",
            "/services/Soap/u/66.0",
            "/nowhere",
        ],
    )
    def test_salesforce_says_501_to_what_it_does_not_know(self, http_salesforce, path):
        answer = http_salesforce.post(path, json={})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (501, "NOT_IMPLEMENTED")

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT Account.Name FROM Contact",
            "SELECT Id, (SELECT Id FROM Tasks) FROM Contact",
            "SELECT MAX(Points_Balance__c) FROM Contact",
            "SELECT LastName FROM Contact GROUP BY LastName",
            "SELECT Id FROM Contact WHERE AccountId IN (SELECT Id FROM Account)",
            "SELECT Id FROM Contact WHERE CreatedDate = LAST_QUARTER",
        ],
    )
    def test_salesforce_says_501_to_soql_it_does_not_know(self, http_salesforce, text):
        assert http_salesforce.get("/services/data/v66.0/query", params={"q": text}).status_code == 501

    @pytest.mark.parametrize("path", ["/crm/v4/objects/contacts", "/crm/v3/lists", "/crm/v3/objects/p62_card"])
    def test_hubspot_says_501_to_what_it_does_not_know(self, http_hubspot, path):
        answer = http_hubspot.get(path)
        assert (answer.status_code, answer.json()["category"]) == (501, "NOT_IMPLEMENTED")

    def test_hubspot_refuses_a_token_it_does_not_know(self, http_hubspot):
        answer = http_hubspot.get("/crm/v3/objects/contacts", headers={"authorization": "Bearer pat-eu1-x"})
        assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")

    def test_salesforce_refuses_a_long_uri(self, http_salesforce):
        text = "SELECT Id FROM Contact WHERE LastName = '" + "x" * 17_000 + "'"
        assert http_salesforce.get("/services/data/v66.0/query", params={"q": text}).status_code == 414

    def test_hubspot_takes_the_dated_paths_too(self, http_hubspot):
        body = {"properties": {"email": "dated@example.com"}, "associations": []}
        created = http_hubspot.post("/crm/objects/2026-03/contacts", json=body)
        assert created.status_code == 201
        assert http_hubspot.get(f"/crm/objects/2026-03/contacts/{created.json()['id']}").status_code == 200
        assert http_hubspot.get("/crm/properties/2026-03/contacts").status_code == 200


class TestTime:
    def test_a_salesforce_token_ends_and_is_fetched_again(self):
        with (
            serve(kind="salesforce", options=SandboxOptions(session_seconds=60)) as sandbox,
            httpx2.Client(base_url=sandbox.url, trust_env=False) as client,
        ):
            form = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s"}
            granted = client.post("/services/oauth2/token", data=form).json()
            headers = {"authorization": f"Bearer {granted['access_token']}"}
            assert granted["instance_url"] == sandbox.url
            assert client.get("/services/data/v66.0/limits", headers=headers).status_code == 200
            client.post("/_sandbox/clock", json={"advance_seconds": 61})
            ended = client.get("/services/data/v66.0/limits", headers=headers)
            assert (ended.status_code, ended.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
            form = {"grant_type": "refresh_token", "client_id": "c", "refresh_token": granted["refresh_token"]}
            headers = {
                "authorization": f"Bearer {client.post('/services/oauth2/token', data=form).json()['access_token']}"
            }
            assert client.get("/services/data/v66.0/limits", headers=headers).status_code == 200
            refused = client.post("/services/oauth2/token", data={"grant_type": "password"})
            assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_grant_type")

    def test_updated_and_deleted_lists_cover_seconds_that_are_over(self):
        with serve(kind="salesforce") as sandbox, connect(sandbox) as client:
            kept, gone = (client.post(CONTACTS, json={"LastName": "x"}).json()["id"] for _ in range(2))
            client.delete(f"{CONTACTS}/{gone}")
            client.post("/_sandbox/clock", json={"advance_seconds": 120})
            end = datetime.fromisoformat(client.get("/_sandbox/state").json()["now"])
            span = {"start": (end - timedelta(minutes=10)).isoformat(), "end": end.isoformat()}
            assert client.get(f"{CONTACTS}/updated/", params=span).json()["ids"] == [kept]
            (row,) = client.get(f"{CONTACTS}/deleted/", params=span).json()["deletedRecords"]
            assert row["id"] == gone

    def test_hubspot_search_learns_of_writes_late(self):
        with (
            serve(kind="hubspot", options=SandboxOptions(search_lag_seconds=10)) as sandbox,
            connect(sandbox) as client,
        ):
            client.post("/crm/v3/objects/contacts", json={"properties": {"email": "lag@example.com"}})
            query = {
                "filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "lag@example.com"}]}]
            }
            assert client.post("/crm/v3/objects/contacts/search", json=query).json()["total"] == 0
            client.post("/_sandbox/clock", json={"advance_seconds": 11})
            assert client.post("/crm/v3/objects/contacts/search", json=query).json()["total"] == 1

    def test_hubspot_limits_calls_in_ten_seconds(self):
        options, clock = SandboxOptions(has_documented_limits=True), ManualClock(datetime(2026, 3, 3, tzinfo=UTC))
        with serve(kind="hubspot", options=options, clock=clock) as sandbox, connect(sandbox) as client:
            answers = [client.get("/crm/v3/properties/contacts") for _ in range(191)]
            assert answers[0].headers["x-hubspot-ratelimit-remaining"] == "189"
            assert [item.status_code for item in answers[-2:]] == [200, 429]
            assert answers[-1].json()["policyName"] == "TEN_SECONDLY_ROLLING"
            client.post("/_sandbox/clock", json={"advance_seconds": 11})
            assert client.get("/crm/v3/properties/contacts").status_code == 200
            searches = [client.post("/crm/v3/objects/contacts/search", json={}) for _ in range(6)]
            assert searches[-1].json()["policyName"] == "SECONDLY"


class TestStart:
    def test_loads_people_and_repeats_itself_from_the_seed(self, tmp_path):
        people = write_people(tmp_path / "people.csv", "FirstName,LastName,Email", 2500)
        text = "SELECT Id, Name, Email FROM Contact ORDER BY Id"
        found = []
        for seed in (5, 5, 6):
            with serve(kind="salesforce", seed=seed, people_csv=people) as sandbox, connect(sandbox) as client:
                page = client.get("/services/data/v66.0/query", params={"q": text}).json()
                found.append((sandbox.token, page["totalSize"], page["records"][7]))
        assert found[0] == found[1]
        assert found[0][0] != found[2][0]
        assert found[0][2]["Id"] != found[2][2]["Id"]
        assert (found[0][1], found[0][2]["Name"]) == (2500, "First7 Last7")

    def test_refuses_a_people_file_with_unknown_fields(self, tmp_path):
        people = write_people(tmp_path / "people.csv", "firstname,lastname,no_such_property", 1)
        with pytest.raises(ValueError, match="no_such_property"):
            serve(kind="hubspot", people_csv=people)

    def test_refuses_a_port_that_is_taken(self, hubspot):
        with pytest.raises(OSError, match="in use"):
            serve(kind="salesforce", port=int(hubspot.url.rpartition(":")[2]))

    def test_runs_as_a_program_and_prints_one_line(self, tmp_path):
        people = write_people(tmp_path / "people.csv", "firstname,lastname,email", 100)
        command = [sys.executable, "-m", "comity.sandbox", "hubspot", "--tls", "--people", str(people)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            try:
                ready = json.loads(program.stdout.readline())
                assert (ready["people_count"], bool(ready["client_secret"])) == (100, True)
                verify = ssl.create_default_context(cafile=ready["ca_file"])
                headers = {"authorization": f"Bearer {ready['token']}"}
                with httpx2.Client(base_url=ready["url"], verify=verify, headers=headers, trust_env=False) as client:
                    assert len(client.get("/crm/v3/objects/contacts?limit=100").json()["results"]) == 100
            finally:
                program.send_signal(signal.SIGTERM)
                assert program.wait(timeout=60) == 0
            assert program.stdout.read() == ""

    @pytest.mark.parametrize("kind", ["salesforce", "hubspot"])
    def test_can_give_all_people_the_same_stamp(self, tmp_path, kind):
        header = {"salesforce": "FirstName,LastName,Email", "hubspot": "firstname,lastname,email"}[kind]
        people = write_people(tmp_path / "people.csv", header, 300)
        with (
            serve(kind=kind, people_csv=people, options=SandboxOptions(has_one_stamp=True)) as sandbox,
            connect(sandbox) as client,
        ):
            if kind == "salesforce":
                text = "SELECT SystemModstamp FROM Contact"
                rows = client.get("/services/data/v66.0/query", params={"q": text}).json()["records"]
                stamps = [row["SystemModstamp"] for row in rows]
            else:
                page = client.post("/crm/v3/objects/contacts/search", json={"limit": 200}).json()
                stamps = [row["updatedAt"] for row in page["results"]]
            assert (len(set(stamps)), len(stamps) >= 200) == (1, True)
