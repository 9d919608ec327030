"""What was recalled of a batch before its turn: the same comes of it, whatever happened meanwhile."""

import random
from concurrent.futures import Future

import pytest

from comity.identity.types import MergeRefused, NothingToUnmerge, ProfileUnknown, RecordKey
from comity.interfaces.worker import ahead as ahead_module
from comity.sync import api as sync
from tests.chance import seeds
from tests.db.sync.conveyor import BATCH, Clerk, arrivals, broken
from tests.scenario.convergence import find_undecided

SEEDS = seeds(*range(1, 7), soak=300)
CHANGES = 150


class _AtOnce:
    """Stands for the process: what it is asked for is done before the asker goes on, so as early as can be."""

    def submit(self, work, *given):
        done = Future()
        done.set_result(work(*given))
        return done

    def shutdown(self, **_):
        pass


def _recall_at_once(conveyor, monkeypatch):
    """The worker has each batch mapped and recalled before the one in hand is identified; tells what was recalled."""
    seen = []
    recall = sync.recall

    def watched(tx, prepared, runtime):
        seen.append(recall(tx, prepared, runtime))
        return seen[-1]

    monkeypatch.setattr(ahead_module, "WORTH_IT_MIN", 1)
    monkeypatch.setattr(ahead_module._Source, "database", conveyor.database, raising=False)
    monkeypatch.setattr(ahead_module._Source, "runtimes", sync.RuntimeSource(), raising=False)
    monkeypatch.setattr(ahead_module.sync, "recall", watched)
    _take_over(conveyor)
    return seen


def _take_over(conveyor):
    ahead = conveyor.stage._unify._ahead
    ahead._pool, ahead._ready = _AtOnce(), Future()
    ahead._ready.set_result(None)


class TestSameAsUnrecalled:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_any_history_with_stewards_at_work(self, conveyor, second_conveyor, seed, monkeypatch):
        recalled = _recall_at_once(conveyor, monkeypatch)
        changes = Clerk(seed, slips=True).draw(CHANGES)
        for each in (conveyor, second_conveyor):
            each.accept_in_parts(changes)
        for each, step in ((conveyor, conveyor.step), (second_conveyor, second_conveyor.step_in_turn)):
            dice = random.Random(seed)
            while step() is not None:
                if dice.random() < 0.3:
                    each.wait()
                    _decide(each, dice)
        told = f"replay: COMITY_TEST_SEED={seed} .venv/bin/pytest {__file__}"
        assert sum(len(each.recalled.places) for each in recalled) > CHANGES / 4
        assert conveyor.differences(second_conveyor) == [], told
        assert find_undecided(conveyor.hub) == 0

    def test_match_rules_that_moved_meanwhile(self, conveyor, second_conveyor, monkeypatch):
        recalled = _recall_at_once(conveyor, monkeypatch)
        for each in (conveyor, second_conveyor):
            clerk = Clerk()
            for name in ("first", "second"):
                for part in (range(BATCH), range(BATCH, 2 * BATCH)):
                    each.accept(*[
                        clerk.contact("crm-a", place, FirstName=name, LastName="Same", Email=f"{name}{place}@x.example")
                        for place in part
                    ])  # fmt: skip
            for _ in range(3):
                each.step()
            each.stage.replace("match", "prefix: 2", "prefix: 4")
            each.stage.apply()
            each.run()
        assert len(recalled[2].recalled.places) == BATCH
        assert conveyor.differences(second_conveyor) == []

    def test_a_turn_that_failed_is_nobodys(self, conveyor, second_conveyor, monkeypatch):
        recalled = _recall_at_once(conveyor, monkeypatch)
        for each in (conveyor, second_conveyor):
            clerk = Clerk()
            each.accept(*arrivals(clerk))
            each.run()
            for name in ("first", "second", "third"):
                mails = [f"{name}{number}@x.example" for number in range(BATCH)]
                each.accept(*[clerk.contact("crm-a", number, Email=mail) for number, mail in enumerate(mails)])
            with broken(
                each, "identity.record", "new.features ->> 'email' in ('first2@x.example', 'second3@x.example')"
            ):
                each.run()
        assert len(recalled[1].recalled.places) == BATCH
        assert conveyor.stage.query("select count(*) from inbox.parked") == [(2,)]
        assert conveyor.differences(second_conveyor) == []


def _decide(conveyor, dice):
    """A steward merges the people of two records, or parts a record from the others of its person."""
    rows = conveyor.stage.query("select system, stream, external_id, profile_id from identity.record order by 1, 2, 3")
    one, other = dice.choice(rows), dice.choice(rows)
    given = {
        "runtime": conveyor.hub.get_runtime(), "ids": conveyor.hub.ids, "now": conveyor.hub.clock.now(),
        "reason": "told so", "actor": "steward",
    }  # fmt: skip
    try:
        with conveyor.database.transaction() as tx:
            if one[3] == other[3]:
                sync.unmerge_person(tx, profile_id=one[3], keys=[RecordKey(*one[:3])], **given)
            else:
                sync.merge_people(tx, profile_ids=[one[3], other[3]], **given)
    except (MergeRefused, NothingToUnmerge, ProfileUnknown):
        pass
