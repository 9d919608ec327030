"""Batches mapped by another process: the same as here, and no harm where that process is gone."""

import os
import signal
from multiprocessing import active_children

import msgspec
import pytest

from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.interfaces.worker.ahead import WORTH_IT_MIN, Ahead
from comity.kernel import readers
from comity.sync import api as sync
from tests.scenario.rehearsal import eventually


def _contact(number):
    fields = {
        "Id": f"003{number:015d}", "FirstName": f"Vor{number}", "LastName": f"Nach{number}", "Birthdate": "1980-02-29",
        "Email": f"p{number}@ahead.example", "SystemModstamp": "2026-03-02T10:00:00.000+0000",
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


def _begin(ahead, position):
    """Ask until the process is ready and has an answer."""

    def answer():
        ahead.begin(position, count_max=WORTH_IT_MIN)
        return ahead.take()

    return eventually(answer, what="the process maps a batch", pause_seconds=0.2)


@pytest.fixture
def ahead(stage):
    found = Ahead(stage.database.dsn)
    yield found
    found.close()
    assert not active_children()


def _position(stage):
    with stage.database.transaction() as tx:
        return readers.peek_position(tx, name=sync.READER)


def test_batch_is_what_this_process_would_make_of_it(stage, ahead):
    _accept(stage, WORTH_IT_MIN + 1)
    position = _position(stage)
    told = _begin(ahead, position)
    with stage.database.transaction() as tx:
        batch = inbox.read_changes(tx, position=position, count_max=WORTH_IT_MIN)
        expected = sync.recall(tx, sync.prepare(batch, stage.hub.get_runtime()), stage.hub.get_runtime())
    assert len(expected.change_ids) == WORTH_IT_MIN and expected.parked
    assert told == expected


def test_killed_process_is_not_asked_again(stage, ahead):
    _accept(stage, WORTH_IT_MIN)
    _begin(ahead, _position(stage))
    _kill_children()
    ahead.begin(_position(stage), count_max=WORTH_IT_MIN)
    assert ahead.take() is None
    ahead.begin(_position(stage), count_max=WORTH_IT_MIN)
    assert ahead.take() is None and not active_children()


def test_process_that_could_not_read_is_asked_again(stage, ahead):
    _accept(stage, WORTH_IT_MIN)
    position = _position(stage)
    _begin(ahead, position)
    with stage.database.transaction() as tx:
        tx.execute("alter table definitions.revision rename to hidden")
    ahead.begin(position, count_max=WORTH_IT_MIN)
    assert ahead.take() is None
    with stage.database.transaction() as tx:
        tx.execute("alter table definitions.hidden rename to revision")
    ahead.begin(position, count_max=WORTH_IT_MIN)
    assert len(ahead.take().change_ids) == WORTH_IT_MIN


def test_small_batches_start_no_process(stage, ahead):
    ahead.begin(_position(stage), count_max=WORTH_IT_MIN - 1)
    assert ahead.take() is None and not active_children()


@pytest.mark.parametrize("is_killed", [False, True])
def test_everything_is_applied_once(stage, is_killed):
    stage.hub.settings = msgspec.structs.replace(stage.hub.settings, unify_batch_max=WORTH_IT_MIN)
    count = 6 * WORTH_IT_MIN + 1
    _accept(stage, count)
    step = stage._unify.step
    step()
    eventually(stage._unify._ahead._ready.done, what="the process is ready")
    step()
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
