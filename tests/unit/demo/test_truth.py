from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.interfaces.cli.demo.truth import measure_links


def test_counts_pairs_that_are_right_wrong_and_missed():
    truth = {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3}
    found = {"a": "x", "b": "x", "c": "y", "d": "z", "e": "z"}
    quality = measure_links(truth=truth, found=found)
    assert (quality.true_count, quality.found_count, quality.right_count) == (2, 2, 1)
    assert quality.precision == 0.5
    assert quality.recall == 0.5


def test_a_record_the_hub_does_not_know_stands_alone():
    quality = measure_links(truth={"a": 1, "b": 1}, found={"a": "x"})
    assert (quality.found_count, quality.right_count) == (0, 0)
    assert quality.recall == 0


def test_nothing_to_find_and_nothing_found_is_perfect():
    quality = measure_links(truth={"a": 1, "b": 2}, found={"a": "x", "b": "y"})
    assert quality.precision == quality.recall == 1


@settings(max_examples=100, deadline=None)
@given(groups=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=15))
def test_counting_groups_is_counting_pairs(groups):
    truth = {str(place): number for place, (number, _) in enumerate(groups)}
    found = {str(place): group for place, (_, group) in enumerate(groups)}
    pairs = list(combinations(truth, 2))
    true = {pair for pair in pairs if truth[pair[0]] == truth[pair[1]]}
    linked = {pair for pair in pairs if found[pair[0]] == found[pair[1]]}
    quality = measure_links(truth=truth, found=found)
    assert (quality.true_count, quality.found_count, quality.right_count) == (
        len(true),
        len(linked),
        len(true & linked),
    )
    assert quality.precision == pytest.approx(len(true & linked) / len(linked) if linked else 1)
