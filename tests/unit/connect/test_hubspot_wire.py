"""Answers of HubSpot written down from its documentation, for what a simulated account does not show."""

import pytest

from comity.connect.opening import open_connector
from comity.connect.types import Outcome, WriteItem
from comity.connectors.hubspot.spec import SPEC


@pytest.fixture
def write(scripted, clock):
    def run(script, items):
        egress = scripted(script)
        connector = open_connector(SPEC, settings={}, secrets={"token": "t"}, clock=clock, egress=egress)
        return connector.write("contacts", items), egress.calls

    return run


def update(record_id, **fields):
    return WriteItem(key=f"k{record_id}", external_id=record_id, fields=fields or {"lastname": "X"})


def upsert(value):
    return WriteItem(key=f"k-{value}", fields={"lastname": "X"}, match_field="global_id", match_value=value)


class TestBatchAnswers:
    def test_results_in_another_order_find_their_items(self, write, answer):
        results = [{"id": "2", "properties": {}}, {"id": "1", "properties": {}}]
        verdicts, _ = write([answer({"status": "COMPLETE", "results": results})], [update("1"), update("2")])
        assert [(v.external_id, v.outcome) for v in verdicts] == [("1", Outcome.DELIVERED), ("2", Outcome.DELIVERED)]

    def test_upserts_are_matched_by_their_value(self, write, answer):
        results = [
            {"id": "9", "new": True, "properties": {"global_id": "b"}},
            {"id": "8", "new": False, "objectWriteTraceId": "k-a", "properties": {}},
        ]
        verdicts, _ = write([answer({"results": results})], [upsert("a"), upsert("b")])
        assert [(v.external_id, v.is_created) for v in verdicts] == [("8", False), ("9", True)]

    def test_errors_of_a_207_find_their_items(self, write, answer):
        body = {
            "results": [{"id": "1", "properties": {}}],
            "numErrors": 2,
            "errors": [
                {"category": "OBJECT_NOT_FOUND", "message": "not found", "context": {"ids": ["2"]}},
                {"category": "VALIDATION_ERROR", "message": "no", "context": {"objectWriteTraceId": ["k3"]}},
            ],
        }
        verdicts, _ = write([answer(body, 207)], [update("1"), update("2"), update("3"), update("4")])
        assert [v.outcome for v in verdicts] == [
            Outcome.DELIVERED,
            Outcome.GONE,
            Outcome.REJECTED,
            Outcome.UNKNOWN,
        ]

    def test_a_merged_record_answers_with_another_id(self, write, answer):
        verdicts, _ = write([answer({"results": [{"id": "900", "properties": {}}]})], [update("1")])
        assert (verdicts[0].outcome, verdicts[0].external_id) == (Outcome.DELIVERED, "900")

    def test_a_property_named_inside_the_message_is_found(self, write, answer):
        message = (
            'Property values were not valid: [{"isValid":false,"message":"Property \\"shoe\\" does not exist",'
            '"error":"PROPERTY_DOESNT_EXIST","name":"shoe","localizedErrorMessage":"..."}]'
        )
        refused = answer({"status": "error", "category": "VALIDATION_ERROR", "message": message}, 400)
        good = answer({"results": [{"id": "2", "properties": {}}]})
        verdicts, calls = write([refused, good], [update("1", shoe="44"), update("2")])
        assert [(v.outcome, v.field) for v in verdicts] == [(Outcome.REJECTED, "shoe"), (Outcome.DELIVERED, None)]
        assert len(calls) == 2

    def test_a_conflict_of_one_of_four_takes_few_calls(self, write, answer):
        def script(_method, _url, options):
            ids = [item["id"] for item in options["json"]["inputs"]]
            if "3" in ids:
                message = "Contact already exists. Existing ID: 6001"
                return answer({"status": "error", "category": "CONFLICT", "message": message}, 409)
            return answer({"results": [{"id": i, "properties": {}} for i in ids]})

        verdicts, calls = write(script, [update(str(n)) for n in (1, 2, 3, 4)])
        assert [v.outcome for v in verdicts].count(Outcome.DELIVERED) == 3
        assert (verdicts[2].outcome, verdicts[2].external_id) == (Outcome.CONFLICT, "6001")
        assert len(calls) == 5
