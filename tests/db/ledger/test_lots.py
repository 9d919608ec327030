"""Lots: every point spent names the accrual it came from; holds, expiry and returns keep to it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from comity.ledger import api, store
from comity.ledger.types import (
    AccountKind,
    Book,
    Capture,
    HoldOutcome,
    MoneyLeg,
    NewAccount,
    NewHold,
    Posting,
    PostingStatus,
    Release,
    ReturnPolicy,
    Reversal,
    Takes,
    Terms,
)

DAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
SOURCE = {"system": "shop", "external_id": "1", "effective_on": DAY}


class Books:
    """A programme with two members; every verb in one line, and the books checked after each."""

    def __init__(self, tx):
        self.tx = tx
        kinds = [
            (AccountKind.PROGRAMME, "points"),
            (AccountKind.MEMBER, "0"),
            (AccountKind.MEMBER, "1"),
            (AccountKind.PARTNER, "air"),
        ]
        self.programme, self.ada, self.bob, self.partner = api.open_accounts(
            tx,
            accounts=[NewAccount(book=Book.POINTS, unit="points", kind=kind, owner=owner) for kind, owner in kinds],
            now=NOW,
        )
        self.count = 0

    def post(self, debit, credit, amount, **changes):
        self.count += 1
        fields = {"idempotency_key": f"k{self.count}", "kind": "any"} | SOURCE | changes
        wish = Posting(debit_account_id=debit, credit_account_id=credit, amount=amount, **fields)
        [verdict] = api.post(self.tx, postings=[wish], now=NOW)
        self.check()
        return verdict

    def earn(self, account, amount, expires_on=None, **terms):
        return self.post(
            self.programme, account, amount, kind="earn", terms=Terms(expires_on=expires_on, **terms)
        ).transfer_id

    def redeem(self, account, amount, **changes):
        return self.post(account, self.programme, amount, kind="redeem", **changes)

    def reserve(self, account, amount, key="h", deadline_at=NOW + timedelta(minutes=15)):
        hold = NewHold(idempotency_key=key, account_id=account, amount=amount, deadline_at=deadline_at, **SOURCE)
        [verdict] = api.reserve(self.tx, holds=[hold], now=NOW)
        self.check()
        return verdict

    def capture(self, hold_id, amount=None, key="c", now=NOW):
        wish = Capture(idempotency_key=key, hold_id=hold_id, credit_account_id=self.programme, amount=amount, **SOURCE)
        [verdict] = api.capture(self.tx, captures=[wish], now=now)
        self.check()
        return verdict

    def release(self, hold_id, key="r"):
        [verdict] = api.release(self.tx, releases=[Release(idempotency_key=key, hold_id=hold_id, **SOURCE)], now=NOW)
        self.check()
        return verdict

    def reverse(self, transfer_id, key="back", **changes):
        fields = SOURCE | {"reason": ""} | changes
        [verdict] = api.reverse(
            self.tx, reversals=[Reversal(transfer_id=transfer_id, idempotency_key=key, **fields)], now=NOW
        )
        self.check()
        return verdict

    def expire(self, today):
        count = len(api.expire_lots(self.tx, unit="points", today=today, now=NOW))
        self.check()
        return count

    def lots(self, account):
        held = api.list_holdings(self.tx, account_ids=[account]).get(account, [])
        return [(each.lot_id, each.rest) for each in held]

    def lines(self, transfer_id):
        query = "select lot_id, account_id, amount from ledger.lot_entry where transfer_id = %s order by 2, 1"
        return self.tx.execute(query, (transfer_id,)).fetchall()

    def balance(self, account):
        return api.get_balances(self.tx, account_ids=[account])[0]

    def check(self):
        assert store.find_imbalance(self.tx) == []


@pytest.fixture
def books(tx):
    return Books(tx)


class TestSpending:
    def test_takes_the_soonest_expiry_first_then_the_oldest(self, books):
        never = books.earn(books.ada, 10)
        late = books.earn(books.ada, 10, date(2027, 1, 1))
        soon = books.earn(books.ada, 10, date(2026, 6, 1))
        later = books.earn(books.ada, 10, date(2027, 1, 1))
        assert books.lots(books.ada) == [(soon, 10), (late, 10), (later, 10), (never, 10)]
        spent = books.redeem(books.ada, 25)
        assert books.lines(spent.transfer_id) == [
            (late, books.ada, -10),
            (soon, books.ada, -10),
            (later, books.ada, -5),
        ]
        assert books.lots(books.ada) == [(later, 5), (never, 10)]

    def test_decides_in_order_inside_a_batch(self, books):
        """What is earned in a batch is spent in it, in its place among what there was."""
        old = books.earn(books.ada, 10, date(2026, 6, 1))

        def wish(key, debit, credit, amount, terms=None):
            return Posting(
                idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, kind="any",
                terms=terms or Terms(), **SOURCE,
            )  # fmt: skip

        verdicts = api.post(
            books.tx,
            postings=[
                wish("a", books.programme, books.ada, 5, Terms(expires_on=date(2026, 4, 1))),
                wish("b", books.ada, books.programme, 7),
                wish("c", books.programme, books.ada, 5, Terms(expires_on=date(2026, 5, 1))),
                wish("d", books.ada, books.programme, 6),
                wish("e", books.ada, books.bob, 7),
                wish("f", books.bob, books.programme, 8),
            ],
            now=NOW,
        )
        books.check()
        assert [each.status.value for each in verdicts] == ["posted"] * 5 + ["insufficient"]
        a, b, c, d, e, _ = (each.transfer_id for each in verdicts)
        assert books.lines(b) == [(old, books.ada, -2), (a, books.ada, -5)]
        assert books.lines(d) == [(old, books.ada, -1), (c, books.ada, -5)]
        assert books.lines(e) == [(old, books.ada, -7), (old, books.bob, 7)]
        assert (books.lots(books.ada), books.lots(books.bob)) == ([], [(old, 7)])

    def test_leaves_pending_and_expired_points_alone(self, books):
        books.earn(books.ada, 10, available_from=DAY + timedelta(days=1))
        books.earn(books.ada, 10, is_pending=True)
        books.earn(books.ada, 10, DAY)
        good = books.earn(books.ada, 10, DAY + timedelta(days=1), available_from=DAY)
        refused = books.redeem(books.ada, 11)
        assert (refused.status, refused.debit_balance_after) == (PostingStatus.INSUFFICIENT, 40)
        assert books.lines(books.redeem(books.ada, 10).transfer_id) == [(good, books.ada, -10)]
        assert books.redeem(books.ada, 1).status is PostingStatus.INSUFFICIENT
        moved = books.post(books.ada, books.bob, 30, takes=Takes.ANY)
        assert (moved.status, books.balance(books.bob)) == (PostingStatus.POSTED, 30)
        assert books.redeem(books.bob, 1).status is PostingStatus.INSUFFICIENT

    def test_moves_lots_with_their_terms(self, books):
        lot = books.earn(books.ada, 10, date(2026, 6, 1))
        books.post(books.ada, books.bob, 4)
        books.post(books.bob, books.ada, 1)
        assert (books.lots(books.ada), books.lots(books.bob)) == ([(lot, 7)], [(lot, 3)])
        assert books.expire(date(2026, 6, 1)) == 2
        assert books.balance(books.ada) == books.balance(books.bob) == 0

    def test_books_money_in_the_same_journal(self, books):
        liability, revenue = api.open_accounts(
            books.tx,
            accounts=[
                NewAccount(book=Book.MONEY, unit="EUR", kind=AccountKind.MONEY, owner=owner)
                for owner in ("liability", "revenue")
            ],
            now=NOW,
        )
        money = MoneyLeg(debit_account_id=revenue, credit_account_id=liability, amount_minor=99)
        earned = books.post(books.programme, books.ada, 10, money=money)
        assert api.get_balances(books.tx, account_ids=[liability, revenue]) == [99, -99]
        assert books.reverse(earned.transfer_id).status is PostingStatus.POSTED
        assert api.get_balances(books.tx, account_ids=[liability, revenue]) == [0, 0]
        wrong = [
            MoneyLeg(debit_account_id=revenue, credit_account_id=books.ada, amount_minor=1),
            MoneyLeg(debit_account_id=revenue, credit_account_id=revenue, amount_minor=1),
            MoneyLeg(debit_account_id=books.ada, credit_account_id=books.bob, amount_minor=1),
            MoneyLeg(debit_account_id=revenue, credit_account_id=liability, amount_minor=0),
            MoneyLeg(debit_account_id=revenue, credit_account_id=-5, amount_minor=1),
        ]
        got = [books.post(books.programme, books.ada, 10, money=each).status.value for each in wrong]
        assert got == ["invalid"] * 4 + ["unknown_account"]
        assert books.balance(books.ada) == 0


class TestExpiry:
    def test_takes_exactly_the_rest_on_the_day(self, books):
        lot = books.earn(books.ada, 10, date(2026, 6, 1))
        books.earn(books.ada, 5)
        books.redeem(books.ada, 3)
        assert books.expire(date(2026, 5, 31)) == 0
        assert books.expire(date(2026, 6, 2)) == 1
        assert books.expire(date(2026, 6, 2)) == 0
        line = api.list_entries(books.tx, account_id=books.ada)[0]
        assert (line.amount, line.kind, line.effective_on) == (-7, "expire", date(2026, 6, 1))
        assert line.external_id == f"lot:{lot}"
        assert books.balance(books.ada) == 5

    def test_leaves_what_is_held_until_the_hold_ends(self, books):
        lot = books.earn(books.ada, 10, date(2026, 6, 1))
        first = books.reserve(books.ada, 4, key="a").transfer_id
        second = books.reserve(books.ada, 4, key="b").transfer_id
        assert books.expire(date(2026, 6, 1)) == 1
        assert books.capture(first).status is PostingStatus.POSTED
        assert books.release(second).status is PostingStatus.POSTED
        assert books.lots(books.ada) == [(lot, 4)]
        assert books.expire(date(2026, 6, 1)) == 1
        assert books.balance(books.ada) == 0


class TestHolds:
    def test_reserve_points_against_every_other_use(self, books):
        books.earn(books.ada, 10)
        hold = books.reserve(books.ada, 7)
        assert (hold.status, hold.debit_balance_after) == (PostingStatus.POSTED, 3)
        assert books.redeem(books.ada, 4).status is PostingStatus.INSUFFICIENT
        assert books.reserve(books.ada, 4, key="other").status is PostingStatus.INSUFFICIENT
        again = books.reserve(books.ada, 7)
        assert (again.status, again.transfer_id) == (PostingStatus.DUPLICATE, hold.transfer_id)
        assert books.reserve(books.ada, 6).status is PostingStatus.KEY_REUSED
        rows = {row.kind: row.balance for row in api.trial_balance(books.tx) if row.unit == "points"}
        assert (rows["member"], rows["reserved"], rows["programme"]) == (3, 7, -10)

    def test_end_once(self, books):
        books.earn(books.ada, 10)
        hold_id = books.reserve(books.ada, 7).transfer_id
        done = books.capture(hold_id, 5)
        assert (done.status, done.captured, done.released) == (PostingStatus.POSTED, 5, 2)
        assert books.balance(books.ada) == 5
        again = books.capture(hold_id, 5)
        assert again == type(again)(**{f: getattr(done, f) for f in done.__struct_fields__} | {"status": again.status})
        assert again.status is PostingStatus.DUPLICATE
        for other in (books.capture(hold_id, 4), books.capture(hold_id, 5, key="d"), books.release(hold_id)):
            assert (other.status, other.outcome) == (PostingStatus.ALREADY_RESOLVED, HoldOutcome.CAPTURED)
        assert books.balance(books.ada) == 5

    def test_end_once_in_one_call(self, books):
        books.earn(books.ada, 10)
        hold_id = books.reserve(books.ada, 7).transfer_id
        wishes = [
            Capture(idempotency_key=key, hold_id=hold_id, credit_account_id=books.programme, amount=3, **SOURCE)
            for key in ("a", "a", "b")
        ]
        verdicts = api.capture(books.tx, captures=wishes, now=NOW)
        assert [each.status.value for each in verdicts] == ["posted", "duplicate", "already_resolved"]
        assert books.balance(books.ada) == 7

    def test_time_out(self, books):
        books.earn(books.ada, 10)
        hold_id, late = books.reserve(books.ada, 7).transfer_id, NOW + timedelta(minutes=15)
        assert books.capture(hold_id, now=late).status is PostingStatus.OVERDUE
        assert api.time_out_holds(books.tx, unit="points", today=DAY, now=NOW) == []
        [ended] = api.time_out_holds(books.tx, unit="points", today=DAY, now=late)
        assert (ended.account_id, ended.points) == (books.ada, 7)
        assert api.time_out_holds(books.tx, unit="points", today=DAY, now=late) == []
        books.check()
        assert books.capture(hold_id).outcome is HoldOutcome.TIMED_OUT
        assert books.balance(books.ada) == 10

    def test_keep_apart_what_two_holds_reserve_of_one_lot(self, books):
        lot = books.earn(books.ada, 10)
        first = books.reserve(books.ada, 6, key="a").transfer_id
        second = books.reserve(books.ada, 4, key="b").transfer_id
        assert books.capture(first).captured == 6
        assert books.capture(first, key="again").status is PostingStatus.ALREADY_RESOLVED
        assert books.release(second).released == 4
        assert books.lots(books.ada) == [(lot, 4)]

    def test_refuse_what_makes_no_sense(self, books):
        books.earn(books.ada, 10)
        assert books.reserve(books.programme, 1).status is PostingStatus.INVALID
        assert books.reserve(-1, 1).status is PostingStatus.INVALID
        assert books.reserve(books.ada, 0).status is PostingStatus.INVALID
        hold_id = books.reserve(books.ada, 7).transfer_id
        assert books.capture(hold_id, 8).status is PostingStatus.INVALID
        assert books.capture(hold_id + 1).status is PostingStatus.INVALID
        assert books.reverse(hold_id).status is PostingStatus.INVALID
        assert books.capture(hold_id).status is PostingStatus.POSTED


class TestReturns:
    def test_take_points_from_their_own_lot_first(self, books):
        books.earn(books.ada, 10, date(2026, 6, 1))
        lot = books.earn(books.ada, 10)
        taken = books.reverse(lot, amount=4)
        assert books.lines(taken.transfer_id) == [(lot, books.ada, -4)]
        assert books.reverse(lot, key="more", amount=7).status is PostingStatus.ALREADY_REVERSED
        assert books.reverse(lot, key="rest").amount == 6
        assert books.reverse(lot, key="again").status is PostingStatus.ALREADY_REVERSED

    def test_within_balance_let_go_of_what_is_spent_and_say_so_again(self, books):
        lot = books.earn(books.ada, 10)
        books.redeem(books.ada, 8)
        first = books.reverse(lot, policy=ReturnPolicy.WITHIN_BALANCE)
        assert (first.amount, first.shortfall) == (2, 8)
        books.earn(books.ada, 100)
        again = books.reverse(lot, policy=ReturnPolicy.WITHIN_BALANCE)
        assert (again.status, again.transfer_id, again.shortfall) == (PostingStatus.DUPLICATE, first.transfer_id, 8)
        assert books.reverse(lot, key="other").status is PostingStatus.ALREADY_REVERSED
        assert books.balance(books.ada) == 100

    def test_within_balance_take_nothing_once(self, books):
        """A message that comes again after new points were earned takes nothing either."""
        lot = books.earn(books.ada, 10)
        books.redeem(books.ada, 10)
        assert books.reverse(lot, policy=ReturnPolicy.WITHIN_BALANCE).status is PostingStatus.NOTHING_TAKEN
        books.earn(books.ada, 10)
        assert books.reverse(lot, policy=ReturnPolicy.WITHIN_BALANCE).status is PostingStatus.DUPLICATE
        assert books.balance(books.ada) == 10

    def test_only_pending(self, books):
        pending = books.earn(books.ada, 10, is_pending=True)
        settled = books.earn(books.ada, 10)
        assert books.reverse(pending, policy=ReturnPolicy.ONLY_PENDING).amount == 10
        assert books.reverse(settled, key="b", policy=ReturnPolicy.ONLY_PENDING).shortfall == 10

    def test_allow_negative_leaves_a_debt_that_the_next_accruals_pay(self, books):
        lot = books.earn(books.ada, 10)
        books.redeem(books.ada, 8)
        debt = books.reverse(lot, policy=ReturnPolicy.ALLOW_NEGATIVE)
        assert (debt.amount, books.balance(books.ada)) == (10, -8)
        assert books.lines(debt.transfer_id) == [(lot, books.ada, -2), (debt.transfer_id, books.ada, -8)]
        assert books.redeem(books.ada, 1).status is PostingStatus.INSUFFICIENT
        small = books.earn(books.ada, 5)
        assert books.lines(small) == [(debt.transfer_id, books.ada, 5), (small, books.ada, -5)]
        large = books.earn(books.ada, 10)
        assert books.lines(large) == [(debt.transfer_id, books.ada, 3), (large, books.ada, -3)]
        assert books.lots(books.ada) == [(large, 7)]
        assert books.redeem(books.ada, 7).status is PostingStatus.POSTED

    def test_give_back_into_the_same_lots(self, books):
        soon = books.earn(books.ada, 10, date(2026, 6, 1))
        late = books.earn(books.ada, 10, date(2027, 6, 1))
        spent = books.redeem(books.ada, 15).transfer_id
        books.reverse(spent, amount=7)
        assert books.lots(books.ada) == [(soon, 2), (late, 10)]
        books.reverse(spent, key="rest")
        assert books.lots(books.ada) == [(soon, 10), (late, 10)]

    def test_give_back_of_an_expired_lot_expires_at_once(self, books):
        """As Siebel does it: nobody dodges expiry by cancelling."""
        books.earn(books.ada, 10, date(2026, 4, 1))
        spent = books.redeem(books.ada, 10).transfer_id
        may = date(2026, 5, 1)
        books.expire(may)
        books.reverse(spent, effective_on=may)
        assert books.redeem(books.ada, 1, effective_on=may).status is PostingStatus.INSUFFICIENT
        assert books.expire(may) == 1
        assert api.list_entries(books.tx, account_id=books.ada)[0].effective_on == may
        assert books.balance(books.ada) == 0

    def test_of_a_capture_go_to_the_member(self, books):
        lot = books.earn(books.ada, 10)
        hold_id = books.reserve(books.ada, 6).transfer_id
        captured = books.capture(hold_id).capture_transfer_id
        assert books.reverse(captured).status is PostingStatus.POSTED
        assert books.lots(books.ada) == [(lot, 10)]

    def test_follow_the_member_to_another_account(self, books):
        lot = books.earn(books.ada, 10)
        books.post(books.ada, books.bob, 10, takes=Takes.ANY)
        assert books.reverse(lot).status is PostingStatus.INSUFFICIENT
        taken = books.reverse(lot, account_id=books.bob)
        assert books.lines(taken.transfer_id) == [(lot, books.bob, -10)]

    def test_of_a_gift_bring_the_same_lots_back(self, books):
        lot = books.earn(books.ada, 10, date(2026, 6, 1))
        gift = books.post(books.ada, books.bob, 6).transfer_id
        books.earn(books.bob, 10, date(2026, 5, 1))
        books.reverse(gift)
        assert books.lots(books.ada) == [(lot, 10)]
