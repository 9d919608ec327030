"""Points from member to member, and by hand with a second key; what is refused posts nothing."""

from uuid import uuid4

import pytest

from tests.contract.rest.test_holds import end, hold, points, refused


def give(desk, giver, receiver, amount, /, *, key=None, **more):
    body = {"global_id": giver, "to_global_id": receiver, "programme": "points", "points": amount} | more
    return desk.http.post("/v1/transfers", json=body, headers={"idempotency-key": key or uuid4().hex})


@pytest.fixture(scope="module")
def keys(desk):
    """Keys of two people who may adjust points."""
    return [desk.make_named_key(name, "adjust") for name in ("Mara", "Chen")]


def adjust(desk, by, global_id, amount, /, *, key=None, **more):
    body = {"global_id": global_id, "programme": "points", "points": amount, "reason": "Late parcel"} | more
    return desk.call("POST", "/v1/adjustments", key=by, json=body, headers={"idempotency-key": key or uuid4().hex})


def decide(desk, by, verb, adjustment_id):
    return desk.call("POST", f"/v1/adjustments/{adjustment_id}/{verb}", key=by)


@pytest.fixture(scope="module")
def members(desk):
    return desk.join(points=600), desk.join(points=5)


class TestTransfer:
    def test_moves_points_and_answers_the_givers_balance(self, desk):
        giver, receiver = desk.join(points=500), desk.join(points=7)
        key = uuid4().hex
        answers = [give(desk, giver, receiver, 100, key=key) for _ in range(2)]
        assert [each.status_code for each in answers] == [201, 200], answers[0].text
        told = answers[0].json()
        assert (told["balance"], told["tier"]) == (400, "Silver")
        assert points(desk, giver)["spendable"] == 400
        assert [each["points"] for each in points(desk, receiver)["lots"]] == [100, 7]
        refused(give(desk, giver, receiver, 99, key=key), status=409, code="key_reused")
        assert give(desk, giver, receiver, 10).status_code == 201
        details = refused(give(desk, giver, receiver, 10), status=409, code="transfer_refused")
        assert details["reason"] == "cap_reached"
        assert points(desk, giver)["spendable"] == 390
        assert give(desk, giver, receiver, 100, key=key).status_code == 200

    @pytest.mark.parametrize(("amount", "reason"), [(9, "too_little"), (101, "too_much")])
    def test_keeps_the_programmes_limits(self, desk, members, amount, reason):
        before = points(desk, members[0])
        assert refused(give(desk, *members, amount), status=409, code="transfer_refused")["reason"] == reason
        assert points(desk, members[0]) == before

    def test_of_more_than_there_is(self, desk, members):
        refused(give(desk, *reversed(members), 50), status=409, code="insufficient_points")
        assert points(desk, members[1])["balance"] == 5

    def test_to_oneself_or_nobody(self, desk, members):
        details = refused(give(desk, members[0], members[0], 50), status=409, code="transfer_refused")
        assert details["reason"] == "same_member"
        refused(give(desk, members[0], str(uuid4()), 50), status=404, code="unknown_member")
        refused(give(desk, *members, 50, programme="miles"), status=404, code="programme_not_defined")

    def test_of_nothing_at_all(self, desk):
        for path, code in (("/v1/transfers", "request_malformed"), ("/v1/redemptions", "redemption_malformed")):
            answer = desk.http.post(path, content=b"", headers={"content-type": "application/json"})
            refused(answer, status=422, code=code)
            assert "is empty" in answer.json()["title"]

    def test_without_a_key(self, desk, members):
        body = {"global_id": members[0], "to_global_id": members[1], "programme": "points", "points": 50}
        refused(desk.http.post("/v1/transfers", json=body), status=422, code="wish_malformed")


