"""What went wrong in the database is told apart by what the caller can do about it."""

from threading import Barrier, Thread

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.kernel.arrays import ByteStrings
from comity.kernel.database import DatabaseUnavailable, TransactionsCollided


@pytest.mark.parametrize(
    ("state", "expected"),
    [("40P01", TransactionsCollided), ("40001", TransactionsCollided), ("57P01", DatabaseUnavailable)],
)
def test_a_collision_is_no_outage(database, state, expected):
    with pytest.raises(expected), database.transaction() as tx:
        tx.execute(f"do $$ begin raise sqlstate '{state}'; end $$")


def test_work_that_gave_way_is_done_again(database):
    """Two transactions want each other's lock; whoever is told to give way starts over."""
    with database.transaction() as tx:
        tx.execute("create table place (name text primary key, count int not null)")
        tx.execute("insert into place values ('a', 0), ('b', 0)")
    meeting = Barrier(2, timeout=60)
    attempts = []

    def visit(first, second):
        def work(tx):
            attempts.append(first)
            tx.execute("update place set count = count + 1 where name = %s", (first,))
            if len(attempts) <= 2:
                meeting.wait()
            tx.execute("update place set count = count + 1 where name = %s", (second,))

        return Thread(target=database.run, args=(work,))

    visitors = [visit("a", "b"), visit("b", "a")]
    for each in visitors:
        each.start()
    for each in visitors:
        each.join(60)
    with database.transaction() as tx:
        assert tx.execute("select name, count from place order by 1").fetchall() == [("a", 2), ("b", 2)]
    assert len(attempts) == 3


def test_work_that_gives_way_every_time_ends(database):
    attempts = []

    def work(tx):
        attempts.append(1)
        tx.execute("do $$ begin raise sqlstate '40P01'; end $$")

    with pytest.raises(TransactionsCollided):
        database.run(work)
    assert len(attempts) == 5


def test_work_of_one_statement_commits_by_itself_or_not_at_all(database):
    with database.transaction() as tx:
        tx.execute("create table place (name text primary key)")
    insert = "insert into place select unnest(%(names)s::text[])"
    database.run(lambda tx: tx.execute(insert, {"names": ["a", "b"]}), is_one_statement=True)
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.run(lambda tx: tx.execute(insert, {"names": ["c", "a"]}), is_one_statement=True)
    with database.transaction() as tx:
        assert tx.execute("select name from place order by 1").fetchall() == [("a",), ("b",)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.binary(max_size=300), max_size=20))
def test_byte_strings_arrive_as_they_are(database, values):
    with database.transaction() as tx:
        row = tx.execute("select %(values)b::bytea[]", {"values": ByteStrings(values)}).fetchone()
    assert row == (values,)
