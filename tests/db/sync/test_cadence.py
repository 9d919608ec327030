"""Fields that are written at the ticks of a cadence: an hour's edits are one write, and nothing else waits for them."""

from datetime import timedelta

import pytest

from comity.interfaces.shared.views import view_status
from tests.db.sync.conftest import Person
from tests.scenario.convergence import find_differences
from tests.scenario.project import SHOP

CITY = "{attribute: city, field: MailingCity, lens: text, direction: both"
STREET = "{attribute: street, field: MailingStreet, lens: text, direction: both"
EMAIL = "{attribute: email, field: Email, lens: email, direction: both, clears: true"
TIER = "field: Loyalty_Tier__c, lens: text"


@pytest.fixture
def hourly(stage):
    """The second system gets cities and e-mail addresses at full hours only; a shop sells."""
    for row in (CITY, EMAIL):
        stage.replace("mapping-crm-b", row, f"{row}, every: 1h")
    stage.write(shop=SHOP.format(name="shop", person_system="crm-a", person_stream="Contact"))
    stage.apply()
    stage.settle()
    return stage


def sell(stage, ada, number, total=100):
    data = {"number": number, "sold_at": stage.clock.now().isoformat(), "total": total, "currency": "EUR"}
    stage.push("shop", "order", number, "v1", data | {"customer": ada.ids["crm-a"]})
    stage.settle()


def wait_for_tick(stage, cadence="1h"):
    """Go on to shortly after the next full hour, or midnight."""
    now = stage.clock.now()
    start = now.replace(minute=0, second=0, microsecond=0)
    until = start + timedelta(hours=1) if cadence == "1h" else start.replace(hour=0) + timedelta(days=1)
    stage.clock.advance(seconds=(until - now).total_seconds() + 1)
    stage.settle()


def counted(stage, name="crm-b"):
    """How many people are to be written to a system, and how many wait for a tick."""
    [told] = [each for each in view_status(stage.hub).systems if each.system == name]
    return told.stale_count, told.held_count


def test_points_go_at_once_and_the_city_at_the_full_hour(hourly, ada):
    before = hourly.writes()
    ada.edit("crm-a", city="Wien")
    hourly.settle()
    assert (ada.shown("crm-a", "city"), ada.shown("crm-b", "city"), ada.shown("crm-c", "city")) == (
        "Wien", "Ulm", "Wien",
    )  # fmt: skip
    assert (hourly.writes()["crm-b"], counted(hourly)) == (before["crm-b"], (0, 1))
    sell(hourly, ada, "r1")
    assert (ada.shown("crm-b", "points"), ada.shown("crm-b", "city")) == (100, "Ulm")
    assert (hourly.writes()["crm-b"], counted(hourly)) == (before["crm-b"] + 1, (0, 1))
    wait_for_tick(hourly)
    assert ada.everywhere("city") == {"Wien"}
    assert (hourly.writes()["crm-b"], counted(hourly)) == (before["crm-b"] + 2, (0, 0))
    assert find_differences(hourly.hub) == []


def test_what_an_hour_brings_is_one_write_and_what_was_taken_back_is_none(hourly, ada):
    before = hourly.writes()["crm-b"]
    for city in ("Wien", "Graz", "Linz"):
        ada.edit("crm-a", city=city)
        hourly.settle()
        hourly.clock.advance(seconds=300)
    wait_for_tick(hourly)
    assert (ada.everywhere("city"), hourly.writes()["crm-b"]) == ({"Linz"}, before + 1)
    for city in ("Wien", "Linz"):
        hourly.clock.advance(seconds=300)
        ada.edit("crm-a", city=city)
        hourly.settle()
    wait_for_tick(hourly)
    assert (ada.everywhere("city"), hourly.writes()["crm-b"]) == ({"Linz"}, before + 1)
    assert counted(hourly) == (0, 0)


def test_what_comes_after_a_tick_waits_for_the_next_one(hourly, ada):
    hourly.replace("mapping-crm-b", STREET, f"{STREET}, every: 1d")
    hourly.apply()
    hourly.settle()
    ada.edit("crm-a", city="Wien", street="Ring 1")
    hourly.settle()
    wait_for_tick(hourly)
    assert (ada.shown("crm-b", "city"), ada.shown("crm-b", "street")) == ("Wien", None)
    ada.edit("crm-a", city="Graz")
    hourly.settle()
    assert (ada.shown("crm-b", "city"), counted(hourly)) == ("Wien", (0, 1))
    wait_for_tick(hourly)
    assert (ada.shown("crm-b", "city"), ada.shown("crm-b", "street")) == ("Graz", None)
    wait_for_tick(hourly, "1d")
    assert (ada.everywhere("street"), counted(hourly)) == ({"Ring 1"}, (0, 0))


@pytest.mark.parametrize("late", [False, True])
def test_a_new_process_writes_what_waited_for_its_tick(hourly, ada, late):
    ada.edit("crm-a", city="Wien")
    hourly.settle()
    hourly.restart()
    if late:  # Nothing ran when the tick came.
        hourly.clock.advance(seconds=5000)
        hourly.settle()
    else:
        hourly.settle()
        assert (ada.shown("crm-b", "city"), counted(hourly)) == ("Ulm", (0, 1))
        wait_for_tick(hourly)
    assert (ada.everywhere("city"), counted(hourly)) == ({"Wien"}, (0, 0))


def test_a_write_that_fails_at_the_tick_is_repeated_and_not_put_off_to_the_next(hourly, ada):
    ada.edit("crm-a", city="Wien")
    hourly.settle()
    hourly.systems["crm-b"].fail(kind="status", path="*/composite/sobjects*", method="PATCH", status=503)
    began = hourly.clock.now()
    wait_for_tick(hourly)
    assert ada.everywhere("city") == {"Wien"}
    assert hourly.clock.now() - began < timedelta(hours=1, minutes=10)


