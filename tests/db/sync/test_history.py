"""How golden values came about, field by field: told from what is kept, without a trace."""

import json
import random

from comity.identity import api as identity
from comity.identity.types import RecordKey
from comity.sync import api as sync
from comity.sync.types import RecordFile

VALUES = {
    "city": ["Ulm", "Bonn", "Kiel", None],
    "street": ["Weg 1", "Weg 2", None],
    "email": ["ada@byron.example", "ada@lovelace.example"],
    "phone": ["+493012345678", "+493012345679", None],
    "given_name": ["Ada", "Augusta"],
}


def history(stage, ada, attribute=None, *, name="crm-a"):
    with stage.database.transaction() as tx:
        stream = "contacts" if name == "crm-c" else "Contact"
        profile_id = identity.find_profile_by_record(tx, key=RecordKey(name, stream, ada.ids[name]))
        return sync.list_history(tx, profile_id=profile_id, attribute=attribute)


def lines(told):
    return [(each.before, each.value, each.cause, [said.system for said in each.sources]) for each in told.changes]


def test_tells_every_value_with_its_time_source_and_rule_and_no_echo(stage, ada):
    began = stage.clock.now()
    ada.edit("crm-c", city="Bonn")
    stage.settle()
    ada.edit("crm-a", city="Kiel")
    stage.settle()
    told = history(stage, ada, "city")
    [first, second, third] = lines(told)
    assert first[:3] == (None, "Ulm", "change")
    assert second == ("Ulm", "Bonn", "change", ["crm-c"])
    assert third == ("Bonn", "Kiel", "change", ["crm-a"])
    last = told.changes[-1]
    assert last.happened_at > told.changes[1].happened_at > began
    assert last.sources[0].external_id == ada.ids["crm-a"] and last.sources[0].value == "Kiel"
    assert last.rule and last.revision == stage.hub.get_runtime().revision
    assert stage.query("select payload from inbox.change where change_id = %s", last.change_id)[0][0]
    whole = history(stage, ada)
    assert (whole.differing, whole.is_cut) == ((), False)
    assert [each for each in whole.changes if each.attribute == "city"] == list(told.changes)


def test_other_rules_are_told_with_their_author_and_what_they_replaced(stage, ada):
    ada.edit("crm-c", email="ada@lovelace.example")
    stage.settle()
    assert lines(history(stage, ada, "email")) == [(None, "ada@byron.example", "change", ["crm-a"])]
    version = stage.hub.get_runtime().model.rules_version
    stage.replace("rules", "{of: [email], rule: system_of_record, systems: [crm-a, crm-c]}",
                  "{of: [email], rule: system_of_record, systems: [crm-c, crm-a]}")  # fmt: skip
    stage.apply()
    stage.settle()
    told = history(stage, ada, "email")
    assert lines(told)[1:] == [("ada@byron.example", "ada@lovelace.example", "definitions", ["crm-c"])]
    assert told.changes[1].actor and told.changes[1].rules_version == version + 1
    assert "crm-c, crm-a" in told.changes[1].rule and "crm-a, crm-c" in told.changes[0].rule
    assert told.differing == ()


def test_who_were_merged_and_parted_see_the_values_of_the_others_come_and_go(stage, ada):
    ada.edit("crm-c", city="Wien")
    stage.settle()
    with stage.database.transaction() as tx:
        keys = [RecordKey("crm-c", "contacts", ada.ids["crm-c"])]
        told = sync.unmerge_person(
            tx,
            profile_id=identity.find_profile_by_record(tx, key=RecordKey("crm-a", "Contact", ada.ids["crm-a"])),
            keys=keys, reason="mother and daughter", actor="Grace", runtime=stage.hub.runtimes.get(tx),
            now=stage.clock.now(), ids=stage.hub.ids,
        )  # fmt: skip
    stage.settle()
    found = history(stage, ada, "city")
    assert lines(found)[-2:] == [("Ulm", "Wien", "change", ["crm-c"]), ("Wien", "Ulm", "unmerge", ["crm-a"])]
    assert (found.changes[-1].actor, found.changes[-1].reason) == ("Grace", "mother and daughter")
    assert found.differing == ()
    other = history(stage, ada, "city", name="crm-c")
    assert lines(other) == [(None, "Wien", "unmerge", ["crm-c"])] and other.differing == ()
    with stage.database.transaction() as tx:
        sync.merge_people(
            tx, profile_ids=[told.global_id, told.parted_global_id], reason="one after all", actor="Grace",
            runtime=stage.hub.runtimes.get(tx), now=stage.clock.now(), ids=stage.hub.ids,
        )  # fmt: skip
    stage.settle()
    again = history(stage, ada, "city")
    assert lines(again)[-1] == ("Ulm", "Wien", "merge", ["crm-c"]) and again.changes[-1].reason == "one after all"
    assert again.differing == ()
    assert lines(again)[:-1] == lines(found), "also when the record was here before it was there"


