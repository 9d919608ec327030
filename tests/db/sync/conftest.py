"""Three systems and a hub on one stage; a second database beside the first, to compare two ways to the same end."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import ClassVar

import pytest

from comity.kernel.database import Database
from comity.sandbox.api import serve
from tests.conftest import lend_database
from tests.db.sync.conveyor import Conveyor
from tests.scenario.rehearsal import Simulated
from tests.scenario.stage import Stage


@pytest.fixture
def second_database(server_dsn: str, template_database: str) -> Iterator[Database]:
    """Another migrated database of the test's own."""
    yield from lend_database(server_dsn, template_database)


@pytest.fixture
def systems(clock):
    """Two Salesforce-like systems and a HubSpot-like one, in simulated time."""
    with ExitStack() as stack:
        found = []
        for kind, seed in (("salesforce", 1), ("salesforce", 2), ("hubspot", 3)):
            simulated = Simulated(stack.enter_context(serve(kind=kind, seed=seed, clock=clock)))
            stack.callback(simulated.close)
            found.append(simulated)
        yield found


@pytest.fixture
def bare_stage(database, tmp_path, clock):
    """A hub without systems; nothing is in force yet."""
    stage = Stage(database=database, folder=tmp_path, clock=clock)
    yield stage
    stage.close()


@pytest.fixture
def stage(bare_stage, systems):
    """The three systems connected as crm-a, crm-b and crm-c; nobody lives there yet."""
    bare_stage.replace("rules", "salesforce-emea", "crm-a")
    bare_stage.replace("rules", "hubspot-us", "crm-c")
    for kind, name, system in zip(
        ("salesforce", "salesforce", "hubspot"), ("crm-a", "crm-b", "crm-c"), systems, strict=True
    ):
        bare_stage.connect(kind, name, system)
    bare_stage.apply()
    return bare_stage


class Person:
    """Ada in all three systems, and her fields by attribute."""

    FIELDS: ClassVar = {
        "crm-a": {"city": "MailingCity", "email": "Email", "phone": "Phone", "given_name": "FirstName",
                  "family_name": "LastName", "street": "MailingStreet", "global_id": "Global_Id__c",
                  "points": "Points_Balance__c", "tier": "Loyalty_Tier__c", "birth_date": "Birthdate"},
        "crm-c": {"city": "city", "email": "email", "phone": "phone", "given_name": "firstname",
                  "family_name": "lastname", "street": "address", "global_id": "global_id", "points": "points_balance",
                  "tier": "loyalty_tier", "birth_date": "birth_date"},
    }  # fmt: skip

    def __init__(self, stage: Stage, names=("crm-a", "crm-b", "crm-c"), **values) -> None:
        self.stage = stage
        self.ids = {}
        for name in names:
            self.ids[name] = self.add(name, **values)

    def add(self, name, **values):
        """Make one more record of her."""
        known = {"given_name": "Ada", "family_name": "Byron", "email": "ada@byron.example", "city": "Ulm", **values}
        fields = {self.field(name, attribute): value for attribute, value in known.items()}
        return self.stage.systems[name].edit(self.object(name), None, **fields)["id"]

    def object(self, name):
        return "contacts" if name == "crm-c" else "Contact"

    def field(self, name, attribute):
        return self.FIELDS["crm-c" if name == "crm-c" else "crm-a"][attribute]

    def edit(self, name, **values):
        fields = {self.field(name, attribute): value for attribute, value in values.items()}
        self.stage.systems[name].edit(self.object(name), self.ids[name], **fields)

    def shown(self, name, attribute):
        key = "hs_object_id" if name == "crm-c" else "Id"
        [fields] = self.stage.systems[name].find(self.object(name), key, self.ids[name])
        return fields.get(self.field(name, attribute))

    def everywhere(self, attribute):
        return {self.shown(name, attribute) for name in self.ids}


@pytest.fixture
def ada(stage):
    """Ada lives in all three systems and is known to the hub; everything has settled."""
    person = Person(stage)
    stage.settle()
    assert len(person.everywhere("global_id")) == 1
    return person


@pytest.fixture
def conveyor(bare_stage):
    """The unify loop of a hub that hears of changes only."""
    return Conveyor(bare_stage)


@pytest.fixture
def second_conveyor(second_database, tmp_path_factory, clock):
    """Another one, to be told the same."""
    stage = Stage(database=second_database, folder=tmp_path_factory.mktemp("second"), clock=clock)
    yield Conveyor(stage)
    stage.close()
