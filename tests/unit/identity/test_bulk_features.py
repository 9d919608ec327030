"""Features by the column are the JSON of each record's features."""

import msgspec
import polars as pl
import pytest

from comity.definitions.types import AttributeType, MatchRule, MatchSpec
from comity.identity.bulk_load import write_features
from comity.identity.match import compile_match

TYPES = {"email": AttributeType.EMAIL, "given_name": AttributeType.TEXT}
MATCH = compile_match(MatchSpec(rules=(MatchRule(name="both", key=("email", "given_name")),)), attributes=TYPES)
PLAIN = ["plain", "", None, "ä 語 😀", "a/b", "\ufeff", "\u2028"]
ODD = ['q"uote', "back\\slash", "new\nline", "\x00", "\x1f", "\x7f", '"', "\\"]


@pytest.mark.parametrize("values", [PLAIN, [*PLAIN, *ODD], [None, None]])
def test_columns_are_the_json_of_each_record(values):
    names = pl.Series(values, dtype=pl.String)
    is_absent = pl.Series([number % 3 == 2 for number in range(len(values))])
    frame = pl.DataFrame({"given_name": names, "email": names.reverse(), "email__absent": is_absent})
    written = frame.select(write_features(frame, MATCH).alias("features"))["features"]
    assert [msgspec.json.decode(each) for each in written] == [
        {"given_name": name or None} | ({} if absent else {"email": email or None})
        for name, email, absent in zip(values, reversed(values), is_absent, strict=True)
    ]
