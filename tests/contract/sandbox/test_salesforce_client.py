"""simple-salesforce, which knows nothing of us, judges the simulated Salesforce over TLS."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)


@pytest.fixture(scope="module")
def client(salesforce):
    with requests.Session() as session:
        session.trust_env = False
        session.verify = salesforce.ca_file
        yield Salesforce(instance_url=salesforce.url, session_id=salesforce.token, version="66.0", session=session)


def collect(client, method, path, body=None):
    return client.restful(path, method=method, json=body) if body else client.restful(path, method=method)


class TestRecords:
    def test_creates_reads_updates_and_deletes(self, client):
        created = client.Contact.create({"LastName": "Lindqvist", "FirstName": "Maja", "Birthdate": "1980-02-29"})
        assert created["success"]
        record = client.Contact.get(created["id"])
        assert record["Name"] == "Maja Lindqvist"
        assert record["attributes"]["url"].endswith(created["id"])
        assert client.Contact.update(created["id"], {"MailingCity": "Lund"}) == 204
        assert client.Contact.get(created["id"])["MailingAddress"]["city"] == "Lund"
        assert client.Contact.delete(created["id"]) == 204
        with pytest.raises(SalesforceResourceNotFound):
            client.Contact.get(created["id"])

    def test_stores_mail_in_lower_case_and_blank_as_null_and_numbers_as_decimals(self, client):
        values = {"LastName": " Ek ", "Email": "Eva.Ek@Example.COM", "FirstName": "  ", "Points_Balance__c": 7}
        record = client.Contact.get(client.Contact.create(values)["id"])
        assert (record["LastName"], record["Email"], record["FirstName"]) == ("Ek", "eva.ek@example.com", None)
        assert isinstance(record["Points_Balance__c"], float)

    def test_knows_an_id_in_both_lengths(self, client):
        record_id = client.Contact.create({"LastName": "Short"})["id"]
        assert len(record_id) == 18
        assert client.Contact.get(record_id[:15])["Id"] == record_id

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"FirstName": "No last name"}, "REQUIRED_FIELD_MISSING"),
            ({"LastName": "x" * 81}, "STRING_TOO_LONG"),
            ({"LastName": "x", "Email": "no address"}, "INVALID_EMAIL_ADDRESS"),
            ({"LastName": "x", "Birthdate": "31.12.1980"}, "JSON_PARSER_ERROR"),
            ({"LastName": "x", "Unknown__c": 1}, "INVALID_FIELD"),
            ({"LastName": "x", "CreatedDate": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
            ({"LastName": "x", "DoNotCall": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD"),
            ({"LastName": "x", "Points_Balance__c": 1e18}, "NUMBER_OUTSIDE_VALID_RANGE"),
            ({"LastName": "x", "AccountId": "001130000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
            ({"LastName": "x", "AccountId": "nonsense"}, "MALFORMED_ID"),
        ],
    )
    def test_refuses_bad_values_with_the_documented_code(self, client, values, code):
        with pytest.raises(SalesforceMalformedRequest) as caught:
            client.Contact.create(values)
        assert caught.value.content[0]["errorCode"] == code

    def test_refuses_a_value_of_a_unique_field_twice(self, client):
        first = client.Contact.create({"LastName": "First", "Global_Id__c": "dup-1"})["id"]
        with pytest.raises(SalesforceMalformedRequest) as caught:
            client.Contact.create({"LastName": "Second", "Global_Id__c": "DUP-1"})
        error = caught.value.content[0]
        assert error["errorCode"] == "DUPLICATE_VALUE"
        assert error["message"].endswith(f"record with id: {first}")

    def test_writes_a_task_for_a_contact(self, client):
        who = client.Contact.create({"LastName": "Who"})["id"]
        task = client.Task.create({"Subject": "Call", "WhoId": who, "ActivityDate": "2026-12-01"})["id"]
        assert client.Task.get(task)["Status"] == "Not Started"

    def test_refers_to_a_parent_by_its_external_id(self, client):
        client.Contact.create({"LastName": "Parent", "Global_Id__c": "parent-1"})
        account = client.Loyalty_Account__c.create(
            {"Loyalty_Id__c": "L-1", "Contact__r": {"Global_Id__c": "parent-1"}}
        )["id"]
        assert client.Loyalty_Account__c.get(account)["Contact__c"].startswith("003")

    def test_tells_updated_and_deleted_records(self, client):
        kept = client.Contact.create({"LastName": "Kept"})["id"]
        gone = client.Contact.create({"LastName": "Gone"})["id"]
        client.Contact.delete(gone)
        start, end = datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(minutes=5)
        # The end of the span is the present second, which is not over yet.
        updated = client.Contact.updated(start, end)
        deleted = client.Contact.deleted(start, end)
        assert {"ids", "latestDateCovered"} <= set(updated)
        assert {"deletedRecords", "earliestDateAvailable", "latestDateCovered"} <= set(deleted)
        assert gone not in updated["ids"]
        assert kept not in [row["id"] for row in deleted["deletedRecords"]]


class TestUpsert:
    def test_tells_created_from_updated(self, client):
        path = "Global_Id__c/up%2F1"
        created = client.Contact.upsert(path, {"LastName": "Upsert"}, raw_response=True)
        updated = client.Contact.upsert(path, {"FirstName": "U"}, raw_response=True)
        assert (created.status_code, created.json()["created"]) == (201, True)
        assert (updated.status_code, updated.json()["created"]) == (200, False)
        assert created.json()["id"] == updated.json()["id"]
        assert client.Contact.get_by_custom_id("Global_Id__c", "up/1")["Name"] == "U Upsert"

    def test_answers_300_when_two_records_hold_the_key(self, client):
        for name in ("One", "Two"):
            client.Contact.create({"LastName": name, "Email": "shared@example.com"})
        with pytest.raises(SalesforceMoreThanOneRecord):
            client.Contact.upsert("Email/shared@example.com", {"LastName": "Three"})

    def test_refuses_the_key_in_the_body_and_creation_when_only_updates_are_wanted(self, client):
        with pytest.raises(SalesforceMalformedRequest) as caught:
            client.Contact.upsert("Global_Id__c/up2", {"LastName": "x", "Global_Id__c": "up2"})
        assert caught.value.content[0]["errorCode"] == "INVALID_FIELD"
        with pytest.raises(SalesforceResourceNotFound):
            client.Contact.upsert("Global_Id__c/up3?updateOnly=true", {"LastName": "x"})

    def test_does_not_know_a_field_that_is_no_external_id(self, client):
        with pytest.raises(SalesforceResourceNotFound):
            client.Contact.upsert("LastName/x", {"FirstName": "x"})


class TestQuery:
    def test_pages_through_all_rows_in_order(self, client):
        for start in range(0, 2400, 200):
            records = [
                {"attributes": {"type": "Lead"}, "LastName": f"Page {number:05}", "Company": "Paged"}
                for number in range(start, start + 200)
            ]
            assert all(row["success"] for row in collect(client, "POST", "composite/sobjects", {"records": records}))
        first = client.query("SELECT Id, LastName FROM Lead WHERE Company = 'paged' ORDER BY LastName")
        assert (first["totalSize"], first["done"], len(first["records"])) == (2400, False, 2000)
        rows = list(client.query_all_iter("SELECT Id, LastName FROM Lead WHERE Company = 'Paged' ORDER BY LastName"))
        assert [row["LastName"] for row in rows] == [f"Page {number:05}" for number in range(2400)]

    def test_reads_on_from_a_stamp_and_an_id(self, client):
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ids = sorted(client.Account.create({"Name": f"Keyset {number}"})["id"] for number in range(5))
        found, at, after = [], stamp, ""
        while True:
            keyset = (
                f"(SystemModstamp = {at} AND Id > '{after}') OR SystemModstamp > {at}"
                if after
                else (f"SystemModstamp >= {at}")
            )
            page = client.query(
                f"SELECT Id, SystemModstamp FROM Account WHERE {keyset} ORDER BY SystemModstamp, Id LIMIT 2"  # noqa: S608 - SOQL.
            )["records"]
            if not page:
                break
            found += [row["Id"] for row in page]
            at, after = page[-1]["SystemModstamp"].replace("+0000", "Z"), page[-1]["Id"]
        assert found == ids

    @pytest.mark.parametrize(
        ("where", "names"),
        [
            ("LastName LIKE 'soql a%'", ["Soql A1", "Soql A2"]),
            ("LastName IN ('Soql A1', 'Soql B')", ["Soql A1", "Soql B"]),
            ("LastName LIKE 'Soql%' AND Points_Balance__c > 5", ["Soql A2", "Soql B"]),
            ("LastName LIKE 'Soql%' AND Points_Balance__c = null", ["Soql A1"]),
            ("LastName LIKE 'Soql%' AND NOT (Points_Balance__c >= 10)", ["Soql A1", "Soql A2"]),
            ("LastName LIKE 'Soql%' AND (Birthdate < 1990-01-01 OR DoNotCall = TRUE)", ["Soql A2", "Soql B"]),
            ("LastName LIKE 'Soql%' AND CreatedDate = TODAY", ["Soql A1", "Soql A2", "Soql B"]),
            ("LastName LIKE 'Soql%' AND FirstName = 'O\\'Hara'", ["Soql B"]),
            ("LastName LIKE 'Soql%' AND LastName NOT IN ('soql b') AND FirstName != null", []),
        ],
    )
    def test_filters(self, client, where, names):
        if client.query("SELECT COUNT() FROM Contact WHERE LastName LIKE 'Soql%'")["totalSize"] == 0:
            client.Contact.create({"LastName": "Soql A1"})
            client.Contact.create({"LastName": "Soql A2", "Points_Balance__c": 7, "Birthdate": "1980-01-01"})
            client.Contact.create(
                {"LastName": "Soql B", "FirstName": "O'Hara", "Points_Balance__c": 70, "DoNotCall": True}
            )
        rows = client.query(f"SELECT LastName FROM Contact WHERE {where} ORDER BY LastName DESC NULLS LAST")["records"]  # noqa: S608 - SOQL.
        assert [row["LastName"] for row in rows] == names[::-1]

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("SELECT Id FROM", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE Name = 'a", "MALFORMED_QUERY"),
            ("SELECT Id, Id FROM Contact", "MALFORMED_QUERY"),
            ("SELECT Nothing__c FROM Contact", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE Nothing__c = 1", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE Name = 1", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE CreatedDate > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
            ("SELECT Id FROM Nothing__c", "INVALID_TYPE"),
        ],
    )
    def test_refuses_bad_queries(self, client, text, code):
        with pytest.raises(SalesforceMalformedRequest) as caught:
            client.query(text)
        assert caught.value.content[0]["errorCode"] == code

    def test_shows_deleted_rows_only_when_asked(self, client):
        gone = client.Contact.create({"LastName": "Deleted row"})["id"]
        client.Contact.delete(gone)
        text = "SELECT Id, IsDeleted FROM Contact WHERE LastName = 'Deleted row'"
        assert client.query(text)["totalSize"] == 0
        assert client.query(text, include_deleted=True)["records"][0]["IsDeleted"] is True


class TestCollections:
    def test_upserts_rows_in_order_and_fails_row_by_row(self, client):
        client.Contact.create({"LastName": "Known", "Global_Id__c": "c-1"})
        records = [
            {"attributes": {"type": "Contact"}, "Global_Id__c": "c-2", "LastName": "New"},
            {"attributes": {"type": "Contact"}, "Global_Id__c": "c-3"},
            {"attributes": {"type": "Contact"}, "Global_Id__c": "c-1", "FirstName": "Old"},
            {"attributes": {"type": "Contact"}, "Global_Id__c": "C-1", "FirstName": "Twice"},
        ]
        rows = collect(client, "PATCH", "composite/sobjects/Contact/Global_Id__c", {"records": records})
        assert [row["success"] for row in rows] == [True, False, True, False]
        assert (rows[0]["created"], rows[2]["created"]) == (True, False)
        assert rows[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
        assert rows[3]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"

    def test_takes_everything_back_when_all_or_none_is_wanted(self, client):
        records = [
            {"attributes": {"type": "Contact"}, "LastName": "Rolled back"},
            {"attributes": {"type": "Contact"}, "FirstName": "Bad"},
        ]
        rows = collect(client, "POST", "composite/sobjects", {"allOrNone": True, "records": records})
        codes = [row["errors"][0]["statusCode"] for row in rows]
        assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
        assert client.query("SELECT Id FROM Contact WHERE LastName = 'Rolled back'")["totalSize"] == 0

    def test_updates_and_deletes_by_id(self, client):
        ids = [client.Contact.create({"LastName": f"Bulk {number}"})["id"] for number in range(2)]
        records = [{"attributes": {"type": "Contact"}, "id": record_id, "Title": "T"} for record_id in ids]
        rows = collect(client, "PATCH", "composite/sobjects", {"records": records})
        assert [row["id"] for row in rows] == ids
        rows = client.restful("composite/sobjects", method="DELETE", params={"ids": ",".join([*ids, ids[0]])})
        assert [row["success"] for row in rows] == [True, True, False]
        assert rows[2]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"

    def test_refuses_more_than_two_hundred_rows(self, client):
        records = [{"attributes": {"type": "Contact"}, "LastName": "x"}] * 201
        with pytest.raises(SalesforceMalformedRequest):
            collect(client, "POST", "composite/sobjects", {"records": records})

    def test_runs_calls_that_refer_to_each_other(self, client):
        base = "/services/data/v66.0"
        calls = [
            {"method": "POST", "url": f"{base}/sobjects/Contact", "referenceId": "who", "body": {"LastName": "Ref"}},
            {
                "method": "POST",
                "url": f"{base}/sobjects/Task",
                "referenceId": "task",
                "body": {"Subject": "s", "WhoId": "@{who.id}"},
            },
            {
                "method": "GET",
                "url": base + "/query?q=SELECT Id FROM Task WHERE WhoId = '@{who.id}'",  # noqa: S608 - SOQL.
                "referenceId": "q",
            },
        ]
        answers = collect(client, "POST", "composite", {"compositeRequest": calls})["compositeResponse"]
        assert [item["httpStatusCode"] for item in answers] == [201, 201, 200]
        assert answers[2]["body"]["records"][0]["Id"] == answers[1]["body"]["id"]

    def test_takes_a_composite_back_as_a_whole(self, client):
        url = "/services/data/v66.0/sobjects/Contact"
        calls = [
            {"method": "POST", "url": url, "referenceId": "a", "body": {"LastName": "Halted"}},
            {"method": "POST", "url": url, "referenceId": "b", "body": {}},
        ]
        body = {"allOrNone": True, "compositeRequest": calls}
        answers = collect(client, "POST", "composite", body)["compositeResponse"]
        assert [item["body"][0]["errorCode"] for item in answers] == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
        assert client.query("SELECT Id FROM Contact WHERE LastName = 'Halted'")["totalSize"] == 0


class TestSchema:
    def test_describes_objects_and_their_fields(self, client):
        names = {item["name"] for item in client.describe()["sobjects"]}
        assert {"Contact", "Task", "Loyalty_Account__c"} <= names
        fields = {field["name"]: field for field in client.Contact.describe()["fields"]}
        assert (fields["Global_Id__c"]["externalId"], fields["Global_Id__c"]["unique"]) == (True, True)
        assert (fields["LastName"]["nillable"], fields["LastName"]["length"]) == (False, 80)

    def test_creates_a_custom_field_that_can_be_used_at_once(self, client):
        metadata = {"label": "Card", "type": "Text", "length": 20, "externalId": True, "unique": True}
        body = {"FullName": "Contact.Card__c", "Metadata": metadata}
        assert collect(client, "POST", "tooling/sobjects/CustomField", body)["success"]
        assert client.Contact.upsert("Card__c/77", {"LastName": "Card"}) == 201
        with pytest.raises(SalesforceMalformedRequest) as caught:
            collect(client, "POST", "tooling/sobjects/CustomField", body)
        assert caught.value.content[0]["errorCode"] == "DUPLICATE_DEVELOPER_NAME"

    def test_tells_limits_and_usage(self, client):
        limits = client.limits()["DailyApiRequests"]
        client.Contact.describe()
        assert limits["Remaining"] < limits["Max"]
        assert client.api_usage["api-usage"].total == limits["Max"]


class TestSession:
    def test_refuses_a_token_it_does_not_know(self, salesforce):
        with requests.Session() as session:
            session.trust_env, session.verify = False, salesforce.ca_file
            stranger = Salesforce(instance_url=salesforce.url, session_id="00D!x", version="66.0", session=session)
            with pytest.raises(SalesforceExpiredSession) as caught:
                stranger.query("SELECT Id FROM Contact")
        assert caught.value.content[0]["errorCode"] == "INVALID_SESSION_ID"

    def test_refuses_calls_beyond_the_daily_limit(self, client, http_salesforce):
        http_salesforce.post("/_sandbox/faults", json={"daily_remaining": 0})
        with pytest.raises(SalesforceRefusedRequest) as caught:
            client.query("SELECT Id FROM Contact")
        http_salesforce.post("/_sandbox/faults", json={"daily_remaining": 1_000_000})
        assert caught.value.content[0] == {
            "message": "TotalRequests Limit exceeded.",
            "errorCode": "REQUEST_LIMIT_EXCEEDED",
        }
