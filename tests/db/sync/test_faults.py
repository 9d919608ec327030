"""Systems that fail, in every way the vendors document: nothing is lost, doubled or blocked longer than asked."""

import pytest

from tests.db.sync.conftest import Person
from tests.scenario.convergence import find_differences

LIMITED = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]


def _records(stage, name, kind):
    return stage.systems[name].state()["objects"][kind]["live"]


class TestLostAnswers:
    @pytest.mark.parametrize(("name", "path"), [("crm-b", "*/composite/sobjects*"), ("crm-c", "*/batch/update")])
    @pytest.mark.parametrize("is_applied", [True, False])
    def test_an_update_without_an_answer_is_settled_by_looking(self, stage, ada, name, path, is_applied):
        stage.systems[name].fail(kind="drop", path=path, is_applied=is_applied)
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}
        quiet = stage.writes()
        stage.settle()
        assert stage.writes() == quiet

    @pytest.mark.parametrize(("name", "path"), [("crm-b", "*/composite/sobjects*"), ("crm-c", "*/batch/upsert")])
    def test_a_creation_without_an_answer_makes_no_second_record(self, stage, name, path):
        stage.replace(f"system-{name}", "create: never", "create: always")
        stage.apply()
        Person(stage, names=("crm-a",))
        stage.systems[name].fail(kind="drop", path=path)
        stage.settle()
        assert _records(stage, name, "contacts" if name == "crm-c" else "Contact") == 1
        assert stage.query("select count(*) from profile.golden") == [(1,)]
        assert find_differences(stage.hub) == []

    def test_a_lost_reading_back_costs_only_the_reading(self, stage, ada):
        stage.interrupt("crm-b").after_write = lambda: stage.systems["crm-b"].fail(kind="drop", path="*/query*")
        ada.edit("crm-a", city="Wien")
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}


class TestPartialBatches:
    def test_a_poisoned_record_parks_and_the_others_flow(self, stage):
        people = [Person(stage, email=f"p{n}@x.example", family_name=f"Byron{n}") for n in range(6)]
        stage.settle()
        for n, person in enumerate(people):
            person.edit("crm-c", phone="" if n != 3 else "+4930901820", street="S" * (300 if n == 3 else 20))
        stage.settle()
        [(code, message)] = stage.parked("crm-a")
        assert code == "STRING_TOO_LONG"
        assert "255" in message or "too large" in message
        for n, person in enumerate(people):
            if n != 3:
                assert person.shown("crm-a", "street") == "S" * 20
        people[3].edit("crm-c", street="short")
        stage.settle()
        assert stage.parked("crm-a") == []
        assert people[3].everywhere("street") == {"short"}
        assert find_differences(stage.hub) == []


