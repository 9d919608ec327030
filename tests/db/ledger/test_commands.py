"""`comity ledger`: what it says to people and to machines."""

import json
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from comity.interfaces.cli.main import app
from comity.ledger import api
from comity.ledger.types import AccountKind, Book, NewAccount, Posting, Terms

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
DAY = date(2026, 3, 3)


def posting(key, debit, credit, amount, **changes):
    return Posting(
        idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, kind="earn",
        effective_on=DAY, system="shop", external_id=f"order-{key}", **changes,
    )  # fmt: skip


@pytest.fixture
def run(database, monkeypatch, tmp_path):
    with database.transaction() as tx:
        programme, ada = api.open_accounts(
            tx,
            accounts=[
                NewAccount(book=Book.POINTS, unit="points", kind=kind, owner="x")
                for kind in (AccountKind.PROGRAMME, AccountKind.MEMBER)
            ],
            now=NOW,
        )
        wishes = [
            posting("a", programme, ada, 100, terms=Terms(expires_on=date(2027, 1, 1))),
            posting("b", programme, ada, 20, terms=Terms(is_pending=True)),
            posting("c", ada, programme, 30, reason="INV-7"),
        ]
        ids = [each.transfer_id for each in api.post(tx, postings=wishes, now=NOW)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMITY_DATABASE_URL", database.dsn)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words, code=0):
        result = CliRunner().invoke(app, ["ledger", *words])
        assert result.exit_code == code, (result.stdout, result.stderr)
        return json.loads(result.stdout) if "--json" in words else result.stdout

    call.account = str(ada)
    call.ids = ids
    call.database = database
    return call


def test_money_has_the_decimals_of_its_currency_for_people(run):
    with run.database.transaction() as tx:
        for unit in ("EUR", "JPY"):
            accounts = api.open_accounts(
                tx,
                accounts=[
                    NewAccount(book=Book.MONEY, unit=unit, kind=AccountKind.MONEY, owner=owner) for owner in "xy"
                ],
                now=NOW,
            )
            api.post(tx, postings=[posting(unit, *accounts, 123_456)], now=NOW)
    told = {each["unit"]: each["balance"] for each in run("trial-balance", "--json") if each["book"] == "money"}
    assert told == {"EUR": 0, "JPY": 0}
    shown = run("trial-balance")
    assert "0.00 EUR" in shown and "0 JPY" in shown and "0.00 JPY" not in shown


def test_trial_balance_and_roll_forward(run):
    rows = run("trial-balance", "--json")
    assert {each["kind"]: each["balance"] for each in rows} == {"member": 90, "programme": -90}
    early = ("--on", "2026-03-03", "--known-at", "2026-03-03")
    assert run("trial-balance", *early, "--json", code=6)["code"] == "not_yet_known"
    run("seal")
    assert "Every unit sums to zero" in run("trial-balance", *early)
    assert run("trial-balance", *early, "--json") == []
    [told] = run("statement", run.account, *early, "--json")
    assert (told["balance"], told["on"], told["known_at"][:10]) == (0, "2026-03-03", "2026-03-03")
    assert "on 2026-03-03: 90" in run("statement", run.account, "--on", "2026-03-03")
    assert sum(abs(each["balance"]) for each in run("trial-balance", "--on", "2026-03-02", "--json")) == 0
    first = run("roll-forward", "points", "2026-03-01", "2026-03-31", "--json")
    assert (first["issued"], first["redeemed"], first["closing"]) == (120, 30, 90)
    assert "closing" in run("roll-forward", "points", "2026-03-01", "2026-03-31")
    assert "closed through 2026-03-31" in run("lock", "points", "2026-03-31", "--by", "ada")
    assert run("lock", "points", "2026-03-31", "--by", "ada", "--json", code=4)["code"] == "period_order"
    assert run("roll-forward", "points", "2026-03-01", "2026-03-31", "--json") == first
    assert run("trial-balance", "--on", "soon", "--json", code=2)["code"] == "day_unreadable"


def test_periods_are_opened_by_two_and_slips_close_nothing(run):
    """A misspelt name of the points, or a day far ahead, would move the days of all that comes."""
    two = ("--by", "ada", "--confirmed-by", "bob", "--reason", "an invoice", "--json")
    february = ("2026-02-01", "2026-02-28")
    for words in (("lock", "pints", february[1], "--by", "ada"), ("roll-forward", "pints", *february)):
        assert run(*words, "--json", code=3)["code"] == "unknown_unit"
    assert run("reopen", "pints", "2026-01-31", *two, code=3)["code"] == "unknown_unit"
    assert run("lock", "points", "9999-03-31", "--by", "ada", "--json", code=6)["code"] == "day_not_over"
    backwards = run("roll-forward", "points", "2026-03-31", "2026-03-01", "--json", code=2)
    assert backwards["code"] == "period_backwards"
    assert "No books have been closed" in run("periods")
    run("lock", "points", "2026-02-28", "--by", "ada")
    assert run("reopen", "points", "2026-02-28", *two, code=4)["code"] == "period_order"
    opened = {"unit": "points", "locked_through": "2026-01-31", "by": "ada", "confirmed_by": "bob"}
    assert run("reopen", "points", "2026-01-31", *two) == opened
    told = [(each["locked_through"], each["confirmed_by"], each["is_in_force"]) for each in run("periods", "--json")]
    assert told == [("2026-01-31", "bob", True), ("2026-02-28", None, False)]
    assert "an invoice" in run("periods")


def test_statement_and_trace(run):
    [told] = run("statement", run.account, "--json")
    assert (told["balance"], [each["rest"] for each in told["lots"]]) == (90, [70, 20])
    assert [each["amount"] for each in told["lines"]] == [-30, 20, 100]
    shown = run("statement", run.account)
    assert "pending" in shown and "2027-01-01" in shown and "shop/order-a" in shown
    assert run("statement", "999999", "--json", code=3)["code"] == "unknown_account"
    [story] = run("trace", str(run.ids[2]), "--json")
    assert [(each["lot_id"], each["amount"]) for each in story["lines"]] == [(run.ids[0], 100), (run.ids[0], -30)]
    assert "not sealed yet" in run("trace", str(run.ids[2]))
    assert run("trace", "999999", "--json", code=3)["code"] == "unknown_transfer"
    assert run("trace", "shop/order-c", "--json") == [story]
    assert "INV-7" in run("trace", "shop/order-c") and "INV-7" in shown
    assert run("trace", "shop/order-z", "--json", code=3)["code"] == "unknown_transfer"
    assert run("trace", "order-c", "--json", code=2)["code"] == "source_unreadable"


def test_seal_export_verify(run, forge, tmp_path):
    sealed = run("seal", "--json")
    assert sealed["sealed"] == 3 + 2
    anchor = f"{sealed['head']['block_number']}:{sealed['head']['digest']}"
    assert anchor in run("seal")
    assert "Everything holds" in run("verify", "--anchor", anchor)
    assert run("export", "books.ndjson", "--json")["lines"] == 9
    assert run("verify", "--file", "books.ndjson", "--anchor", anchor, "--json")["problems"] == []
    path = tmp_path / "books.ndjson"
    path.write_text(path.read_text().replace('"amount": 30', '"amount": 29'))
    assert "changed" in run("verify", "--file", "books.ndjson", code=1)
    assert run("verify", "--file", "nowhere", "--json", code=2)["code"] == "file_unusable"
    assert run("verify", "--anchor", "x", "--json", code=2)["code"] == "anchor_unreadable"
    forge(run.database, "update ledger.transfer set external_id = 'x' where amount = 30")
    assert "changed" in run("verify", "--json", code=1)["problems"][0]
