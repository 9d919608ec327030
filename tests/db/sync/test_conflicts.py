"""Two sides change at once, systems change what they are given, somebody edits between two of our calls."""

import pytest

from comity.outbox.rules import WRITES_IN_HOUR_MAX
from comity.profile import api as profile
from tests.db.sync.conftest import Person
from tests.scenario.convergence import find_differences


def _said(stage, attribute):
    """What each system says about an attribute, and what became of it, from the explanation."""
    told = _why(stage, attribute)
    candidates = [*([told.winner] if told.winner else []), *told.contributors, *told.losers]
    return {candidate.system: candidate for candidate in candidates}


def _why(stage, attribute):
    with stage.database.transaction() as tx:
        runtime = stage.hub.runtimes.get(tx)
        [(profile_id,)] = tx.execute("select profile_id from profile.golden").fetchall()
        return profile.explain(tx, profile_id=profile_id, attribute=attribute, model=runtime.model)


class TestSimultaneousEdits:
    def test_the_later_edit_wins_and_the_loser_is_named(self, stage, ada):
        ada.edit("crm-b", city="Earlier")
        stage.clock.advance(seconds=5)
        ada.edit("crm-c", city="Later")
        stage.settle()
        assert ada.everywhere("city") == {"Later"}
        told = _said(stage, "city")
        assert told["crm-c"].reason.value == "won"
        assert (told["crm-b"].value, told["crm-b"].reason.value) == ("Earlier", "older")

    def test_edits_at_the_same_moment_end_the_same_everywhere(self, stage, ada):
        for name in ada.ids:
            ada.edit(name, city=f"Town of {name}")
        stage.settle()
        assert len(ada.everywhere("city")) == 1
        assert find_differences(stage.hub) == []

    @pytest.mark.parametrize("loser", ["crm-b", "crm-c"])
    def test_an_edit_that_loses_by_its_systems_rank_is_put_right_there(self, stage, ada, loser):
        ada.edit(loser, email="other@byron.example")
        stage.settle()
        assert ada.everywhere("email") == {"ada@byron.example"}
        told = _said(stage, "email")
        assert told[loser].value == "other@byron.example"
        assert told[loser].reason.value == "lower_system"
        ada.edit(loser, email="other@byron.example")
        stage.settle()
        assert ada.everywhere("email") == {"ada@byron.example"}

    def test_different_fields_of_one_record_both_count(self, stage, ada):
        ada.edit("crm-b", city="Wien")
        ada.edit("crm-c", phone="+43123456789")
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}
        assert len(ada.everywhere("phone")) <= 2  # The vendors' forms may differ.
        assert find_differences(stage.hub) == []


class TestNoOpinion:
    """What is no opinion is no reason to leave a record as it is: it shows something else than was agreed."""

    @pytest.mark.parametrize("name", ["crm-a", "crm-c"])
    def test_a_field_emptied_that_does_not_clear_is_filled_again(self, stage, ada, name):
        ada.edit(name, city="")
        stage.settle()
        assert ada.everywhere("city") == {"Ulm"}

    @pytest.mark.parametrize("name", ["crm-a", "crm-c"])
    def test_a_field_that_is_only_written_is_put_right(self, stage, ada, name):
        before = ada.shown(name, "points")
        ada.edit(name, points=77)
        stage.settle()
        assert ada.shown(name, "points") == before

    def test_another_field_emptied_between_read_and_write_is_filled_again(self, stage, ada):
        stage.interrupt("crm-a").before_write = lambda: ada.edit("crm-a", city="")
        ada.edit("crm-b", phone="+49301234567")
        stage.settle()
        assert ada.everywhere("city") == {"Ulm"}
        assert find_differences(stage.hub) == []

    def test_a_field_nobody_maps_is_nobodys_business(self, stage, ada):
        doubts = "select record_id, doubted_count from outbox.base order by 1"
        before = stage.query(doubts)
        stage.systems["crm-a"].edit("Contact", ada.ids["crm-a"], Title="Countess")
        stage.settle()
        assert stage.query(doubts) == before


class TestBetweenTheCalls:
    def test_another_field_edited_between_read_and_write_is_kept(self, stage, ada):
        stage.interrupt("crm-b").before_write = lambda: ada.edit("crm-b", phone="+49301234567")
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}
        assert ada.shown("crm-b", "phone") == "+49301234567"
        assert find_differences(stage.hub) == []

    def test_the_same_field_edited_between_write_and_reading_back_is_an_edit(self, stage, ada):
        def edit():
            stage.clock.advance(seconds=1)
            ada.edit("crm-b", city="Graz")

        stage.interrupt("crm-b").after_write = edit
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert ada.everywhere("city") == {"Graz"}

    def test_an_edit_not_taken_in_yet_is_taken_in_before_it_is_written_over(self, stage, ada):
        stage.clock.advance(seconds=10)
        ada.edit("crm-a", city="Wien")
        stage.read("crm-a")
        stage.unify()
        stage.clock.advance(seconds=10)
        ada.edit("crm-b", city="Graz")  # Nobody has read that yet.
        stage.deliver("crm-b")
        assert ada.shown("crm-b", "city") == "Graz"
        stage.settle()
        assert ada.everywhere("city") == {"Graz"}

    def test_a_record_deleted_between_read_and_write_stays_deleted(self, stage, ada):
        stage.interrupt("crm-b").before_write = lambda: stage.systems["crm-b"].delete("Contact", ada.ids["crm-b"])
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert stage.parked("crm-b") == []
        assert stage.query("select is_deleted from identity.record where system = 'crm-b'") == [(True,)]


