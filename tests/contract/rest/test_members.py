"""What a member has, what moved it, what keeps and lifts the tier, and what would be."""

import csv
import io
from uuid import uuid4

import pytest

from tests.contract.rest.test_holds import hold, points, refused
from tests.contract.rest.test_redemptions import redeem


@pytest.fixture(scope="module")
def member(desk):
    return desk.join(points=600)


def statement(desk, global_id, /, *, headers=None, **query):
    path = f"/v1/members/{global_id}/statement"
    return desk.http.get(path, params={"programme": "points"} | query, headers=headers)


def ask(desk, what, global_id, /, **question):
    return desk.http.post(f"/v1/quotes/{what}", json={"global_id": global_id, "programme": "points"} | question)


class TestPoints:
    def test_are_told_lot_by_lot(self, desk):
        member = desk.join(points=100)
        assert hold(desk, member, 30).status_code == 201
        told = points(desk, member)
        figures = [told[name] for name in ("balance", "spendable", "pending", "held", "owed", "tier")]
        assert figures == [70, 70, 0, 30, 0, "Blue"]
        assert [(each["points"], each["is_pending"]) for each in told["lots"]] == [(70, False)]

    def test_of_somebody_unknown(self, desk):
        for path in ("points", "statement"):
            answer = desk.http.get(f"/v1/members/{uuid4()}/{path}", params={"programme": "points"})
            refused(answer, status=404, code="unknown_member")

    @pytest.mark.parametrize("path", ["points", "statement", "tiers", "vouchers", "rewards", "pools", "referrals"])
    def test_of_an_unknown_programme(self, desk, member, path):
        answer = desk.http.get(f"/v1/members/{member}/{path}", params={"programme": "point"})
        assert refused(answer, status=404, code="programme_not_defined")["remedy"] == "Did you mean points?"


class TestBalanceOn:
    def ask(self, desk, member, **query):
        return desk.http.get(f"/v1/members/{member}/balance-on", params={"programme": "points"} | query)

    def test_tells_what_was_there_on_a_day(self, desk):
        member = desk.join(points=100)
        told = self.ask(desk, member, day="9000-01-01").json()
        assert (told["balance"], told["known_at"]) == (100, None)
        assert self.ask(desk, member, day="2000-01-01").json()["balance"] == 0

    def test_of_what_nobody_knows_yet_is_refused(self, desk, member):
        answer = self.ask(desk, member, day="2026-03-01", known_at="9000-01-01T00:00:00Z")
        refused(answer, status=409, code="not_yet_known")


class TestStatement:
    def test_pages_to_the_end(self, desk, member):
        for amount in (1, 2, 3):
            assert redeem(desk, member, amount, reason=f"=cup {amount}").status_code == 201
        whole = statement(desk, member).json()
        assert [each["amount"] for each in whole["lines"]] == [-3, -2, -1, 600]
        assert (whole["lines"][0]["balance_after"], whole["next_before"]) == (594, None)
        first = statement(desk, member, limit=3)
        assert f"before={first.json()['next_before']}" in first.headers["link"]
        rest = statement(desk, member, limit=3, before=first.json()["next_before"]).json()
        assert first.json()["lines"] + rest["lines"] == whole["lines"]

    def test_is_csv_where_that_is_asked(self, desk, member):
        answer = statement(desk, member, headers={"accept": "text/csv"})
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        told = statement(desk, member).json()["lines"]
        assert [int(each["amount"]) for each in rows] == [each["amount"] for each in told]
        assert rows[0]["reason"].startswith("'=cup")


class TestTiers:
    def test_say_what_lifts_and_what_keeps(self, desk, member):
        [told] = desk.http.get(f"/v1/members/{member}/tiers", params={"programme": "points"}).json()
        assert (told["level"], told["points"]) == ("Silver", 600)
        assert (told["lift"]["level"], told["lift"]["points_missing"]) == ("Gold", 400)
        assert (told["keep"]["falls_to"], told["keep"]["points_missing"]) == ("Blue", 500)


class TestQuote:
    def test_of_a_purchase_is_what_it_would_earn(self, desk, member):
        before = points(desk, member)
        told = ask(desk, "purchase", member, amount_minor=1250, currency="EUR").json()
        assert (told["points"], told["outcome"], told["tier"]) == (12, "earned", "Silver")
        told = ask(desk, "purchase", member, amount_minor=1250, currency="USD").json()
        assert (told["points"], told["outcome"]) == (0, "other_currency")
        assert points(desk, member) == before

    def test_of_a_purchase_knows_its_lines_channel_and_store(self, desk, member):
        lines = [{"amount_minor": 1000, "category": "spa"}, {"amount_minor": 500, "quantity": 2, "item": "soap"}]
        question = {"amount_minor": 1500, "currency": "EUR", "store": "Ulm", "lines": lines}
        assert ask(desk, "purchase", member, **question).json()["points"] == 30 + 5
        assert ask(desk, "purchase", member, **question | {"store": "Bonn"}).json()["points"] == 15
        twice = [each | {"line_id": "a"} for each in lines]
        refused(ask(desk, "purchase", member, **question | {"lines": twice}), status=422, code="invalid_purchase")
        answer = ask(desk, "purchase", member, **question | {"lines": [{"quantity": 1}]})
        assert (answer.status_code, answer.json()["code"]) == (422, "request_malformed")

    def test_of_a_redemption_says_what_is_missing(self, desk, member):
        there = points(desk, member)["spendable"]
        told = ask(desk, "redemption", member, points=there).json()
        assert (told["is_possible"], told["balance_after"], told["points_missing"]) == (True, 0, 0)
        told = ask(desk, "redemption", member, points=there + 3).json()
        assert (told["is_possible"], told["balance_after"], told["points_missing"]) == (False, None, 3)

    @pytest.mark.parametrize("what", ["purchase", "redemption"])
    def test_of_somebody_unknown(self, desk, member, what):
        question = {"points": 5} if what == "redemption" else {"amount_minor": 5, "currency": "EUR"}
        refused(ask(desk, what, str(uuid4()), **question), status=404, code="unknown_member")
        refused(ask(desk, what, member, programme="point", **question), status=404, code="programme_not_defined")


class TestBudgets:
    def test_say_what_is_drawn_and_left(self, desk):
        [found] = desk.http.get("/v1/budgets", params={"programme": "points"}).json()
        assert (found["budget"], found["per"], found["points_used"], found["points_max"]) == ("spring", "year", 0, 1000)
        assert (found["used_percent"], found["is_low"], found["is_spent"]) == (0, False, False)
        answer = desk.http.get("/v1/budgets", params={"programme": "pionts"})
        assert (answer.status_code, answer.json()["code"]) == (404, "programme_not_defined")
