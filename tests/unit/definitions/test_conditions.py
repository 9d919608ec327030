"""Conditions: what is allowed compiles, everything else is refused with its place and a remedy."""

import pytest

from comity.definitions.conditions import Column, ConditionInvalid, compile_condition
from comity.definitions.types import AttributeType as T

TYPES = {
    "country": T.TEXT,
    "birth_date": T.DATE,
    "points": T.INTEGER,
    "vip": T.BOOLEAN,
    "seen_at": T.TIMESTAMP,
    "interests": T.TAGS,
    "loyalty.points": T.INTEGER,
}
VOCABULARY = {name: Column(sql=f'g."{name}"', type=kind) for name, kind in TYPES.items()}


def refusal(text):
    with pytest.raises(ConditionInvalid) as caught:
        compile_condition(text, vocabulary=VOCABULARY)
    assert caught.value.remedy
    return caught.value


class TestCompile:
    @pytest.mark.parametrize(
        ("text", "sql"),
        [
            ("country = 'DE'", "(g.\"country\" = 'DE')"),
            ("COUNTRY = 'it''s'", "(g.\"country\" = 'it''s')"),
            ("country like '50%'", "(g.\"country\" like E'50\\x25')"),
            ("country < 'b'", '((g."country" collate "C") < (\'b\' collate "C"))'),
            ("loyalty.points >= 500", '(g."loyalty.points" >= 500)'),
            ("not vip", '(not g."vip")'),
            ("'a' = any(interests)", "('a' = any(g.\"interests\"))"),
            ("points = -3", '(g."points" = (-3))'),
            ("country in ('A', 'B') -- note", "(g.\"country\" in ('A', 'B'))"),
        ],
    )
    def test_writes_sql_anew(self, text, sql):
        assert compile_condition(text, vocabulary=VOCABULARY).sql == sql

    def test_says_what_it_speaks_of(self):
        compiled = compile_condition("vip or birth_date < today", vocabulary=VOCABULARY, today="$1")
        assert compiled.columns == {"vip", "birth_date"}
        assert compiled.is_time_dependent
        assert "($1)" in compiled.sql

    def test_is_deterministic(self):
        text = "vip and (country = 'DE' or points between 1 and 3)"
        assert compile_condition(text, vocabulary=VOCABULARY) == compile_condition(text, vocabulary=VOCABULARY)


class TestRefuse:
    @pytest.mark.parametrize(
        ("text", "position", "said"),
        [
            ("contry = 'DE'", 0, "no attribute 'contry'"),
            ("vip and\n contry = 'DE'", 9, "no attribute 'contry'"),
            ("vip and pg_sleep(3)", 8, "pg_sleep"),
            ("country = 3", 10, "text is held against a number"),
            ("vip = 'true'", 6, "boolean is held against a text"),
            ("country = null", 0, "null"),
            ("country = 'DE", 10, "not closed"),
            ("birth_date = '2020-13-01'", 13, "not a date"),
            ("country like 'a\\'", 13, "backslash"),
            ("interests = 'x'", 12, "held against"),
            ("points", 0, "not true or false"),
            ("", 0, "empty"),
        ],
    )
    def test_names_the_place(self, text, position, said):
        found = refusal(text)
        assert said in found.reason
        assert found.position == position

    @pytest.mark.parametrize(
        "text",
        [
            "select 1",
            "vip; drop table x",
            "exists(select 1)",
            "points in (select 1)",
            "vip = (select true)",
            "country || 'x' = 'y'",
            "country::regclass = 'x'",
            "country ~ 'x'",
            "case when vip then true end",
            "current_user = 'x'",
            "now() > seen_at",
            "country = $$a$$",
            "country = E'a'",
            "country = U&'a'",
            "country = ?",
            "country = %(x)s",
            "country = :x",
            "country = @x",
            "points[1] = 2",
            "country->>'a' = 'b'",
            "count(*) > 1",
            "points + 1 > 2",
            "g.country = 'x'",
            "country collate \"C\" = 'x'",
            "points = 1e9",
            "points = 0x1f",
            "country = 'DE' = vip",
            "(country, vip) = ('x', true)",
            "row(country) is null",
            "vip is unknown or xmlparse(document 'x') is null",
            "set_config('a', 'b', false) = 'b'",
            "vip and *",
            "today > seen_at - points",
            "today - interval '1 hour' > birth_date",
            "today - interval '99999 years' > birth_date",
            "today - 400000 > birth_date",
            "birth_date - interval '600 years' - interval '600 years' > today",
            "coalesce(birth_date - 300000, today) - 300000 > today",
        ],
    )
    def test_lets_nothing_else_through(self, text):
        refusal(text)

    @pytest.mark.parametrize(
        "text",
        ["(" * 5_000, "not " * 900 + "vip", "(" * 900 + "vip" + ")" * 900, "vip or " * 5_000, "- " * 1_000 + "1 = 1"],
    )
    def test_bounds_size_and_depth(self, text):
        refusal(text)

    def test_suggests_the_word_meant(self):
        assert "Did you mean 'country'?" in refusal("contry = 'x'").remedy
