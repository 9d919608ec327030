"""The law of every lens: what it writes it reads back; what it reads it writes in tidy form."""

import string
from datetime import UTC, date, datetime, timedelta

import msgspec
import phonenumbers
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from comity.mapping.api import lens_names
from comity.mapping.lenses.base import Lens, Rejection
from comity.mapping.lenses.countries import COUNTRIES
from comity.mapping.lenses.registry import build_lens

TEXT = st.text(max_size=60)
WORDS = st.text(string.ascii_letters + " -;,|äßÉ\u0130\u00a0\n", max_size=30)
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001 - Hypothesis wants bounds without zone.
MILLISECONDS = MOMENTS.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))
SECONDS = MOMENTS.map(lambda moment: moment.replace(microsecond=0))
DATES = st.dates(date(1000, 1, 1), date(9999, 12, 31))
INTEGERS = st.integers(-(2**63), 2**63 - 1)
EXAMPLES = sorted(
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := phonenumbers.example_number(region)) is not None
)
TAGS = st.lists(st.sampled_from(["gold", "wine", "sea side", "VIP"]), min_size=1, unique=True).map(sorted)


def make(name, **options):
    lens = build_lens(name, options)
    assert isinstance(lens, Lens), lens
    return lens


def read_by(lens, raw):
    """Canonical values are those that reading gives."""
    return raw.map(lens.read).filter(lambda value: value is not None and not isinstance(value, Rejection))


def case(name, canonical, **options):
    lens = make(name, **options)
    return pytest.param(lens, canonical(lens) if callable(canonical) else canonical, id=f"{name} {options}")


def text_values(lens):
    return read_by(lens, TEXT | WORDS)


CANONICAL = [
    case("text", text_values),
    case("text", text_values, null_values=["[not provided]", "n a"]),
    case("text", text_values, max_length=5),
    case("text", text_values, collapse=False),
    case("text", text_values, collapse=False, trim=False),
    case("text", text_values, case="upper"),
    case("text", text_values, case="lower"),
    case("email", lambda lens: read_by(lens, st.emails() | st.just(" Anna.Berg@Example.COM "))),
    *(
        case("phone", st.sampled_from(EXAMPLES), country=country, form=form)
        for country in ("DE", "US", "IT", "AR")
        for form in ("e164", "international", "national")
    ),
    case("date", DATES),
    case("date", DATES, format="%d.%m.%Y"),
    case("date", DATES, format="%Y%m%d", also=["%d/%m/%Y"]),
    case("date", DATES, format="epoch_ms"),
    case("date", DATES, format="epoch_s"),
    case("timestamp", MOMENTS),
    case("timestamp", MILLISECONDS, format="salesforce"),
    case("timestamp", MILLISECONDS, format="epoch_ms"),
    case("timestamp", SECONDS, format="epoch_s"),
    case("timestamp", SECONDS, format="%Y-%m-%d %H:%M:%S"),
    case("timestamp", SECONDS, format="%Y-%m-%d %H:%M:%S%z", timezone="Europe/Berlin"),
    case("integer", INTEGERS),
    case("integer", INTEGERS, form="text"),
    case("money", st.integers(-(10**15) + 1, 10**15 - 1)),
    *(
        case("money", INTEGERS, currency=currency, form="text", decimal=decimal, thousands=thousands)
        for currency in ("EUR", "JPY", "KWD")
        for decimal, thousands in ((".", ""), (",", "."), (".", "'"))
    ),
    case("money", INTEGERS, form="minor"),
    case("boolean", st.booleans()),
    case("boolean", st.booleans(), yes=["Y", "Ja"], no=["N", "Nein"]),
    case("enum", st.sampled_from(["female", "male"]), values={"F": "female", "W": "female", "M": "male"}),
    case("enum", st.sampled_from(["a", "b"]), values={"1": "a", "2": "b"}, form="number"),
    case("enum", st.sampled_from(["a", "other"]), values={"1": "a", "9": "other"}, unknown="default", default="other"),
    case("enum", lambda lens: read_by(lens, TEXT), values={"F": "female"}, unknown="keep"),
    case("country", st.sampled_from(sorted(COUNTRIES))),
    case("country", st.sampled_from(sorted(COUNTRIES)), form="name", names={"DE": ["Deutschland", "BRD"]}),
    case("concat", lambda lens: read_by(lens, st.tuples(WORDS, WORDS | st.none(), WORDS)), also=["b", "c"]),
    case("concat", lambda lens: read_by(lens, st.tuples(WORDS, WORDS)), also=["b"], separator=", "),
    case("tags", TAGS),
    case("tags", TAGS, form="list"),
    case("tags", TAGS, separator=", ", values={"W": "wine"}),
    case("constant", st.just("EUR"), value="EUR"),
]


