"""Statements of simulations and explanations; they only read."""

from collections.abc import Iterator
from datetime import datetime

from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder
from comity.programme.simulating_types import Decided, History

_sql = SqlFolder(__package__)

BY_HAND = "by hand"
"""What stands in place of a currency where points were given or taken by hand."""

HistoryRow = tuple[str, str | None, str, str, str, str, str | None, str | None, str | None, str | None]
"""profile_id, purchase_id (None: a redemption, points by hand, or with amount 0 a visit), moment, amount, currency
(BY_HAND for points by hand), was_member, details, returns and events (JSON), kind of points (None: the first).

Each is text, as COPY writes it."""


def count_history(tx: Tx, *, until: datetime) -> int:
    """Return how many purchases there are."""
    return _sql.count_history.value(tx, until=until)


def copy_history(tx: Tx, *, history: History, asks_members: bool, asks_visits: bool) -> Iterator[HistoryRow]:
    """Yield what a part of the members did, member by member in the order of time, without holding it all."""
    params = {name: getattr(history, name) for name in History.__struct_fields__}
    params |= {"asks_members": asks_members, "asks_visits": asks_visits}
    with tx.cursor() as cursor, cursor.copy(_sql.copy_history.text, params) as copy:
        yield from copy.rows()


def list_programmes(tx: Tx, *, purchase_id: int) -> list[str]:
    """Return the programmes in which a purchase was decided."""
    return [name for (name,) in _sql.list_programmes.rows(tx, purchase_id=purchase_id)]


def list_decided(tx: Tx, *, purchase_id: int, programme: str) -> list[Decided]:
    """Return all that was decided of the purchases of the member who made this one."""
    return _sql.list_decided.fetch(tx, Decided, purchase_id=purchase_id, programme=programme)


def keep_awake(tx: Tx) -> None:
    """Let the server see that the transaction is still wanted."""
    _sql.keep_awake.execute(tx)
