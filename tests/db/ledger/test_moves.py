"""All that somebody has moves to another account: lots, pending and expired ones, debts."""

from datetime import UTC, date, datetime

import pytest

from comity.ledger import api, store
from comity.ledger.types import (
    AccountKind,
    Book,
    Move,
    NewAccount,
    NewHold,
    Posting,
    ReturnPolicy,
    Reversal,
    Terms,
    UnknownAccount,
)

DAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
SOURCE = {"effective_on": DAY, "system": "shop", "external_id": "1"}


class Books:
    """Two members, one verb a line."""

    def __init__(self, tx):
        self.tx = tx
        kinds = [(AccountKind.PROGRAMME, "p"), (AccountKind.MEMBER, "ada"), (AccountKind.MEMBER, "bob")]
        accounts = [NewAccount(book=Book.POINTS, unit="points", kind=kind, owner=owner) for kind, owner in kinds]
        self.programme, self.ada, self.bob = api.open_accounts(tx, accounts=accounts, now=NOW)

    def post(self, key, debit, credit, amount, **changes):
        wish = Posting(
            idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, kind="any",
            **SOURCE, **changes,
        )  # fmt: skip
        return api.post(self.tx, postings=[wish], now=NOW)[0].transfer_id

    def owe(self, account, amount):
        """Leave the account with a debt."""
        earned = self.post(f"e{account}", self.programme, account, amount)
        self.post(f"s{account}", account, self.programme, amount)
        back = Reversal(
            transfer_id=earned, idempotency_key=f"b{account}", reason="", policy=ReturnPolicy.ALLOW_NEGATIVE, **SOURCE
        )
        api.reverse(self.tx, reversals=[back], now=NOW)

    def move(self, key="m"):
        wish = Move(source_account_id=self.ada, target_account_id=self.bob, idempotency_key=key, kind="merge", **SOURCE)
        [verdicts] = api.move_all(self.tx, moves=[wish], now=NOW)
        assert store.find_imbalance(self.tx) == store.find_unlotted(self.tx) == []
        return [each.status.value for each in verdicts]

    def held(self, account):
        held = api.list_holdings(self.tx, account_ids=[account]).get(account, [])
        return {each.lot_id: each.rest for each in held}

    def balances(self):
        return api.get_balances(self.tx, account_ids=[self.ada, self.bob])


@pytest.fixture
def books(tx):
    return Books(tx)


def test_every_lot_moves_with_its_terms_once(books):
    pending = books.post("a", books.programme, books.ada, 10, terms=Terms(is_pending=True))
    expired = books.post("b", books.programme, books.ada, 20, terms=Terms(expires_on=DAY))
    assert books.move() == ["posted"]
    assert books.held(books.bob) == {pending: 10, expired: 20}
    books.post("c", books.programme, books.ada, 5)
    assert books.move() == ["duplicate"]
    assert books.balances() == [5, 30]


def test_nothing_moves_nothing(books):
    assert books.move() == []


def test_a_debt_is_paid_by_the_target_and_owed_by_it(books):
    books.owe(books.ada, 30)
    books.post("a", books.programme, books.bob, 10)
    assert books.move() == ["posted"]
    assert books.balances() == [0, -20]
    assert books.held(books.ada) == {}
    books.post("b", books.programme, books.bob, 25)
    assert books.balances() == [0, 5]


def test_pending_lots_beside_a_debt_move_both(books):
    pending = books.post("a", books.programme, books.ada, 50, terms=Terms(is_pending=True))
    books.owe(books.ada, 30)
    assert books.balances() == [20, 0]
    assert books.move() == ["posted", "posted"]
    assert (books.held(books.ada), books.balances()) == ({}, [0, 20])
    assert books.held(books.bob)[pending] == 50


def test_standing_says_what_can_be_spent(books):
    books.owe(books.ada, 5)
    books.post("a", books.programme, books.ada, 50)
    books.post("b", books.programme, books.ada, 10, terms=Terms(is_pending=True))
    books.post("c", books.programme, books.ada, 7, terms=Terms(expires_on=DAY))
    hold = NewHold(idempotency_key="h", account_id=books.ada, amount=20, deadline_at=NOW, **SOURCE)
    api.reserve(books.tx, holds=[hold], now=NOW)
    [standing] = api.get_standings(books.tx, account_ids=[books.ada], day=DAY)
    assert (standing.balance, standing.spendable, standing.pending, standing.reserved) == (35, 25, 10, 20)
    assert standing.expired == 7, "it is in the books still"
    books.owe(books.bob, 5)
    [standing] = api.get_standings(books.tx, account_ids=[books.bob], day=DAY)
    assert (standing.balance, standing.spendable, standing.owed) == (-5, 0, 5)
    with pytest.raises(UnknownAccount):
        api.get_standings(books.tx, account_ids=[books.programme], day=DAY)
