"""The commands on programmes, on a hub with purchases."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from comity.activity import api as activity
from comity.activity.types import PurchaseFact
from comity.interfaces.cli import programme
from tests.contract.cli.conftest import told

ADA, BOB = UUID(int=1), UUID(int=2)
FIRST = datetime(2026, 1, 10, 10, tzinfo=UTC)
DOUBLE = "  earning_rules: [{name: double, multiplier_percent: 200, when: purchase.amount_minor >= 50000}]\n"


@pytest.fixture
def bought(project, database):
    """Two people with purchases: one of 300.00 and 500.00 euros, the other of 100.00."""
    amounts = [(ADA, 30_000), (ADA, 50_000), (BOB, 10_000)]
    with database.transaction() as tx:
        activity.accept_purchases(
            tx,
            purchases=[
                PurchaseFact(
                    system="shop", stream="Order", external_id=f"o{day}", occurred_at=FIRST + timedelta(days=day),
                    amount_minor=amount, currency="EUR",
                )
                for day, (_, amount) in enumerate(amounts)
            ],
            profile_ids=[profile_id for profile_id, _ in amounts],
            now=FIRST,
        )  # fmt: skip
    return project


@pytest.fixture
def doubled(bought, tmp_path):
    """The project's programme with large purchases counted twice; not applied."""
    path = tmp_path / "programme.yaml"
    path.write_text(path.read_text() + DOUBLE)
    return bought


class TestSimulate:
    def test_tells_what_a_changed_project_would_do(self, doubled):
        [found] = told(doubled("programme", "simulate", "--on", "2026-02-01", "--json"))["simulations"]
        assert (found["running"]["points_issued"], found["proposed"]["points_issued"]) == (900, 1400)
        assert found["tier_moves"] == [{"running": "Silver", "proposed": "Gold", "member_count": 1}]
        assert found["winners"]["largest"] == [
            {"points": 500, "profile_id": str(ADA), "running": 800, "proposed": 1300}
        ]
        assert found["losers"]["member_count"] == 0

    def test_is_readable(self, doubled):
        text = doubled("programme", "simulate", "--on", "2026-02-01").stdout
        for part in ("900", "1,400", "+500", "+55.6%", "Silver", "Gold", str(ADA), "2026-01", "the liability"):
            assert part in text

    def test_changes_nothing(self, doubled, database):
        doubled("programme", "simulate")
        with database.transaction() as tx:
            assert tx.execute("select count(*) from programme.earning").fetchone() == (0,)

    def test_takes_a_file_alone(self, doubled, tmp_path):
        [found] = told(doubled("programme", "simulate", str(tmp_path / "programme.yaml"), "--json"))["simulations"]
        assert found["proposed"]["points_issued"] == 1400

    def test_of_what_is_in_force_is_nothing(self, bought):
        assert told(bought("programme", "simulate", "--json")) == {"simulations": []}
        assert "No programme differs" in bought("programme", "simulate").stdout

    def test_goes_on_processes_where_there_is_much(self, doubled, clean):
        clean.setattr(programme, "PROCESSES_FROM", 1)
        [found] = told(
            doubled("programme", "simulate", "--processes", "2", "--on", "2026-02-01", "--json")
        )["simulations"]  # fmt: skip
        assert (found["purchase_count"], found["member_count"]) == (3, 2)
        assert found["proposed"]["points_open"] == 1400

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (["nowhere.yaml"], "file_unusable"),
            (["--on", "tomorrow"], "day_unreadable"),
            (["--programme", "miles"], "programme_missing"),
            (["rules.yaml"], "programme_missing"),
        ],
    )
    def test_refuses(self, project, words, code):
        result = project("programme", "simulate", *words, "--json")
        assert (result.exit_code > 0, told(result)["code"]) == (True, code)

    def test_refuses_a_programme_that_the_hub_would_not_run(self, project, tmp_path):
        path = tmp_path / "programme.yaml"
        path.write_text(path.read_text() + "  budgets: [{name: summer, points: 100}]\n")
        assert told(project("programme", "simulate", str(path), "--json"))["code"] == "definitions_invalid"


class TestPlan:
    def test_tells_the_effect_in_short(self, doubled):
        text = doubled("plan").stdout
        assert "points issued: 900 → 1,400 (+55.6%)" in text and "1 members at another tier" in text
        assert told(doubled("plan", "--json"))["simulations"][0]["proposed"]["points_issued"] == 1400

    def test_of_much_history_looks_at_a_sample(self, doubled, clean):
        clean.setattr(programme, "PLANNED_MAX", 2)
        assert told(doubled("plan", "--json"))["simulations"][0]["sample_of"] == 2
        assert "one of 2 members" in doubled("plan").stdout

    def test_leaves_it_out_when_asked(self, doubled):
        assert told(doubled("plan", "--no-simulation", "--json"))["simulations"] == []
        assert "points issued" not in doubled("plan", "--no-simulation").stdout

    def test_without_history_says_nothing(self, project, tmp_path):
        path = tmp_path / "programme.yaml"
        path.write_text(path.read_text() + DOUBLE)
        assert told(project("plan", "--json"))["simulations"] == []
