"""Whose records are, for those who store something by profile while other records are resolved."""

from collections.abc import Sequence
from uuid import UUID

from comity.kernel.database import Tx
from comity.kernel.sql import SqlFolder

_sql = SqlFolder(__package__)


def lock_places(tx: Tx) -> None:
    """Wait until nobody relies on whose records are (`hold_places`), and let nobody until the transaction ends.

    Whoever tells other rooms that records moved or profiles were merged takes this lock before.
    """
    _sql.lock_places.rows(tx)
    _sql.note_move.rows(tx)


def count_moves(tx: Tx) -> int:
    """Count the moves so far, for `hold_places`; in a transaction that resolved records, after they were."""
    return int(_sql.count_moves.value(tx))


def hold_places(tx: Tx, *, record_ids: Sequence[int], profile_ids: Sequence[UUID], moves: int) -> list[UUID]:
    """Return the living profile of each of these records; it stays until the transaction ends.

    `profile_ids` are those of the records after so many moves. What is stored by profile meanwhile is found by whoever
    moves a record or merges the profile afterwards.
    """
    _sql.hold_places.rows(tx)
    if count_moves(tx) == moves:
        return list(profile_ids)
    wanted = "{" + ",".join(map(str, record_ids)) + "}"
    places: dict[int, UUID] = dict(_sql.list_places.rows(tx, record_ids=wanted))
    return [places[record_id] for record_id in record_ids]