def _automate(stage, ada, name, attribute, change):
    """Let a system change what it is given, as it is written."""

    def act():
        held = ada.shown(name, attribute)
        if held and change(held) != held:
            ada.edit(name, **{attribute: change(held)})

    stage.interrupt(name).automation = act


class TestNormalisation:
    @pytest.mark.parametrize(
        ("attribute", "value", "change"),
        [
            ("city", "A town with a very long name", lambda held: held[:10]),
            ("city", "Ulm an der Donau", str.upper),
            ("email", "Ada.Byron@Byron.example", str.lower),
            ("street", "Am  Markt  7", lambda held: " ".join(held.split())),
            ("phone", "+49 30 90182000", lambda held: held.replace(" ", "")),
        ],
    )
    @pytest.mark.parametrize("name", ["crm-b", "crm-c"])
    def test_what_a_system_makes_of_a_value_is_no_edit(self, stage, ada, attribute, value, change, name):
        _automate(stage, ada, name, attribute, change)
        before = stage.writes()
        ada.edit("crm-a", **{attribute: value})
        stage.settle()
        written = {each: count - before[each] for each, count in stage.writes().items()}
        assert written["crm-a"] == 0
        assert written[name] == 1
        stage.clock.advance(seconds=100)
        quiet = stage.writes()
        for _ in range(3):
            stage.cycle()
        assert stage.writes() == quiet

    def test_a_poll_between_write_and_reading_back_takes_no_form_for_an_edit(self, stage, ada):
        def cut():
            if len(ada.shown("crm-b", "city")) > 10:
                ada.edit("crm-b", city=ada.shown("crm-b", "city")[:10])
                stage.read("crm-b")
                stage.unify()

        stage.interrupt("crm-b").automation = cut
        ada.edit("crm-a", city="A town with a long name")
        stage.settle()
        assert ada.shown("crm-a", "city") == ada.shown("crm-c", "city") == "A town with a long name"
        assert ada.shown("crm-b", "city") == "A town wit"

    def test_another_edit_does_not_write_the_cut_value_again(self, stage, ada):
        _automate(stage, ada, "crm-b", "city", lambda held: held[:10])
        ada.edit("crm-a", city="A town with a long name")
        stage.settle()
        before = stage.writes()
        ada.edit("crm-b", phone="+49301234567")
        stage.settle()
        written = {each: count - before[each] for each, count in stage.writes().items()}
        assert written == {"crm-a": 1, "crm-b": 0, "crm-c": 1}


class TestGroups:
    def test_half_of_a_group_edited_elsewhere_keeps_the_half_that_came_from_us(self, stage, ada):
        ada.edit("crm-a", city="Wien")
        stage.settle()
        stage.clock.advance(seconds=5)
        ada.edit("crm-b", street="Am Markt 7")
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}
        assert ada.everywhere("street") == {"Am Markt 7"}


class TestPingPong:
    def test_a_system_that_writes_against_us_is_stopped_and_said_so(self, stage, ada):
        # An automation puts its own value back whenever we write, and the rule says that another system decides.
        stage.replace("rules", "{of: [address], rule: most_recent}",
                      "{of: [address], rule: system_of_record, systems: [crm-a]}")  # fmt: skip
        stage.apply()
        stage.settle()

        def put_back():
            stage.clock.advance(seconds=1)
            ada.edit("crm-b", city="Theirs")

        stage.interrupt("crm-b").automation = put_back
        before = stage.writes()["crm-b"]
        ada.edit("crm-b", city="Theirs")
        for _ in range(80):
            stage.cycle()
        written = stage.writes()["crm-b"] - before
        assert written <= WRITES_IN_HOUR_MAX + 1
        assert [code for code, _ in stage.parked("crm-b")] == ["ping_pong"]

    def test_somebody_who_changes_often_is_no_ping_pong(self, stage, ada):
        for number in range(WRITES_IN_HOUR_MAX + 10):
            stage.clock.advance(seconds=1)
            ada.edit("crm-a", city=f"City {number}")
            stage.cycle()
        stage.settle()
        assert ada.everywhere("city") == {f"City {WRITES_IN_HOUR_MAX + 9}"}
        assert stage.parked("crm-b") == stage.parked("crm-c") == []


class TestOtherPeople:
    def test_one_persons_trouble_is_nobody_elses(self, stage, ada):
        other = Person(stage, given_name="Max", family_name="Planck", email="max@planck.example")
        stage.settle()
        assert other.shown("crm-a", "global_id") != ada.shown("crm-a", "global_id")
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert other.everywhere("city") == {"Ulm"}
