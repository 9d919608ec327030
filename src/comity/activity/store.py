"""Statements of the room `activity`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from comity.activity.types import (
    OWN_SYSTEM,
    STREAM_OF_GLOBAL_IDS,
    EventFact,
    Fact,
    KnownReturn,
    LinkedRecord,
    ProfileMove,
    Purchase,
    PurchaseChanged,
    PurchaseFact,
    PurchaseRecorded,
    RecordReference,
    ReturnFact,
    Taken,
    Turnover,
    Unplaced,
    Visit,
    VisitFact,
)
from comity.kernel.database import Tx
from comity.kernel.sql import Jsonb, SqlFolder

_sql = SqlFolder(__package__)

STREAMED_ROWS = 5_000
"""Rows of one round trip where everybody is read."""


def accept_purchases(
    tx: Tx, *, purchases: Sequence[PurchaseFact], profile_ids: Sequence[UUID | None], now: datetime
) -> list[Taken]:
    """Take reports in, in one round trip."""
    return _sql.accept.fetch(tx, Taken, reports=Jsonb(purchases), profile_ids=Jsonb(profile_ids), accepted_at=now)


def attach_waiting(tx: Tx, *, records: Sequence[LinkedRecord]) -> list[PurchaseRecorded]:
    """Give waiting purchases their profile and return them."""
    return _sql.attach_waiting.fetch(tx, PurchaseRecorded, records=Jsonb(records))


def accept_returns(tx: Tx, *, returns: Sequence[ReturnFact], now: datetime) -> list[PurchaseChanged]:
    """Take reports of returns in; return the purchases they change."""
    return _sql.accept_returns.fetch(tx, PurchaseChanged, reports=Jsonb(returns), accepted_at=now)


def accept_events(tx: Tx, *, events: Sequence[EventFact], now: datetime) -> list[PurchaseChanged]:
    """Take in what records say of events; return the purchases they change."""
    return _sql.accept_events.fetch(tx, PurchaseChanged, events=Jsonb(events), accepted_at=now)


def list_followed(tx: Tx, *, purchase_ids: Sequence[int]) -> list[PurchaseChanged]:
    """Return which of these purchases have returns or events."""
    return _sql.list_followed.fetch(tx, PurchaseChanged, purchase_ids=list(purchase_ids))


def accept_visits(tx: Tx, *, visits: Sequence[VisitFact], now: datetime) -> set[str]:
    """Take visits in; return the keys of those that are new."""
    return {key for (key,) in _sql.accept_visits.rows(tx, visits=Jsonb(visits), accepted_at=now)}


def find_visits(tx: Tx, *, business_keys: Sequence[str]) -> list[Visit]:
    """Return visits by key."""
    return _sql.find_visits.fetch(tx, Visit, business_keys=list(business_keys))


def reassign_profiles(tx: Tx, *, moves: Sequence[ProfileMove]) -> int:
    """Move purchases and visits to the surviving profiles; return how many purchases."""
    _sql.reassign_visits.execute(tx, moves=Jsonb(moves))
    return _sql.reassign_profiles.execute(tx, moves=Jsonb(moves))


def follow_records(tx: Tx, *, record_ids: Sequence[int]) -> int:
    """Move purchases and visits to the profiles of the records and Global IDs they name; return how many purchases."""
    _sql.follow_visits.execute(tx, record_ids=list(record_ids), system=OWN_SYSTEM, stream=STREAM_OF_GLOBAL_IDS)
    return _sql.follow_records.execute(tx, record_ids=list(record_ids), system=OWN_SYSTEM, stream=STREAM_OF_GLOBAL_IDS)


def list_purchases(tx: Tx, *, profile_id: UUID, before_purchase_id: int | None, limit_max: int) -> list[Purchase]:
    """Return a page of purchases."""
    return _sql.list_purchases.fetch(
        tx, Purchase, profile_id=profile_id, before_purchase_id=before_purchase_id, limit_max=limit_max
    )


def find_purchases(tx: Tx, *, system: str, stream: str | None, external_id: str) -> list[int]:
    """Return the purchases that reports speak of."""
    rows = _sql.find_purchases.rows(tx, system=system, stream=stream, external_id=external_id)
    return [purchase_id for (purchase_id,) in rows]


def list_waiting(tx: Tx, *, limit_max: int) -> list[RecordReference]:
    """Return records that purchases wait for."""
    return _sql.list_waiting.fetch(tx, RecordReference, limit_max=limit_max)


def list_unplaced(tx: Tx, *, system: str | None, limit_max: int) -> list[Unplaced]:
    """Return reports that wait for a person or a purchase."""
    return _sql.list_unplaced.fetch(tx, Unplaced, system=system, limit_max=limit_max)


def find_facts(tx: Tx, *, business_keys: Sequence[str], system: str, stream: str) -> list[Fact]:
    """Return purchases by number."""
    return _sql.find_facts.fetch(tx, Fact, business_keys=list(business_keys), system=system, stream=stream)


def hold_facts(tx: Tx, *, business_keys: Sequence[str]) -> None:
    """Lock purchases, in the order of their numbers."""
    _sql.hold_facts.rows(tx, business_keys=list(business_keys))


def find_returns(tx: Tx, *, business_keys: Sequence[str]) -> list[KnownReturn]:
    """Return returns by number."""
    return _sql.find_returns.fetch(tx, KnownReturn, business_keys=list(business_keys))


def sum_turnover(tx: Tx, *, profile_ids: Sequence[UUID], until: datetime) -> list[Turnover]:
    """Return what the purchases of these come to; who has none is left out."""
    return _sql.sum_turnover.fetch(tx, Turnover, profile_ids=list(profile_ids), until=until)


def stream_turnover(tx: Tx, *, until: datetime) -> Iterator[Turnover]:
    """Yield what everybody's purchases come to, without holding it all."""
    with tx.cursor(name="turnover", row_factory=class_row(Turnover)) as cursor:
        cursor.itersize = STREAMED_ROWS
        yield from cursor.execute(_sql.sum_turnover.text, {"profile_ids": None, "until": until})