class TestAdjustment:
    def test_up_to_the_limit_is_posted_at_once(self, desk, keys, members):
        before, key = points(desk, members[0])["balance"], uuid4().hex
        answers = [adjust(desk, keys[0], members[0], 100, key=key) for _ in range(2)]
        assert [each.status_code for each in answers] == [201, 200], answers[0].text
        told = answers[0].json()
        assert (told["state"], told["balance"], told["tier"]) == ("posted", before + 100, "Silver")
        assert answers[1].json() == told | {"is_duplicate": True}
        assert adjust(desk, keys[0], members[0], -100).json()["balance"] == before
        refused(adjust(desk, keys[0], members[0], 99, key=key), status=409, code="key_reused")

    def test_above_the_limit_waits_for_another_key(self, desk, keys, members):
        before = points(desk, members[0])["balance"]
        answer = adjust(desk, keys[0], members[0], 101)
        assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
        number = answer.json()["adjustment_id"]
        assert number in [
            each["adjustment_id"] for each in desk.call("GET", "/v1/adjustments/waiting", key=keys[1]).json()
        ]
        details = refused(decide(desk, keys[0], "confirm", number), status=409, code="adjustment_refused")
        assert "another name" in details["remedy"]
        assert details["reason"] == "checker_is_maker" and points(desk, members[0])["balance"] == before
        told = [decide(desk, keys[1], "confirm", number) for _ in range(2)]
        assert [each.json()["state"] for each in told] == ["posted"] * 2
        assert told[0].json()["balance"] == before + 101
        assert told[1].json() == told[0].json() | {"is_duplicate": True}
        refused(decide(desk, keys[1], "reject", number), status=409, code="adjustment_decided")
        assert points(desk, members[0])["balance"] == before + 101

    def test_that_waits_can_be_rejected(self, desk, keys, members):
        before = points(desk, members[0])["balance"]
        number = adjust(desk, keys[0], members[0], 5000).json()["adjustment_id"]
        assert decide(desk, keys[1], "reject", number).json()["state"] == "rejected"
        refused(decide(desk, keys[1], "confirm", number), status=409, code="adjustment_decided")
        assert points(desk, members[0])["balance"] == before

    def test_takes_no_more_than_there_is(self, desk, keys, members):
        refused(adjust(desk, keys[0], members[1], -50), status=409, code="insufficient_points")
        assert points(desk, members[1])["balance"] == 5

    def test_keeps_the_programmes_limits(self, desk, keys, members):
        details = refused(adjust(desk, keys[0], members[0], 5001), status=409, code="adjustment_refused")
        assert details["reason"] == "too_much"
        greedy = desk.make_named_key("Greedy", "adjust")
        assert [adjust(desk, greedy, members[0], 5000).status_code for _ in range(2)] == [202, 202]
        details = refused(adjust(desk, greedy, members[0], 1), status=409, code="adjustment_refused")
        assert details["reason"] == "cap_reached"

    def test_needs_points_a_reason_a_key_and_its_scope(self, desk, keys, members):
        refused(adjust(desk, keys[0], members[0], 0), status=422, code="wish_invalid")
        refused(adjust(desk, keys[0], members[0], 5, effective_on="2999-01-01"), status=422, code="wish_invalid")
        assert adjust(desk, keys[0], members[0], 5, effective_on="1 May").status_code == 422
        assert adjust(desk, keys[0], members[0], 5, reason=" ").status_code == 422
        assert adjust(desk, keys[0], members[0], 2**60).status_code == 422
        assert adjust(desk, desk.make_key("redeem"), members[0], 5).status_code == 403

    def test_of_somebody_or_something_unknown(self, desk, keys, members):
        refused(adjust(desk, keys[0], str(uuid4()), 5), status=404, code="unknown_member")
        refused(adjust(desk, keys[0], members[0], 5, programme="miles"), status=404, code="programme_not_defined")
        refused(decide(desk, keys[0], "confirm", 2**60), status=404, code="unknown_adjustment")


def test_what_moved_is_in_balance(desk):
    assert desk.hub.status()["trial_balance"] == 0


