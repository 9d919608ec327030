"""Intake: what is answered 202 is committed, once; what is not, is told with place and remedy."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

PROBLEM = "application/problem+json"
DEEP = b'{"system":"crm","stream":"customer","id":"1","data":{"a":' + b"[" * 9000 + b"]" * 9000 + b"}}"


def event(**changes):
    """A good event, of a record nobody has heard of."""
    number = uuid4().hex
    data = {"id": number, "first": "Ada", "changed_at": "2026-01-05T10:00:00Z"}
    return {"system": "crm", "stream": "customer", "id": number, "data": data} | changes


def refused(answer, *, code, status=422):
    """The problem of a refusal, which always names a remedy."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["code"] == code and problem["status"] == status and problem["title"]
    assert problem["details"]["remedy"]
    return problem


class TestOne:
    def test_is_accepted_and_stored(self, desk):
        sent = event()
        answer = desk.send(sent)
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
        assert desk.count_changes(sent["id"]) == 1

    def test_is_accepted_in_pieces_whose_length_is_not_told(self, desk):
        sent = json.dumps(event()).encode()
        assert desk.http.post("/v1/events", content=iter([sent[:20], sent[20:]])).json() == {"status": "accepted"}

    def test_again_is_a_duplicate(self, desk):
        sent = event()
        assert [desk.send(sent).json()["status"] for _ in range(3)] == ["accepted", "duplicate", "duplicate"]

    def test_again_in_other_spacing_and_order_is_a_duplicate(self, desk):
        number = uuid4().hex
        texts = (
            f'{{"system":"crm","stream":"customer","id":"{number}","data":{{"first":"Ada","city":"Ulm"}}}}',
            (
                f'{{ "id": "{number}",\n "data" : {{ "city":\t"Ulm", "first": "\\u0041da" }}, '
                '"stream":"customer", "system":"crm"}'
            ),
        )
        answers = [desk.http.post("/v1/events", content=text.encode()) for text in texts]
        assert [each.json()["status"] for each in answers] == ["accepted", "duplicate"]

    def test_by_event_id_whatever_it_says(self, desk):
        first = event(event_id="e-1")
        assert desk.send(first).json()["status"] == "accepted"
        assert desk.send(first | {"data": {"first": "Eva"}}).json()["status"] == "duplicate"
        assert desk.send(first | {"event_id": "e-2"}).json()["status"] == "accepted"

    def test_by_idempotency_key(self, desk):
        first = event()
        other = first | {"data": {"first": "Eva"}}
        answers = [desk.send(each, **{"idempotency-key": "k-1"}) for each in (first, other)]
        assert [each.json()["status"] for each in answers] == ["accepted", "duplicate"]

    def test_at_another_time_is_another(self, desk):
        first = event(occurred_at="2026-01-05T10:00:00Z")
        assert desk.send(first).json()["status"] == "accepted"
        assert desk.send(first | {"occurred_at": "2026-01-05T11:00:00+01:00"}).json()["status"] == "duplicate"
        assert desk.send(first | {"occurred_at": "2026-01-05T11:00:00Z"}).json()["status"] == "accepted"

    def test_is_accepted_from_one_of_fifty_who_send_it_at_once(self, desk):
        sent = event()
        with ThreadPoolExecutor(50) as pool:
            answers = [each.json()["status"] for each in pool.map(lambda _: desk.send(sent), range(50))]
        assert sorted(answers) == ["accepted"] + ["duplicate"] * 49
        assert desk.count_changes(sent["id"]) == 1

    def test_tells_the_end_of_a_record_without_data(self, desk):
        sent = event(kind="delete")
        del sent["data"]
        assert desk.send(sent).status_code == 202


