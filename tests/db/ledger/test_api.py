"""The door of the ledger on a real database."""

from datetime import date, timedelta
from threading import Barrier, Thread

import psycopg
import pytest

from comity.ledger import api, store
from comity.ledger.types import (
    AMOUNT_MAX,
    POSTINGS_MAX,
    AccountKind,
    Book,
    NewAccount,
    Posting,
    PostingStatus,
    Reversal,
    TooManyPostings,
    UnknownAccount,
)

DAY = date(2026, 3, 3)


def open_books(tx, now, members=2, unit="points", book=Book.POINTS):
    accounts = [NewAccount(book=book, unit=unit, kind=AccountKind.PROGRAMME, owner=unit)]
    accounts += [
        NewAccount(book=book, unit=unit, kind=AccountKind.MEMBER, owner=f"{number}") for number in range(members)
    ]
    return api.open_accounts(tx, accounts=accounts, now=now)


def posting(key, debit, credit, amount, **changes):
    fields = {"kind": "earn", "effective_on": DAY, "system": "shop", "external_id": f"order-{key}"} | changes
    return Posting(idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, **fields)


def post_one(tx, now, *arguments, **changes):
    [verdict] = api.post(tx, postings=[posting(*arguments, **changes)], now=now)
    return verdict


@pytest.fixture
def now(clock):
    return clock.now()


class TestOpenAccounts:
    def test_gives_an_open_account_its_id_again(self, tx, now):
        assert open_books(tx, now) == open_books(tx, now)

    def test_keeps_the_order_asked(self, tx, now):
        first = open_books(tx, now, members=3)
        account = NewAccount(book=Book.POINTS, unit="points", kind=AccountKind.MEMBER, owner="1")
        assert api.open_accounts(tx, accounts=[account], now=now) == [first[2]]


