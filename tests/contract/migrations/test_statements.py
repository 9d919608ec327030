"""Every statement of every room is one that the migrated schema understands.

The server itself is asked to prepare it, so a wrong column, type or number of parameters shows here and not at night.
Parameters whose type does not follow from their place carry a cast. SQL that is compiled at run time (golden columns,
conditions) is run by the tests of its room.
"""

import re
from pathlib import Path

import psycopg
import pytest
from psycopg.pq import ExecStatus

from tools.lint.sql_rooms import parameters_to_numbers

ROOMS = Path(__file__).parents[3] / "src/comity"
STATEMENTS = sorted(ROOMS.glob("*/sql/*.sql"))


def make_temporary_tables(tx, folder):
    """Run the statements of a room that make temporary tables, for those that use them."""
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text()
        if "create temp" in text.lower() and "%(" not in text:
            tx.execute(text)


@pytest.mark.parametrize("path", STATEMENTS, ids=[f"{path.parts[-3]}/{path.stem}" for path in STATEMENTS])
def test_the_server_can_prepare(tx, path):
    make_temporary_tables(tx, path.parent)
    text = parameters_to_numbers(path.read_text())
    answer = tx.pgconn.prepare(b"", text.encode())
    assert answer.status == ExecStatus.COMMAND_OK, answer.error_message.decode()


@pytest.mark.parametrize("path", STATEMENTS, ids=[f"{path.parts[-3]}/{path.stem}" for path in STATEMENTS])
def test_a_statement_says_what_it_does(path):
    assert path.read_text().startswith("-- "), "the first line says what the statement does"


@pytest.mark.parametrize("path", STATEMENTS, ids=[f"{path.parts[-3]}/{path.stem}" for path in STATEMENTS])
def test_a_statement_is_used(path):
    code = "".join(each.read_text() for each in path.parents[1].rglob("*.py"))
    assert re.search(rf"\.{path.stem}\b", code), "no store runs this statement; delete it"


def test_a_wrong_statement_would_be_seen(tx):
    answer = tx.pgconn.prepare(b"", b"select no_such_column from kernel.event")
    assert answer.status == ExecStatus.FATAL_ERROR
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        tx.execute("select 1")