class TestKey:
    """A key stands for one wish, whatever moves points by it."""

    def test_of_one_verb_is_no_key_of_another(self, desk, keys):
        member, other, key = desk.join(points=500), desk.join(), uuid4().hex
        body = {"global_id": member, "programme": "points", "points": 10}
        headers = {"idempotency-key": key}
        first = desk.http.post("/v1/redemptions", json=body, headers=headers)
        assert (first.status_code, first.json()["balance"]) == (201, 490)
        kept = hold(desk, member, 10, seconds=60).json()["hold_id"]
        refused(hold(desk, member, 10, seconds=60, key=key), status=409, code="key_reused")
        refused(end(desk, "capture", kept, key=key), status=409, code="key_reused")
        refused(end(desk, "release", kept, key=key), status=409, code="key_reused")
        refused(give(desk, member, other, 10, key=key), status=409, code="key_reused")
        refused(adjust(desk, keys[0], member, 10, key=key), status=409, code="key_reused")
        refused(adjust(desk, keys[0], member, 5000, key=key), status=409, code="key_reused")
        again = desk.http.post("/v1/redemptions", json=body, headers=headers)
        assert again.json()["transfer_id"] == first.json()["transfer_id"]
        assert (again.status_code, points(desk, member)["spendable"]) == (200, 480)

    def test_of_an_adjustment_is_no_key_of_another_verb(self, desk, keys):
        member, key = desk.join(points=500), uuid4().hex
        assert adjust(desk, keys[0], member, 10, key=key).status_code == 201
        body = {"global_id": member, "programme": "points", "points": 10}
        again = desk.http.post("/v1/redemptions", json=body, headers={"idempotency-key": key})
        refused(again, status=409, code="key_reused")

    def test_of_an_adjustment_that_waits_may_be_gone_when_it_is_confirmed(self, desk, keys):
        member, key = desk.join(points=500), uuid4().hex
        waiting = adjust(desk, keys[0], member, 5000, key=key).json()["adjustment_id"]
        body = {"global_id": member, "programme": "points", "points": 10}
        desk.http.post("/v1/redemptions", json=body, headers={"idempotency-key": key}).raise_for_status()
        refused(decide(desk, keys[1], "confirm", waiting), status=409, code="key_reused")
        assert decide(desk, keys[1], "reject", waiting).status_code == 200


def references(desk, global_id):
    lines = desk.http.get(f"/v1/members/{global_id}/statement?programme=points").json()["lines"]
    return {each["transfer_id"]: each["reference"] for each in lines}


class TestReference:
    def test_of_a_transfer_is_told_to_both(self, desk):
        giver, receiver, key = desk.join(points=500), desk.join(points=7), uuid4().hex
        told = give(desk, giver, receiver, 20, key=key, reference="G-1").json()
        assert references(desk, giver)[told["transfer_id"]] == "G-1"
        assert references(desk, receiver)[told["transfer_id"]] == "G-1"
        assert give(desk, giver, receiver, 20, key=key, reference="G-1").status_code == 200
        refused(give(desk, giver, receiver, 20, key=key, reference="G-2"), status=409, code="key_reused")
        refused(give(desk, giver, receiver, 20, reference="a\nb"), status=422, code="wish_invalid")

    def test_of_an_adjustment_is_kept_while_it_waits(self, desk, keys):
        mara, chen = keys
        somebody, key = desk.join(points=5), uuid4().hex
        asked = adjust(desk, mara, somebody, 101, key=key, reference="T-9").json()
        assert (asked["state"], asked["reference"]) == ("waiting", "T-9")
        refused(adjust(desk, mara, somebody, 101, key=key, reference="T-8"), status=409, code="key_reused")
        told = decide(desk, chen, "confirm", asked["adjustment_id"]).json()
        assert told["reference"] == references(desk, somebody)[told["transfer_id"]] == "T-9"
        assert adjust(desk, mara, somebody, 101, key=key, reference="T-9").status_code == 200
        refused(adjust(desk, mara, somebody, 1, reference="a\nb"), status=422, code="wish_invalid")