@pytest.mark.parametrize(("lens", "canonical"), CANONICAL)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_reads_back_what_it_writes(lens, canonical, data):
    value = data.draw(canonical)
    written = lens.write(value)
    if isinstance(written, Rejection):
        assert lens.name in {"enum", "tags"}
        return
    assert lens.read(written) == value
    msgspec.json.encode(written)


@pytest.mark.parametrize("lens", [pytest.param(c.values[0], id=c.id) for c in CANONICAL if not c.values[0].paths])
@settings(max_examples=40, deadline=None)
@given(
    found=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | TEXT
    | st.lists(TEXT, max_size=3)
    | st.dictionaries(TEXT, st.integers(), max_size=2)
)
def test_never_raises_and_tidies_for_good(lens, found):
    assume(found is not None)
    value = lens.read(found)
    if value is None or isinstance(value, Rejection):
        return
    written = lens.write(value)
    if not isinstance(written, Rejection):
        again = lens.read(written)
        assert lens.write(again) == written


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.text(string.ascii_letters, min_size=1, max_size=8), min_size=3, max_size=3),
    count=st.integers(0, 3),
    rest=st.sampled_from(["first", "last"]),
)
def test_split_reads_back_the_parts_it_joins(parts, count, rest):
    lenses = [make("split", part=part, of=3, rest=rest) for part in (1, 2, 3)]
    values = [part if at < count else None for at, part in enumerate(parts)]
    joined = lenses[0].join(values)
    assert [None if joined is None else lens.read(joined) for lens in lenses] == values


def test_split_refuses_what_could_not_be_read_back():
    lens = make("split", part=1, of=2)
    assert isinstance(lens.join([None, "Berg"]), Rejection)
    assert isinstance(lens.join(["Anna Maria", "Berg"]), Rejection)
    assert make("split", part=1, of=2, rest="first").join(["Anna Maria", "Berg"]) == "Anna Maria Berg"


def test_every_lens_keeps_the_law_here():
    assert {each.values[0].name for each in CANONICAL} | {"split"} == set(lens_names())


@settings(max_examples=100, deadline=None)
@given(
    text=st.sampled_from(EXAMPLES) | st.from_regex(r"\+?[0-9 ()/.-]{4,18}", fullmatch=True),
    country=st.sampled_from([None, "DE", "US", "IT", "AU"]),
)
def test_the_fast_phone_engine_agrees_with_the_reference(text, country):
    from comity.mapping.lenses.phone import _to_e164_slowly, to_e164

    assert to_e164(text, country) == _to_e164_slowly(text, country)


@given(moment=MOMENTS, hours=st.integers(-12, 14))
def test_a_moment_is_kept_in_utc(moment, hours):
    from datetime import timezone

    lens = make("timestamp")
    local = moment.astimezone(timezone(timedelta(hours=hours))) if 1001 < moment.year < 9998 else moment
    value = lens.read(local.isoformat())
    assert value == moment
    assert value.tzinfo is UTC
