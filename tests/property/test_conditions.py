"""A condition means on PostgreSQL what it means in plain Python, and nothing but conditions gets through."""

from datetime import UTC, date, datetime

import pglast
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pglast.visitors import Visitor

from comity.definitions.conditions import Column, ConditionInvalid, compile_condition
from comity.definitions.types import AttributeType
from tests.unit.definitions.oracle import evaluate

TODAY = date(2026, 3, 3)
EARLY, LATE = datetime.fromisoformat("1990-01-01T00:00:00"), datetime.fromisoformat("2090-01-01T00:00:00")
TYPES = {
    "country": AttributeType.TEXT,
    "email": AttributeType.EMAIL,
    "birth_date": AttributeType.DATE,
    "points": AttributeType.INTEGER,
    "vip": AttributeType.BOOLEAN,
    "seen_at": AttributeType.TIMESTAMP,
    "interests": AttributeType.TAGS,
}
VOCABULARY = {name: Column(sql=f'r."{name}"', type=kind) for name, kind in TYPES.items()}
ROW_SQL = "(select " + ", ".join(f'%({name})s::{kind.column_type} as "{name}"' for name, kind in TYPES.items()) + ") r"
FUNCTIONS = {"lower", "upper", "length", "cardinality", "extract", "make_interval", "timezone"}

SETTINGS = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

LETTERS = st.text(alphabet="abAB%_\\' é9", max_size=4)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def pattern(text):
    return quoted(text + "\\" if (len(text) - len(text.rstrip("\\"))) % 2 else text)


TEXTS = st.one_of(
    st.sampled_from(["country", "email", "lower(email)", "upper(country)", "coalesce(country, 'a', email)"]),
    LETTERS.map(quoted),
)
NUMBERS = st.one_of(
    st.sampled_from(["points", "length(country)", "cardinality(interests)", "extract(month from birth_date)", "-1"]),
    st.integers(-5, 5).map(str),
    st.sampled_from(["2.5", "today - birth_date", "extract(year from seen_at)", "coalesce(points, 0)"]),
)
DATES = st.sampled_from(
    ["birth_date", "today", "current_date", "date '2020-02-29'", "today - 30", "birth_date + interval '1 month'"]
)
TIMES = st.sampled_from(
    ["seen_at", "timestamp '2026-03-01T10:00:00Z'", "seen_at - interval '36 hours'", "seen_at + interval '1' year"]
)
TAGS = st.one_of(
    st.just("interests"), st.lists(LETTERS, max_size=2).map(lambda t: f"array[{', '.join(map(quoted, t))}]")
)
COMPARISONS = st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"])
EQUALITIES = st.sampled_from(["=", "<>", "is distinct from", "is not distinct from"])


def compared(values):
    return st.one_of(
        st.builds("{} {} {}".format, values, COMPARISONS, values),
        st.builds("{} in ({}, {})".format, values, values, values),
        st.builds("{} not in ({})".format, values, values),
        st.builds("{} between {} and {}".format, values, values, values),
        st.builds("{} is null".format, values),
        st.builds("{} is not null".format, values),
    )


ATOMS = st.one_of(
    compared(TEXTS),
    compared(NUMBERS),
    compared(DATES),
    compared(TIMES),
    compared(st.one_of(TIMES, DATES)),
    st.builds("{} {} {}".format, TEXTS, st.sampled_from(["like", "ilike", "not like"]), LETTERS.map(pattern)),
    st.builds("{} = any({})".format, TEXTS, TAGS),
    st.builds("{} {} {}".format, TAGS, st.sampled_from(["@>", "<@", "&&"]), TAGS),
    st.sampled_from(["vip", "true", "vip is true", "vip is not false", "vip = false", "birth_date < '2000-01-01'"]),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({}) and {}".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("({}) is not true".format, inner),
        st.builds("({}) {} ({})".format, inner, EQUALITIES, inner),
    ),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {
        "country": st.none() | LETTERS,
        "email": st.none() | LETTERS,
        "birth_date": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        "points": st.none() | st.integers(-5, 5),
        "vip": st.none() | st.booleans(),
        "seen_at": st.none() | st.datetimes(EARLY, LATE, timezones=st.just(UTC)),
        "interests": st.none() | st.lists(LETTERS, max_size=3, unique=True),
    }
)


