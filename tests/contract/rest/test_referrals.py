"""Referrals over HTTP: noted once, listed with state and reason, refused where somebody refers themselves."""

import pytest

from tests.contract.rest.test_holds import refused


@pytest.fixture(scope="module")
def pair(desk):
    return desk.join(), desk.join()


def note(desk, advocate, friend, key, **more):
    body = {"global_id": advocate, "friend_global_id": friend, "programme": "points"}
    return desk.http.post("/v1/referrals", json=body | more, headers={"Idempotency-Key": key})


def test_is_noted_once_and_listed_for_both(desk, pair):
    first, again = note(desk, *pair, "r-1"), note(desk, *pair, "r-1")
    assert (first.status_code, again.status_code) == (201, 200)
    told = first.json()
    assert (told["state"], told["reason"], told["advocate_points"]) == ("waiting", "no_purchase", 0)
    assert again.json()["referral_id"] == told["referral_id"]
    assert desk.http.get(f"/v1/referrals/{told['referral_id']}").json() == told
    for global_id in pair:
        listed = desk.http.get(f"/v1/members/{global_id}/referrals", params={"programme": "points"}).json()
        assert [each["referral_id"] for each in listed] == [told["referral_id"]]
    page = {"programme": "points", "before": told["referral_id"]}
    assert desk.http.get(f"/v1/members/{pair[0]}/referrals", params=page).json() == []
    refused(note(desk, *reversed(pair), "r-1"), status=409, code="key_reused")


def test_who_shares_a_telephone_refers_themselves(desk):
    advocate, friend = (desk.join(phone="+49 30 7654321", city=city) for city in ("Ulm", "Bonn"))
    if advocate != friend:
        assert note(desk, advocate, friend, "r-2").json()["reason"] == "same_person"
    assert note(desk, advocate, advocate, "r-3").json()["reason"] == "same_person"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"programme": "miles"}, 404, "programme_not_defined"),
        ({"friend_global_id": "00000000-0000-0000-0000-000000000009"}, 404, "unknown_member"),
        ({"referred_at": "2999-01-01T00:00:00Z"}, 422, "wish_invalid"),
    ],
)
def test_refuses_what_cannot_be(desk, pair, change, status, code):
    refused(note(desk, *pair, f"r-{code}", **change), status=status, code=code)


def test_needs_its_scope_and_knows_no_other(desk, pair):
    body = {"global_id": pair[0], "friend_global_id": pair[1], "programme": "points", "idempotency_key": "r-5"}
    answer = desk.call("POST", "/v1/referrals", json=body, key=desk.make_key("redeem"))
    refused(answer, status=403, code="scope_missing")
    refused(desk.http.get("/v1/referrals/999999"), status=404, code="unknown_referral")
