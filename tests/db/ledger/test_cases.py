"""What broke in other engines, each case named after the thread that tells it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from comity.ledger import api, store
from comity.ledger.types import (
    AccountKind,
    Book,
    NewAccount,
    Posting,
    PostingStatus,
    ReturnPolicy,
    Reversal,
    Terms,
)

DAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)


class Till:
    """A programme with two members."""

    def __init__(self, tx):
        kinds = [(AccountKind.PROGRAMME, "p"), (AccountKind.MEMBER, "ada"), (AccountKind.MEMBER, "bob")]
        accounts = [NewAccount(book=Book.POINTS, unit="points", kind=kind, owner=owner) for kind, owner in kinds]
        self.programme, self.ada, self.bob = api.open_accounts(tx, accounts=accounts, now=NOW)

    def post(self, tx, key, debit, credit, amount, **changes):
        fields = {"kind": "any", "effective_on": DAY} | changes
        wish = Posting(
            idempotency_key=key, debit_account_id=debit, credit_account_id=credit, amount=amount, system="shop",
            external_id=key, **fields,
        )  # fmt: skip
        return api.post(tx, postings=[wish], now=NOW)[0]

    def undo(self, tx, key, transfer_id, amount=None, policy=ReturnPolicy.ALLOW_NEGATIVE, on=DAY):
        wish = Reversal(
            transfer_id=transfer_id, idempotency_key=key, effective_on=on, reason="returned", system="shop",
            external_id=key, amount=amount, policy=policy,
        )  # fmt: skip
        return api.reverse(tx, reversals=[wish], now=NOW)[0]

    def balance(self, tx, account=None):
        assert store.find_imbalance(tx) == []
        return api.get_balances(tx, account_ids=[account or self.ada])[0]


@pytest.fixture
def till(tx):
    return Till(tx)


def test_odoo_257854_buy_earn_spend_refund_keeps_no_points(tx, till):
    """Points of a refunded purchase stayed, as often as one liked."""
    for number in range(3):
        earned = till.post(tx, f"buy{number}", till.programme, till.ada, 100)
        till.post(tx, f"spend{number}", till.ada, till.programme, min(100, max(1, till.balance(tx))))
        till.undo(tx, f"refund{number}", earned.transfer_id)
        till.post(tx, f"again{number}", till.ada, till.programme, 1)
    assert till.balance(tx) < 0


def test_odoo_212922_a_refund_takes_points_back_once(tx, till):
    """Points were deducted a second time on the refund."""
    till.post(tx, "old", till.programme, till.ada, 50)
    earned = till.post(tx, "buy", till.programme, till.ada, 100)
    for key in ("refund", "refund", "other"):
        till.undo(tx, key, earned.transfer_id)
    assert till.balance(tx) == 50


def test_odoo_221928_partial_refunds_take_their_part(tx, till):
    earned = till.post(tx, "buy", till.programme, till.ada, 100)
    assert [till.undo(tx, f"r{n}", earned.transfer_id, 30).status.value for n in range(4)] == [
        "posted", "posted", "posted", "already_reversed",
    ]  # fmt: skip
    assert till.balance(tx) == 10
    assert till.undo(tx, "rest", earned.transfer_id).amount == 10


def test_erpnext_return_beyond_the_balance_follows_the_policy(tx, till):
    """No negative points on a return, or a debt: what was asked for, not what happened to be coded."""
    earned = till.post(tx, "buy", till.programme, till.ada, 100)
    till.post(tx, "spend", till.ada, till.programme, 70)
    assert till.undo(tx, "a", earned.transfer_id, 50, ReturnPolicy.EXACT).status is PostingStatus.INSUFFICIENT
    within = till.undo(tx, "b", earned.transfer_id, 50, ReturnPolicy.WITHIN_BALANCE)
    assert (within.amount, within.shortfall, till.balance(tx)) == (30, 20, 0)
    assert till.undo(tx, "c", earned.transfer_id, 50, ReturnPolicy.ALLOW_NEGATIVE).amount == 50
    assert till.balance(tx) == -50


def test_siebel_cancelling_after_expiry_dodges_nothing(tx, till):
    """Points of a cancelled redemption that passed their day meanwhile come back as expired."""
    till.post(tx, "buy", till.programme, till.ada, 100, terms=Terms(expires_on=date(2026, 4, 1)))
    spent = till.post(tx, "spend", till.ada, till.programme, 100)
    may = date(2026, 5, 1)
    till.undo(tx, "cancel", spent.transfer_id, on=may)
    refused = till.post(tx, "dodge", till.ada, till.programme, 1, effective_on=may)
    assert refused.status is PostingStatus.INSUFFICIENT
    api.expire_lots(tx, unit="points", today=may, now=NOW)
    assert till.balance(tx) == 0


def test_ecommerce_laravel_1056_lots_expire_whatever_they_are_called(tx, till):
    """Expiry chose lots by a label, so those with another label never expired."""
    labels = ("earn", "bonus", "signup_bonus", "Birthday!", "adjust", "")
    for number, label in enumerate(labels):
        till.post(tx, f"e{number}", till.programme, till.ada, 10, kind=label, terms=Terms(expires_on=date(2026, 4, 1)))
    till.post(tx, "gift", till.ada, till.bob, 15, kind="gift")
    assert len(api.expire_lots(tx, unit="points", today=date(2026, 4, 1), now=NOW)) == len(labels) + 1
    assert till.balance(tx) == till.balance(tx, till.bob) == 0


def test_fuint_71_twenty_gifts_at_once_give_what_there_is(database):
    """20 concurrent gifts from 100 points credited 2,000."""
    with database.transaction() as tx:
        till = Till(tx)
        till.post(tx, "buy", till.programme, till.ada, 100)

    def give(number):
        with database.connect() as connection, connection.transaction():
            return till.post(connection, f"gift{number}", till.ada, till.bob, 100).status

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(give, range(20)))
    assert statuses.count(PostingStatus.POSTED) == 1
    with database.transaction() as tx:
        assert (till.balance(tx), till.balance(tx, till.bob)) == (0, 100)


def test_medusa_16347_one_card_in_two_checkouts_pays_once(database):
    with database.transaction() as tx:
        till = Till(tx)
        till.post(tx, "load", till.programme, till.ada, 100)

    def check_out(number):
        with database.connect() as connection, connection.transaction():
            return till.post(connection, f"order{number}", till.ada, till.programme, 60).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(check_out, range(8)))
    assert statuses.count(PostingStatus.POSTED) == 1
    with database.transaction() as tx:
        assert till.balance(tx) == 40
