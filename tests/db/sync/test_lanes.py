"""Lanes in processes of their own: everything is applied once, and no harm where such a process is gone or fails."""

import os
import signal
from multiprocessing import active_children

import msgspec
import pytest

from comity.identity.types import Touched
from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.interfaces.worker.lane import DefinitionsMoved, Lane
from comity.interfaces.worker.lanes import LANES, WORTH_IT_MIN, DataFault, Lanes
from comity.kernel import readers
from comity.kernel.errors import Broken
from comity.kernel.leases import Lease, LeaseLost
from comity.mapping.types import Fault, MappingInvalid
from comity.sync import api as sync
from tests.db.sync.conveyor import broken
from tests.scenario.rehearsal import eventually


def _contact(number):
    fields = {
        "Id": f"003{number:015d}", "FirstName": f"Vor{number}", "LastName": f"Nach{number}", "Birthdate": "1980-02-29",
        "Email": f"p{number}@lanes.example", "SystemModstamp": "2026-03-02T10:00:00.000+0000",
    }  # fmt: skip
    if number % 100 == 0:
        fields["Birthdate"] = "soon"
    return NewChange(
        system="crm-a",
        stream="Contact",
        external_id=fields["Id"],
        version="1",
        payload=msgspec.json.encode(fields),
    )


def _accept(stage, count):
    with stage.database.transaction() as tx:
        inbox.accept_changes(tx, changes=[_contact(each) for each in range(count)], now=stage.clock.now())


def _kill_children():
    for child in active_children():
        os.kill(child.pid, signal.SIGKILL)
        child.join()


def _position(stage):
    with stage.database.transaction() as tx:
        return readers.peek_position(tx, name=sync.READER)


def _processes(lanes):
    """Wait until they have begun."""
    lanes.choose(WORTH_IT_MIN)
    eventually(lambda: all(ready.done() for ready in lanes._ready), what="the processes have begun")
    return lanes.choose(WORTH_IT_MIN)


@pytest.fixture
def lanes(stage):
    found = Lanes(stage.database.dsn, make=stage._unify._make_lane)
    yield found
    found.close()
    assert not active_children()


@pytest.fixture
def hand(stage, lanes):
    """A process that has read a batch."""
    _accept(stage, WORTH_IT_MIN + 1)
    hand = _processes(lanes)[0]
    hand.begin(Lane.read, _position(stage), WORTH_IT_MIN).result(60)
    return hand


def _refuse(_lane):
    raise MappingInvalid([Fault(field="fields[0]", message="There is no such field.", remedy="Name another.")])


def _lease(stage):
    return stage._unify._keeper.get()


class TestProcess:
    def test_tells_where_its_batch_ends_and_applies_it(self, stage, lanes):
        _accept(stage, WORTH_IT_MIN + 1)
        hand, start = _processes(lanes)[0], _position(stage)
        heading = hand.begin(Lane.read, start, WORTH_IT_MIN).result(60)
        assert (heading.count, heading.can_part, heading.turn) == (WORTH_IT_MIN, True, 0)
        touched = hand.begin(Lane.identify, _lease(stage), [], stage.clock.now()).result(60)
        assert touched == Touched(
            turn=1, external_ids=[f"003{number:015d}" for number in range(WORTH_IT_MIN)], moved=[]
        )
        assert _position(stage) == start
        hand.begin(Lane.write, _lease(stage), stage.clock.now()).result(60)
        assert _position(stage) == heading.end
        assert stage.query("select count(*) from profile.golden") == [(WORTH_IT_MIN,)]

    def test_tells_that_definitions_have_moved(self, stage, hand):
        stage.replace("match", "similar: 0.85", "similar: 0.8")
        stage.apply()
        with pytest.raises(DefinitionsMoved):
            hand.begin(Lane.identify, _lease(stage), [], stage.clock.now()).result(60)
        with pytest.raises(DefinitionsMoved):
            hand.begin(Lane.apply, _lease(stage), stage.clock.now()).result(60)

    def test_tells_that_the_lease_is_lost(self, stage, hand):
        lease = _lease(stage)
        lost = Lease(name=lease.name, holder=lease.holder, fence=lease.fence + 1)
        with pytest.raises(LeaseLost):
            hand.begin(Lane.identify, lost, [], stage.clock.now()).result(60)

    def test_tells_what_data_the_database_refuses_from_what_it_cannot_do(self, stage, hand):
        for code, kind in (("22000", DataFault), ("53100", Broken)):
            with (
                broken(stage, "identity.record", "new.external_id ~ '7$'", code=code),
                pytest.raises(kind, match="no such thing"),
            ):
                hand.begin(Lane.identify, _lease(stage), [], stage.clock.now()).result(60)
        hand.begin(Lane.identify, _lease(stage), [], stage.clock.now()).result(60)

    def test_tells_an_error_that_cannot_be_sent_as_it_is(self, hand):
        with pytest.raises(DataFault, match="no such field"):
            hand.begin(_refuse).result(60)

    def test_refuses_to_write_what_it_has_not_identified(self, stage, hand):
        with pytest.raises(Broken, match="not been identified"):
            hand.begin(Lane.write, _lease(stage), stage.clock.now()).result(60)


class TestLanes:
    def test_small_batches_start_no_process(self, lanes):
        assert len(lanes.choose(WORTH_IT_MIN - 1)) == LANES
        assert not active_children()

    def test_threads_do_it_until_the_processes_have_begun(self, lanes):
        threads = lanes.choose(WORTH_IT_MIN)
        assert len(active_children()) == LANES
        assert _processes(lanes) is not threads
        lanes.give_up()
        assert lanes.choose(WORTH_IT_MIN) is threads


@pytest.mark.parametrize("is_killed", [False, True])
def test_everything_is_applied_once(stage, is_killed):
    stage.hub.settings = msgspec.structs.replace(stage.hub.settings, unify_batch_max=WORTH_IT_MIN)
    count = 9 * WORTH_IT_MIN + 1
    _accept(stage, count)
    step, lanes = stage._unify.step, stage._unify._lanes
    step()
    assert _processes(lanes) is not lanes._threads
    for _ in range(4):
        step()
    assert stage._unify._flights._hands is lanes._processes
    if is_killed:
        _kill_children()
    stage.unify()
    with stage.database.transaction() as tx:
        known, told = tx.execute(
            "select count(*), (select sum(read_count) from sync.run where kind = 'unify') from identity.record"
        ).fetchone()
        parked = len(inbox.list_parked(tx, count_max=500))
    assert (known, told, parked) == (count, count, count // 100 + 1)
    assert bool(active_children()) is not is_killed


def test_processes_killed_at_rest_are_done_without(stage):
    stage.hub.settings = msgspec.structs.replace(stage.hub.settings, unify_batch_max=WORTH_IT_MIN)
    _processes(stage._unify._lanes)
    _kill_children()
    _accept(stage, 3 * WORTH_IT_MIN)
    stage.unify()
    assert stage.query("select count(*) from identity.record") == [(3 * WORTH_IT_MIN,)]
    assert not active_children()
