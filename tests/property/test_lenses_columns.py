"""A batch read column by column gives what its records give one by one, whatever is wrong with some of them."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import AttributeType, MappingSpec
from comity.mapping import api

TYPES = {
    "email": AttributeType.EMAIL,
    "name": AttributeType.TEXT,
    "visits": AttributeType.INTEGER,
    "is_open": AttributeType.BOOLEAN,
    "since": AttributeType.TIMESTAMP,
    "tags": AttributeType.TAGS,
    "street": AttributeType.TEXT,
}
SPEC = msgspec.convert(
    {
        "system": "s",
        "stream": "t",
        "kind": "person",
        "external_id": "id",
        "changed_at": "at",
        "fields": [
            {"attribute": "email", "field": "p.email", "lens": "email", "clears": True},
            {"attribute": "name", "field": "p.name", "lens": "text"},
            {"attribute": "visits", "field": "p.visits", "lens": "integer"},
            {"attribute": "is_open", "field": "p.open", "lens": "boolean", "clears": True},
            {"attribute": "since", "field": "p.since", "lens": "timestamp"},
            {"attribute": "tags", "field": "tags", "lens": "tags"},
            {"attribute": "street", "field": "p.a", "lens": {"concat": {"also": ["p.b"]}}},
        ],
    },
    MappingSpec,
)
MAPPING = api.compile_mapping(SPEC, attributes=TYPES)
VALUES = st.sampled_from(
    [None, "", " ", "x", "X@example.com", 0, 1, True, False, 1.0, 1.5, "1", "2026-01-02", [], ["a"], {"a": 1}, "a;b"]
)
PEOPLE = st.dictionaries(st.sampled_from(["email", "name", "visits", "open", "since", "a", "b"]), VALUES)
PAYLOADS = st.one_of(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["1", "2", 3, None, ""])},
        optional={"p": st.none() | PEOPLE | st.just("strange"), "tags": VALUES, "at": VALUES},
    ).map(msgspec.json.encode),
    st.sampled_from([b"", b"[]", b"{", b"null", b'"text"', b"\xff"]),
)


@settings(max_examples=100, deadline=None)
@given(payloads=st.lists(PAYLOADS, max_size=8))
def test_columns_equal_records(payloads):
    batch = api.read_records(MAPPING, payloads=payloads)
    singles = [api.read_records(MAPPING, payloads=[payload]) for payload in payloads]
    assert batch.positions == [at for at, single in enumerate(singles) if single.records]
    assert batch.records == [record for single in singles for record in single.records]
    assert batch.changed_at == [moment for single in singles for moment in single.changed_at]
    for name, column in batch.columns.items():
        one_by_one = [value for single in singles for value in single.columns[name]]
        assert list(map(repr, column)) == list(map(repr, one_by_one))
    told = sorted((problem.position, problem.code, problem.field, problem.found) for problem in batch.problems)
    assert told == sorted(
        (at, problem.code, problem.field, problem.found)
        for at, single in enumerate(singles)
        for problem in single.problems
    )


@settings(max_examples=60, deadline=None)
@given(payloads=st.lists(PAYLOADS, max_size=6))
def test_decoded_payloads_read_like_raw_ones(payloads):
    objects = []
    for payload in payloads:
        try:
            objects.append(msgspec.json.decode(payload))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
    raw = api.read_records(MAPPING, payloads=[msgspec.json.encode(each) for each in objects])
    decoded = api.read_records(MAPPING, payloads=objects)
    assert decoded.records == raw.records
    assert repr(decoded.columns) == repr(raw.columns)
