"""Rules that do not fit their attributes are refused, with the place and the remedy."""

import msgspec
import pytest

from comity.definitions.types import AttributeSpec, RulesSpec
from comity.profile import api, rules
from comity.profile.types import ABSENT, BatchInvalid, ModelInvalid

TYPES = {"city": "text", "country": "text", "email": "email", "points": "integer", "street": "text", "tags": "tags"}


def make_model(entries, default=None, types=TYPES):
    groups = {"street": "address", "city": "address"}
    attributes = [
        (name, msgspec.convert({"type": kind, "group": groups.get(name)}, AttributeSpec))
        for name, kind in types.items()
    ]
    spec = msgspec.convert({"attributes": entries, "default": default or {}}, RulesSpec)
    return api.compile_model(attributes=attributes, rules=spec, rules_version=1)


def rule(of, kind="most_recent", **more):
    return {"of": [of], "rule": kind, **more}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([rule("shoe")], r"attributes\[0\].of: There is no attribute or group 'shoe'"),
        ([rule("street")], r"'street' moves with its group. Write the group: address"),
        ([rule("email", "system_of_record")], r"No system of record is named"),
        ([rule("email", systems=["a", "a"])], r"A system is listed twice"),
        ([rule("email", systems=["x'; drop"])], r"is no name of a system"),
        ([rule("email", "merge")], r"How to merge is not said"),
        ([rule("email", "merge", merge="union")], r"union does not fit email, which is of type email. It fits tags"),
        ([rule("address", "merge", merge="longest")], r"A group moves as one and cannot be merged"),
        ([rule("email", merge="max")], r"`merge` says nothing to most_recent"),
        ([rule("email"), rule("email")], r"attributes\[1\].of: An earlier entry without `when` already decides"),
        ([rule("email", when="shoe = 1")], r"attributes\[0\].when"),
        ([rule("email", when="email like 'a%'")], r"'email' is decided by conditions itself"),
        ([rule("email", when="points > 1"), rule("points", when="country = 'DE'")], r"'points' is decided by cond"),
        ([rule("email", when="today > '2026-01-01'")], r"cannot depend on the day"),
    ],
)
def test_refuses(entries, message):
    with pytest.raises(ModelInvalid, match=message) as caught:
        make_model(entries)
    assert set(caught.value.details) == {"place", "found", "remedy"}


def test_refuses_a_default_that_merges():
    with pytest.raises(ModelInvalid, match=r"default: The default rule cannot merge"):
        make_model([], {"rule": "merge"})


@pytest.mark.parametrize("name", ["profile_id", "written", "a__b", "Email", 'x"; drop', ""])
def test_refuses_names_that_are_no_columns(name):
    with pytest.raises(ModelInvalid, match=r"An attribute cannot be called so"):
        make_model([], types={name: "text"})


def test_same_input_compiles_to_the_same_text():
    entries = [rule("address", when="country = 'DE'", systems=["b", "a"]), rule("tags", "merge", merge="union")]
    assert make_model(entries) == make_model(entries, types=dict(reversed(TYPES.items())))


def test_canonical_text_refuses_what_is_not_canonical():
    with pytest.raises(BatchInvalid):
        rules.canonical_text(1.5)


def test_written_values_of_one_record_are_combined():
    assert rules.combine_written([1, 1], [{"a": "x", "b": 2}, {"a": None, "b": ABSENT}]) == {1: {"a": None, "b": "2"}}
