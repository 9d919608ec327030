"""What a change makes of a record's keys, against all keys before and after."""

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import Agreement, AttributeType, KeyPart, MatchRule, MatchSpec, PrefixTransform
from comity.identity.match import compile_match

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
    found = MATCH.difference(before, after)
    old, new = MATCH.folded(before), MATCH.folded(after)
    keys_before, keys_after = set(MATCH.keys_of(old)), set(MATCH.keys_of(new))
    assert set(found.gone) == keys_before - keys_after
    assert set(found.fresh) == keys_after - keys_before
    lookups_before, lookups_after = set(MATCH.lookups_of(old)), set(MATCH.lookups_of(new))
    assert set(found.gone_lookups) == lookups_before - lookups_after
    assert set(found.fresh_lookups) == lookups_after - lookups_before
    guarded = {key for key in keys_after if key[0] == "email_and_name" and old["birth_date"] != new["birth_date"]}
    assert set(found.doubtful) >= set(found.fresh) | guarded
    assert set(found.doubtful) <= keys_after
