"""Points reserved, captured, released: once each, told with balance and tier, refused with what to do."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from comity.ledger import api as ledger


def hold(desk, global_id, points, /, *, key=None, **more):
    body = {"global_id": global_id, "programme": "points", "points": points} | more
    return desk.http.post("/v1/holds", json=body, headers={"idempotency-key": key or uuid4().hex})


def end(desk, verb, hold_id, /, *, key=None, **more):
    headers = {"idempotency-key": key or uuid4().hex}
    return desk.http.post(f"/v1/holds/{verb}", json={"hold_id": hold_id} | more, headers=headers)


def points(desk, global_id):
    return desk.http.get(f"/v1/members/{global_id}/points", params={"programme": "points"}).json()


def spendable(desk, global_id):
    return points(desk, global_id)["spendable"]


def refused(answer, *, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code and problem["details"]["remedy"]
    return problem["details"]


@pytest.fixture(scope="module")
def member(desk):
    return desk.join(points=600)


class TestHold:
    def test_reserves_and_answers_balance_and_tier(self, desk, member):
        before = points(desk, member)
        answer = hold(desk, member, 50, seconds=60)
        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert (told["balance"], told["tier"], told["is_duplicate"]) == (before["balance"] - 50, "Silver", False)
        after = points(desk, member)
        assert (after["held"], after["spendable"]) == (before["held"] + 50, before["spendable"] - 50)

    def test_again_is_the_same_hold(self, desk, member):
        first, second = (hold(desk, member, 5, key=f"held-{member}") for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 200)
        assert {**second.json(), "is_duplicate": False} == first.json()
        refused(hold(desk, member, 6, key=f"held-{member}"), status=409, code="key_reused")

    def test_from_sixty_four_at_once_reserves_exactly_what_there_is(self, desk):
        member = desk.join(points=100)
        with ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(lambda _: hold(desk, member, 7), range(64)))
        assert sorted(each.status_code for each in answers) == [201] * (100 // 7) + [409] * (64 - 100 // 7)
        assert points(desk, member)["held"] == 100 - 100 % 7

    def test_of_more_than_there_is_posts_nothing(self, desk, member):
        before = points(desk, member)
        details = refused(hold(desk, member, 100_000), status=409, code="insufficient_points")
        assert details["balance"] == before["balance"] and points(desk, member) == before

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"points": 0}, "$.points"),
            ({"points": -5}, "$.points"),
            ({"points": 2**60}, "$.points"),
            ({"points": 2**70}, "$.points"),
            ({"seconds": 0}, "$.seconds"),
            ({"seconds": 10**9}, "$.seconds"),
            ({"global_id": "nobody"}, "$.global_id"),
            ({"gift": True}, "$"),
        ],
        ids=repr,
    )
    def test_that_is_malformed_names_the_place(self, desk, member, change, field):
        answer = hold(desk, member, 5, **change) if "points" not in change else hold(desk, member, change["points"])
        assert refused(answer, status=422, code="wish_malformed")["field"] == field

    def test_without_a_key_is_malformed(self, desk, member):
        answer = desk.http.post("/v1/holds", json={"global_id": member, "programme": "points", "points": 5})
        assert refused(answer, status=422, code="wish_malformed")["field"] == "$.idempotency_key"

    def test_of_somebody_unknown(self, desk, member):
        refused(hold(desk, str(uuid4()), 1), status=404, code="unknown_member")
        refused(hold(desk, member, 1, programme="miles"), status=404, code="programme_not_defined")

    def test_with_a_key_that_cannot_be_printed(self, desk, member):
        refused(hold(desk, member, 1, idempotency_key="a\nb"), status=422, code="wish_invalid")


class TestEnd:
    def test_captures_a_part_and_releases_the_rest_once(self, desk, member):
        before = points(desk, member)
        hold_id = hold(desk, member, 40).json()["hold_id"]
        key = uuid4().hex
        answers = [end(desk, "capture", hold_id, points=15, key=key) for _ in range(2)]
        assert [each.status_code for each in answers] == [201, 200]
        told = answers[0].json()
        assert (told["outcome"], told["captured"], told["released"]) == ("captured", 15, 25)
        assert (told["balance"], told["tier"]) == (before["balance"] - 15, "Silver")
        after = points(desk, member)
        assert (after["spendable"], after["held"]) == (before["spendable"] - 15, before["held"])
        details = refused(end(desk, "release", hold_id), status=409, code="hold_resolved")
        assert details["outcome"] == "captured"
        assert points(desk, member) == after

    def test_captures_all(self, desk, member):
        hold_id = hold(desk, member, 12).json()["hold_id"]
        told = end(desk, "capture", hold_id, reference="journal 8").json()
        assert (told["captured"], told["released"]) == (12, 0)
        with desk.hub.database.transaction() as tx:
            assert ledger.get_transfer(tx, transfer_id=told["transfer_id"]).reference == "journal 8"
        assert refused(end(desk, "capture", hold_id, reference="a\nb"), status=422, code="wish_invalid")

    def test_releases(self, desk, member):
        before = points(desk, member)
        hold_id = hold(desk, member, 12).json()["hold_id"]
        told = end(desk, "release", hold_id).json()
        assert (told["outcome"], told["released"], told["balance"]) == ("released", 12, before["balance"])
        assert points(desk, member)["spendable"] == before["spendable"]

    def test_cannot_capture_more_than_is_held(self, desk, member):
        hold_id = hold(desk, member, 12).json()["hold_id"]
        refused(end(desk, "capture", hold_id, points=13), status=422, code="hold_exceeded")
        assert end(desk, "capture", hold_id, points=12).status_code == 201

    @pytest.mark.parametrize("verb", ["capture", "release"])
    def test_of_an_unknown_hold(self, desk, verb):
        refused(end(desk, verb, 2**62), status=404, code="unknown_hold")

    def test_from_many_at_once_ends_it_once(self, desk, member):
        hold_id = hold(desk, member, 9).json()["hold_id"]
        before = points(desk, member)["balance"]
        verbs = ["capture", "release"] * 8
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda verb: end(desk, verb, hold_id).status_code, verbs))
        assert sorted(answers) == [201] + [409] * 15
        assert points(desk, member)["balance"] in {before, before + 9}
        assert desk.hub.status()["trial_balance"] == 0
