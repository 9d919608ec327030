"""Definitions change under a living hub: old data follows."""

import pytest

from comity.programme.api import KindMoved
from comity.systems import api as systems
from tests.db.sync.conftest import Person
from tests.scenario.convergence import find_differences, find_undecided

NICKNAME = """
---
kind: attribute
name: nickname
spec: {type: text, label: Nickname}
"""

GUEST = """
kind: system
name: till
spec:
  connector: rest
  settings: {{base_url: "http://127.0.0.1:9", streams: {{guest: {{}}}}}}
  streams: {{guest: {{}}}}
---
kind: mapping
name: till-guest
spec:
  system: till
  stream: guest
  kind: person
  external_id: id
  fields:
    - {{attribute: email, field: mail, lens: email, direction: read}}
    - {{attribute: given_name, field: name, lens: {lens}, direction: read}}
{more}
"""

LOOSE = """
kind: match
name: default
spec:
  rules:
    - {name: name_and_city, key: [family_name, city]}
"""


KINDS = """
kind: programme
name: club
spec:
  title: Club
  currency: EUR
  points: [{{name: {first}}}, {{name: {second}, spendable: {spendable}}}]
  earning_rules: [{{name: base, points: coins, rate: {{points: 1, per_minor: 100}}}}]
"""


class TestProgrammes:
    def test_books_of_each_kind_are_open_before_anybody_earns(self, stage):
        stage.write(club=KINDS.format(first="coins", second="status", spendable="false"))
        stage.apply()
        units = stage.query("select unit from ledger.account where owner = 'club' order by unit")
        assert units == [("club",), ("club.status",)]

    def test_another_first_kind_is_refused_whole(self, stage):
        stage.write(club=KINDS.format(first="coins", second="status", spendable="true"))
        stage.apply()
        stage.write(
            club=KINDS.format(first="status", second="coins", spendable="true"), nickname=NICKNAME.lstrip("\n-")
        )
        with pytest.raises(KindMoved):
            stage.apply()
        assert stage.query("select count(*) from definitions.document where name = 'nickname'") == [(0,)]
        stage.write(club=KINDS.format(first="coins", second="status", spendable="false"))
        stage.apply()


class TestMappings:
    def test_a_new_field_is_read_from_old_records(self, stage, ada):
        ada.stage.systems["crm-a"].edit("Contact", ada.ids["crm-a"], Title="Countess")
        stage.settle()
        stage.write(nickname=NICKNAME.lstrip("\n-"))
        row = "    - {attribute: nickname, field: Title, lens: text, direction: both}\n"
        anchor = "    - {attribute: phone, field: Phone"
        for name in ("crm-a", "crm-b"):
            stage.replace(f"mapping-{name}", anchor, row + anchor)
        stage.apply()
        stage.settle()
        assert stage.query("select nickname from profile.golden") == [("Countess",)]
        [there] = stage.systems["crm-b"].find("Contact", "Id", ada.ids["crm-b"])
        assert there["Title"] == "Countess"
        assert find_differences(stage.hub) == []

    def test_a_field_that_is_only_written_now_goes_out_to_everybody(self, stage, ada):
        row = "    - {attribute: loyalty.programme, field: Title, lens: text, direction: write}\n"
        anchor = "    - {attribute: phone, field: Phone"
        stage.replace("mapping-crm-a", anchor, row + anchor)
        stage.apply()
        stage.settle()
        [there] = stage.systems["crm-a"].find("Contact", "Id", ada.ids["crm-a"])
        assert there["Title"] == "points"

    def test_another_lens_reads_what_was_pushed_before(self, stage):
        stage.write(till=GUEST.format(lens="text", more=""))
        stage.apply()
        stage.push("till", "guest", "1", "v1", {"id": "1", "mail": "a@b.example", "name": "ADA", "town": "Ulm"})
        assert stage.query("select given_name, city from profile.golden") == [("ADA", None)]
        more = "    - {attribute: city, field: town, lens: text, direction: read}"
        stage.write(till=GUEST.format(lens="{text: {case: lower}}", more=more))
        stage.apply()
        stage.settle()
        assert stage.query("select given_name, city from profile.golden") == [("ada", "Ulm")]

    @pytest.mark.usefixtures("ada")
    def test_an_apply_that_changes_nothing_reads_nothing_again(self, stage):
        before = stage.fingerprint()
        stage.apply()
        stage.settle()
        assert stage.fingerprint() == before


class TestMatchRules:
    def test_new_rules_join_people_who_were_there(self, stage):
        Person(stage, names=("crm-a",), email="one@x.example")
        Person(stage, names=("crm-b",), email="two@x.example", given_name="Augusta")
        stage.settle()
        assert stage.query("select count(*) from profile.golden") == [(2,)]
        stage.write(match=LOOSE)
        stage.apply()
        stage.keep()
        stage.settle()
        assert stage.query("select count(*) from profile.golden") == [(1,)]
        assert find_differences(stage.hub) == []
        assert find_undecided(stage.hub) == 0


class TestRules:
    def test_a_new_rule_decides_anew_and_writes(self, stage, ada):
        ada.edit("crm-b", city="Early")
        stage.clock.advance(seconds=5)
        ada.edit("crm-c", city="Late")
        stage.settle()
        assert ada.everywhere("city") == {"Late"}
        stage.replace(
            "rules", "{of: [address], rule: most_recent}",
            "{of: [address], rule: system_of_record, systems: [crm-b]}",
        )  # fmt: skip
        stage.apply()
        stage.settle()
        assert ada.everywhere("city") == {"Early"}
        assert find_undecided(stage.hub) == 0


class TestSystems:
    def test_a_system_that_leaves_is_left_alone_and_comes_back_whole(self, stage, ada):
        left = stage.systems.pop("crm-b")
        files = {name: (stage.folder / f"{name}.yaml").read_text() for name in ("system-crm-b", "mapping-crm-b")}
        for name in files:
            (stage.folder / f"{name}.yaml").unlink()
        stage.apply(removes=True)
        calls = left.state()["calls"]["total"]
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert left.state()["calls"]["total"] == calls
        assert ada.shown("crm-c", "city") == "Wien"
        assert stage.query("select count(*) from outbox.stale where system = 'crm-b'") == [(0,)]
        new = left.edit("Contact", None, FirstName="Max", LastName="Planck", Email="max@planck.example")["id"]
        stage.write(**files)
        stage.systems["crm-b"] = left
        stage.apply()
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}
        assert left.find("Contact", "Id", new)[0]["Global_Id__c"]

    @pytest.mark.parametrize("name", ["crm-b", "crm-c"])
    def test_a_paused_system_waits_and_catches_up(self, stage, ada, name):
        with stage.database.transaction() as tx:
            systems.set_paused(tx, system=name, is_paused=True)
        calls = stage.systems[name].state()["calls"]["total"]
        ada.edit("crm-a", city="Wien")
        for _ in range(3):
            stage.cycle()
        assert stage.systems[name].state()["calls"]["total"] == calls
        # What it will have to be told is in its marks: the log is not kept for it.
        for each in stage.systems:
            stage.deliver(each)
        stage.keep()
        assert stage.query("select count(*) from outbox.change") == [(0,)]
        with stage.database.transaction() as tx:
            systems.set_paused(tx, system=name, is_paused=False)
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}
