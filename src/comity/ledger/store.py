"""Statements of the ledger."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.ledger.types import (
    AccountKind,
    Book,
    NewAccount,
    Posting,
    PostingStatus,
    PostingVerdict,
    StatementLine,
    TransferLegs,
    TrialBalanceRow,
)

_sql = SqlFolder(__package__)

_STATUSES = {status.value: status for status in PostingStatus}


def open_accounts(tx: Tx, *, accounts: Sequence[NewAccount], now: datetime) -> list[int]:
    """Open what is not open yet and return the ids of all, in order."""
    _sql.open_accounts.execute(tx, accounts=Jsonb(accounts), opened_at=now)
    return [row[0] for row in _sql.list_account_ids.rows(tx, accounts=Jsonb(accounts))]


def post(tx: Tx, *, postings: Sequence[Posting], now: datetime) -> list[PostingVerdict]:
    """Post a batch in one round trip; array literals and JSON cost a tenth of arrays adapted element by element."""
    rows = _sql.post.rows(
        tx,
        keys=Jsonb([each.idempotency_key for each in postings]),
        requests=Jsonb([each.request for each in postings]),
        debits=_array(each.debit_account_id for each in postings),
        credits=_array(each.credit_account_id for each in postings),
        amounts=_array(each.amount for each in postings),
        kinds=Jsonb([each.kind for each in postings]),
        reasons=Jsonb([each.reason for each in postings]),
        effective_ons=_array(each.effective_on for each in postings),
        systems=Jsonb([each.system for each in postings]),
        external_ids=Jsonb([each.external_id for each in postings]),
        reverses=_array(
            "null" if each.reverses_transfer_id is None else each.reverses_transfer_id for each in postings
        ),
        booked_at=now,
    )
    return [
        PostingVerdict(
            status=_STATUSES[status], transfer_id=transfer_id, debit_balance_after=debit, credit_balance_after=credit
        )
        for status, transfer_id, debit, credit in rows
    ]


def list_balances(tx: Tx, *, account_ids: Sequence[int]) -> dict[int, int]:
    """Return the balances of those accounts that exist."""
    return dict(_sql.list_balances.rows(tx, account_ids=list(account_ids)))


def trial_balance(tx: Tx) -> list[TrialBalanceRow]:
    """Sum all entries."""
    return [
        TrialBalanceRow(
            book=Book(book),
            unit=unit,
            kind=AccountKind(kind),
            account_count=accounts,
            entry_count=entries,
            balance=total,
        )
        for book, unit, kind, accounts, entries, total in _sql.trial_balance.rows(tx)
    ]


def list_entries(tx: Tx, *, account_id: int, before_transfer_id: int | None, limit_max: int) -> list[StatementLine]:
    """Return a page of an account's entries."""
    return _sql.list_entries.fetch(
        tx, StatementLine, account_id=account_id, before_transfer_id=before_transfer_id, limit_max=limit_max
    )


def list_transfers(tx: Tx, *, transfer_ids: Sequence[int]) -> dict[int, TransferLegs]:
    """Return both legs of those transfers that exist."""
    found = _sql.list_transfers.fetch(tx, TransferLegs, transfer_ids=list(transfer_ids))
    return {each.transfer_id: each for each in found}


def find_imbalance(tx: Tx) -> list[int]:
    """Return accounts whose stored balance disagrees with their entries."""
    return [row[0] for row in _sql.find_imbalance.rows(tx)]


def _array(values: Iterable[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"
