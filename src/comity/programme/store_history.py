"""Statements of simulations; they only read."""

from collections.abc import Iterator
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder
from comity.programme.simulating_types import History

_sql = SqlFolder(__package__)

HistoryRow = tuple[str, str | None, str, str, str, str]
"""profile_id, purchase_id (None: a redemption), moment, amount, currency, was_member; each as COPY writes it."""


def count_history(tx: Tx, *, until: datetime) -> int:
    """Return how many purchases there are."""
    return _sql.count_history.value(tx, until=until)


def copy_history(tx: Tx, *, history: History, asks_members: bool) -> Iterator[HistoryRow]:
    """Yield what a part of the members did, member by member in the order of time, without holding it all."""
    params = {**{name: getattr(history, name) for name in History.__struct_fields__}, "asks_members": asks_members}
    with tx.cursor() as cursor, cursor.copy(_sql.copy_history.text, params) as copy:
        yield from copy.rows()


def keep_awake(tx: Tx) -> None:
    """Let the server see that the transaction is still wanted."""
    _sql.keep_awake.execute(tx)