class TestEditsMeanwhile:
    def test_one_that_wins_stays_and_goes_everywhere(self, hourly, ada):
        ada.edit("crm-a", city="Wien")
        hourly.settle()
        before = hourly.writes()["crm-b"]
        hourly.clock.advance(seconds=60)
        ada.edit("crm-b", city="Graz")
        hourly.settle()
        assert ada.everywhere("city") == {"Graz"}
        wait_for_tick(hourly)
        assert (ada.everywhere("city"), hourly.writes()["crm-b"], counted(hourly)) == ({"Graz"}, before, (0, 0))

    def test_one_that_loses_is_put_right_at_the_tick(self, hourly, ada):
        """By its system's rank; the value that was held back is no opinion of that system."""
        ada.edit("crm-a", email="new@byron.example")
        hourly.settle()
        assert ada.shown("crm-b", "email") == "ada@byron.example"
        ada.edit("crm-b", email="other@byron.example")
        hourly.settle()
        sell(hourly, ada, "r1")
        assert (ada.shown("crm-b", "email"), ada.shown("crm-b", "points")) == ("other@byron.example", 100)
        assert counted(hourly) == (0, 1)
        wait_for_tick(hourly)
        assert (ada.everywhere("email"), counted(hourly)) == ({"new@byron.example"}, (0, 0))
        assert find_differences(hourly.hub) == []

    def test_one_of_what_was_written_before_is_put_right_at_the_tick(self, hourly, ada):
        """Nothing else is to be written then: what the record shows has to be remembered as doubtful till the tick."""
        ada.edit("crm-b", email="other@byron.example")
        hourly.settle()
        sell(hourly, ada, "r1")
        assert (ada.shown("crm-b", "email"), counted(hourly)) == ("other@byron.example", (0, 1))
        wait_for_tick(hourly)
        assert (ada.everywhere("email"), counted(hourly)) == ({"ada@byron.example"}, (0, 0))


def test_who_is_created_is_written_whole(hourly):
    hourly.replace("system-crm-b", "create: never", "create: always")
    hourly.apply()
    eve = Person(hourly, names=("crm-a",), given_name="Eve", email="eve@byron.example", city="Bonn")
    hourly.settle()
    [made] = hourly.systems["crm-b"].find("Contact", "Global_Id__c", eve.shown("crm-a", "global_id"))
    assert (made["MailingCity"], made["Email"], counted(hourly)) == ("Bonn", "eve@byron.example", (0, 0))


def test_a_value_without_a_form_does_not_keep_the_city_from_being_written(hourly, ada):
    """It is told as parked once nothing waits for a tick any more, and as retried before."""
    hourly.replace("mapping-crm-b", TIER, "field: Loyalty_Tier__c, lens: {enum: {values: {G: Gold}}}")
    ada.edit("crm-a", city="Wien")
    hourly.apply()
    hourly.cycle()
    hourly.cycle()
    assert (ada.shown("crm-b", "city"), hourly.parked("crm-b")) == ("Ulm", [])
    [told] = [each for each in view_status(hourly.hub).systems if each.system == "crm-b"]
    assert (told.retrying_count, told.held_count) == (1, 0)
    wait_for_tick(hourly)
    assert ada.everywhere("city") == {"Wien"}
    assert [code for code, _ in hourly.parked("crm-b")] == ["no_vendor_value"]


def test_a_mapping_that_writes_at_once_again_does_not_wait_for_the_tick(hourly, ada):
    hourly.replace("mapping-crm-b", "every: 1h", "every: 1d")
    hourly.apply()
    ada.edit("crm-a", city="Wien")
    hourly.settle()
    wait_for_tick(hourly)
    assert (ada.shown("crm-b", "city"), counted(hourly)) == ("Ulm", (0, 1))
    hourly.replace("mapping-crm-b", ", every: 1d", "")
    assert hourly.apply().stale_systems == ["crm-b"]
    hourly.settle()
    assert ada.everywhere("city") == {"Wien"}


def test_one_value_over_two_fields_waits_whole(stage, ada):
    row = "field: MailingStreet, lens: {concat: {also: [MailingState], separator: ', '}}"
    stage.replace("mapping-crm-b", "field: MailingStreet, lens: text", f"{row}, every: 1h")
    stage.apply()
    stage.settle()
    before = stage.writes()["crm-b"]
    ada.edit("crm-a", street="Ring 1, Hof 2")
    stage.settle()
    assert (stage.writes()["crm-b"], counted(stage)) == (before, (0, 1))
    wait_for_tick(stage)
    [shown] = stage.systems["crm-b"].find("Contact", "Id", ada.ids["crm-b"])
    assert (shown["MailingStreet"], shown["MailingState"]) == ("Ring 1", "Hof 2")
    assert (stage.writes()["crm-b"], counted(stage)) == (before + 1, (0, 0))


def test_what_a_mapping_says_is_for_the_fields_that_say_nothing(stage, ada):
    stage.replace("mapping-crm-b", "  fields:", "  write_every: 30 * * * *\n  fields:")
    stage.replace("mapping-crm-b", CITY, f"{CITY}, every: at_once")
    asked = "select count(*) from inbox.change"
    before = stage.query(asked)
    stage.apply()
    assert stage.query(asked) == before, "how records are read is the same"
    ada.edit("crm-a", city="Wien", phone="+49301234567")
    stage.settle()
    assert (ada.shown("crm-b", "city"), ada.shown("crm-b", "phone")) == ("Wien", None)
    stage.clock.advance(seconds=1800)
    stage.settle()
    assert ada.shown("crm-b", "phone") == "+49301234567"
