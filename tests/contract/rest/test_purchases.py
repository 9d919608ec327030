"""Purchases and returns at the counter: earned in the answer, once, and refused with what to do."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.contract.rest.test_holds import points, refused

EARLY = (datetime.now(UTC) - timedelta(days=2)).isoformat()


def buy(desk, global_id, amount, /, **more):
    body = {"global_id": global_id, "number": uuid4().hex, "amount_minor": amount, "currency": "EUR"}
    return desk.http.post("/v1/purchases", json=body | {"occurred_at": datetime.now(UTC).isoformat()} | more)


def take_back(desk, purchase, /, **more):
    return desk.http.post("/v1/returns", json={"number": uuid4().hex, "purchase": purchase} | more)


def earned(answer):
    [told] = answer.json()["programmes"]
    return told


@pytest.fixture(scope="module")
def member(desk):
    return desk.join()


class TestPurchase:
    def test_earns_at_once_and_says_by_which_rule(self, desk):
        member = desk.join()
        lines = [{"amount_minor": 50_500, "item": "bike", "category": "sports"}, {"amount_minor": -500}]
        answer = buy(desk, member, 50_000, channel="cards", store="7", lines=lines)
        assert answer.status_code == 201, answer.text
        told = earned(answer)
        assert (told["programme"], told["points"], told["outcome"]) == ("points", 505, "earned")
        assert (told["balance"], told["spendable"], told["pending"], told["tier"]) == (505, 505, 0, "Silver")
        assert sum(each["points"] for each in told["rules"]) == 505
        assert {each["rule"] for each in told["rules"]} == {"base", "cards"}
        assert sum(each["points"] for each in told["lots"]) == 505
        assert points(desk, member)["spendable"] == 505

    def test_again_answers_how_it_stands(self, desk, member):
        number = uuid4().hex
        first, second = (buy(desk, member, 700, number=number, occurred_at=EARLY) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 200), second.text
        assert {**second.json(), "is_duplicate": False} == first.json()
        refused(buy(desk, member, 701, number=number, occurred_at=EARLY), status=409, code="key_reused")
        refused(buy(desk, desk.join(), 700, number=number, occurred_at=EARLY), status=409, code="purchase_of_another")

    def test_of_a_record_is_its_persons(self, desk, member):
        [record, *_] = desk.http.get(f"/v1/profiles/{member}").json()["records"]
        key = "/".join(record[name] for name in ("system", "stream", "external_id"))
        before = points(desk, member)["spendable"]
        answer = buy(desk, None, 400, record=key)
        assert (answer.status_code, answer.json()["global_id"]) == (201, member), answer.text
        assert points(desk, member)["spendable"] == before + 4
        wrong = buy(desk, None, 400, record="crm/customer/nobody")
        assert refused(wrong, status=404, code="unknown_member")["record"] == "crm/customer/nobody"
        refused(buy(desk, None, 400, record="customer-17"), status=422, code="record_key_malformed")

    def test_from_thirty_two_at_once_counts_once_each(self, desk):
        member, numbers = desk.join(), [uuid4().hex for _ in range(8)]
        with ThreadPoolExecutor(16) as pool:
            answers = list(
                pool.map(lambda n: buy(desk, member, 300, number=numbers[n % 8], occurred_at=EARLY), range(32))
            )
        assert sorted(each.status_code for each in answers) == [200] * 24 + [201] * 8
        assert points(desk, member)["spendable"] == 8 * 3

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"amount_minor": -1}, "$.amount_minor"),
            ({"amount_minor": 10**16}, "$.amount_minor"),
            ({"currency": "euro"}, "$.currency"),
            ({"number": " "}, "$.number"),
            ({"occurred_at": "2026-01-01T10:00:00"}, "$.occurred_at"),
            ({"points": 5}, "$"),
            ({"record": "crm/customer/1"}, "$"),
            ({"global_id": None}, "$"),
            ({"lines": [{"amount_minor": 1, "line_id": "2"}, {"amount_minor": 1}]}, "$.lines"),
            ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "$.occurred_at"),
            ({"occurred_at": (datetime.now(UTC) + timedelta(days=3)).isoformat()}, "$.occurred_at"),
        ],
    )
    def test_that_cannot_be_read_names_the_place(self, desk, member, wrong, field):
        answer = buy(desk, member, 100, **wrong)
        code = "purchase_invalid" if "lines" in wrong or "purchase_invalid" in answer.text else "wish_malformed"
        assert refused(answer, status=422, code=code)["field"] == field

    def test_of_nobody_or_without_the_scope(self, desk, member):
        refused(buy(desk, str(uuid4()), 100), status=404, code="unknown_member")
        body = {"global_id": member, "number": "1", "amount_minor": 1, "currency": "EUR", "occurred_at": EARLY}
        assert desk.call("POST", "/v1/purchases", key=desk.make_key("redeem"), json=body).status_code == 403
        assert desk.call("POST", "/v1/returns", key=desk.make_key("redeem"), json=body).status_code == 403

    def test_in_another_currency_earns_nothing_and_says_so(self, desk, member):
        answer = buy(desk, member, 5_000, currency="CHF")
        assert (answer.status_code, earned(answer)["points"], earned(answer)["outcome"]) == (201, 0, "other_currency")
        assert "three capitals" in buy(desk, member, 5_000, currency="eur").json()["title"]


class TestReturn:
    def test_in_parts(self, desk):
        member = desk.join()
        number = buy(desk, member, 60_000).json()["number"]
        back = uuid4().hex
        first, again = (take_back(desk, number, number=back, amount_minor=20_000) for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200), first.text
        [told] = first.json()["purchase"]["programmes"]
        assert (told["points"], told["taken_back"], told["spendable"], told["tier"]) == (400, 200, 400, "Blue")
        refused(take_back(desk, number, number=back, amount_minor=1), status=409, code="key_reused")
        details = refused(take_back(desk, number, amount_minor=40_001), status=409, code="return_refused")
        assert (details["reason"], details["left_minor"]) == ("too_much", 40_000)
        assert take_back(desk, number).json()["left_minor"] == 0
        assert points(desk, member)["spendable"] == 0
        assert refused(take_back(desk, number), status=409, code="return_refused")["reason"] == "nothing_left"

    def test_of_lines(self, desk, member):
        lines = [{"line_id": "a", "amount_minor": 1_000}, {"line_id": "b", "amount_minor": 2_000}]
        number = buy(desk, member, 3_000, lines=lines).json()["number"]
        came = [{"line_id": "b", "amount_minor": 2_000}]
        answer = take_back(desk, number, amount_minor=2_000, lines=came, global_id=member)
        assert answer.json()["purchase"]["programmes"][0]["points"] == 10, answer.text
        refused(take_back(desk, number, lines=came), status=422, code="purchase_invalid")
        [told] = desk.http.get(f"/v1/members/{member}/statement?programme=points&limit=1").json()["lines"]
        assert told["reason"] == "The purchase was returned, or corrected."

    def test_of_lines_that_cannot_be(self, desk):
        member = desk.join()
        number = buy(desk, member, 3_000, lines=[{"line_id": "a", "amount_minor": 3_000}]).json()["number"]
        strange = take_back(desk, number, amount_minor=100, lines=[{"line_id": "z", "amount_minor": 100}])
        assert refused(strange, status=422, code="purchase_invalid")["known"] == ["a"]
        more = take_back(desk, number, amount_minor=100, lines=[{"line_id": "a", "amount_minor": 200}])
        assert refused(more, status=422, code="purchase_invalid")["amount_minor"] == 100
        assert points(desk, member)["spendable"] == 30

    def test_of_something_else(self, desk, member):
        number = buy(desk, member, 3_000).json()["number"]
        refused(take_back(desk, uuid4().hex), status=404, code="unknown_purchase")
        refused(take_back(desk, number, currency="CHF"), status=409, code="return_refused")
        refused(take_back(desk, number, global_id=desk.join()), status=409, code="purchase_of_another")


def test_what_a_system_reports_too_counts_once(desk):
    member = desk.join(points=100)
    number = buy(desk, member, 2_500).json()["number"]
    sale = {"number": number, "sold_at": EARLY, "total": "25.00", "currency": "EUR", "customer": "nobody"}
    assert desk.send({"system": "shop", "stream": "order", "id": number, "data": sale}).is_success
    assert points(desk, member)["spendable"] == 125


def test_what_moved_is_in_balance(desk):
    assert desk.hub.status()["trial_balance"] == 0


class TestEnrolment:
    def enrol(self, desk, global_id, /, *, programme="points", **more):
        return desk.call("POST", f"/v1/members/{global_id}/enrolments", json={"programme": programme}, **more)

    def test_of_a_member_answers_how_they_stand(self, desk):
        till = desk.make_key("redeem")
        member = desk.join(points=600)
        told = self.enrol(desk, member, key=till)
        assert told.status_code == 200, told.text
        assert (told.json()["tier"], told.json()["spendable"], told.json()["is_duplicate"]) == ("Silver", 600, True)

    def test_of_nobody_in_nothing_or_without_the_scope(self, desk, member):
        till = desk.make_key("redeem")
        refused(self.enrol(desk, str(uuid4()), key=till), status=404, code="unknown_member")
        refused(self.enrol(desk, member, key=till, programme="point"), status=404, code="programme_not_defined")
        assert self.enrol(desk, member, key=desk.make_key("read")).status_code == 403
