"""What commands do about the schema of the database: those that only read leave it alone."""

import pytest

from comity.kernel.migrate import has_schema
from comity.wiring import migrate
from tests.contract.cli.conftest import told

READING = (
    ("status",),
    ("export", "files"),
    ("profile", "show", "a/b/c"),
    ("profile", "merges", "a/b/c"),
    ("why", "a/b/c", "email"),
    ("parked", "list"),
    ("keys", "list"),
    ("ledger", "trial-balance"),
    ("ledger", "roll-forward", "points", "2026-03-01", "2026-03-31"),
    ("ledger", "periods"),
    ("ledger", "statement", "1"),
    ("ledger", "trace", "1"),
    ("ledger", "export", "file"),
    ("ledger", "verify"),
    ("programme", "simulate"),
    ("programme", "explain", "1"),
    ("programme", "budgets"),
)


def age(database):
    """Take the note of the programme's functions away, as though another version had put them in."""
    with database.transaction() as tx:
        tx.execute("update kernel.function_set set digest = 'of another version' where room = 'programme'")


class TestReading:
    @pytest.mark.parametrize("words", READING, ids=" ".join)
    def test_makes_no_schema(self, run, clean, empty_database, words):
        clean.setenv("COMITY_DATABASE_URL", empty_database.dsn)
        result = run(*words, "--json")
        assert result.exit_code == 7 and told(result)["code"] == "schema_missing"
        assert not has_schema(empty_database)

    @pytest.mark.parametrize("words", READING, ids=" ".join)
    def test_brings_no_schema_forward(self, hub, database, words):
        age(database)
        result = hub(*words, "--json")
        assert result.exit_code == 7 and told(result)["code"] == "schema_outdated"
        assert migrate(database) == ["programme/functions"]

    def test_goes_on_beside_a_transaction_that_reads(self, hub, database):
        with database.transaction() as reader:
            reader.execute("select from ledger.v_balance")
            assert hub("status").exit_code == 0

    def test_says_what_to_do(self, hub, database):
        age(database)
        told = hub("status").output
        assert "missing: programme/functions" in told and "comity up" in told


class TestPlan:
    def test_begins_a_schema(self, run, clean, empty_database):
        clean.setenv("COMITY_DATABASE_URL", empty_database.dsn)
        assert run("init").exit_code == 0
        assert len(told(run("plan", "--json"))["added"]) == 16

    def test_brings_no_schema_forward(self, hub, database):
        age(database)
        assert hub("init").exit_code == 0
        assert told(hub("plan", "--json"))["code"] == "schema_outdated"


class TestApply:
    def test_brings_the_schema_forward(self, hub, database):
        age(database)
        assert hub("init").exit_code == 0
        assert hub("apply", "--yes").exit_code == 0
        assert migrate(database) == []
