"""An event as callers send it, and the change it becomes. Pure."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from comity.inbox.types import NewChange
from comity.interfaces.rest.http import split_place
from comity.kernel.errors import Invalid

VERSION_BYTES = 16
VERSION_LENGTH_MAX = 200
BRACKETS_MAX = 500
"""More of them than this, and the depth of an event's data is looked at: what nests too deep cannot be read later."""

NO_DATA = msgspec.Raw(b"")
REMEDY = "Send a JSON object with system, stream, id and data (the record as the system has it)."


class EventMalformed(Invalid):
    """The event is not what is expected; the details name the place."""


Name = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"),
]


class IncomingEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event: the state of a record (`data`, in the system's own field names), or its end."""

    system: Name
    stream: Name
    id: Name
    data: msgspec.Raw = NO_DATA
    kind: Literal["upsert", "delete"] = "upsert"
    event_id: Name | None = None
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


_decoder = msgspec.json.Decoder(IncomingEvent)
_in_order = msgspec.json.Encoder(order="sorted")


def to_change(body: bytes, *, fallback_version: str | None) -> NewChange:
    """Return the change an event stands for. Raises EventMalformed.

    What makes two events the same one: `event_id`; else the fallback (the header Idempotency-Key); else the content,
    with `occurred_at`, whatever its spacing and the order of its fields.
    """
    try:
        text = body.decode()
        event = _decoder.decode(text)
    except UnicodeDecodeError as error:
        raise _malformed(f"The event is not UTF-8: byte {error.start} cannot be read.", "$") from None
    except msgspec.DecodeError as error:
        message, place = split_place(error)
        raise _malformed(f"The event cannot be read: {message} - at `{place}`.", place) from None
    except RecursionError:
        raise _malformed("The event is nested too deep.", "$.data") from None
    data = _read_data(event)
    occurred_at = _to_utc(event.occurred_at)
    version = event.event_id or _check_fallback(fallback_version) or _hash_content(event, data, occurred_at)
    return NewChange(
        system=event.system,
        stream=event.stream,
        external_id=event.id,
        version=version,
        kind=event.kind,
        source_at=occurred_at,
        payload=data,
    )


def _malformed(message: str, place: str, remedy: str = REMEDY) -> EventMalformed:
    return EventMalformed(message, details={"field": place, "remedy": remedy})


def _read_data(event: IncomingEvent) -> bytes:
    data = bytes(event.data)
    if not data and event.kind == "delete":
        return b"{}"
    if not data.startswith(b"{"):
        what = "is missing" if not data else "is not a JSON object"
        raise _malformed(f"The event's `data` {what} - at `$.data`.", "$.data", "Send the record's fields in `data`.")
    if data.count(b"{") + data.count(b"[") > BRACKETS_MAX:
        _decode(data)
    return data


def _decode(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise _malformed("The event's `data` is nested too deep - at `$.data`.", "$.data", "Send it flatter.") from None
    except msgspec.DecodeError as error:
        message, _ = split_place(error)
        raise _malformed(f"The event's `data` cannot be read: {message} - at `$.data`.", "$.data") from None


def _to_utc(occurred_at: datetime | None) -> datetime | None:
    try:
        return None if occurred_at is None else occurred_at.astimezone(UTC)
    except OverflowError:
        raise _malformed(
            "The time is outside the calendar - at `$.occurred_at`.", "$.occurred_at", "Correct it or leave it out."
        ) from None


def _check_fallback(version: str | None) -> str | None:
    if version is not None and (len(version) > VERSION_LENGTH_MAX or not version.isprintable()):
        raise EventMalformed(
            f"The header Idempotency-Key takes at most {VERSION_LENGTH_MAX} printable characters.",
            details={"field": "Idempotency-Key", "remedy": "Send a shorter key, such as a UUID."},
        )
    return version


def _hash_content(event: IncomingEvent, data: bytes, occurred_at: datetime | None) -> str:
    said = _in_order.encode([event.kind, occurred_at, _decode(data)])
    return hashlib.blake2b(said, digest_size=VERSION_BYTES).hexdigest()
