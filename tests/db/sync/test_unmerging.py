"""Two who were merged by mistake are parted by a steward: records, values, points and systems follow."""

import pytest

from comity.identity import api as identity
from comity.identity.types import MergeRefused, NothingToUnmerge, RecordKey, RecordUnknown
from comity.programme import api as programme
from comity.sync import api as sync


def unmerge(stage, ada, *names, key=None):
    with stage.database.transaction() as tx:
        keys = key or [RecordKey(name, _stream(name), ada.ids[name]) for name in names]
        return sync.unmerge_person(
            tx,
            profile_id=identity.find_profile_by_record(tx, key=RecordKey("crm-a", "Contact", ada.ids["crm-a"])),
            keys=keys,
            reason="mother and daughter",
            actor="Grace",
            runtime=stage.hub.runtimes.get(tx),
            now=stage.clock.now(),
            ids=stage.hub.ids,
        )


def _stream(name):
    return "contacts" if name == "crm-c" else "Contact"


def test_each_record_shows_its_own_person_and_the_history_says_who_and_why(stage, ada):
    told = unmerge(stage, ada, "crm-c")
    assert (told.is_duplicate, told.decided_by, told.reason) == (False, "Grace", "mother and daughter")
    stage.settle()
    assert ada.shown("crm-a", "global_id") == ada.shown("crm-b", "global_id") == str(told.global_id)
    assert ada.shown("crm-c", "global_id") == str(told.parted_global_id) != str(told.global_id)
    with stage.database.transaction() as tx:
        members = programme.find_members(tx, profile_ids=[told.global_id, told.parted_global_id])
        assert len(members) == 2, "each has a membership"
        [note] = identity.list_merges(tx, profile_id=told.parted_global_id)
        assert (note.is_merge, note.profile_id, note.other_profile_id) == (
            False, told.parted_global_id, told.global_id,
        )  # fmt: skip
        assert (note.source, note.actor, note.reason) == ("steward", "Grace", "mother and daughter")
        assert note.happened_at == stage.clock.now() or note.happened_at < stage.clock.now()
        assert identity.list_merges(tx, profile_id=told.global_id) == [note]
        assert identity.list_merges(tx, profile_id=told.global_id, after=note.history_id) == []
    again = unmerge(stage, ada, "crm-c")
    assert (again.is_duplicate, again.parted_global_id) == (True, told.parted_global_id)
    ada.edit("crm-c", city="Wien")
    stage.settle()
    assert ada.shown("crm-a", "city") == "Ulm", "no rule joins them again"


def test_the_global_id_goes_with_its_founding_record_and_the_answer_says_so(stage, ada):
    before = ada.shown("crm-a", "global_id")
    told = unmerge(stage, ada, "crm-a")
    stage.settle()
    assert ada.shown("crm-a", "global_id") == str(told.parted_global_id)
    assert ada.shown("crm-b", "global_id") == ada.shown("crm-c", "global_id") == str(told.global_id)
    assert told.global_id != told.parted_global_id and before in {str(told.global_id), str(told.parted_global_id)}


def test_says_why_it_parts_nobody(stage, ada):
    with pytest.raises(RecordUnknown, match="crm-a/Contact/none"):
        unmerge(stage, ada, key=[RecordKey("crm-a", "Contact", "none")])
    with pytest.raises(MergeRefused, match="not all of them"):
        unmerge(stage, ada, "crm-a", "crm-b", "crm-c")
    unmerge(stage, ada, "crm-b", "crm-c")
    with pytest.raises(NothingToUnmerge):
        unmerge(stage, ada, "crm-a")
    with pytest.raises(MergeRefused, match="not all of them") as caught, stage.database.transaction() as tx:
        sync.unmerge_person(
            tx,
            profile_id=identity.find_profile_by_record(tx, key=RecordKey("crm-b", "Contact", ada.ids["crm-b"])),
            keys=[RecordKey("crm-b", "Contact", ada.ids["crm-b"]), RecordKey("crm-c", "contacts", ada.ids["crm-c"])],
            reason="", actor="", runtime=stage.hub.runtimes.get(tx), now=stage.clock.now(), ids=stage.hub.ids,
        )  # fmt: skip
    assert len(caught.value.details["records"]) == 2
