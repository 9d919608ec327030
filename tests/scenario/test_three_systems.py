"""The main job: three systems, one person, in both directions."""

import time

from tests.scenario.conftest import connect_three
from tests.scenario.rehearsal import eventually

PERSON = {"FirstName": "Ada", "LastName": "Byron", "Email": "ada@byron.example", "Birthdate": "1815-12-10"}
HUBSPOT_PERSON = {"firstname": "Ada", "lastname": "Byron", "email": "ada@byron.example"}


def test_one_person_everywhere(rehearsal, salesforce, salesforce_b, hubspot):
    a = salesforce.edit("Contact", None, **PERSON)["id"]
    b = salesforce_b.edit("Contact", None, **PERSON, MailingCity="Ulm")["id"]
    c = hubspot.edit("contacts", None, **HUBSPOT_PERSON)["id"]
    connect_three(rehearsal, salesforce, salesforce_b, hubspot)
    rehearsal.start()

    def global_ids():
        found = [
            salesforce.find("Contact", "Id", a)[0].get("Global_Id__c"),
            salesforce_b.find("Contact", "Id", b)[0].get("Global_Id__c"),
            hubspot.find("contacts", "hs_object_id", c)[0].get("global_id"),
        ]
        return found if all(found) else None

    written = eventually(global_ids, what="the Global ID is in all three systems")
    assert len(set(written)) == 1
    rehearsal.settle()
    assert salesforce.find("Contact", "Id", a)[0]["MailingCity"] == "Ulm"
    assert hubspot.find("contacts", "hs_object_id", c)[0]["city"] == "Ulm"
    view = rehearsal.http.get("/v1/profiles", params={"key": "ada@byron.example"}).json()
    assert view["global_id"] == written[0]
    assert {record["system"] for record in view["records"]} == {"crm-a", "crm-b", "crm-c"}
    assert view["memberships"][0]["tier"] == "Blue"

    started = time.monotonic()
    hubspot.edit("contacts", c, city="Wien")
    eventually(lambda: salesforce.find("Contact", "Id", a)[0]["MailingCity"] == "Wien", what="the edit arrives in A")
    eventually(lambda: salesforce_b.find("Contact", "Id", b)[0]["MailingCity"] == "Wien", what="the edit arrives in B")
    print("edit visible after", time.monotonic() - started)
    rehearsal.settle()
    before = [system.state()["writes"] for system in (salesforce, salesforce_b, hubspot)]
    rehearsal.wait_for_reads()
    rehearsal.settle()
    assert [system.state()["writes"] for system in (salesforce, salesforce_b, hubspot)] == before