class TestLimits:
    def test_waits_as_long_as_asked(self, stage, ada):
        stage.systems["crm-b"].fail(
            kind="status", path="*/composite/sobjects*", status=503, headers={"Retry-After": "40"}, count=1
        )
        ada.edit("crm-a", city="Wien")
        began = stage.clock.now()
        for _ in range(8):
            stage.cycle()
        assert (stage.clock.now() - began).total_seconds() < 40
        assert ada.shown("crm-b", "city") == "Ulm"
        assert ada.shown("crm-c", "city") == "Wien"
        stage.clock.advance(seconds=40)
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}

    @pytest.mark.parametrize(
        ("name", "status", "body"),
        [
            ("crm-b", 403, LIMITED),
            ("crm-b", 503, "<html>maintenance</html>"),
            ("crm-c", 429, {"status": "error", "errorType": "RATE_LIMIT", "policyName": "SECONDLY", "message": "slow"}),
            ("crm-c", 502, "<html>bad gateway</html>"),
        ],
    )
    def test_a_refusing_system_delays_only_itself(self, stage, ada, name, status, body):
        stage.systems[name].fail(kind="status", status=status, body=body, count=6)
        ada.edit("crm-a", city="Wien")
        stage.cycle()
        [other] = {"crm-b", "crm-c"} - {name}
        assert ada.shown(other, "city") == "Wien"
        assert ada.shown(name, "city") == "Ulm"
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}

    def test_a_dead_system_is_left_alone_longer_each_time(self, stage, ada):
        system = stage.systems["crm-b"]
        system.fail(kind="drop", is_applied=False, count=100_000)
        ada.edit("crm-a", city="Wien")
        for _ in range(30):
            stage.cycle()
        assert ada.shown("crm-c", "city") == "Wien"
        [state] = stage.query("select failures_in_row, read_error from systems.system where system = 'crm-b'")
        assert 3 <= state[0] <= 12
        assert state[1]
        system.heal()
        stage.clock.advance(seconds=61)
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}
        assert stage.query("select failures_in_row from systems.system where system = 'crm-b'") == [(0,)]

    def test_a_daily_quota_of_ours_holds_and_ends_with_the_day(self, stage, ada):
        stage.replace("system-crm-b", "batch_max: 200", "batch_max: 200, daily_quota: 60")
        stage.apply()
        for number in range(30):
            ada.edit("crm-a", city=f"Town {number}")
            stage.cycle()
        # A tenth is kept for what cannot wait; the system's own count of the day is believed.
        assert stage.systems["crm-b"].state()["calls"]["total"] == 54
        assert ada.shown("crm-c", "city") == "Town 29"
        stage.clock.advance(seconds=86400)
        stage.settle()
        assert ada.everywhere("city") == {"Town 29"}

    def test_the_systems_own_quota_ends_with_its_day(self, stage, ada):
        stage.systems["crm-b"].disturb(daily_remaining=3)
        ada.edit("crm-a", city="Wien")
        for _ in range(5):
            stage.cycle()
        ada.edit("crm-a", city="Graz")
        for _ in range(5):
            stage.cycle()
        assert ada.shown("crm-c", "city") == "Graz"
        stage.clock.advance(seconds=2 * 86400)
        stage.settle()
        assert ada.everywhere("city") == {"Graz"}


class TestTokens:
    def test_a_new_token_in_its_file_counts_without_a_restart(self, stage, ada):
        good = (stage.folder / "crm-b.token").read_text()
        (stage.folder / "crm-b.token").write_text("revoked")
        stage.hub.forget_connector("crm-b")
        ada.edit("crm-a", city="Wien")
        for _ in range(3):
            stage.cycle()
        assert ada.shown("crm-b", "city") == "Ulm"
        [(error,)] = stage.query("select read_error from systems.system where system = 'crm-b'")
        assert "Session expired" in error
        (stage.folder / "crm-b.token").write_text(good)
        stage.clock.advance(seconds=61)
        stage.settle()
        assert ada.everywhere("city") == {"Wien"}

    def test_an_expired_session_is_renewed_on_the_way(self, stage, ada):
        stage.replace(
            "system-crm-b",
            "secrets: {token: {file: crm-b.token}}",
            "secrets: {client_id: {file: crm-b.token}, client_secret: {file: crm-b.token}}",
        )
        stage.replace("system-crm-b", "overlap_seconds: 2", "overlap_seconds: 2, auth: client_credentials")
        stage.apply()
        ada.edit("crm-a", city="Wien")
        stage.settle()
        stage.clock.advance(seconds=3 * 3600)
        ada.edit("crm-a", city="Graz")
        stage.settle()
        assert ada.everywhere("city") == {"Graz"}

    def test_a_missing_secret_stops_only_its_system(self, stage, ada):
        (stage.folder / "crm-b.token").unlink()
        stage.hub.forget_connector("crm-b")
        ada.edit("crm-a", city="Wien")
        for _ in range(3):
            stage.cycle()
        assert ada.shown("crm-c", "city") == "Wien"
        [(error,)] = stage.query("select read_error from systems.system where system = 'crm-b'")
        assert "crm-b.token" in error
