"""Records that are created, deleted, brought back and merged, in the systems and by us."""

import msgspec
import pytest

from comity.interfaces.shared.views import view_status
from tests.db.sync.conftest import Person
from tests.scenario.convergence import find_differences, find_undecided


def _kind(name):
    return "contacts" if name == "crm-c" else "Contact"


def _live(stage, name):
    return stage.systems[name].state()["objects"][_kind(name)]["live"]


def _allow(stage, name, policy):
    stage.replace(f"system-{name}", "create: never", f"create: {policy}")
    stage.apply()


class TestDelete:
    @pytest.mark.parametrize("name", ["crm-b", "crm-c"])
    def test_a_deleted_record_is_noticed_and_comes_back_when_restored(self, stage, ada, name):
        system = stage.systems[name]
        ada.edit(name, city="Only here")
        stage.settle()
        stage.clock.advance(seconds=5)
        system.delete(_kind(name), ada.ids[name])
        stage.clock.advance(seconds=1000)  # The archived list is read every fifteen minutes.
        stage.settle()
        assert stage.query("select is_deleted from identity.record where system = %s", name) == [(True,)]
        ada.edit("crm-a", city="Wien")
        stage.settle()
        system.undelete(_kind(name), ada.ids[name])
        stage.settle()
        assert stage.query("select is_deleted from identity.record where system = %s", name) == [(False,)]
        assert len(ada.everywhere("city")) == 1
        assert len(ada.everywhere("global_id")) == 1
        assert find_differences(stage.hub) == []
        assert find_undecided(stage.hub) == 0

    def test_a_person_without_records_is_gone_and_comes_back_as_the_same(self, stage, ada):
        global_id = ada.shown("crm-a", "global_id")
        for name, record_id in ada.ids.items():
            stage.systems[name].delete(_kind(name), record_id)
        stage.clock.advance(seconds=1000)
        stage.settle()
        assert stage.query("select count(*) from profile.golden") == [(0,)]
        stage.systems["crm-b"].undelete("Contact", ada.ids["crm-b"])
        stage.settle()
        assert stage.query("select profile_id::text from profile.golden") == [(global_id,)]

    def test_what_was_deleted_there_is_not_created_again(self, stage, ada):
        _allow(stage, "crm-b", "always")
        stage.systems["crm-b"].delete("Contact", ada.ids["crm-b"])
        stage.clock.advance(seconds=100)
        stage.settle()
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert _live(stage, "crm-b") == 0


class TestMerge:
    @pytest.mark.parametrize("name", ["crm-b", "crm-c"])
    def test_records_merged_there_are_one_person_here(self, stage, ada, name):
        other = Person(stage, names=(name,), given_name="Augusta", family_name="King", email="king@byron.example")
        stage.settle()
        assert stage.query("select count(*) from profile.golden") == [(2,)]
        survivor = stage.systems[name].merge(_kind(name), ada.ids[name], other.ids[name])
        ada.ids[name] = survivor
        stage.clock.advance(seconds=1000)
        stage.settle()
        assert stage.query("select count(*) from profile.golden") == [(1,)]
        assert len(ada.everywhere("global_id")) == 1
        assert find_differences(stage.hub) == []
        assert find_undecided(stage.hub) == 0

    @pytest.mark.parametrize("batch_max", [1, 1000])
    def test_a_merge_told_before_its_survivor_waits_for_it(self, stage, batch_max):
        stage.hub.settings = msgspec.structs.replace(stage.hub.settings, unify_batch_max=batch_max)
        ada = Person(stage, names=("crm-a", "crm-c"))
        people = [Person(stage, names=("crm-c",), given_name=f"{n}{n}", email=f"{n}@x.example") for n in ("U", "V")]
        stage.settle()
        [(before,)] = stage.query("select profile_id from identity.record where system = 'crm-a'")
        survivor = ada.ids["crm-c"]
        for other in people:
            survivor = stage.systems["crm-c"].merge("contacts", survivor, other.ids["crm-c"])
            stage.clock.advance(seconds=1)
        ada.ids["crm-c"] = survivor
        stage.systems["crm-c"].edit("contacts", survivor, email="new@x.example", lastname="Lovelace")
        stage.settle()
        assert stage.query("select distinct profile_id from profile.observation") == [(before,)]
        assert stage.query("select count(*) from sync.merge") == [(0,)]
        assert len(ada.everywhere("global_id")) == 1

    def test_two_people_who_turn_out_to_be_one_end_with_one_global_id(self, stage, ada):
        other = Person(stage, names=("crm-c",), given_name="A.", family_name="B.", email="ab@byron.example")
        stage.settle()
        other.edit("crm-c", given_name="Ada", family_name="Byron", phone="+49301234567", birth_date="1815-12-10")
        ada.edit("crm-a", phone="+49301234567", birth_date="1815-12-10")
        stage.settle()
        assert stage.query("select count(*) from profile.golden") == [(1,)]
        # Only one record of a system can hold the Global ID and the e-mail address; all else is the same in both.
        assert len(ada.everywhere("global_id")) == 1
        assert other.everywhere("city") == ada.everywhere("city")
        assert stage.parked("crm-c") == []
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert other.everywhere("city") == ada.everywhere("city") == {"Wien"}
        assert {each.attribute for each in find_differences(stage.hub)} == {"global_id", "email"}


