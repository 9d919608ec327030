"""A batch in two transactions holds the same as in one, whatever is told, and whoever dies between them."""

import random

import pytest

from comity.sync import api as sync
from tests.chance import seeds
from tests.db.sync.conveyor import BATCH, HELD, Clerk, held_up, strays
from tests.scenario.convergence import find_undecided

SEEDS = seeds(*range(1, 7), soak=300)
CHANGES = 150


class TestSameAsInTurns:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_any_history(self, conveyor, second_conveyor, seed):
        changes = Clerk(seed, slips=True).draw(CHANGES)
        for each in (conveyor, second_conveyor):
            each.accept_in_parts(changes)
        with held_up("write") as (go, parts):
            go.set()
            conveyor.run()
        second_conveyor.run_in_turns()
        assert len(parts) > CHANGES / BATCH / 4, "hardly a batch was parted"
        assert conveyor.differences(second_conveyor) == [], (
            f"replay: COMITY_TEST_SEED={seed} .venv/bin/pytest {__file__}"
        )
        assert find_undecided(conveyor.hub) == 0

    @pytest.mark.parametrize("seed", SEEDS)
    def test_any_history_with_deaths_between_the_parts(self, conveyor, second_conveyor, seed):
        """Who is who may take another way where a batch is identified twice; all that hangs on it follows."""
        dice, clerk = random.Random(seed), Clerk(seed, slips=True)
        for _ in range(6):
            changes = clerk.draw(CHANGES // 6)
            conveyor.accept_in_parts(changes)
            second_conveyor.accept_in_parts(changes)
            first = conveyor.prepare()
            if sync.can_part(first):
                conveyor.identify(first)
                later = conveyor.prepare(first.end)
                if dice.random() < 0.5 and sync.can_part(later):
                    conveyor.identify(later)
                conveyor.stage.restart()
            for _ in range(dice.randrange(6)):
                conveyor.step()
            if dice.random() < 0.5:
                conveyor.stage.restart()
        conveyor.run()
        second_conveyor.run_in_turns()
        told = f"replay: COMITY_TEST_SEED={seed} .venv/bin/pytest {__file__}"
        assert find_undecided(conveyor.hub) == 0, told
        assert strays(second_conveyor) == [], told
        assert strays(conveyor) == [], told
        for name, text in _FACTS.items():
            assert conveyor.stage.query(text) == second_conveyor.stage.query(text), f"{name}; {told}"


_FACTS = {
    "features": "select system, external_id, features::text, is_deleted from identity.record order by 1, 2",
    "keys": (
        "select r.system, r.external_id, array_agg(array[i.key_hash, i.rule_tag] order by i.key_hash, i.rule_tag) "
        "from identity.identifier i join identity.record r using (record_id) group by 1, 2 order by 1, 2"
    ),
    "values": (
        "select external_id, system, to_jsonb(o) - array['record_id', 'profile_id'] from profile.observation o "
        "order by 1, 2"
    ),
    "purchases": "select business_key, profile_id is null, amount_minor from activity.purchase order by 1",
    "books": "select sum(read_count), sum(parked_count) from sync.run",
    "parked": HELD["parked"] + " order by change_id",
    "merges that wait": HELD["waiting merges"] + " order by 1, 2",
}
"""What does not depend on who was taken for whom on the way."""
