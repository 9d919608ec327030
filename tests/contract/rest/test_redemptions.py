"""Spending points: once, never more than there are, whoever asks at the same time."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest


def redeem(desk, global_id, points, /, *, key=None, **more):
    body = {"global_id": global_id, "programme": "points", "points": points} | more
    return desk.http.post("/v1/redemptions", json=body, headers={"idempotency-key": key or uuid4().hex})


def balance(desk, global_id):
    return desk.http.get(f"/v1/members/{global_id}/balance").json()[0]["points"]


def refused(answer, *, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code and problem["details"]["remedy"]
    return problem["details"]


@pytest.fixture(scope="module")
def member(desk):
    return desk.join(points=600)


class TestRedeem:
    def test_spends_and_answers_the_balance_and_tier(self, desk, member):
        before = balance(desk, member)
        answer = redeem(desk, member, 5, reason="Coffee")
        assert answer.status_code == 201
        told = answer.json()
        assert (told["status"], told["balance"], told["tier"]) == ("redeemed", before - 5, "Silver")
        assert balance(desk, member) == before - 5

    def test_keeps_what_it_is_in_the_accounts_outside(self, desk, member):
        key = uuid4().hex
        transfer_id = redeem(desk, member, 2, key=key, reference="SAP 49/7").json()["transfer_id"]
        lines = desk.http.get(f"/v1/members/{member}/statement?programme=points").json()["lines"]
        assert {each["transfer_id"]: each["reference"] for each in lines}[transfer_id] == "SAP 49/7"
        assert redeem(desk, member, 2, key=key, reference="SAP 49/7").status_code == 200
        refused(redeem(desk, member, 2, key=key, reference="another"), status=409, code="key_reused")
        refused(redeem(desk, member, 2, reference="two\nlines"), status=422, code="invalid_redemption")

    def test_again_answers_the_first_time_and_spends_nothing(self, desk, member):
        first, second = (redeem(desk, member, 7, key=f"again-{member}") for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json()["transfer_id"] == first.json()["transfer_id"]
        assert second.json()["balance"] == first.json()["balance"]
        assert balance(desk, member) == first.json()["balance"]

    def test_again_in_the_body_is_the_same_key(self, desk, member):
        body = {"global_id": member, "programme": "points", "points": 3, "idempotency_key": f"body-{member}"}
        answers = [desk.http.post("/v1/redemptions", json=body) for _ in range(2)]
        assert [each.status_code for each in answers] == [201, 200]

    def test_from_thirty_who_send_the_same_at_once_spends_once(self, desk, member):
        before, key = balance(desk, member), uuid4().hex
        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(lambda _: redeem(desk, member, 11, key=key).status_code, range(30)))
        assert sorted(answers) == [200] * 29 + [201]
        assert balance(desk, member) == before - 11

    def test_from_sixty_four_at_once_spends_exactly_what_there_is(self, desk):
        member = desk.join(points=100)
        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(lambda _: redeem(desk, member, 7), range(64)))
        assert sorted(each.status_code for each in answers) == [201] * (100 // 7) + [409] * (64 - 100 // 7)
        assert balance(desk, member) == 100 % 7
        assert desk.hub.status()["trial_balance"] == 0


class TestRefusal:
    def test_of_more_than_there_is_tells_the_balance(self, desk, member):
        details = refused(redeem(desk, member, 100_000), status=409, code="insufficient_points")
        assert details["balance"] == balance(desk, member)

    def test_leaves_the_key_free(self, desk, member):
        key = uuid4().hex
        refused(redeem(desk, member, 100_000, key=key), status=409, code="insufficient_points")
        assert redeem(desk, member, 1, key=key).status_code == 201

    def test_of_a_key_that_stands_for_something_else(self, desk, member):
        key = uuid4().hex
        assert redeem(desk, member, 1, key=key).status_code == 201
        told = refused(redeem(desk, member, 2, key=key), status=409, code="key_reused")
        assert told["idempotency_key"] == key
        refused(redeem(desk, member, 1, key=key, reason="Tea"), status=409, code="key_reused")

    def test_of_an_unknown_member(self, desk):
        refused(redeem(desk, str(uuid4()), 1), status=404, code="unknown_member")

    def test_of_an_unknown_programme(self, desk, member):
        told = refused(redeem(desk, member, 1, programme="miles"), status=404, code="programme_not_defined")
        assert told["programme"] == "miles"

    @pytest.mark.parametrize("points", [2**60, 2**70])
    def test_of_more_points_than_can_be_counted(self, desk, member, points):
        answer = redeem(desk, member, points)
        assert answer.status_code in {409, 422}, answer.text
        assert answer.json()["details"]["remedy"]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"points": 0}, "$.points"),
            ({"points": -5}, "$.points"),
            ({"points": 1.5}, "$.points"),
            ({"points": "5"}, "$.points"),
            ({"points": None}, "$.points"),
            ({"global_id": "nobody"}, "$.global_id"),
            ({"programme": ""}, "$.programme"),
            ({"programme": "a\u0000"}, "$.programme"),
            ({"idempotency_key": ""}, "$.idempotency_key"),
            ({"reason": "x" * 401}, "$.reason"),
            ({"gift": True}, "$"),
        ],
        ids=repr,
    )
    def test_of_a_malformed_request_names_the_place(self, desk, member, change, field):
        details = refused(redeem(desk, member, 5, **change), status=422, code="redemption_malformed")
        assert details["field"] == field

    @pytest.mark.parametrize("change", [{"reason": "a\u0000b"}, {"idempotency_key": "a\nb"}], ids=repr)
    def test_of_text_that_cannot_be_printed(self, desk, member, change):
        refused(redeem(desk, member, 1, **change), status=422, code="invalid_redemption")

    def test_without_a_key(self, desk, member):
        body = {"global_id": member, "programme": "points", "points": 3}
        details = refused(desk.http.post("/v1/redemptions", json=body), status=422, code="redemption_malformed")
        assert details["field"] == "$.idempotency_key"

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
    def test_of_what_is_no_json_object(self, desk, body):
        refused(desk.http.post("/v1/redemptions", content=body), status=422, code="redemption_malformed")

    def test_of_a_body_too_large(self, desk):
        refused(desk.http.post("/v1/redemptions", content=b" " * 20_000), status=413, code="body_too_large")

    def test_takes_nobody_else_down(self, desk, member):
        wanted = [
            {"programme": "a\u0000"} if n % 4 == 0 else {"reason": "\u0000"} if n % 4 == 1 else {} for n in range(40)
        ]
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda change: redeem(desk, member, 1, **change).status_code, wanted))
        assert answers == [422 if change else 201 for change in wanted]
