"""People by every kind of key, whole, and why a value is what it is."""

from uuid import uuid4

import pytest

from tests.scenario.rehearsal import eventually


@pytest.fixture(scope="module")
def person(desk):
    phone = f"+4930{uuid4().int % 10**8:08d}"
    global_id = desk.join(points=40, phone=phone, city="Ulm")
    return desk.http.get(f"/v1/profiles/{global_id}").json()


def find(desk, key):
    return desk.http.get("/v1/profiles", params={"key": key})


class TestFind:
    def test_by_global_id(self, desk, person):
        assert find(desk, person["global_id"]).json()["global_id"] == person["global_id"]

    def test_by_e_mail_in_any_case(self, desk, person):
        email = person["attributes"]["email"]
        assert find(desk, f" {email.upper()} ").json()["global_id"] == person["global_id"]

    def test_by_an_address_that_begins_like_a_number(self, desk):
        email = f"0049{uuid4().hex[:8]}@people.example"
        desk.join_as("Ada", email=email)
        found = eventually(lambda: (a := find(desk, email)).is_success and a, what="the address is known")
        assert found.json()["attributes"]["email"] == email

    def test_by_phone_as_people_write_it(self, desk, person):
        phone = person["attributes"]["phone"]
        for written in (phone, f"{phone[:3]} (0) {phone[3:5]} {phone[5:]}", f"{phone[:5]}/{phone[5:8]}-{phone[8:]}"):
            assert find(desk, written).json()["global_id"] == person["global_id"], written

    def test_by_record(self, desk, person):
        record = person["records"][0]
        key = f"{record['system']}/{record['stream']}/{record['external_id']}"
        assert find(desk, key).json()["global_id"] == person["global_id"]

    @pytest.mark.parametrize(
        "key",
        [
            "nobody@nowhere.example",
            "+4930123",
            "crm/customer/none",
            "0190a2b4-7c11-7d3e-9a55-3f0c1d2e4b6a",
            "what",
            "",
            "a/b",
            "'; --",
        ],
    )
    def test_of_nobody_says_what_a_key_is(self, desk, key):
        answer = find(desk, key)
        assert answer.status_code == 404, answer.text
        assert answer.json()["code"] == "person_not_found"
        assert "Global ID" in answer.json()["details"]["remedy"]

    def test_without_a_key_names_the_parameter(self, desk):
        answer = desk.http.get("/v1/profiles")
        assert answer.status_code == 422
        assert "key" in answer.text and answer.json()["details"]["remedy"]

    def test_of_several_people_names_them(self, desk):
        """Two people who share a mailbox stay two; the mailbox alone does not say which is meant."""
        email = f"{uuid4().hex}@family.example"
        one, other = (desk.join_as(first, email=email) for first in ("Ada", "Bruno"))
        answer = eventually(lambda: (a := find(desk, email)).status_code == 422 and a, what="both are known")
        assert answer.json()["code"] == "key_ambiguous"
        found = {find(desk, f"crm/customer/{number}").json()["global_id"] for number in (one, other)}
        assert set(answer.json()["details"]["global_ids"]) == found

    def test_with_a_zero_byte_is_refused(self, desk):
        assert desk.http.get("/v1/profiles?key=a%00b").json()["code"] == "address_malformed"
        assert desk.http.get("/v1/profiles/%00").json()["code"] == "address_malformed"


class TestProfile:
    def test_is_whole(self, person):
        assert person["attributes"]["given_name"] == "Ada" and person["attributes"]["city"] == "Ulm"
        assert [(each["system"], each["stream"]) for each in person["records"]] == [("crm", "customer")]
        assert [(each["programme"], each["points"], each["tier"]) for each in person["memberships"]] == [
            ("points", 40, "Blue")
        ]
        assert [(each["amount_minor"], each["currency"]) for each in person["purchases"]] == [(4000, "EUR")]

    def test_balance_alone(self, desk, person):
        answer = desk.http.get(f"/v1/members/{person['global_id']}/balance")
        assert answer.json() == person["memberships"]

    @pytest.mark.parametrize(
        "path", ["/v1/profiles/{}", "/v1/profiles/{}/why/email", "/v1/profiles/{}/history", "/v1/members/{}/balance"]
    )
    def test_of_nobody_is_not_found(self, desk, path):
        answer = desk.http.get(path.format(uuid4()))
        assert (answer.status_code, answer.json()["code"]) == (404, "person_not_found")
        answer = desk.http.get(path.format("me"))
        assert answer.status_code == 404 and answer.headers["content-type"] == "application/problem+json"


class TestWhy:
    def test_names_winner_rule_and_version(self, desk, person):
        told = desk.http.get(f"/v1/profiles/{person['global_id']}/why/city").json()
        assert (told["attribute"], told["value"], told["rule"]) == ("city", "Ulm", "most_recent")
        assert told["winner"]["system"] == "crm" and told["rules_version"] >= 1

    def test_of_an_unknown_attribute_names_the_known_ones(self, desk, person):
        answer = desk.http.get(f"/v1/profiles/{person['global_id']}/why/shoe_size")
        assert answer.status_code in {404, 422}, answer.text
        assert "remedy" in answer.json()["details"]
        assert "city" in str(answer.json()["details"])


class TestHistory:
    def test_tells_when_a_value_came_and_from_where(self, desk, person):
        told = desk.http.get(f"/v1/profiles/{person['global_id']}/history", params={"field": "city"}).json()
        [change] = told["changes"]
        assert (change["attribute"], change["before"], change["value"], change["cause"]) == (
            "city", None, "Ulm", "change",
        )  # fmt: skip
        assert [said["system"] for said in change["sources"]] == ["crm"] and change["revision"] >= 1
        assert (told["differing"], told["is_cut"], told["global_id"]) == ([], False, person["global_id"])
        whole = desk.http.get(f"/v1/profiles/{person['global_id']}/history").json()
        assert {each["attribute"] for each in whole["changes"]} > {"city", "email"}

    def test_of_an_unknown_attribute_names_the_known_ones(self, desk, person):
        answer = desk.http.get(f"/v1/profiles/{person['global_id']}/history", params={"field": "shoe_size"})
        assert answer.json()["code"] == "attribute_unknown" and "city" in str(answer.json()["details"])


class TestRecencyFrequencyValue:
    def show(self, desk, person, **params):
        answer = desk.http.get(f"/v1/profiles/{person['global_id']}", params=params)
        return answer.json()["rfv"] if answer.is_success else answer.json()["code"]

    def test_is_as_of_today_unless_a_day_is_named(self, desk, person):
        today = person["rfv"]
        assert (today["timezone"], today["purchase_count"], today["value_minor"]) == ("UTC", 1, {"EUR": 4000})
        assert today["last_purchase_on"] == person["purchases"][0]["occurred_at"][:10] <= today["on"]
        nothing = {"last_purchase_on": None, "purchase_count": 0, "value_minor": {}}
        asked = {"on": "2020-02-29", "timezone": "Asia/Tokyo"}
        assert self.show(desk, person, **asked) == nothing | asked

    @pytest.mark.parametrize("on", ["0001-01-01", "9999-12-31"])
    def test_at_the_ends_of_the_calendar(self, desk, person, on):
        assert self.show(desk, person, on=on, timezone="America/Los_Angeles")["on"] == on

    @pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../etc", "Europe"])
    def test_needs_a_time_zone_that_there_is(self, desk, person, zone):
        assert self.show(desk, person, timezone=zone) == "unknown_time_zone"
