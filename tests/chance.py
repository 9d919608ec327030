"""What chance means in the tests: the same cases in every `make test`, fresh ones and many more in `make soak`.

A landing is judged by what it changes, so `make test` draws nothing: Hypothesis is derandomised, simulations have fixed
seeds. To search is the business of `make soak`, which says its seed.
"""

import os
import random
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

MORE = 20
"""How many times as many examples of a property `make soak` looks at."""

SEED = "COMITY_TEST_SEED"

settings.register_profile("test", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("soak", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("test")


def is_soak() -> bool:
    return settings.get_current_profile_name() == "soak"


def begin(config: pytest.Config) -> None:
    """Choose the seed of a soak, once for all its processes."""
    # Hypothesis draws from the constants of all modules that are loaded, too: then each changed line of the product,
    # and each file that is tested or not tested beside it, would change the cases.
    providers._get_local_constants = lambda: providers._local_constants
    if config.getoption("--hypothesis-profile") == "soak":
        config.option.hypothesis_seed = os.environ.setdefault(SEED, str(secrets.randbits(31)))


def tell() -> str | None:
    """What to type to see a soak again."""
    return f"replay: {SEED}={os.environ[SEED]} make soak" if is_soak() else None


def examples(number: int) -> int:
    """How many examples, where `make test` looks at so many; only for properties inside of a test."""
    return number * MORE if is_soak() else number


def prepare(functions: Iterable[Callable[..., Any]]) -> None:
    """Free properties from the clock, so that they hold on a slow machine, and let a soak look at more examples.

    Done here for all, because a test that says something of its own in `settings` would forget the rest.
    """
    for each in {id(each): each for each in functions}.values():
        known: settings = each._hypothesis_internal_use_settings
        each._hypothesis_internal_use_settings = settings(
            known,
            deadline=None,
            max_examples=examples(known.max_examples),
            suppress_health_check={*known.suppress_health_check, HealthCheck.too_slow},
        )


def seeds(*fixed: int, soak: int) -> list[Any]:
    """Seeds to parametrize a simulation with: the fixed ones, or so many fresh ones in a soak.

    COMITY_TEST_SEED names the only one to see again; COMITY_TEST_SOAK says how many a soak has.
    """
    given = os.environ.get(SEED)
    if not is_soak():
        return [int(given)] if given else list(fixed)
    chance = random.Random(given)
    number = int(os.environ.get("COMITY_TEST_SOAK", soak))
    return [pytest.param(chance.getrandbits(31), marks=pytest.mark.soak) for _ in range(number)]
