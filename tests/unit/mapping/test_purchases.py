"""Purchases that tell more: lines, channel, what was cancelled, what a return is of."""

import msgspec
import pytest

from comity.definitions.types import MappingSpec
from comity.mapping import api
from comity.mapping.types import MappingInvalid

FIELDS = {
    "business_key": "order", "occurred_at": "at", "amount": "total", "currency": "currency", "person": "customer",
    "person_stream": "contacts", "returns": "refund_of", "channel": "channel",
    "cancelled": {"field": "status", "lens": {"enum": {"values": {"Void": "void"}, "unknown": "empty"}}},
}  # fmt: skip
LINES = {"field": "lines", "amount": "price.net", "quantity": "count", "item": "sku", "category": "group"}
ORDER = {"id": "O1", "order": "O1", "at": "2026-01-02T03:04:05Z", "total": "12.50", "currency": "EUR", "customer": "c1"}


def compile_with(**fields):
    spec = {
        "system": "shop",
        "stream": "order",
        "kind": "purchase",
        "external_id": "id",
        "fields": {**FIELDS, **fields},
    }
    return api.compile_mapping(msgspec.convert(spec, MappingSpec), attributes={})


def read(mapping, *orders):
    return api.read_records(mapping, payloads=[msgspec.json.encode({**ORDER, **each}) for each in orders])


def test_what_is_not_said_is_nothing_and_what_is_bad_parks_the_record():
    mapping = compile_with(cancelled={"field": "status", "lens": {"boolean": {"yes": ["void"], "no": ["paid"]}}})
    batch = read(mapping, {}, {"status": "void"}, {"status": "lost"}, {"refund_of": "O0", "channel": ""})
    assert [bool(each) for each in batch.columns["cancelled"]] == [False, True, False]
    assert batch.columns["returns"][2] == "O0"
    [problem] = batch.problems
    assert (problem.field, problem.is_fatal) == ("status", True)


def test_any_word_of_an_enum_cancels():
    batch = read(compile_with(), {"status": "paid"}, {"status": "void"})
    assert [bool(each) for each in batch.columns["cancelled"]] == [False, True]


def test_lines_are_read_in_the_currency_of_the_purchase():
    lines = [{"price": {"net": "2.50"}, "count": 2, "sku": "tea"}, {"price": {"net": 10}, "group": "spa"}]
    batch = read(
        compile_with(lines=LINES), {"lines": lines}, {}, {"lines": []}, {"lines": lines, "currency": "JPY", "total": 12}
    )
    first, none, empty = batch.columns["lines"]
    assert first == [
        {"line_id": "1", "amount_minor": 250, "quantity": 2, "item": "tea"},
        {"line_id": "2", "amount_minor": 1000, "category": "spa"},
    ]
    assert (none, empty) == (None, [])
    assert [(each.position, each.code) for each in batch.problems if each.field == "lines"] == [
        (3, "too_many_decimals")
    ]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("tea", "not_lines"),
        (["tea"], "not_lines"),
        ([{"sku": "tea"}], "missing"),
        ([{"price": {"net": 1}, "count": -1}], "negative"),
        ([{"price": {"net": 1}, "count": "two"}], "not_an_integer"),
        ([{"price": {"net": 10**14}}], "too_large"),
        ([{}] * 10_001, "too_large"),
        ([{"price": {"net": 1}, "sku": "1"}, {"price": {"net": 1}, "sku": "1"}], "twice"),
    ],
)
def test_a_bad_line_parks_the_purchase(lines, code):
    batch = read(compile_with(lines={**LINES, "line_id": "sku"}), {"lines": lines})
    assert batch.records == []
    assert [(each.field, each.code, each.is_fatal) for each in batch.problems] == [("lines", code, True)]


def test_a_line_has_no_constants():
    with pytest.raises(MappingInvalid) as caught:
        compile_with(lines={**LINES, "category": {"constant": "spa"}})
    assert [each.field for each in caught.value.faults] == ["fields.lines.category"]


def test_events_are_moments_or_nothing():
    zone = {"timestamp": {"format": "%d.%m.%Y %H:%M", "timezone": "Europe/Berlin"}}
    mapping = compile_with(events={"stay_completed": "out", "arrived": {"field": "in", "lens": zone}})
    batch = read(mapping, {"out": "2026-03-01T10:00:00Z", "in": "28.02.2026 00:30"}, {"out": ""}, {"in": "soon"})
    assert [each and each.isoformat() for each in batch.columns["events.stay_completed"]] == [
        "2026-03-01T10:00:00+00:00",
        None,
    ]
    assert batch.columns["events.arrived"][0].isoformat() == "2026-02-27T23:30:00+00:00"
    assert [(each.position, each.field, each.is_fatal) for each in batch.problems] == [(2, "in", True)]
    with pytest.raises(MappingInvalid) as caught:
        compile_with(events={"stay_completed": {"constant": "2026-03-01"}})
    assert [each.field for each in caught.value.faults] == ["fields.events.stay_completed"]
