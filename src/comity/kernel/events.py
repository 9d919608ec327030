"""The event log: what happened, for rooms downstream to react to. `wiring` holds the table of who listens."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from comity.kernel.database import Tx
from comity.kernel.readers import Position, get_horizon
from comity.kernel.sql import Jsonb, SqlFolder
from comity.kernel.wakeups import notify

if TYPE_CHECKING:
    from polars import Series

_sql = SqlFolder(__package__)

EVENTS_CHANNEL = "comity_events"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened."""

    event_id: int
    xid: int
    kind: str
    payload: dict[str, Any]
    occurred_at: datetime


class EventBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Events read and the place the reader may move to once their effects are in the same transaction."""

    events: list[Event]
    position: Position


def publish(tx: Tx, *, kind: str, payloads: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Append events of one kind; they are seen when the transaction commits."""
    if not payloads:
        return
    _sql.publish_events.execute(tx, kind=kind, payloads=Jsonb(payloads), occurred_at=now)
    notify(tx, channel=EVENTS_CHANNEL)


def publish_column(tx: Tx, *, kind: str, payloads: "Series", now: datetime) -> None:
    """Append events of one kind by COPY, given as a column of JSON texts; for a first load's many."""
    from polars import lit

    from comity.kernel.columns import copy_columns, wire_time

    if not len(payloads):
        return
    events = (
        payloads.alias("payload").to_frame().with_columns(lit(kind).alias("kind"), wire_time(now).alias("occurred_at"))
    )
    copy_columns(tx, table="kernel.event", frame=events, types=("jsonb", "text", "timestamptz"))
    notify(tx, channel=EVENTS_CHANNEL)


def read_events(tx: Tx, *, position: Position, kinds: Sequence[str], count_max: int) -> EventBatch:
    """Return the next events of some kinds after a place."""
    horizon = get_horizon(tx)
    events = _sql.read_events.fetch(tx, Event, kinds=list(kinds), xid=position.xid, id=position.id, count_max=count_max)
    last = Position(xid=events[-1].xid, id=events[-1].event_id) if events else position
    return EventBatch(events=events, position=last if len(events) == count_max else max(horizon, last))


def has_events(tx: Tx, *, position: Position, kinds: Sequence[str]) -> bool:
    """True when events stand after a place, also those that wait for an older transaction to end."""
    return bool(_sql.has_events.value(tx, kinds=list(kinds), xid=position.xid, id=position.id))


def count_events(tx: Tx, *, position: Position, kinds: Sequence[str]) -> int:
    """Return how many events stand after a place, also those that wait for an older transaction to end."""
    return int(_sql.count_events.value(tx, kinds=list(kinds), xid=position.xid, id=position.id))
