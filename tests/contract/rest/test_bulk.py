"""Many redemptions in one request: a verdict for each, in one commit, and once."""

import json
from uuid import UUID, uuid4

import pytest

from tests.contract.rest.test_redemptions import balance, refused

PATH = "/v1/redemptions/bulk"


def wish(global_id, points, /, **more):
    return {"global_id": global_id, "programme": "points", "points": points, "idempotency_key": uuid4().hex} | more


def lines(*wishes):
    return b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in wishes)


@pytest.fixture(scope="module")
def members(desk):
    return desk.join(points=600), desk.join(points=50)


class TestBulk:
    def test_has_a_verdict_for_each_line_and_stands_a_repetition(self, desk, members):
        ada, bob = members
        before = [balance(desk, each) for each in members]
        first = wish(ada, 5, reason="Coffee")
        body = lines(
            first,
            b"",
            wish(bob, 3),
            b"{",
            wish(bob, 100_000),
            first,
            wish(str(uuid4()), 1),
            wish(ada, 1, programme="miles"),
            wish(ada, 0),
            wish(ada, 1, reason="\u0000"),
        )
        answer = desk.http.post(PATH, content=body)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert [each["line"] for each in told["verdicts"]] == [1, 3, 4, 5, 6, 7, 8, 9, 10]
        outcomes = ["done", "done", "refused", "refused", "repeated", *["refused"] * 4]
        assert [each["outcome"] for each in told["verdicts"]] == outcomes
        codes = ["redemption_malformed", "insufficient_points", "unknown_member", "programme_not_defined"]
        codes += ["redemption_malformed", "invalid_redemption"]
        problems = [each for each in told["verdicts"] if each["outcome"] == "refused"]
        assert [each["code"] for each in problems] == codes
        assert all(each["details"]["remedy"] for each in problems)
        assert (told["done"], told["repeated"], told["refused"]) == (2, 1, 6)
        done = told["verdicts"][0]["told"]
        assert (done["balance"], done["tier"]) == (before[0] - 5, "Silver")
        assert [balance(desk, each) for each in members] == [before[0] - 5, before[1] - 3]
        again = desk.http.post(PATH, content=body).json()
        assert (again["done"], again["repeated"]) == (0, 3)
        assert again["verdicts"][0]["told"]["transfer_id"] == done["transfer_id"]
        assert [balance(desk, each) for each in members] == [before[0] - 5, before[1] - 3]

    def test_takes_a_list(self, desk, members):
        wishes = [wish(members[0], 1), {"points": 3}]
        told = desk.http.post(PATH, content=json.dumps(wishes, indent=1).encode()).json()
        assert [each["outcome"] for each in told["verdicts"]] == ["done", "refused"]
        assert desk.http.post(PATH, json=wishes[:1]).json()["repeated"] == 1

    def test_never_spends_more_than_there_is(self, desk):
        member = desk.join(points=100)
        told = desk.http.post(PATH, content=lines(*(wish(member, 7) for _ in range(64)))).json()
        assert (told["done"], told["refused"]) == (100 // 7, 64 - 100 // 7)
        assert balance(desk, member) == 100 % 7
        assert desk.hub.status()["trial_balance"] == 0

    def test_of_lines_none_of_which_can_be_read(self, desk):
        answer = desk.http.post(PATH, content=lines(b"{", b'{"points": 1}'))
        refused(answer, status=422, code="wishes_malformed")
        assert [each["line"] for each in answer.json()["verdicts"]] == [1, 2]

    @pytest.mark.parametrize("body", [b"", b"[]", b"[1,", b"[\xff]", b"\n" * 9, b"{}\n" * 1001], ids=range(6))
    def test_of_too_little_or_too_much(self, desk, body):
        refused(desk.http.post(PATH, content=body), status=422, code="wish_malformed")

    def test_needs_its_scope(self, desk, members):
        body = lines(wish(members[0], 1))
        assert desk.call("POST", PATH, key=desk.make_key("read"), content=body).status_code == 403


def test_a_large_redemption_is_told(desk):
    member = desk.join(points=900)
    told = desk.http.post(PATH, content=lines(wish(member, 401), wish(member, 400))).json()
    assert told["done"] == 2
    with desk.hub.database.transaction() as tx:
        rows = tx.execute(
            "select payload from kernel.event where kind = 'programme.large_redemption' "
            "and payload->>'profile_id' = %s",
            [member],
        ).fetchall()
    [[large]] = rows
    assert UUID(large["profile_id"]) == UUID(member)
    assert (large["points"], large["large_above"], large["balance"]) == (401, 400, 499)
    assert large["transfer_id"] == told["verdicts"][0]["told"]["transfer_id"]
