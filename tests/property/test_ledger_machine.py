"""Any history of every verb of the ledger agrees with a plain model, and the books add up after each step (L1, L6).

The checker is checked too: ledgers with a bug planted in them must be found out.
"""

from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from comity.kernel.database import Database
from comity.kernel.errors import ComityError
from comity.ledger import rules, store
from comity.ledger.rows import MovedLot
from tests.property.ledger_closing import ClosingMachine
from tests.property.ledger_machine import Machine


def run(tx, machine=ClosingMachine, **changes):
    fields = {
        "max_examples": 25, "stateful_step_count": 30, "deadline": None,
        "suppress_health_check": list(HealthCheck),
    } | changes  # fmt: skip
    run_state_machine_as_test(lambda: machine(tx), settings=settings(**fields))


def test_any_history_agrees_with_the_model(tx):
    run(tx)


@pytest.mark.soak
def test_very_many_histories_agree_with_the_model(tx):
    run(tx, max_examples=400, stateful_step_count=50)


@pytest.fixture
def owner_tx(shared_database, to_owner):
    """A transaction of the owner's, who alone can replace functions of the ledger; rolled back at the end."""
    with closing(Database(dsn=to_owner(shared_database))) as database, database.connect() as connection:
        connection.execute("begin")
        yield connection
        connection.execute("rollback")


def plant(tx, function, old, new):
    """Put a bug into a function of the database; the transaction's end takes it out again."""
    [(source,)] = tx.execute("select pg_get_functiondef(to_regproc(%s))", (f"ledger.{function}",)).fetchall()
    assert old in source
    tx.execute(source.replace(old, new))


def lose_lots(tx, _):
    plant(
        tx, "write_lots", "where p.new_amount is not null", "where p.new_amount is not null and p.new_amount % 5 <> 0"
    )


def leak(tx, _):
    plant(tx, "post", "h_rests[k] := h_rests[k] - part;", "h_rests[k] := h_rests[k] - (part - part / 10);")


def spend_the_latest(tx, _):
    plant(tx, "load_lots", "order by s.slot, expires_on, o.lot_id", "order by s.slot, expires_on desc, o.lot_id")


def spend_pending(tx, _):
    plant(tx, "post", "h_availables[k] <= day or", "true or")


def forget_ends(_, monkeypatch):
    monkeypatch.setattr(store, "end_holds", lambda *_, **__: None)


def forget_take_backs(_, monkeypatch):
    monkeypatch.setattr(store, "insert_take_backs", lambda *_, **__: None)


def capture_twice_the_lot(_, monkeypatch):
    """The first lot of a hold is captured and given back."""
    plan = rules.plan_ending

    def broken(wish, hold, lots):
        lots = [each for each in lots if each.account_id == hold.reserved_account_id]
        doubled = MovedLot(**{f: getattr(lots[0], f) for f in lots[0].__struct_fields__})
        return plan(wish, hold, [*lots, doubled])

    monkeypatch.setattr(rules, "plan_ending", broken)


def leave_a_lot_behind(_, monkeypatch):
    """Of two lots or more, the last stays where it was when two become one."""
    plan = rules.plan_move

    def broken(move, held):
        return plan(move, held[:-1] if len(held) > 1 and held[-1].rest > 0 else held)

    monkeypatch.setattr(rules, "plan_move", broken)


def book_late_items_into_closed_days(tx, _):
    plant(
        tx, "post", "days[i] := greatest(day, locked_days[array_position(locked_units, slot_units[debit_slot])] + 1);",
        "null;",
    )  # fmt: skip


def know_what_was_not_sealed(_, monkeypatch):
    monkeypatch.setattr(store, "find_known", lambda *_, **__: 2**62)


@pytest.mark.parametrize(
    ("bug", "machine"),
    [
        # Fewer verbs are enough for these, and come to the point sooner.
        (lose_lots, Machine), (leak, Machine), (spend_the_latest, Machine), (spend_pending, Machine),
        (forget_ends, Machine), (forget_take_backs, Machine), (capture_twice_the_lot, Machine),
        (leave_a_lot_behind, ClosingMachine), (book_late_items_into_closed_days, ClosingMachine),
        (know_what_was_not_sealed, ClosingMachine),
    ],
)  # fmt: skip
def test_finds_planted_bugs(owner_tx, monkeypatch, bug, machine):
    bug(owner_tx, monkeypatch)
    with pytest.raises((AssertionError, psycopg.Error, ComityError)):
        run(
            owner_tx, machine, max_examples=1_000, derandomize=True, phases=(Phase.generate,), print_blob=False,
            report_multiple_bugs=False,
        )  # fmt: skip
