"""Mappings: compiled with every fault told, read column by column, written back."""

from datetime import UTC, date, datetime

import msgspec
import pytest

from comity.connect.paths import nest
from comity.definitions.types import AttributeType, MappingSpec
from comity.mapping import api
from comity.mapping.types import ABSENT, MappingInvalid, RecordKey

TYPES = {
    "email": AttributeType.EMAIL,
    "phone": AttributeType.PHONE,
    "given_name": AttributeType.TEXT,
    "family_name": AttributeType.TEXT,
    "street": AttributeType.TEXT,
    "birth_date": AttributeType.DATE,
    "interests": AttributeType.TAGS,
    "visits": AttributeType.INTEGER,
    "spent": AttributeType.MONEY,
}
PEOPLE = [
    {"attribute": "email", "field": "properties.email", "lens": "email", "direction": "both", "clears": True},
    {"attribute": "phone", "field": "properties.phone", "lens": {"phone": {"country": "DE"}}, "direction": "both"},
    {"attribute": "given_name", "field": "properties.firstname", "lens": "text"},
    {
        "attribute": "birth_date",
        "field": "properties.born",
        "lens": {"date": {"format": "%d.%m.%Y"}},
        "direction": "both",
    },
    {
        "attribute": "street",
        "field": "properties.street1",
        "lens": {"concat": {"also": ["properties.street2"], "separator": ", "}},
        "direction": "both",
    },
    {"attribute": "spent", "field": "properties.spent", "lens": {"money": {"currency": "EUR"}}},
    {"attribute": "loyalty.points", "field": "properties.points", "lens": "integer", "direction": "write"},
    {"attribute": "global_id", "field": "properties.global_id", "lens": "text", "direction": "write"},
]


def make_spec(fields=PEOPLE, **changes):
    return msgspec.convert(
        {
            "system": "hubspot-us",
            "stream": "contacts",
            "kind": "person",
            "external_id": "id",
            "changed_at": "updatedAt",
            "fields": fields,
            **changes,
        },
        MappingSpec,
    )


def compile_people(fields=PEOPLE, **changes):
    return api.compile_mapping(make_spec(fields, **changes), attributes=TYPES)


def payload(record_id="1", /, **properties):
    return msgspec.json.encode({"id": record_id, "updatedAt": "2026-01-02T03:04:05Z", "properties": properties})


def faults_of(fields=PEOPLE, **changes):
    return [(fault.field, fault.remedy) for fault in api.check_mapping(make_spec(fields, **changes), attributes=TYPES)]


class TestCompile:
    def test_tells_every_fault_with_its_place_and_remedy(self):
        fields = [
            {"attribute": "emial", "field": "a", "lens": "email"},
            {"attribute": "email", "field": "b", "lens": "emali"},
            {"attribute": "phone", "field": "c", "lens": {"phone": {"contry": "DE"}}},
            {"attribute": "birth_date", "field": "d", "lens": {"date": {"format": "%d.%m."}}},
            {"attribute": "visits", "field": "e", "lens": "text"},
            {"attribute": "loyalty.points", "field": "f", "lens": "integer"},
            {"attribute": "given_name", "field": "g..h", "lens": "text"},
            {"attribute": "family_name", "field": "i", "lens": {"text": {"max_length": "long"}}},
        ]
        assert faults_of(fields) == [
            ("fields[0].attribute", "Did you mean 'email'?"),
            ("fields[1].lens", "Did you mean 'email'?"),
            ("fields[2].lens.phone.contry", "Did you mean 'country'?"),
            ("fields[3].lens.date.format", "Use a pattern such as %Y-%m-%d."),
            ("fields[4].lens", "Use constant or integer."),
            ("fields[5].direction", "Use `direction: write`."),
            ("fields[6].field", "Write names joined by single dots."),
            ("fields[7].lens.text.max_length", "Correct the option."),
        ]
        with pytest.raises(MappingInvalid, match="8 fault"):
            compile_people(fields)

    @pytest.mark.parametrize(
        ("rows", "places"),
        [
            ([("email", "a", "email", "both"), ("given_name", "a", "text", "both")], ["fields[1].field"]),
            ([("email", "a", "email", "read"), ("email", "b", "email", "read")], ["fields[1].attribute"]),
            ([("email", "a.0.b", "email", "both")], ["fields[0].field"]),
            ([("given_name", "a", {"split": {"part": 1, "of": 2}}, "both")], ["fields[0].lens.split"]),
            ([("spent", "a", {"money": {"currency_field": "c"}}, "both")], ["fields[0].direction"]),
        ],
    )
    def test_refuses_what_could_not_be_written_back(self, rows, places):
        fields = [dict(zip(("attribute", "field", "lens", "direction"), row, strict=True)) for row in rows]
        assert [place for place, _ in faults_of(fields)] == places

    def test_lists_lenses_with_their_options(self):
        assert "phone" in api.lens_names()
        info = next(info for info in api.lens_infos() if info.name == "money")
        assert "currency_field" in info.options


