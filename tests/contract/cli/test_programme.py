"""The commands on programmes, on a hub with purchases."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from comity.activity import api as activity
from comity.activity.types import PurchaseFact, PurchaseRecorded
from comity.interfaces.cli import programme
from comity.programme.api import earn_for_purchases
from comity.sync.api import RuntimeSource
from tests.contract.cli.conftest import told

ADA, BOB = UUID(int=1), UUID(int=2)
FIRST = datetime(2026, 1, 10, 10, tzinfo=UTC)
WORTH = "  points: [{name: points, worth: {points: 100, minor: 50}}]\n"
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
        assert found["tier_moves"] == [{"ladder": "tiers", "running": "Silver", "proposed": "Gold", "member_count": 1}]
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

    def test_refuses_a_programme_that_does_not_validate(self, project, tmp_path):
        path = tmp_path / "programme.yaml"
        path.write_text(path.read_text() + "  transfers: {points_min: -1}\n")
        assert told(project("programme", "simulate", str(path), "--json"))["code"] == "definitions_invalid"


class TestPlan:
    def test_tells_the_effect_in_short(self, doubled):
        text = doubled("plan").stdout
        assert "points issued: 900 → 1,400 (+55.6%)" in text and "members at another tier: 1" in text
        assert told(doubled("plan", "--json"))["simulations"][0]["proposed"]["points_issued"] == 1400

    def test_of_much_history_looks_at_a_sample(self, doubled, clean):
        clean.setattr(programme, "PLANNED_MAX", 2)
        assert told(doubled("plan", "--json"))["simulations"][0]["sample_of"] == 2
        assert "one of 2 members" in doubled("plan").stdout

    def test_leaves_it_out_when_asked(self, doubled):
        assert told(doubled("plan", "--no-simulation", "--json"))["simulations"] == []
        assert "points issued" not in doubled("plan", "--no-simulation").stdout

    def test_shows_values_as_documents_have_them(self, doubled):
        text = doubled("plan", "--no-simulation").stdout
        assert 'earning_rules: nothing → [{"name":"double",' in text

    def test_without_history_says_nothing(self, project, tmp_path):
        path = tmp_path / "programme.yaml"
        path.write_text(path.read_text() + DOUBLE)
        assert told(project("plan", "--json"))["simulations"] == []


@pytest.fixture
def earned(bought, database):
    """The purchases have earned, in the order they came in; returns their numbers."""
    del bought
    with database.transaction() as tx:
        runtime = RuntimeSource().get(tx)
        recorded = [
            PurchaseRecorded(
                purchase_id=each.purchase_id, business_key=each.business_key, profile_id=each.profile_id,
                occurred_at=each.occurred_at, amount_minor=each.amount_minor, currency=each.currency, system="shop",
                stream="Order", external_id="-",
            )
            for profile_id in (ADA, BOB)
            for each in reversed(activity.list_purchases(tx, profile_id=profile_id))
        ]  # fmt: skip
        earn_for_purchases(tx, purchases=recorded, programmes=runtime.programmes, now=datetime.now(UTC))
    return [each.purchase_id for each in recorded]


class TestExplain:
    @pytest.mark.usefixtures("earned")
    def test_tells_every_step(self, project):
        text = project("programme", "explain", "shop/Order/o1").stdout
        for part in (
            "points: 500 points (earned)",
            "by version 1",
            "award base: 500",
            "per 1.00 EUR",
            "amount 500.00 EUR",
            "lot points",
        ):
            assert part in text

    def test_takes_any_key(self, project, earned):
        answers = [
            told(project("programme", "explain", key, "--json")) for key in ("shop/o1", "shop/Order/o1", str(earned[1]))
        ]
        assert answers[0] == answers[1] == answers[2]
        [found] = answers[0]["earnings"]
        assert (found["points"], found["is_exact"], found["profile_id"]) == (500, True, str(ADA))
        assert found["explanation"]["steps"][0]["steps"][0]["rule"] == "base"

    def test_of_a_purchase_that_nobody_looked_at(self, bought):
        assert "was not looked at" in bought("programme", "explain", "shop/o1").stdout
        assert told(bought("programme", "explain", "shop/o1", "--json"))["earnings"] == []

    @pytest.mark.parametrize("key", ["shop/o99", "x", "9" * 30, "shop/Order/x/y"])
    def test_refuses_what_is_no_purchase(self, project, key):
        result = project("programme", "explain", key, "--json")
        assert (result.exit_code > 0, told(result)["code"]) == (True, "purchase_missing")

    def test_asks_back_when_streams_use_the_same_id(self, project, database):
        facts = [
            PurchaseFact(
                system="shop", stream=stream, external_id="7", occurred_at=FIRST, amount_minor=1, currency="EUR",
                business_key=stream,
            )
            for stream in ("Order", "Invoice")
        ]  # fmt: skip
        with database.transaction() as tx:
            activity.accept_purchases(tx, purchases=facts, profile_ids=[ADA, ADA], now=FIRST)
        assert told(project("programme", "explain", "shop/7", "--json"))["code"] == "purchase_ambiguous"
        assert project("programme", "explain", "shop/Order/7").exit_code == 0
        by_number = told(project("programme", "explain", "Invoice", "--json"))
        assert by_number == told(project("programme", "explain", "shop/Invoice/7", "--json"))


class TestBudgets:
    def test_shows_what_is_drawn_and_left(self, project, tmp_path):
        assert "No programme has a budget" in project("programme", "budgets").stdout
        path = tmp_path / "programme.yaml"
        path.write_text(f"{path.read_text()}  budgets: [{{name: spring, points: 1000, money_minor: 123456}}]\n" + WORTH)
        assert project("apply", "--yes").exit_code == 0
        [found] = told(project("programme", "budgets", "--json"))["budgets"]
        assert (found["budget"], found["points_used"], found["points_max"], found["is_low"]) == (
            "spring",
            0,
            1000,
            False,
        )
        assert found["money_max_minor"] == 123_456
        shown = project("programme", "budgets").stdout
        assert "spring" in shown and "1,234.56 EUR" in shown and "0.00 EUR" in shown
        assert (
            told(project("programme", "budgets", "--programme", "miles", "--json"))["code"] == "programme_not_defined"
        )
