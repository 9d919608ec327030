"""Pools over HTTP: two collect together, and spend no more than there is."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from comity.ledger import api as ledger
from tests.contract.rest.test_redemptions import refused
from tests.scenario.rehearsal import eventually


def send(desk, path, body, key=None):
    return desk.http.post(path, json=body, headers={"idempotency-key": key or uuid4().hex})


def test_two_collect_and_spend_together(desk):
    ada, bob = desk.join(), desk.join()
    wish = {"global_id": ada, "programme": "points"}
    key = uuid4().hex
    opened, again = (send(desk, "/v1/pools", wish, key) for _ in range(2))
    assert (opened.status_code, again.status_code) == (201, 200), opened.text
    pool = opened.json()["pool_id"]
    seat = {"pool_id": pool, "global_id": bob}
    joined = send(desk, "/v1/pools/join", seat).json()["members"]
    assert [each["profile_id"] for each in joined] == [ada, bob]
    refused(send(desk, "/v1/pools", {"global_id": bob, "programme": "points"}), status=409, code="pool_refused")
    refused(send(desk, "/v1/pools/join", seat | {"pool_id": 2**60}), status=404, code="unknown_pool")
    refused(send(desk, "/v1/pools", wish | {"programme": "miles"}), status=404, code="programme_not_defined")
    spend = {"pool_id": pool, "global_id": bob, "points": 1}
    assert refused(send(desk, "/v1/pools/redeem", spend), status=409, code="insufficient_points")["balance"] == 0
    assert send(desk, "/v1/pools/leave", seat).json()["members"][0]["profile_id"] == ada
    reason = refused(send(desk, "/v1/pools/redeem", spend, "k"), status=409, code="pool_refused")["reason"]
    assert reason == "not_in_pool"
    listed = desk.http.get(f"/v1/members/{ada}/pools", params={"programme": "points"}).json()
    assert [(each["pool_id"], each["spendable"]) for each in listed] == [(pool, 0)]


def test_a_part_of_what_is_earned_is_there_soon_and_is_spent_once(desk):
    ada = desk.join()
    pool = send(desk, "/v1/pools", {"global_id": ada, "programme": "points"}).json()["pool_id"]
    record = desk.http.get(f"/v1/profiles/{ada}").json()["records"][0]["external_id"]
    now = desk.hub.hub.clock.now().isoformat()
    sale = {"number": f"P{record}", "sold_at": now, "total": "1000.00", "currency": "EUR", "customer": record}
    sent = {"system": "shop", "stream": "order", "id": f"P{record}", "data": sale}
    assert desk.send(sent).is_success

    def pooled():
        [found] = desk.http.get(f"/v1/members/{ada}/pools", params={"programme": "points"}).json()
        return found["spendable"] == 10

    eventually(pooled, seconds=60, what="the pool has its part")
    spend = {"pool_id": pool, "global_id": ada, "points": 3, "reference": "P-1"}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: send(desk, "/v1/pools/redeem", spend), range(8)))
    assert sorted(each.status_code for each in answers) == [201] * 3 + [409] * 5
    spent = [each.json()["transfer_id"] for each in answers if each.status_code == 201]
    with desk.hub.database.transaction() as tx:
        assert {ledger.get_transfer(tx, transfer_id=each).reference for each in spent} == {"P-1"}
    told = send(desk, "/v1/pools/leave", {"pool_id": pool, "global_id": ada}).json()
    assert (told["members"], told["spendable"]) == ([], 0)
    member = desk.http.get(f"/v1/members/{ada}/balance").json()[0]
    assert member["points"] == 990 + 1
    assert desk.hub.status()["trial_balance"] == 0


def test_a_reference_of_several_lines_is_refused(desk):
    ada = desk.join()
    pool = send(desk, "/v1/pools", {"global_id": ada, "programme": "points"}).json()["pool_id"]
    spend = {"pool_id": pool, "global_id": ada, "points": 1}
    refused(send(desk, "/v1/pools/redeem", spend | {"reference": "a\nb"}), status=422, code="wish_invalid")
