"""Counter and worker at the same members at once: nobody waits for ever, nothing counts twice."""

from threading import Barrier, Thread
from uuid import UUID

import msgspec
import pytest

from comity.activity import api as activity
from comity.activity.types import PURCHASE_CHANGED, PURCHASE_RECORDED
from comity.kernel.database import TransactionsCollided
from comity.kernel.errors import ComityError
from comity.kernel.events import Event
from comity.programme import api
from tests.db.programme.test_api import check_books
from tests.db.programme.test_recording import NOW, back, by_system, club, make_people, wish


class TestAtOnce:
    """Counter and worker hold many members of two programmes, the one in steps, the other in reverse."""

    people = tuple(UUID(int=n) for n in range(1, 9))
    programmes = (club(), club("stars"))

    @pytest.fixture
    def events(self, database):
        """Purchases that a system reported; the worker is to hear of them."""
        with database.transaction() as tx:
            make_people(tx, *self.people)
            for each in self.programmes:
                api.enrol(tx, profile_ids=self.people, programme=each, now=NOW)
            facts = [by_system(f"S-{n}", 100) for n in range(48)]
            owners = [self.people[n // 6] for n in range(48)]
            activity.accept_purchases(tx, purchases=facts, profile_ids=owners, now=NOW)
            rows = tx.execute("select event_id, kind, payload, occurred_at from kernel.event order by 1").fetchall()
        return [
            Event(event_id=row[0], xid=0, kind=row[1], payload=row[2], occurred_at=row[3])
            for row in rows
            if row[1] == PURCHASE_RECORDED
        ]

    def sell(self, tx, step):
        known = [wish(f"S-{n}", 100, by=self.people[n // 6]) for n in range(47 - step * 8, 39 - step * 8, -1)]
        new = [wish(f"C-{step}-{n}", 100, by=each) for n, each in enumerate(reversed(self.people))]
        told = api.record_purchases(tx, wishes=known + new, programmes=self.programmes, now=NOW)
        assert all(len(each.programmes) == 2 for each in told)

    def take_back(self, tx, step):
        asked = [back(f"B-{n}", f"S-{n}", amount_minor=100) for n in (step,)]
        [told] = api.record_returns(tx, wishes=asked, programmes=self.programmes, now=NOW)
        assert not isinstance(told, ComityError)

    def test_neither_waits_for_ever_nor_counts_twice(self, database, events):
        barrier, failures = Barrier(3), []

        def work(tx, step):
            mine = events[step * 8 : step * 8 + 8]
            changed = [msgspec.structs.replace(each, kind=PURCHASE_CHANGED) for each in reversed(events[: step * 8])]
            api.handle_events(tx, events=mine + changed, programmes=self.programmes, now=NOW)

        def run(does):
            try:
                with database.connect() as connection:
                    barrier.wait(timeout=60)
                    for step in range(6):
                        again(connection, lambda tx, step=step: does(tx, step))
            except Exception as error:  # noqa: BLE001 - reported by the main thread.
                failures.append(error)

        threads = [Thread(target=run, args=[each]) for each in (work, self.sell, self.take_back)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(timeout=120)
        assert failures == []
        with database.transaction() as tx:
            work(tx, 5)
            check_books(tx)
            found = api.find_members(tx, profile_ids=self.people)
            assert sum(each.points for own in found.values() for each in own) == 2 * (48 + 48 - 6)


def again(connection, does):
    """Do it in a transaction until nobody else told of the same meanwhile; a deadlock is no such case."""
    while True:
        try:
            with connection.transaction():
                return does(connection)
        except TransactionsCollided:
            continue