def test_what_a_deleted_record_said_goes_with_it(stage, ada):
    ada.edit("crm-b", phone="+493012345678")
    stage.settle()
    stage.push("crm-b", "Contact", ada.ids["crm-b"], "gone", b"", kind="delete")
    told = history(stage, ada, "phone")
    assert lines(told) == [
        (None, "+493012345678", "change", ["crm-b"]), ("+493012345678", None, "deletion", []),
    ]  # fmt: skip
    assert told.differing == ()


def test_leaves_no_trace(stage, ada):
    before = stage.query("select * from profile.observation order by record_id")
    history(stage, ada)
    assert stage.query("select * from profile.observation order by record_id") == before
    assert stage.query("select count(*) from pg_class where relname like 'profile_replayed%%'") == [(0,)]


def test_what_comity_wrote_into_a_record_is_not_taken_for_its_opinion(stage, ada):
    stage.replace("rules", "  attributes:\n", "  attributes:\n    - {of: [given_name], rule: merge, merge: longest}\n")
    stage.apply()
    ada.edit("crm-a", given_name="Augusta Ada")
    stage.settle()
    ada.edit("crm-a", given_name="Ad")
    stage.settle()
    assert ada.everywhere("given_name") == {"Ada"}, "the others never said anything longer"
    told = history(stage, ada, "given_name")
    assert [each.value for each in told.changes] == ["Ada", "Augusta Ada", "Ada"]
    assert told.differing == ()


def test_a_first_load_is_told_though_the_inbox_never_saw_it(stage, tmp_path):
    path = tmp_path / "crm-a.ndjson"
    record = {"Id": "003A", "FirstName": "Ada", "LastName": "Byron", "Email": "ada@byron.example", "MailingCity": "Ulm"}
    path.write_text(json.dumps({**record, "SystemModstamp": "2026-03-01T00:00:00.000+0000"}) + "\n")
    file = RecordFile(system="crm-a", stream="Contact", path=path)
    hub = stage.hub
    sync.load_records(
        stage.database, files=[file], runtime=hub.get_runtime(), ids=hub.ids, now=stage.clock.now()
    )  # fmt: skip
    stage.push(
        "crm-a", "Contact", "003A", "2",
        {**record, "MailingCity": "Bonn", "SystemModstamp": "2026-03-02T00:00:00.000+0000"},
    )  # fmt: skip
    with stage.database.transaction() as tx:
        profile_id = identity.find_profile_by_record(tx, key=RecordKey("crm-a", "Contact", "003A"))
        told = sync.list_history(tx, profile_id=profile_id)
    assert lines(told)[-1] == (None, "Bonn", "change", ["crm-a"]), "what it replaced is not kept anywhere"
    assert told.differing == ()
    assert {each.attribute: each.value for each in told.changes if each.cause == "load"} == {
        "email": "ada@byron.example", "family_name": "Byron", "given_name": "Ada",
    }  # fmt: skip


def test_whatever_happens_the_history_ends_with_what_is_stored(stage, ada):
    chance = random.Random(1)
    for _ in range(25):
        name = chance.choice(["crm-a", "crm-b", "crm-c"])
        attribute = chance.choice(list(VALUES))
        ada.edit(name, **{attribute: chance.choice(VALUES[attribute])})
        for step in chance.sample([*stage.systems, "all"], 2):
            if step == "all":
                stage.cycle()
            else:
                stage.read(step)
                stage.unify()
    told = history(stage, ada)
    assert told.differing == () and len(told.changes) > 10
    values = {}
    for each in told.changes:
        assert values.get(each.attribute) == each.before != each.value
        values[each.attribute] = each.value
