"""No statement goes through the whole history of points, except the reports that are about all of it.

The planner is asked with sequential scans and hash joins forbidden: where it still reads a table of the history from
beginning to end, no index leads to what is wanted, however large the table becomes. So it is with a join on a view
that is a union (`v_lot_entry`, `v_entry`): only a comparison with a value or a lateral reference goes down into it.
"""

import json

import pytest

from tests.contract.migrations.test_statements import STATEMENTS, make_temporary_tables
from tools.lint.sql_rooms import parameters_to_numbers

HISTORY = {"transfer", "lot_entry", "lot_term", "hold", "hold_end", "hold_move", "take_back", "earning", "purchase"}
ABOUT_ALL = {
    "balances_on", "find_imbalance", "find_unlotted", "list_balances", "list_entries", "roll_forward", "trial_balance",
    "trial_balance_on",
}  # fmt: skip
"""Checks, reports, and the sums of accounts that store no balance."""

LOOKED_AT = [
    each for each in STATEMENTS if each.parts[-3] in {"ledger", "programme"} and "copy (" not in each.read_text()
]


def find_walks(tx, text):
    """Return the tables of the history that a statement can only read whole."""
    for kind in ("seqscan", "hashjoin", "mergejoin"):
        tx.execute(f"set local enable_{kind} = off")
    answer = tx.pgconn.exec_(f"explain (generic_plan, format json) {parameters_to_numbers(text)}".encode())
    told = answer.get_value(0, 0)
    assert told is not None, answer.error_message.decode()
    return {
        node["Relation Name"] for node in _nodes(json.loads(told)[0].get("Plan", {})) if node["Node Type"] == "Seq Scan"
    } & HISTORY


def _nodes(plan):
    if plan:
        yield plan
    for each in plan.get("Plans", ()):
        yield from _nodes(each)


@pytest.fixture
def planner(tx):
    if tx.info.server_version < 160_000:
        pytest.skip("this server does not tell plans of statements with parameters")
    return tx


@pytest.mark.parametrize("path", LOOKED_AT, ids=[f"{path.parts[-3]}/{path.stem}" for path in LOOKED_AT])
def test_the_history_is_reached_by_index(planner, path):
    make_temporary_tables(planner, path.parent)
    assert bool(find_walks(planner, path.read_text())) == (path.stem in ABOUT_ALL)


def test_a_join_on_a_union_would_be_seen(planner):
    wanted = "from unnest(%(ids)s::bigint[]) as u(id)"
    assert find_walks(planner, f"select e.lot_id {wanted} join ledger.v_lot_entry e on e.transfer_id = u.id")
    lateral = "cross join lateral (select * from ledger.v_lot_entry v where v.transfer_id = u.id offset 0) e"
    assert not find_walks(planner, f"select e.lot_id {wanted} {lateral}")