class TestCreate:
    def test_never_creates_nothing(self, stage):
        Person(stage, names=("crm-a",))
        stage.settle()
        assert _live(stage, "crm-b") == _live(stage, "crm-c") == 0

    @pytest.mark.parametrize("name", ["crm-b", "crm-c"])
    def test_always_creates_a_record_that_is_linked_and_makes_no_second_person(self, stage, name):
        _allow(stage, name, "always")
        ada = Person(stage, names=("crm-a",))
        stage.settle()
        assert _live(stage, name) == 1
        assert stage.query("select count(*) from profile.golden") == [(1,)]
        [(external_id,)] = stage.query("select external_id from identity.record where system = %s", name)
        ada.ids[name] = external_id
        assert len(ada.everywhere("global_id")) == 1
        ada.edit(name, city="Wien")
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}

    def test_a_condition_decides(self, stage):
        _allow(stage, "crm-b", "\"city = 'Wien'\"")
        ada = Person(stage, names=("crm-a",))
        Person(stage, names=("crm-a",), given_name="Max", family_name="Planck", email="max@x.example", city="Wien")
        stage.settle()
        assert _live(stage, "crm-b") == 1
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert _live(stage, "crm-b") == 2

    def test_nobody_is_created_before_the_first_read_is_through(self, stage):
        _allow(stage, "crm-b", "always")
        ada = Person(stage, names=("crm-a",))
        ada.ids["crm-b"] = ada.add("crm-b")
        stage.read("crm-a")
        stage.unify()
        stage.deliver("crm-b")
        assert view_status(stage.hub).systems[1].first_reads == ["Contact"]
        assert _live(stage, "crm-b") == 1
        # Read, but not unified yet: who it is nobody knows.
        stage.read("crm-b")
        stage.deliver("crm-b")
        assert view_status(stage.hub).systems[1].first_reads == ["Contact"]
        assert _live(stage, "crm-b") == 1
        Person(stage, names=("crm-a",), given_name="Bob", family_name="Burns", email="bob@x.example")
        stage.settle()
        assert view_status(stage.hub).systems[1].first_reads == []
        assert _live(stage, "crm-b") == 2
        assert len(ada.everywhere("global_id")) == 1
        assert stage.query("select count(*) from profile.golden") == [(2,)]

    @pytest.mark.parametrize("name", ["crm-b", "crm-c"])
    def test_an_echo_that_is_faster_than_the_answer_makes_no_second_person(self, stage, name):
        # Nothing in the match rules would link the two: only the Global ID tells whose the record is.
        _allow(stage, name, "always")
        Person(stage, names=("crm-a",), email=None, city="Ulm")

        def read():
            stage.read(name)
            stage.unify()

        stage.interrupt(name).after_write = read
        stage.settle()
        assert _live(stage, name) == 1
        assert stage.query("select count(*) from profile.golden") == [(1,)]

    def test_a_record_that_is_in_the_way_is_taken_in_and_linked(self, stage):
        _allow(stage, "crm-c", "always")
        ada = Person(stage, names=("crm-a",))
        stage.settle()
        other = Person(stage, names=("crm-a",), email="max@planck.example", given_name="Max", family_name="Planck")
        # Somebody makes the same person there, and we have not heard of it when we want to.
        stage.read("crm-a")
        stage.unify()
        other.ids["crm-c"] = other.add("crm-c", email="max@planck.example", given_name="Max", family_name="Planck")
        stage.deliver("crm-c")
        stage.settle()
        assert _live(stage, "crm-c") == 2
        assert len(other.everywhere("global_id")) == 1
        assert other.shown("crm-a", "global_id") != ada.shown("crm-a", "global_id")


