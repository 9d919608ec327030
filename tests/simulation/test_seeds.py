"""Many small worlds: whatever happened, all systems agree in the end, and what was heard can be told again."""

import random
from contextlib import ExitStack, contextmanager

import pytest

from comity.kernel.clock import ManualClock
from comity.sandbox.api import serve
from tests.chance import seeds
from tests.conftest import NOW
from tests.scenario.rehearsal import Simulated
from tests.scenario.stage import Stage
from tests.simulation.world import World, check_quiet, copy_inbox, find_unexplained, read_truth, requeue_all

STEPS = 45
SEEDS = seeds(*range(1, 9), soak=200)
SETTINGS = (("salesforce", "crm-a"), ("salesforce", "crm-b"), ("hubspot", "crm-c"))


@contextmanager
def _world(seed, database, tmp_path):
    """The world of a seed and its hub; a failure prints what led to it and how to see it again."""
    clock = ManualClock(NOW)
    with ExitStack() as stack:
        stage = Stage(database=database, folder=_folder(tmp_path, "first"), clock=clock, seed=seed)
        stack.callback(stage.close)
        stage.replace("rules", "salesforce-emea", "crm-a")
        stage.replace("rules", "hubspot-us", "crm-c")
        creates = random.Random(seed).choice(["never", "always"])
        for number, (kind, name) in enumerate(SETTINGS):
            system = Simulated(stack.enter_context(serve(kind=kind, seed=number + 1, clock=clock)))
            stack.callback(system.close)
            stage.connect(kind, name, system, create=creates if name == "crm-b" else "never")
        stage.apply()
        world = World(stage, seed)
        try:
            yield world
        except BaseException:
            print("\n".join([*world.trace, f"replay: COMITY_TEST_SEED={seed} .venv/bin/pytest tests/simulation"]))
            raise


def _folder(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    return folder


@pytest.mark.parametrize("seed", SEEDS)
def test_converges(seed, database, tmp_path):
    """All systems show the same in the end, nothing goes on, and hearing the latest once more changes nothing."""
    with _world(seed, database, tmp_path) as world:
        world.run(STEPS)
        world.heal()
        stage = world.stage
        stage.settle(cycles_max=80)
        assert find_unexplained(stage) == []
        check_quiet(stage)
        truth = read_truth(database)
        requeue_all(stage)
        check_quiet(stage)
        assert read_truth(database) == truth


@pytest.mark.parametrize("seed", SEEDS)
def test_tells_again(seed, database, second_database, tmp_path):
    """A hub that hears everything from the beginning, in other batches, comes to the same people and values.

    Told of worlds in which Comity writes nothing: the inbox holds what systems said, and what they say after a write is
    an echo only to a hub that knows what it wrote, which stands beside the observations. And of worlds in which nobody
    is renamed, merged or deleted: a link outlives the values it was made from, so that who is one person may depend on
    which versions a hub saw side by side, by the size of its batches as by how often it polls.
    """
    with _world(seed, database, tmp_path) as world:
        world.run_in_silence(STEPS)
        world.heal()
        world.listen()
        stage = world.stage
        again = Stage(
            database=second_database,
            folder=_folder(tmp_path, "second"),
            clock=stage.clock,
            seed=seed + 1,
            batch_max=world.random.choice([1, 3, 1000]),
        )
        try:
            for path in stage.folder.iterdir():
                (again.folder / path.name).write_bytes(path.read_bytes())
            again.apply()
            copy_inbox(database, second_database)
            again.unify()
            assert read_truth(second_database) == read_truth(database)
        finally:
            again.close()
