"""Rewards for points over HTTP: exactly as many as there are, whoever asks at the same time; vouchers are used once."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.contract.rest.test_redemptions import balance, refused


def send(desk, path, body, key=None):
    return desk.http.post(path, json=body, headers={"idempotency-key": key or uuid4().hex})


def have(desk, member, reward, key=None, **more):
    body = {"global_id": member, "programme": "points", "reward": reward} | more
    return send(desk, "/v1/rewards/redeem", body, key)


def offers(desk, member):
    answer = desk.http.get(f"/v1/members/{member}/rewards", params={"programme": "points"})
    assert answer.is_success, answer.text
    return {each["name"]: each for each in answer.json()}


@pytest.fixture(scope="module")
def member(desk):
    return desk.join(points=600, city="Berlin")


def test_from_sixty_four_at_once_exactly_the_last_ten_pieces_are_issued(desk):
    members = [desk.join(points=50) for _ in range(3)]
    wishes = [members[number % 3] for number in range(64)]
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda each: have(desk, each, "mug"), wishes))
    done = [each.json() for each in answers if each.status_code == 201]
    assert len(done) == 10 and len({each["voucher"]["code"] for each in done}) == 10
    assert {each.json()["code"] for each in answers if each.status_code != 201} == {"reward_refused"}
    assert sum(balance(desk, each) for each in members) == 150 - 50
    assert offers(desk, members[0])["mug"]["stock_left"] == 0
    assert send(desk, "/v1/vouchers/cancel", {"code": done[0]["voucher"]["code"]}).status_code == 201
    with ThreadPoolExecutor(8) as pool:
        again = [each.status_code for each in pool.map(lambda each: have(desk, each, "mug"), wishes[:8])]
    assert sorted(again) == [201] + [409] * 7
    assert desk.hub.status()["trial_balance"] == 0


class TestRewards:
    def test_keep_what_they_are_in_the_accounts_outside(self, desk):
        somebody, key = desk.join(points=600), uuid4().hex
        first = have(desk, somebody, "voucher", key, reference="SAP 1").json()
        lines = desk.http.get(f"/v1/members/{somebody}/statement?programme=points").json()["lines"]
        assert [each["reference"] for each in lines if each["kind"] == "redeem"] == ["SAP 1"]
        again = have(desk, somebody, "voucher", key, reference="SAP 1").json()
        assert (again["is_duplicate"], again["voucher"]["code"]) == (True, first["voucher"]["code"])
        refused(have(desk, somebody, "voucher", key, reference="SAP 2"), status=409, code="key_reused")
        refused(have(desk, somebody, "voucher", key), status=409, code="key_reused")
        refused(have(desk, somebody, "voucher", reference="a\nb"), status=422, code="wish_invalid")

    def test_are_listed_with_the_reason_why_not(self, desk, member):
        found = offers(desk, member)
        assert (found["lounge"]["reason"], found["lounge"]["is_available"]) == ("tier_too_low", False)
        assert found["berlin"]["is_available"] and found["voucher"]["minor"] == 500
        elsewhere = desk.join(points=5, city="Ulm")
        assert offers(desk, elsewhere)["berlin"]["reason"] == "condition_failed"
        refused(have(desk, elsewhere, "berlin"), status=409, code="reward_refused")
        refused(have(desk, elsewhere, "voucher"), status=409, code="insufficient_points")

    def test_become_vouchers_that_are_used_once(self, desk, member):
        before, key = balance(desk, member), uuid4().hex
        first, again = (have(desk, member, "voucher", key) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200), first.text
        told = first.json()
        assert (told["balance"], told["pending"], told["tier"]) == (before - 30, 0, "Silver")
        assert again.json()["voucher"] == told["voucher"]
        code = told["voucher"]["code"]
        listed = desk.http.get(f"/v1/members/{member}/vouchers", params={"programme": "points"}).json()
        assert code in [each["code"] for each in listed]
        with ThreadPoolExecutor(8) as pool:
            used = list(pool.map(lambda _: send(desk, "/v1/vouchers/use", {"code": code.lower()}), range(8)))
        assert sorted(each.status_code for each in used) == [201] + [409] * 7
        problem = next(each for each in used if each.status_code == 409)
        assert refused(problem, status=409, code="voucher_ended")["state"] == "used"
        refused(send(desk, "/v1/vouchers/cancel", {"code": code}), status=409, code="voucher_ended")
        returned = send(desk, "/v1/vouchers/return", {"code": code, "reason": "Came back"})
        assert (returned.status_code, returned.json()["voucher"]["state"]) == (201, "returned")
        assert returned.json()["balance"] == before == balance(desk, member)
        lines = desk.http.get(f"/v1/members/{member}/statement", params={"programme": "points"}).json()["lines"]
        assert [(each["amount"], each["reason"]) for each in lines[:2]] == [(30, "Came back"), (-30, "5 euros")]

    def test_are_refused_with_the_reason(self, desk, member):
        details = refused(have(desk, member, "lounge"), status=409, code="reward_refused")
        assert details["reason"] == "tier_too_low"
        assert "mug" in refused(have(desk, member, "tea"), status=404, code="unknown_reward")["known"]
        refused(have(desk, member, "mug", programme="miles"), status=404, code="programme_not_defined")
        refused(have(desk, str(uuid4()), "mug"), status=404, code="unknown_member")
        refused(have(desk, member, "mug", pieces=2), status=422, code="wish_malformed")
        refused(send(desk, "/v1/vouchers/use", {"code": "NONE"}), status=404, code="unknown_voucher")
        refused(send(desk, "/v1/vouchers/use", {"code": ""}), status=422, code="wish_malformed")

    def test_need_their_scopes(self, desk, member):
        body = {"global_id": member, "programme": "points", "reward": "mug", "idempotency_key": "k"}
        reader = desk.make_key("read")
        assert desk.call("POST", "/v1/rewards/redeem", key=reader, json=body).status_code == 403
        path = f"/v1/members/{member}/vouchers?programme=points"
        assert desk.call("GET", path, key=reader).status_code == 403
