"""Every vendor connector passes the certification suite against the simulated system of its vendor."""

import pytest

from comity.connect.certification import CHECKS
from comity.connect.opening import open_connector
from comity.connectors.hubspot.spec import SPEC as HUBSPOT
from comity.connectors.salesforce.spec import SPEC as SALESFORCE


class SandboxSubject:
    """A connector on a simulated system; both clocks are moved together."""

    page_size = 4

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def egress(self):
        return self.sandbox.egress

    def user_creates(self, fields):
        return self.sandbox.post("edit", object=self.stream, fields=dict(fields))["id"]

    def user_edits(self, external_id, fields):
        self.sandbox.post("edit", object=self.stream, id=external_id, fields=dict(fields))

    def user_deletes(self, external_id):
        self.sandbox.post("delete", object=self.stream, ids=[external_id])

    def settle(self):
        self.sandbox.advance(seconds=120)


class SalesforceSubject(SandboxSubject):
    stream = "Contact"
    key_field = "Global_Id__c"
    text_field = "LastName"
    optional_field = "Department"
    unknown_field = "Shoe_Size__c"
    unknown_id = "003000000000000AAA"
    renews_login = True

    def open(self, egress):
        return open_connector(
            SALESFORCE,
            settings={
                "instance_url": self.sandbox.url,
                "auth": "client_credentials",
                "client_id": "app",
                "page_size": self.page_size,
            },
            secrets={"client_secret": "secret"},
            clock=self.sandbox.clock,
            egress=egress,
        )

    def fields(self, text):
        return {"LastName": text}

    def bad_fields(self):
        return {"LastName": None}


class HubSpotSubject(SandboxSubject):
    stream = "contacts"
    key_field = "global_id"
    text_field = "lastname"
    optional_field = "company"
    unknown_field = "shoe_size"
    unknown_id = "999999999"
    renews_login = False

    def open(self, egress):
        return open_connector(
            HUBSPOT,
            settings={"base_url": self.sandbox.url, "page_size": self.page_size, "archived_every_seconds": 60},
            secrets={"token": self.sandbox.token},
            clock=self.sandbox.clock,
            egress=egress,
        )

    def fields(self, text):
        return {"lastname": text}

    def bad_fields(self):
        return {"email": "no address"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_salesforce(check, salesforce):
    check.examine(SalesforceSubject(salesforce))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_hubspot(check, hubspot):
    check.examine(HubSpotSubject(hubspot))


def test_the_suite_catches_a_connector_that_repeats_itself(salesforce):
    """The suite is worth something: a connector that forgets its cursor is caught."""
    subject = SalesforceSubject(salesforce)
    opened = subject.open

    def open_forgetful(egress):
        connector = opened(egress)
        read = connector.read
        connector.read = lambda stream, _cursor, **options: read(stream, None, **options)
        return connector

    subject.open = open_forgetful
    quiet = next(check for check in CHECKS if check.name == "quiet")
    with pytest.raises(Exception, match="quiet system"):
        quiet.examine(subject)
