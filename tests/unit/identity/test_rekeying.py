"""What changed features make of a record's keys, against all keys before and after."""

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import Agreement, AttributeType, KeyPart, MatchRule, MatchSpec, PrefixTransform
from comity.identity.match import compile_match
from comity.identity.rekeying import Rekeying

MATCH = compile_match(
    MatchSpec(
        rules=(
            MatchRule(
                name="email_and_name",
                key=("email", KeyPart(attribute="given_name", transform=PrefixTransform(prefix=2))),
                agree=Agreement(at_least=1, of=("birth_date",)),
            ),
            MatchRule(name="phone", key=("phone",)),
            MatchRule(name="name_and_birth", key=("given_name", "birth_date")),
        )
    ),
    attributes={
        "email": AttributeType.EMAIL,
        "phone": AttributeType.PHONE,
        "given_name": AttributeType.TEXT,
        "birth_date": AttributeType.DATE,
    },
)
VALUES = {
    "email": ["a@x.example", "A@x.example", "b@x.example", "", None],
    "phone": ["+4930111", "+4930222", None],
    "given_name": ["José", "jose", "Anna", "A", None],
    "birth_date": ["1990-01-01", "1991-01-01", None],
}
FEATURES = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})


@settings(max_examples=100, deadline=None)
@given(FEATURES, FEATURES)
def test_keys_lost_and_won_are_those_of_all_keys_before_and_after(before, after):
    rekeying = Rekeying(MATCH)
    rekeying.note(7, before, after)
    found = rekeying.found
    old, new = MATCH.folded(before), MATCH.folded(after)
    keys_before, keys_after = set(MATCH.keys_of(old)), set(MATCH.keys_of(new))
    all_before, all_after = keys_before | set(MATCH.lookups_of(old)), keys_after | set(MATCH.lookups_of(new))
    assert sorted(found.gone) == _identifiers(all_before - all_after)
    assert sorted(found.fresh) == _identifiers(all_after - all_before)
    assert sorted(found.vacated) == sorted((7, key) for key in keys_before - keys_after)
    guarded = {key for key in keys_after if key[0] == "email_and_name" and old["birth_date"] != new["birth_date"]}
    doubtful = set(found.doubtful)
    assert doubtful >= _judged((keys_after - keys_before) | guarded)
    assert doubtful <= _judged(keys_after)


@given(FEATURES, FEATURES)
def test_keys_by_other_rules_are_left_where_they_are_none_of_these(before, after):
    rekeying = Rekeying(MATCH)
    keys_before, keys_after = MATCH.keys_of(MATCH.folded(before)), MATCH.keys_of(MATCH.folded(after))
    rekeying.note_outdated(7, before, keys_after)
    found = rekeying.found
    left = set(keys_before) - set(keys_after)
    assert sorted(found.vacated) == sorted((7, key) for key in left)
    assert sorted(found.gone) == _identifiers(left | set(MATCH.lookups_of(MATCH.folded(before))))


def _identifiers(keys):
    return sorted(MATCH.identifiers_of((key, 7) for key in keys))


def _judged(keys):
    return {(7, MATCH.hash_of(key), MATCH.rule_by_name[key[0]].records_max) for key in keys}
