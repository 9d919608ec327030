"""`make test` draws the same in every run and beside every other test; `make soak` looks at more."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from tests import chance


def record(drawn):
    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(max_size=5), st.integers())
    def look(text, number):
        drawn.append((text, number))

    return look


@pytest.mark.skipif(chance.is_soak(), reason="a soak draws anew each time")
def test_the_same_cases_in_each_run():
    runs = [], []
    for drawn in runs:
        record(drawn)()
    assert runs[0] == runs[1] and len(runs[0]) >= 30


def test_no_case_comes_from_what_else_is_loaded():
    assert providers.HypothesisProvider(None)._local_constants is providers._local_constants
    assert not len(providers._local_constants)


@pytest.mark.parametrize("profile", ["test", "soak"])
def test_a_property_keeps_what_it_says_and_is_free_of_the_clock(profile, monkeypatch):
    monkeypatch.setattr(chance, "is_soak", lambda: profile == "soak")
    drawn = []
    look = record(drawn)
    chance.prepare([look, look])
    look()
    assert len(drawn) >= (30 * chance.MORE if profile == "soak" else 30)
    prepared = look._hypothesis_internal_use_settings
    assert prepared.deadline is None
    assert set(prepared.suppress_health_check) >= {HealthCheck.too_slow, HealthCheck.function_scoped_fixture}


def test_seeds_are_fixed_unless_one_is_named_or_fresh_ones_are_wanted(monkeypatch):
    monkeypatch.delenv(chance.SEED, raising=False)
    monkeypatch.setattr(chance, "is_soak", lambda: False)
    assert chance.seeds(1, 2, soak=3) == [1, 2]
    monkeypatch.setenv(chance.SEED, "77")
    assert chance.seeds(1, 2, soak=3) == [77]
    monkeypatch.setattr(chance, "is_soak", lambda: True)
    first, again = chance.seeds(1, 2, soak=3), chance.seeds(1, 2, soak=3)
    assert first == again and len({each.values for each in first}) == 3