class TestRead:
    def test_reads_columns(self):
        batch = api.read_records(
            compile_people(),
            payloads=[
                payload(
                    "1",
                    email=" Ann@Example.COM",
                    phone="030 123456",
                    firstname="Ann",
                    born="31.01.1980",
                    street1="Hauptstr. 1",
                    street2=None,
                    spent=12.10,
                ),
                payload("2"),
            ],
        )
        assert batch.records == [RecordKey("hubspot-us", "contacts", "1"), RecordKey("hubspot-us", "contacts", "2")]
        assert batch.changed_at == [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)] * 2
        assert {name: column[0] for name, column in batch.columns.items()} == {
            "email": "ann@example.com",
            "phone": "+4930123456",
            "given_name": "Ann",
            "birth_date": date(1980, 1, 31),
            "street": "Hauptstr. 1",
            "spent": 1210,
        }
        assert {column[1] for column in batch.columns.values()} == {ABSENT}
        assert not batch.problems

    def test_tells_empty_from_absent(self):
        batch = api.read_records(compile_people(), payloads=[payload(email="", firstname=""), payload(email=None)])
        assert batch.columns["email"] == [None, None]
        assert batch.columns["given_name"] == [ABSENT, ABSENT]

    def test_does_not_take_part_of_a_text_for_the_whole(self):
        batch = api.read_records(compile_people(), payloads=[payload(street2="2nd floor")])
        assert batch.columns["street"] == [ABSENT]

    def test_keeps_a_bad_value_to_its_record(self):
        batch = api.read_records(
            compile_people(), payloads=[payload("1", email="no", firstname="Ann"), payload("2", email="b@example.com")]
        )
        assert batch.columns["email"] == [ABSENT, "b@example.com"]
        assert batch.columns["given_name"] == ["Ann", ABSENT]
        (problem,) = batch.problems
        assert (problem.position, problem.code, problem.field, problem.found, problem.is_fatal) == (
            0,
            "not_an_email",
            "properties.email",
            "'no'",
            False,
        )

    @pytest.mark.parametrize(
        ("bad", "code"),
        [
            (b"{not json", "unreadable_payload"),
            (b"[]", "unreadable_payload"),
            (b"", "unreadable_payload"),
            (b'\xff\xfe{"id": 1}', "unreadable_payload"),
            (b'{"id": "2", "properties": "none"}', "unreadable_payload"),
            (b'{"properties": {}}', "no_external_id"),
            (b'{"id": null, "properties": {}}', "no_external_id"),
            (b'{"id": "  ", "properties": {}}', "no_external_id"),
        ],
    )
    def test_leaves_an_unreadable_record_out(self, bad, code):
        batch = api.read_records(compile_people(), payloads=[payload("1"), bad, payload("3")])
        assert [key.external_id for key in batch.records] == ["1", "3"]
        assert batch.positions == [0, 2]
        assert [(problem.position, problem.code, problem.is_fatal) for problem in batch.problems] == [(1, code, True)]
        assert len(batch.columns["email"]) == 2

    def test_takes_decoded_payloads_and_numbers_as_ids(self):
        batch = api.read_records(compile_people(), payloads=[{"id": 7, "properties": {"email": "a@example.com"}}])
        assert batch.records[0].external_id == "7"
        assert batch.columns["email"] == ["a@example.com"]

    def test_walks_into_lists(self):
        mapping = compile_people([{"attribute": "email", "field": "email.0.value", "lens": "email", "clears": True}])
        payloads = [{"id": "1", "email": [{"value": "a@example.com"}]}, {"id": "2", "email": []}, {"id": "3"}]
        assert api.read_records(mapping, payloads=payloads).columns["email"] == ["a@example.com", None, ABSENT]
        encoded = [msgspec.json.encode(each) for each in payloads]
        assert api.read_records(mapping, payloads=encoded).columns["email"] == ["a@example.com", None, ABSENT]
        assert api.read_records(mapping, payloads=[b"7"]).problems[0].code == "unreadable_payload"

    def test_fingerprints_tell_what_written_fields_show(self):
        mapping = compile_people()
        shown = [
            payload(points=1.5, email="a@b.example"),
            payload(points=1.5, email="a@b.example", firstname="Only read", unmapped=True),
            payload(points=1.5, email="A@b.example"),
            payload(points=2, email="a@b.example"),
            payload(points=1.5, email="a@b.example", phone=None),
        ]
        found = api.read_records(mapping, payloads=shown, is_shown=True).shown
        assert found[0] == found[1]
        assert len(set(found)) == 4
        assert found == [api.fingerprint_of(mapping, fields=msgspec.json.decode(each)) for each in shown]
        assert api.read_records(mapping, payloads=shown).shown == []

    def test_reads_an_empty_batch(self):
        batch = api.read_records(compile_people(), payloads=[])
        assert batch.records == []
        assert set(map(len, batch.columns.values())) == {0}

    def test_reports_a_bad_time_and_goes_on(self):
        batch = api.read_records(
            compile_people(), payloads=[{"id": "1", "updatedAt": "soon"}, {"id": "2", "updatedAt": 1767323045000}]
        )
        assert batch.changed_at == [None, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)]
        assert [problem.code for problem in batch.problems] == ["not_a_timestamp"]


