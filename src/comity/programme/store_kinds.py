"""Statements of the kinds of points after the first."""

from collections.abc import Sequence

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder

_sql = SqlFolder(__package__)


def insert_accounts(tx: Tx, *, accounts: Sequence[tuple[int, str, int]]) -> None:
    """Note (member, kind, account)."""
    rows = [{"member_id": each[0], "kind": each[1], "account_id": each[2]} for each in accounts]
    _sql.insert_accounts.execute(tx, accounts=Jsonb(rows))


def list_accounts(tx: Tx, *, member_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """Return the accounts of members of the kinds after the first, by member and kind."""
    found: dict[int, dict[str, int]] = {}
    for member_id, kind, account_id in _sql.list_kind_accounts.rows(tx, member_ids=list(member_ids)):
        found.setdefault(member_id, {})[kind] = account_id
    return found


def list_beside(tx: Tx, *, account_ids: Sequence[int]) -> dict[str, dict[int, int]]:
    """Return the accounts of the kinds after the first, by kind and by the account of the first kind."""
    found: dict[str, dict[int, int]] = {}
    for kind, first_account_id, account_id in _sql.list_beside.rows(tx, account_ids=list(account_ids)):
        found.setdefault(kind, {})[first_account_id] = account_id
    return found