class TestBadOne:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b"", "$"),
            (b"{", "$"),
            (b"[]", "$"),
            (b"null", "$"),
            (b'{"system":"crm"}', "$"),
            (b'{"system":"crm","stream":"customer","id":"\xff","data":{}}', "$"),
            (b'{"system":"crm","stream":"customer","id":"1","data":{}}{}', "$"),
            (b'{"system":"crm","stream":"customer","id":"1","data":{"a":1e999}}', "$.data"),
            (
                b'{"system":"crm","stream":"customer","id":"1","data":{"a":' + b"[" * 9000 + b"]" * 9000 + b"}}",
                "$.data",
            ),
        ],
        ids=["empty", "half", "list", "null", "few fields", "no utf-8", "two at once", "no number", "deep"],
    )
    def test_body_is_refused_with_its_place(self, desk, body, field):
        problem = refused(desk.http.post("/v1/events", content=body), code="event_malformed")
        assert problem["details"]["field"] == field

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"id": ""}, "$.id"),
            ({"id": "  "}, "$.id"),
            ({"id": "a\u0000b"}, "$.id"),
            ({"id": 7}, "$.id"),
            ({"id": "x" * 201}, "$.id"),
            ({"system": ""}, "$.system"),
            ({"data": []}, "$.data"),
            ({"data": "text"}, "$.data"),
            ({"data": None}, "$.data"),
            ({"kind": "merge"}, "$.kind"),
            ({"event_id": ""}, "$.event_id"),
            ({"event_id": "a\nb"}, "$.event_id"),
            ({"occurred_at": "yesterday"}, "$.occurred_at"),
            ({"occurred_at": "2026-01-05T10:00:00"}, "$.occurred_at"),
            ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "$.occurred_at"),
            ({"colour": "red"}, "$"),
        ],
        ids=repr,
    )
    def test_field_is_refused_with_its_place(self, desk, change, field):
        problem = refused(desk.send(event(**change)), code="event_malformed")
        assert problem["details"]["field"] == field
        assert "regex" not in problem["title"]

    def test_upsert_without_data_is_refused(self, desk):
        sent = event()
        del sent["data"]
        assert refused(desk.send(sent), code="event_malformed")["details"]["field"] == "$.data"

    def test_unknown_field_is_named(self, desk):
        assert "`colour`" in refused(desk.send(event(colour="red")), code="event_malformed")["title"]

    @pytest.mark.parametrize(("change", "field"), [({"system": "crn"}, "$.system"), ({"stream": "c"}, "$.stream")])
    def test_unknown_system_or_stream_is_refused_with_the_known_ones(self, desk, change, field):
        problem = refused(desk.send(event(**change)), code="stream_unknown")
        assert problem["details"]["field"] == field
        assert {"crm/customer", "shop/order", "portal/contacts"} <= set(problem["details"]["known"])

    def test_body_too_large_is_refused(self, desk):
        sent = event(data={"x": "y" * 1_000_001})
        problem = refused(desk.send(sent), code="body_too_large", status=413)
        assert problem["details"]["bytes_max"] == 1_000_000

    def test_body_too_large_is_refused_also_when_its_length_is_not_told(self, desk):
        def pieces():
            for _ in range(30):
                yield b" " * 50_000

        refused(desk.http.post("/v1/events", content=pieces()), code="body_too_large", status=413)

    def test_idempotency_key_that_cannot_be_stored_is_refused(self, desk):
        refused(desk.send(event(), **{"idempotency-key": "x" * 201}), code="event_malformed")

    def test_idempotency_key_that_cannot_be_read_is_refused(self, desk):
        told = {**desk.http.headers, "idempotency-key": "schl\u00fcssel".encode("latin-1")}
        for path in ("/v1/events", "/v1/redemptions"):
            problem = refused(desk.http.post(path, json=event(), headers=told), code="header_unreadable")
            assert problem["details"]["field"] == "idempotency-key"

    def test_takes_nobody_else_down(self, desk):
        """Bad ones among good ones that arrive at the same time: each gets its own answer."""
        sent = [event(id="\u0000") if number % 5 == 0 else event() for number in range(50)]
        with ThreadPoolExecutor(25) as pool:
            answers = list(pool.map(lambda each: desk.send(each).status_code, sent))
        assert answers == [422 if number % 5 == 0 else 202 for number in range(50)]


def lines(*events) -> bytes:
    import json

    return b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in events)


class TestBulk:
    def test_stores_the_good_lines_and_names_the_bad_ones(self, desk):
        good = [event() for _ in range(4)]
        body = lines(good[0], b"{", good[1], event(system="crn"), b"", good[1], good[2], event(data=3), good[3]) + b"\n"
        answer = desk.http.post("/v1/events/bulk", content=body)
        assert answer.status_code == 202
        told = answer.json()
        assert (told["accepted"], told["duplicates"]) == (4, 1)
        assert [(each["line"], each["code"]) for each in told["rejected"]] == [
            (2, "event_malformed"),
            (4, "stream_unknown"),
            (8, "event_malformed"),
        ]
        assert all(each["remedy"] and each["field"] and each["message"] for each in told["rejected"])
        assert [desk.count_changes(each["id"]) for each in good] == [1, 1, 1, 1]

    def test_again_is_all_duplicates(self, desk):
        body = lines(*(event() for _ in range(100)))
        first, second = (desk.http.post("/v1/events/bulk", content=body).json() for _ in range(2))
        assert first == {"accepted": 100, "duplicates": 0, "rejected": []}
        assert second == {"accepted": 0, "duplicates": 100, "rejected": []}

    def test_accepts_each_event_once_from_ten_who_send_all_at_once(self, desk):
        body = lines(*(event() for _ in range(200)))
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: desk.http.post("/v1/events/bulk", content=body).json(), range(10)))
        assert sum(each["accepted"] for each in answers) == 200
        assert sum(each["duplicates"] for each in answers) == 1800

    def test_without_a_good_line_is_refused_with_every_line(self, desk):
        answer = desk.http.post("/v1/events/bulk", content=lines(b"{", b"[]"))
        problem = refused(answer, code="events_rejected")
        assert [each["line"] for each in problem["rejected"]] == [1, 2]
        assert problem["accepted"] == 0

    @pytest.mark.parametrize("body", [b"", b"\n\n", b" "])
    def test_without_an_event_is_refused(self, desk, body):
        refused(desk.http.post("/v1/events/bulk", content=body), code="event_malformed")

    def test_of_too_many_lines_is_refused_whole(self, desk):
        sent = event()
        answer = desk.http.post("/v1/events/bulk", content=lines(*([sent] * 1001)))
        assert refused(answer, code="event_malformed")["details"]["lines_max"] == 1000
        assert desk.count_changes(sent["id"]) == 0

    def test_too_large_is_refused(self, desk):
        body = b" " * 16_000_001
        refused(desk.http.post("/v1/events/bulk", content=body), code="body_too_large", status=413)


class TestDefinitionsAppliedAMomentAgo:
    def test_count_at_once(self, desk):
        """A sender that starts right after `comity apply` is not told that its stream is unknown."""
        from tests.scenario.project import SHOP

        sale = {"number": "1", "sold_at": "2026-01-05T10:00:00Z", "total": "1.00", "currency": "EUR", "customer": "?"}
        for _ in range(3):
            name = f"till-{uuid4().hex[:8]}"
            desk.hub.write(till=SHOP.format(name=name, person_system="crm", person_stream="customer"))
            desk.send(event(system="crn"))  # The hub has just looked at its definitions.
            desk.hub.apply()
            assert desk.send({"system": name, "stream": "order", "id": "1", "data": sale}).status_code == 202