@pytest.fixture(scope="module")
def connection(server_dsn):
    with psycopg.connect(server_dsn, autocommit=True, options="-c timezone=America/New_York") as connection:
        yield connection


def ask(connection, compiled, row):
    statement = f"select {compiled.sql} from {ROW_SQL}"  # noqa: S608 - that this is safe is what is tested.
    return connection.execute(statement.encode(), {**row, "today": TODAY}).fetchone()[0]


@SETTINGS
@given(text=CONDITIONS, row=ROWS)
@example(text="country like 'a\\%b'", row=dict.fromkeys(TYPES) | {"country": "a%b"})
@example(
    text="birth_date + interval '1 month' = '2024-02-29'", row=dict.fromkeys(TYPES) | {"birth_date": date(2024, 1, 31)}
)
def test_postgresql_agrees_with_the_oracle(connection, text, row):
    compiled = compile_condition(text, vocabulary=VOCABULARY)
    assert ask(connection, compiled, row) is evaluate(compiled, row, today=TODAY)


PIECES = [
    *"()[]',;\"\\%$*-+/=<>.:@?|&~!\n\0 \u00e9",
    "--",
    "/*",
    "*/",
    "$$",
    "::",
    "E'",
    "U&'",
    "select",
    "from",
    "pg_sleep(9)",
    "now()",
    "case",
    "when",
    "null",
    "and",
    "or",
    "not",
    "is",
    "in",
    "like",
    "escape",
    "any",
    "all",
    "array",
    "interval",
    "cast",
    "as",
    "text",
    "collate",
    "over",
    "filter",
    "exists",
    "union",
    "today",
    "country",
    "vip",
    "interests",
    "9999999999999999999",
    "1e9",
    "0x1",
    "%(today)s",
    "{x}",
    "query_to_xml('select 1',true,true,'')",
]


@st.composite
def mutated(draw):
    text = draw(CONDITIONS)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 6)))
        text = text[:start] + draw(st.sampled_from(["", " "])) + draw(st.sampled_from(PIECES)) + text[end:]
    return text


class Inspector(Visitor):
    """Collects the functions a statement calls and the kinds of nodes it is made of."""

    def __init__(self):
        super().__init__()
        self.functions, self.nodes = set(), set()

    def visit(self, _, node):
        self.nodes.add(type(node).__name__)
        if isinstance(node, pglast.ast.FuncCall):
            self.functions.add(node.funcname[-1].sval)


def attempt(text):
    try:
        return compile_condition(text, vocabulary=VOCABULARY), None
    except ConditionInvalid as refused:
        return None, refused


@settings(SETTINGS, max_examples=200)
@given(text=st.one_of(mutated(), st.text(max_size=30)), row=ROWS)
def test_whatever_is_written_is_refused_or_harmless(connection, text, row):
    """Mutilated text never crashes the parser, never leaves the allow-list and never fails on the server."""
    compiled, refused = attempt(text)
    if compiled is None:
        assert 0 <= refused.position <= len(text)
        assert refused.remedy
        return
    inspector = Inspector()
    inspector(pglast.parse_sql(f"select {compiled.sql.replace('%(today)s', '$1')}"))
    assert inspector.functions <= FUNCTIONS
    assert not inspector.nodes & {"SubLink", "ParamRef", "RangeSubselect", "WindowDef"} - (
        {"ParamRef"} if compiled.is_time_dependent else set()
    )
    assert "%" not in compiled.sql.replace("%(today)s", "")
    ask(connection, compiled, row)


@settings(SETTINGS)
@given(text=st.text(max_size=200).filter(lambda t: t.isprintable()))
def test_any_constant_comes_back_as_it_went_in(connection, text):
    compiled = compile_condition(f"country = {quoted(text)}", vocabulary=VOCABULARY)
    assert ask(connection, compiled, dict.fromkeys(TYPES) | {"country": text}) is True
    assert ask(connection, compiled, dict.fromkeys(TYPES) | {"country": text + "x"}) is False
