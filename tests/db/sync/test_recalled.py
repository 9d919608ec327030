"""What was recalled of a batch before its turn: the same comes of it, whatever happened meanwhile."""

import random
from collections import deque

import pytest

from comity.identity.types import MergeRefused, NothingToUnmerge, ProfileUnknown, RecordKey
from comity.interfaces.worker.flights import TURNS_KEPT
from comity.interfaces.worker.lane import DefinitionsMoved
from comity.sync import api as sync
from tests.chance import seeds
from tests.db.sync.conveyor import BATCH, Clerk, arrivals, broken
from tests.scenario.convergence import find_undecided

SEEDS = seeds(*range(1, 7), soak=300)
CHANGES = 150


class Early:
    """Lanes that have batches read, mapped and recalled as early as can be: two turns before their own."""

    def __init__(self, conveyor):
        self.conveyor = conveyor
        self.recalled = 0
        self._idle = [conveyor.make_lane() for _ in range(3)]
        self._flights = deque()
        self._trail = []

    def step(self):
        """Apply the next batch; None where there is none."""
        while self._idle and (not self._flights or self._flights[-1][1].count == BATCH):
            position = self._flights[-1][1].end if self._flights else self.conveyor.position()
            lane = self._idle.pop()
            self._flights.append((lane, lane.read(position, BATCH)))
        lane, heading = self._flights.popleft()
        self._idle.append(lane)
        try:
            if heading.turn is None:
                lane.apply(self.conveyor.lease(), self._now())
            else:
                self.recalled += 1
                self._trail.append(lane.identify(self.conveyor.lease(), self._trail[-TURNS_KEPT:], self._now()))
                lane.write(self.conveyor.lease(), self._now())
        except DefinitionsMoved:
            self._idle += [lane for lane, _ in self._flights]
            self._flights.clear()
            return self.conveyor.step_in_turn()
        return 0.0 if heading.count else None

    def _now(self):
        return self.conveyor.hub.clock.now()


class TestSameAsUnrecalled:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_any_history_with_stewards_at_work(self, conveyor, second_conveyor, seed):
        early = Early(conveyor)
        changes = Clerk(seed, slips=True).draw(CHANGES)
        for each in (conveyor, second_conveyor):
            each.accept_in_parts(changes)
        for each, step in ((conveyor, early.step), (second_conveyor, second_conveyor.step_in_turn)):
            dice = random.Random(seed)
            while step() is not None:
                if dice.random() < 0.3:
                    _decide(each, dice)
        told = f"replay: COMITY_TEST_SEED={seed} .venv/bin/pytest {__file__}"
        assert early.recalled > CHANGES / BATCH / 4
        assert conveyor.differences(second_conveyor) == [], told
        assert find_undecided(conveyor.hub) == 0

    def test_match_rules_that_moved_meanwhile(self, conveyor, second_conveyor):
        early = Early(conveyor)
        for each, step in ((conveyor, early.step), (second_conveyor, second_conveyor.step_in_turn)):
            clerk = Clerk()
            for name in ("first", "second"):
                for part in (range(BATCH), range(BATCH, 2 * BATCH)):
                    each.accept(*[
                        clerk.contact("crm-a", place, FirstName=name, LastName="Same", Email=f"{name}{place}@x.example")
                        for place in part
                    ])  # fmt: skip
            for _ in range(2):
                step()
            each.stage.replace("match", "prefix: 2", "prefix: 4")
            each.stage.apply()
            while step() is not None:
                pass
        assert early.recalled > 2
        assert conveyor.differences(second_conveyor) == []

    def test_a_turn_that_failed_is_nobodys(self, conveyor, second_conveyor):
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