PURCHASE = {
    "kind": "purchase",
    "changed_at": None,
    "fields": {
        "business_key": "order",
        "occurred_at": "at",
        "amount": "total",
        "currency": "currency",
        "person": "customer",
        "person_stream": "contacts",
    },
}


class TestPurchases:
    def test_reads_amounts_in_their_own_currency(self):
        mapping = api.compile_mapping(make_spec(**PURCHASE), attributes=TYPES)
        rows = [("O1", "12.50", "eur", "c1"), ("O2", 1250, "JPY", None), ("O3", 0.125, "KWD", 7)]
        batch = api.read_records(
            mapping,
            payloads=[
                msgspec.json.encode(
                    {"id": k, "order": k, "at": "2026-01-02T03:04:05Z", "total": a, "currency": c, "customer": p}
                )
                for k, a, c, p in rows
            ],
        )
        assert batch.columns["amount_minor"] == [1250, 1250, 125]
        assert batch.columns["currency"] == ["EUR", "JPY", "KWD"]
        assert batch.columns["business_key"] == ["O1", "O2", "O3"]
        assert batch.columns["person"] == [
            RecordKey("hubspot-us", "contacts", "c1"),
            None,
            RecordKey("hubspot-us", "contacts", "7"),
        ]

    @pytest.mark.parametrize(
        ("change", "field", "code"),
        [
            ({"total": None}, "total", "missing"),
            ({"total": "12,50"}, "total", "not_an_amount"),
            ({"total": "12.505"}, "total", "too_many_decimals"),
            ({"currency": "Euro"}, "currency", "not_a_currency"),
            ({"at": "yesterday"}, "at", "not_a_timestamp"),
            ({"order": ""}, "order", "missing"),
        ],
    )
    def test_leaves_out_what_cannot_count(self, change, field, code):
        mapping = api.compile_mapping(make_spec(**PURCHASE), attributes=TYPES)
        good = {"id": "1", "order": "1", "at": "2026-01-02T03:04:05Z", "total": "1", "currency": "EUR", "customer": "c"}
        batch = api.read_records(mapping, payloads=[{**good, **change}, good])
        assert batch.positions == [1]
        assert [(each.field, each.code, each.is_fatal) for each in batch.problems] == [(field, code, True)]

    def test_takes_constants_and_another_system(self):
        fields = {**PURCHASE["fields"], "currency": {"constant": "EUR"}, "person_system": "crm"}
        mapping = api.compile_mapping(make_spec(**{**PURCHASE, "fields": fields}), attributes=TYPES)
        batch = api.read_records(
            mapping, payloads=[{"id": "1", "order": "1", "at": "2026-01-02", "total": 5, "customer": "c"}]
        )
        assert batch.columns["amount_minor"] == [500]
        assert batch.columns["person"] == [RecordKey("crm", "contacts", "c")]


def write_record(mapping, *, values):
    [written] = api.write_records(mapping, rows=[values])
    return written


