"""Leases keep a slow former holder from doing the work of the new one."""

from datetime import timedelta

import pytest

from comity.kernel import leases, schedules
from comity.kernel.leases import LeaseLost
from comity.kernel.schedules import CadenceInvalid
from tests.conftest import NOW


class TestAcquire:
    def test_gives_one_holder_at_a_time(self, database, ids):
        first, second = ids.uuid7(NOW), ids.uuid7(NOW)
        with database.transaction() as tx:
            assert leases.acquire(tx, name="unify", holder=first, seconds=60) is not None
        with database.transaction() as tx:
            assert leases.acquire(tx, name="unify", holder=second, seconds=60) is None
            assert leases.acquire(tx, name="unify", holder=first, seconds=60).fence == 1

    def test_fences_off_a_holder_that_came_back_late(self, database, ids):
        first, second = ids.uuid7(NOW), ids.uuid7(NOW)
        with database.transaction() as tx:
            stale = leases.acquire(tx, name="unify", holder=first, seconds=-1)
        with database.transaction() as tx:
            taken = leases.acquire(tx, name="unify", holder=second, seconds=60)
        assert taken.fence == 2
        with database.transaction() as tx, pytest.raises(LeaseLost):
            leases.check(tx, lease=stale)
        with database.transaction() as tx:
            leases.check(tx, lease=taken)

    def test_gives_a_released_lease_at_once(self, database, ids):
        first, second = ids.uuid7(NOW), ids.uuid7(NOW)
        with database.transaction() as tx:
            lease = leases.acquire(tx, name="unify", holder=first, seconds=60)
            leases.release(tx, lease=lease)
        with database.transaction() as tx:
            assert leases.acquire(tx, name="unify", holder=second, seconds=60) is not None

    def test_gives_the_lease_of_a_dead_process_at_once(self, database, ids):
        first, second = ids.uuid7(NOW), ids.uuid7(NOW)
        presence = leases.presence_of(first)
        with database.connect() as session:
            session.execute("select pg_advisory_lock(%s)", [presence])
            with database.transaction() as tx:
                assert leases.acquire(tx, name="unify", holder=first, seconds=60, presence=presence) is not None
            with database.transaction() as tx:
                assert leases.acquire(tx, name="unify", holder=second, seconds=60) is None
        with database.transaction() as tx:
            # The server lets the lock go a moment after the client hung up.
            tx.execute("select pg_advisory_xact_lock(%s)", [presence])
            assert leases.acquire(tx, name="unify", holder=second, seconds=60).fence == 2


class TestNextTime:
    @pytest.mark.parametrize(
        ("cadence", "seconds"),
        [("500ms", 0.5), ("5s", 5), ("15m", 900), ("1h", 3600), ("1d", 86400), ("30 12 * * *", 1800)],
    )
    def test_understands(self, cadence, seconds):
        assert schedules.next_time(cadence, after=NOW) == NOW + timedelta(seconds=seconds)

    @pytest.mark.parametrize("cadence", ["", "5", "0s", "soon", "61 * * * *"])
    def test_refuses(self, cadence):
        with pytest.raises(CadenceInvalid):
            schedules.next_time(cadence, after=NOW)


class TestSchedules:
    def test_a_missed_time_is_made_up_once(self, tx):
        schedules.put_schedules(tx, prefix="pull:", cadences={"pull:crm:Contact": "5s"}, now=NOW)
        [schedule] = schedules.list_schedules(tx, prefix="pull:")
        assert schedule.next_at == NOW
        later = NOW + timedelta(hours=1)
        schedules.finish(tx, schedule=schedule, now=later)
        [schedule] = schedules.list_schedules(tx, prefix="pull:")
        assert schedule.next_at == later + timedelta(seconds=5)

    def test_what_is_no_longer_wanted_goes_and_what_stays_keeps_its_time(self, tx):
        schedules.put_schedules(tx, prefix="pull:", cadences={"pull:a": "5s", "pull:b": "5s"}, now=NOW)
        schedules.put_schedules(tx, prefix="pull:", cadences={"pull:b": "5s"}, now=NOW + timedelta(minutes=1))
        [schedule] = schedules.list_schedules(tx, prefix="pull:")
        assert (schedule.name, schedule.next_at) == ("pull:b", NOW)
