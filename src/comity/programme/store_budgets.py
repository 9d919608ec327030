"""Statements of budgets."""

from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder
from comity.programme.engine.facts import Counter, Counts

_sql = SqlFolder(__package__)


def lock_budgets(tx: Tx, *, programme: str) -> None:
    """Be the only one who draws on the budgets of a programme, until the transaction ends."""
    _sql.lock_budgets.rows(tx, programme=programme)


def list_drawn(tx: Tx, *, programme: str) -> dict[Counter, int]:
    """Return what has been drawn on the budgets of a programme."""
    rows = _sql.list_drawn.rows(tx, programme=programme)
    return {(counter, period): amount for counter, period, amount in rows}


def add_drawn(tx: Tx, *, programme: str, drawn: Counts) -> dict[Counter, int]:
    """Add to what has been drawn; return what these counters have come to."""
    wanted = [{"counter": name, "period": period, "amount": amount} for (name, period), amount in drawn.items()]
    rows = _sql.add_drawn.rows(tx, programme=programme, drawn=Jsonb(wanted))
    return {(counter, period): amount for counter, period, amount in rows}