class TestWrite:
    def test_writes_only_what_travels_that_way(self):
        written = write_record(
            compile_people(),
            values={
                "email": "ann@example.com",
                "given_name": "Ann",
                "birth_date": date(1980, 1, 31),
                "street": "Hauptstr. 1, 2. Stock",
                "phone": None,
                "loyalty.points": 120,
                "global_id": "0190-abc",
            },
        )
        assert written.fields == {
            "properties.email": "ann@example.com",
            "properties.phone": None,
            "properties.born": "31.01.1980",
            "properties.street1": "Hauptstr. 1",
            "properties.street2": "2. Stock",
            "properties.points": 120,
            "properties.global_id": "0190-abc",
        }
        assert not written.problems

    def test_leaves_absent_values_alone(self):
        assert write_record(compile_people(), values={"email": ABSENT}).fields == {}

    def test_tells_what_has_no_form_in_the_system(self):
        fields = [
            {"attribute": "given_name", "field": "G", "lens": {"enum": {"values": {"A": "a"}}}, "direction": "both"},
            {"attribute": "email", "field": "E", "lens": "email", "direction": "both"},
        ]
        first, second = api.write_records(
            compile_people(fields), rows=[{"given_name": "b", "email": "x@example.com"}, {"given_name": "a"}]
        )
        assert first.fields == {"E": "x@example.com"}
        assert [(each.field, each.code) for each in first.problems] == [("G", "no_vendor_value")]
        assert second.fields == {"G": "A"}

    def test_joins_the_parts_of_a_field(self):
        fields = [
            {"attribute": "given_name", "field": "N", "lens": {"split": {"part": 1, "of": 2}}, "direction": "both"},
            {"attribute": "family_name", "field": "N", "lens": {"split": {"part": 2, "of": 2}}, "direction": "both"},
        ]
        mapping = compile_people(fields)
        assert write_record(mapping, values={"given_name": "Ann", "family_name": "van Dyk"}).fields == {
            "N": "Ann van Dyk"
        }
        assert write_record(mapping, values={"given_name": None, "family_name": None}).fields == {"N": None}
        assert write_record(mapping, values={"given_name": None, "family_name": "Lee"}).problems
        assert write_record(mapping, values={"family_name": "Lee"}).fields == {}
        batch = api.read_records(mapping, payloads=[{"id": "1", "N": "Ann van Dyk"}])
        assert (batch.columns["given_name"], batch.columns["family_name"]) == (["Ann"], ["van Dyk"])

    def test_understands_what_the_system_stored(self):
        mapping = compile_people()
        values = {
            "email": "ann@example.com",
            "phone": "+4930123456",
            "birth_date": date(1980, 1, 31),
            "street": "Hauptstr. 1",
            "loyalty.points": 120,
            "global_id": "x",
        }
        written = write_record(mapping, values=values)
        assert api.canonical_of_stored(mapping, fields=written.fields) == values
        assert api.canonical_of_stored(mapping, fields=nest(written.fields)) == values
        stored = api.canonical_of_stored(mapping, fields={"properties.points": "120", "properties.email": ""})
        assert stored["loyalty.points"] == 120
        assert stored["email"] is None
        assert stored["phone"] is ABSENT
        assert mapping.path_of("global_id") == "properties.global_id"


class TestDocument:
    def test_tells_when_fields_are_written(self):
        fields = [
            {"attribute": "email", "field": "E", "lens": "email", "direction": "both"},
            {"attribute": "phone", "field": "P", "lens": "phone"},
            {"attribute": "global_id", "field": "G", "lens": "text", "direction": "write", "every": "0 3 * * *"},
            {"attribute": "loyalty.points", "field": "L", "lens": "integer", "direction": "write", "every": "at_once"},
        ]
        text = api.document([compile_people(fields, write_every="1h")])
        assert "| email | `E` | email | both ways, written at the ticks of 1h | says nothing |" in text
        assert "| system to hub |" in text
        assert "| global_id | `G` | text | hub to system, written at the ticks of 0 3 * * * |  |" in text
        assert "| loyalty.points | `L` | integer | hub to system |  |" in text

    def test_reads_like_a_specification(self):
        purchases = api.compile_mapping(make_spec(**{**PURCHASE, "stream": "orders"}), attributes=TYPES)
        text = api.document([purchases, compile_people()])
        assert text.index("## hubspot-us: contacts") < text.index("## hubspot-us: orders")
        assert "Their id is `id`; they changed at `updatedAt`." in text
        assert "| phone | `properties.phone` | phone (country: 'DE') | both ways | says nothing |" in text
        assert "| email | `properties.email` | email | both ways | means there is none |" in text
        assert "| loyalty.points | `properties.points` | integer | hub to system |  |" in text
        assert "The person is a record of `contacts` of hubspot-us." in text
