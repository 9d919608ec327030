"""Readers of logs: nothing is passed that a running transaction can still fill."""

import random
import threading

import pytest

from comity.kernel import events, readers
from comity.kernel.database import Database
from comity.kernel.readers import Position
from comity.kernel.sql import SqlFolder
from tests.chance import seeds
from tests.conftest import NOW

KIND = "test.happened"


def _publish(tx, number):
    events.publish(tx, kind=KIND, payloads=[{"number": number}], now=NOW)


def _read(database, position, count_max=100):
    with database.transaction() as tx:
        return events.read_events(tx, position=position, kinds=[KIND], count_max=count_max)


class TestReadEvents:
    def test_waits_for_an_older_transaction_that_is_still_running(self, database: Database):
        with database.connect() as slow:
            slow.execute("begin")
            _publish(slow, 1)
            with database.transaction() as tx:
                _publish(tx, 2)
            early = _read(database, Position())
            assert early.events == []
            slow.execute("commit")
        late = _read(database, early.position)
        assert [event.payload["number"] for event in late.events] == [1, 2]

    def test_finds_a_row_that_took_its_number_before_and_its_transaction_after_others(self, database: Database):
        # A sequence logs 32 numbers ahead, so the next draw takes no transaction id.
        with database.transaction() as tx:
            tx.execute("select nextval('kernel.event_event_id_seq')")
        with database.connect() as slow:
            slow.execute("begin")
            drawn = slow.execute("select nextval('kernel.event_event_id_seq')").fetchone()
            with database.transaction() as tx:
                _publish(tx, 2)
            first = _read(database, Position())
            assert [event.payload["number"] for event in first.events] == [2]
            slow.execute(
                "insert into kernel.event (event_id, kind, payload, occurred_at) overriding system value "
                "values (%s, %s, '{\"number\": 1}', %s)",
                (drawn[0], KIND, NOW),
            )
            slow.execute("commit")
        second = _read(database, first.position)
        assert [event.payload["number"] for event in second.events] == [1]

    def test_passes_over_rolled_back_rows(self, database: Database):
        with database.connect() as failing:
            failing.execute("begin")
            _publish(failing, 1)
            failing.execute("rollback")
        with database.transaction() as tx:
            _publish(tx, 2)
        assert [event.payload["number"] for event in _read(database, Position()).events] == [2]

    @pytest.mark.parametrize("seed", seeds(4711, soak=30))
    def test_every_row_is_seen_once_while_many_write(self, database: Database, seed: int):
        writers, rows = 6, 60
        seen: list[int] = []
        done = threading.Event()

        def write(writer: int) -> None:
            choice = random.Random(seed + writer)
            for row in range(rows):
                with database.transaction() as tx:
                    if choice.random() < 0.3:
                        tx.execute("select pg_sleep(%s)", (choice.random() / 200,))
                    _publish(tx, writer * rows + row)

        def read() -> None:
            position = Position()
            while True:
                ended = done.is_set()
                batch = _read(database, position, count_max=7)
                seen.extend(event.payload["number"] for event in batch.events)
                if ended and not batch.events:
                    return
                position = batch.position

        reader = threading.Thread(target=read)
        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
        reader.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        reader.join(timeout=120)
        assert sorted(seen) == list(range(writers * rows)), f"seed {seed}"

    def test_uses_the_index_and_no_sort(self, tx):
        for way in ("seqscan", "bitmapscan", "sort"):  # On an empty table they cost nothing.
            tx.execute(f"set local enable_{way} = off")
        plan = "\n".join(
            row[0]
            for row in tx.execute(
                "explain " + SqlFolder("comity.kernel").read_events.text,
                {"xid": 5, "id": 0, "kinds": [KIND], "count_max": 10},
            )
        )
        assert "Index" in plan
        assert "Sort" not in plan


class TestAdvance:
    def test_moves_forward_only(self, tx):
        readers.advance(tx, name="r", position=Position(xid=5, id=7))
        readers.advance(tx, name="r", position=Position(xid=5, id=6))
        readers.advance(tx, name="r", position=Position(xid=4, id=9))
        assert readers.get_position(tx, name="r") == Position(xid=5, id=7)

    def test_starts_at_the_beginning(self, tx):
        assert readers.peek_position(tx, name="new") == Position()