class TestPost:
    def test_answers_with_transfer_and_running_balance(self, tx, now):
        programme, member, _ = open_books(tx, now)
        verdicts = api.post(
            tx,
            postings=[posting("a", programme, member, 500), posting("b", member, programme, 120, kind="redeem")],
            now=now,
        )
        assert [verdict.status for verdict in verdicts] == [PostingStatus.POSTED, PostingStatus.POSTED]
        assert [verdict.balance_after for verdict in verdicts] == [500, 380]
        assert verdicts[0].transfer_id < verdicts[1].transfer_id
        assert api.get_balances(tx, account_ids=[member, programme]) == [380, -380]

    def test_decides_in_order_and_lets_the_others_pass(self, tx, now):
        programme, member, other = open_books(tx, now)
        verdicts = api.post(
            tx,
            postings=[
                posting("a", member, programme, 1),
                posting("b", programme, member, 10),
                posting("c", member, other, 7),
                posting("d", member, programme, 4),
                posting("e", other, programme, 7),
            ],
            now=now,
        )
        assert [verdict.status.value for verdict in verdicts] == [
            "insufficient", "posted", "posted", "insufficient", "posted",
        ]  # fmt: skip
        assert verdicts[3].balance_after == 3
        assert api.get_balances(tx, account_ids=[member, other]) == [3, 0]

    def test_answers_a_known_key_with_the_first_transfer(self, tx, now):
        programme, member, _ = open_books(tx, now)
        first = post_one(tx, now, "a", programme, member, 500)
        post_one(tx, now, "b", programme, member, 1)
        again = post_one(tx, now + timedelta(days=1), "a", programme, member, 500)
        assert again.status is PostingStatus.DUPLICATE
        assert (again.transfer_id, again.balance_after) == (first.transfer_id, 500)
        assert api.get_balances(tx, account_ids=[member]) == [501]

    @pytest.mark.parametrize("changes", [{"reason": "x"}, {"kind": "gift"}, {"system": "till"}, {"external_id": "2"}])
    def test_refuses_a_key_with_another_body(self, tx, now, changes):
        programme, member, _ = open_books(tx, now)
        post_one(tx, now, "a", programme, member, 500)
        assert post_one(tx, now, "a", programme, member, 500, **changes).status is PostingStatus.KEY_REUSED

    def test_sees_both_inside_one_batch(self, tx, now):
        programme, member, _ = open_books(tx, now)
        wishes = [posting("a", programme, member, 5), posting("a", programme, member, 5)]
        wishes.append(posting("a", programme, member, 6))
        verdicts = api.post(tx, postings=wishes, now=now)
        assert [verdict.status.value for verdict in verdicts] == ["posted", "duplicate", "key_reused"]
        assert verdicts[0].transfer_id == verdicts[1].transfer_id
        assert api.get_balances(tx, account_ids=[member]) == [5]

    def test_answers_a_known_key_though_it_would_be_refused_today(self, tx, now):
        programme, member, _ = open_books(tx, now)
        post_one(tx, now, "earn", programme, member, 5)
        first = post_one(tx, now, "spend", member, programme, 5)
        again = post_one(tx, now, "spend", member, programme, 5)
        other = post_one(tx, now, "spend", member, programme, 0)
        assert (again.status, again.transfer_id) == (PostingStatus.DUPLICATE, first.transfer_id)
        assert other.status is PostingStatus.KEY_REUSED

    def test_sees_a_repetition_that_would_be_refused_inside_one_batch(self, tx, now):
        programme, member, _ = open_books(tx, now)
        post_one(tx, now, "earn", programme, member, 5)
        wishes = [posting("spend", member, programme, 5), posting("spend", member, programme, 5)]
        wishes.append(posting("more", member, programme, 5))
        verdicts = api.post(tx, postings=wishes, now=now)
        assert [each.status.value for each in verdicts] == ["posted", "duplicate", "insufficient"]
        assert verdicts[0].transfer_id == verdicts[1].transfer_id

    def test_compares_the_request_where_one_is_given(self, tx, now):
        programme, member, other = open_books(tx, now)
        post_one(tx, now, "a", programme, member, 5, request="five for Ada")
        assert post_one(tx, now, "a", programme, other, 5, request="five for Ada").status is PostingStatus.DUPLICATE
        assert post_one(tx, now, "a", programme, member, 5, request="six").status is PostingStatus.KEY_REUSED
        assert post_one(tx, now, "a", programme, member, 5).status is PostingStatus.KEY_REUSED

    def test_leaves_the_key_of_a_refused_posting_free(self, tx, now):
        programme, member, _ = open_books(tx, now)
        assert post_one(tx, now, "a", member, programme, 5).status is PostingStatus.INSUFFICIENT
        post_one(tx, now, "b", programme, member, 5)
        assert post_one(tx, now, "a", member, programme, 5).status is PostingStatus.POSTED

    def test_refuses_what_makes_no_sense(self, tx, now):
        programme, member, _ = open_books(tx, now)
        [_, euro, _] = open_books(tx, now, unit="EUR", book=Book.MONEY)
        wishes = [
            posting("a", programme, member, 0),
            posting("b", programme, member, -5),
            posting("c", programme, member, AMOUNT_MAX + 1),
            posting("d", member, member, 5),
            posting("e", programme, euro, 5),
            posting("", programme, member, 5),
            posting("k" * 501, programme, member, 5),
            posting("f", programme, 999_999_999, 5),
            posting("g", 999_999_999, member, 5),
        ]
        verdicts = api.post(tx, postings=wishes, now=now)
        assert [verdict.status.value for verdict in verdicts] == ["invalid"] * 7 + ["unknown_account"] * 2
        assert api.get_balances(tx, account_ids=[programme, member]) == [0, 0]

    def test_takes_odd_text_as_it_is(self, tx, now):
        programme, member, _ = open_books(tx, now)
        text = 'a,{}"\\\x1f é\n€'
        post_one(tx, now, text, programme, member, 5, reason=text, external_id=text)
        [line] = api.list_entries(tx, account_id=member)
        assert (line.reason, line.external_id) == (text, text)

    def test_refuses_a_batch_that_is_too_large(self, tx, now):
        with pytest.raises(TooManyPostings):
            api.post(tx, postings=[posting("a", 1, 2, 5)] * (POSTINGS_MAX + 1), now=now)

    def test_takes_one_statement_for_a_batch(self, tx, now):
        """Round trips are what a batch saves."""
        programme, member, _ = open_books(tx, now)
        statements = []
        execute = tx.execute
        tx.execute = lambda *arguments: statements.append(arguments) or execute(*arguments)
        try:
            api.post(tx, postings=[posting(f"{n}", programme, member, 5) for n in range(100)], now=now)
        finally:
            del tx.execute
        assert len(statements) == 1


class TestReverse:
    def reversal(self, transfer_id, key="r"):
        return Reversal(
            transfer_id=transfer_id, idempotency_key=key, effective_on=DAY, reason="mistake", system="comity",
            external_id="case-1",
        )  # fmt: skip

    def test_names_what_it_undoes_and_happens_once(self, tx, now):
        programme, member, _ = open_books(tx, now)
        first = post_one(tx, now, "a", programme, member, 500)
        [done] = api.reverse(tx, reversals=[self.reversal(first.transfer_id)], now=now)
        assert (done.status, done.balance_after) == (PostingStatus.POSTED, 0)
        assert api.list_entries(tx, account_id=member)[0].reverses_transfer_id == first.transfer_id
        again, other, itself = api.reverse(
            tx,
            reversals=[
                self.reversal(first.transfer_id),
                self.reversal(first.transfer_id, "other"),
                self.reversal(done.transfer_id, "back"),
            ],
            now=now,
        )
        assert (again.status, again.transfer_id) == (PostingStatus.DUPLICATE, done.transfer_id)
        assert other.status is PostingStatus.ALREADY_REVERSED
        assert itself.status is PostingStatus.INVALID
        [later] = api.reverse(tx, reversals=[self.reversal(first.transfer_id, "later")], now=now)
        assert later.status is PostingStatus.ALREADY_REVERSED

    def test_refuses_to_take_back_what_is_spent(self, tx, now):
        programme, member, _ = open_books(tx, now)
        first = post_one(tx, now, "a", programme, member, 500)
        post_one(tx, now, "b", member, programme, 1, kind="redeem")
        [verdict] = api.reverse(tx, reversals=[self.reversal(first.transfer_id)], now=now)
        assert verdict.status is PostingStatus.INSUFFICIENT


