"""A condition means as a function what it means in the plain reading, which is held against PostgreSQL elsewhere."""

from hypothesis import given, settings

from comity.definitions.conditions import compile_condition
from comity.definitions.types import condition_function
from tests.property.test_conditions import CONDITIONS, ROWS, TODAY, TYPES, VOCABULARY
from tests.unit.definitions.oracle import evaluate


@settings(max_examples=100, deadline=None)
@given(CONDITIONS, ROWS)
def test_a_function_means_what_the_tree_means(text, row):
    found = condition_function(text, types=TYPES)
    try:
        expected = evaluate(compile_condition(text, vocabulary=VOCABULARY), row, today=TODAY)
    except OverflowError:
        return
    assert found.ask(row, TODAY) is expected
    assert found.holds(row, today=TODAY) is (expected is True)


def test_knows_the_words_of_a_programme():
    types = {"purchase.channel": TYPES["country"], "line.category": TYPES["country"], "tier.status": TYPES["country"]}
    found = condition_function("purchase.channel = 'web' and tier.status in ('Gold')", types=types)
    assert found.words == {"purchase.channel", "tier.status"}
    assert found.holds({"purchase.channel": "web", "tier.status": "Gold"}, today=TODAY)
