"""Convergence and silence: an edit costs at most a write in each other system, and then nothing happens any more."""

from tests.scenario.convergence import find_differences, find_undecided


def test_a_value_over_two_fields_is_written_once(stage, ada):
    """Both fields are asked for: one that is not looked like one that somebody empties again and again."""
    fields = "field: MailingStreet, lens: {concat: {also: [MailingState], separator: ', '}}"
    stage.replace("mapping-crm-b", "field: MailingStreet, lens: text", fields)
    stage.apply()
    stage.settle()
    before = stage.writes()["crm-b"]
    ada.edit("crm-a", street="Ring 1, Hof 2")
    stage.settle()
    [shown] = stage.systems["crm-b"].find("Contact", "Id", ada.ids["crm-b"])
    assert (shown["MailingStreet"], shown["MailingState"]) == ("Ring 1", "Hof 2")
    assert (stage.writes()["crm-b"] - before, stage.parked("crm-b")) == (1, [])


def test_one_edit_one_write_in_each_other_system_then_silence(stage, ada):
    for name, other in (("crm-a", "crm-b"), ("crm-b", "crm-c"), ("crm-c", "crm-a")):
        before = stage.writes()
        ada.edit(name, city=f"Town of {name}")
        stage.settle()
        assert ada.everywhere("city") == {f"Town of {name}"}
        written = {each: count - before[each] for each, count in stage.writes().items()}
        assert written == {each: int(each != name) for each in stage.systems}, other
    quiet = stage.writes()
    for _ in range(3):
        stage.cycle()
    assert stage.writes() == quiet
    assert find_differences(stage.hub) == []
    assert find_undecided(stage.hub) == 0