class TestReading:
    def test_balances_of_unknown_accounts_are_refused(self, tx):
        with pytest.raises(UnknownAccount):
            api.get_balances(tx, account_ids=[999_999_999])

    def test_statement_pages_from_the_newest(self, tx, now):
        programme, member, _ = open_books(tx, now)
        for number in range(1, 6):
            post_one(tx, now, f"{number}", programme, member, number)
        first = api.list_entries(tx, account_id=member, limit_max=3)
        rest = api.list_entries(tx, account_id=member, before_transfer_id=first[-1].transfer_id)
        assert [line.amount for line in first + rest] == [5, 4, 3, 2, 1]
        assert [line.balance_after for line in first + rest] == [15, 10, 6, 3, 1]

    def test_trial_balance_sums_to_zero(self, tx, now):
        programme, member, _ = open_books(tx, now)
        post_one(tx, now, "a", programme, member, 500)
        rows = [row for row in api.trial_balance(tx) if row.unit == "points"]
        assert {row.kind: row.balance for row in rows} == {AccountKind.MEMBER: 500, AccountKind.PROGRAMME: -500}
        assert {row.kind: row.account_count for row in rows} == {AccountKind.MEMBER: 2, AccountKind.PROGRAMME: 1}


class TestImmutability:
    def test_entries_cannot_be_written(self, tx):
        """They are told from the transfers, so they cannot contradict them."""
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            tx.execute("insert into ledger.v_entry (transfer_id, account_id, amount) values (0, 1, 5), (0, 2, -4)")

    def test_refuses_a_negative_balance(self, tx, now):
        [_, member, _] = open_books(tx, now)
        with pytest.raises(psycopg.errors.CheckViolation):
            tx.execute("update ledger.account set balance = -1 where account_id = %s", (member,))


class TestConcurrency:
    def run(self, database, count, work):
        barrier = Barrier(count)
        failures = []

        def body(number):
            try:
                with database.connect() as connection:
                    barrier.wait(timeout=20)
                    for step in range(5):
                        with connection.transaction():
                            work(connection, number, step)
            except Exception as error:  # noqa: BLE001 - reported by the main thread.
                failures.append(error)

        threads = [Thread(target=body, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert failures == []

    def test_spends_no_point_twice(self, database, now):
        """Promise P19: exactly floor(balance / price) of many concurrent redemptions succeed."""
        with database.transaction() as tx:
            programme, member, other = open_books(tx, now)
            api.post(tx, postings=[posting("seed", programme, member, 100)], now=now)
        verdicts = []

        def work(tx, number, step):
            wishes = [posting(f"{number}-{step}-{i}", member, programme, 7, kind="redeem") for i in range(3)]
            wishes.append(posting(f"{number}-{step}", programme, other, 1))
            verdicts.extend(api.post(tx, postings=wishes, now=now))

        self.run(database, 6, work)
        spent = [
            each for each in verdicts if each.status is PostingStatus.POSTED and each.debit_balance_after is not None
        ]
        assert len(spent) == 100 // 7
        with database.transaction() as tx:
            assert api.get_balances(tx, account_ids=[member, other]) == [100 % 7, 30]
            assert store.find_imbalance(tx) == []
            assert sum(row.balance for row in api.trial_balance(tx)) == 0

    def test_takes_a_contested_key_once(self, database, now):
        """The same keys at once, for other accounts each: one wins, the others hear of it; nobody deadlocks."""
        with database.transaction() as tx:
            programme, *members = open_books(tx, now, members=4)
        verdicts = []

        def work(tx, number, step):
            keys = [f"{step}-{i}" for i in range(20)]
            wishes = [posting(key, programme, members[number], 5) for key in (keys if number % 2 else keys[::-1])]
            verdicts.extend(api.post(tx, postings=wishes, now=now))

        self.run(database, 4, work)
        statuses = [each.status for each in verdicts]
        assert statuses.count(PostingStatus.POSTED) == 100
        assert statuses.count(PostingStatus.KEY_REUSED) == 300
        with database.transaction() as tx:
            assert api.get_balances(tx, account_ids=[programme]) == [-500]
            assert store.find_imbalance(tx) == []