FIELDS = """
kind: mapping
name: {name}-contact
spec:
  system: {name}
  stream: Contact
  kind: person
  external_id: Id
  changed_at: SystemModstamp
  fields:
    - {{attribute: given_name, field: FirstName, lens: text, direction: both}}
    - {{attribute: family_name, field: LastName, lens: text, direction: both}}
    - {{attribute: email, field: Email, lens: email, direction: both}}
    - {{attribute: city, field: MailingCity, lens: text, direction: {direction}{clears}}}
"""


class TestEmptyFields:
    """P13: empty clears only where the mapping says so for that field; what is not there clears nothing."""

    @pytest.mark.parametrize(
        ("clears", "direction", "empty", "here", "there"),
        [
            (", clears: true", "both", None, None, None),
            (", clears: true", "both", "", None, None),
            ("", "both", None, "Ulm", "Ulm"),
            ("", "both", "", "Ulm", "Ulm"),
            (", clears: true", "read", None, None, "Ulm"),
            ("", "write", None, "Ulm", "Ulm"),
        ],
    )
    def test_a_field_that_is_emptied(self, stage, clears, direction, empty, here, there):
        for name in ("crm-a", "crm-b"):
            stage.write(**{f"mapping-{name}": FIELDS.format(name=name, clears=clears, direction=direction)})
        stage.apply()
        # Only crm-a ever said a city, so nobody else's opinion remains when it falls silent.
        ada = Person(stage, names=("crm-a",))
        ada.ids["crm-b"] = ada.add("crm-b", city=None)
        stage.settle()
        if direction == "write":
            ada.edit("crm-a", city="Ulm")
        stage.clock.advance(seconds=10)
        ada.edit("crm-a", city=empty)
        stage.settle()
        golden = stage.query("select city from profile.golden")
        if direction == "write":
            assert golden == [(None,)]
            return
        assert golden == [(here,)]
        assert ada.shown("crm-b", "city") == (there if direction == "both" else None)

    def test_a_field_that_is_not_there_clears_nothing(self, stage):
        stage.write(till="""
kind: system
name: till
spec:
  connector: rest
  settings: {base_url: "http://127.0.0.1:9", streams: {guest: {}}}
  streams: {guest: {}}
---
kind: mapping
name: till-guest
spec:
  system: till
  stream: guest
  kind: person
  external_id: id
  fields:
    - {attribute: email, field: mail, lens: email, direction: read, clears: true}
    - {attribute: city, field: town, lens: text, direction: read, clears: true}
""")  # fmt: skip
        stage.apply()
        push = stage.push
        push("till", "guest", "1", "v1", {"id": "1", "mail": "a@b.example", "town": "Ulm"})
        push("till", "guest", "1", "v2", {"id": "1", "mail": "a@b.example"})
        assert stage.query("select email, city from profile.golden") == [("a@b.example", "Ulm")]
        push("till", "guest", "1", "v3", {"id": "1", "town": None})
        assert stage.query("select email, city from profile.golden") == [("a@b.example", None)]

    def test_a_field_that_the_system_does_not_show_clears_nothing(self, stage, ada):
        ada.edit("crm-a", phone="+49301234567")
        stage.settle()
        row = "{attribute: phone, field: phone, lens: phone, direction: both, clears: true}"
        stage.replace("mapping-crm-c", row, row.replace("field: phone", "field: hidden").replace("both", "read"))
        stage.apply()
        ada.edit("crm-c", city="Wien")
        stage.settle()
        assert stage.query("select phone from profile.golden") == [("+49301234567",)]
        assert ada.everywhere("city") == {"Wien"}
