"""What went wrong in the database is told apart by what the caller can do about it."""

import pytest

from comity.kernel.database import DatabaseUnavailable, TransactionsCollided


@pytest.mark.parametrize(
    ("state", "expected"),
    [("40P01", TransactionsCollided), ("40001", TransactionsCollided), ("57P01", DatabaseUnavailable)],
)
def test_a_collision_is_no_outage(database, state, expected):
    with pytest.raises(expected), database.transaction() as tx:
        tx.execute(f"do $$ begin raise sqlstate '{state}'; end $$")
