"""The hot routes: single events and NDJSON bulk, as bare ASGI beside the rest of the API.

Nothing else is on this path than: the key, the shape of the event, one insert of many, the commit, the answer.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec

from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.interfaces.rest.batcher import Batcher
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.http import Receive, Scope, Send, header, read_body, send_json, send_problem
from comity.interfaces.shared.streams import KnownStreams
from comity.kernel.clock import Clock
from comity.kernel.database import Database
from comity.kernel.errors import ComityError, Invalid

BODY_BYTES_MAX = 1_000_000
BULK_BYTES_MAX = 16_000_000
BULK_LINES_MAX = 1_000
VERSION_BYTES = 16


class EventMalformed(Invalid):
    """The event is not what is expected; the details name the place."""


Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class IncomingEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event: the state of a record (`data`, in the system's own field names), or its end."""

    system: Name
    stream: Name
    id: Name
    data: msgspec.Raw = msgspec.Raw(b"{}")
    kind: Annotated[str, msgspec.Meta(pattern="^(upsert|delete)$")] = "upsert"
    event_id: Name | None = None
    occurred_at: datetime | None = None


_event = msgspec.json.Decoder(IncomingEvent)


class Intake:
    """Takes events in; an answer 202 means that they are committed."""

    def __init__(self, *, database: Database, callers: Callers, streams: KnownStreams, clock: Clock) -> None:
        """Collaborators of one process."""
        self._database = database
        self._callers = callers
        self._streams = streams
        self._clock = clock
        self._batcher: Batcher[NewChange, bool] = Batcher(name="intake", work=self._accept)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._batcher.close()

    async def accept_one(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /v1/events."""
        try:
            await self._callers.require(header(scope, b"authorization"), "intake")
            body = await read_body(scope, receive, bytes_max=BODY_BYTES_MAX)
            await self._streams.refresh_when_old()
            change = self._to_change(body, fallback_version=header(scope, b"idempotency-key"))
            is_new = await self._batcher.submit(change)
        except Exception as error:  # noqa: BLE001 - the edge turns every error into problem+json.
            await send_problem(send, error)
            return
        await send_json(send, 202, b'{"status":"accepted"}' if is_new else b'{"status":"duplicate"}')

    async def accept_bulk(self, scope: Scope, receive: Receive, send: Send) -> None:
        """POST /v1/events/bulk: up to 1,000 events, one JSON object a line; bad lines are named, good ones stored."""
        try:
            await self._callers.require(header(scope, b"authorization"), "intake")
            body = await read_body(scope, receive, bytes_max=BULK_BYTES_MAX)
            await self._streams.refresh_when_old()
            changes, rejected = self._to_changes(body)
            accepted: Sequence[bool] = await self._batcher.run(self._accept, changes) if changes else ()
        except Exception as error:  # noqa: BLE001 - the edge turns every error into problem+json.
            await send_problem(send, error)
            return
        answer = {"accepted": sum(accepted), "duplicates": len(accepted) - sum(accepted), "rejected": rejected}
        await send_json(send, 202 if changes else 422, msgspec.json.encode(answer))

    def _to_changes(self, body: bytes) -> tuple[list[NewChange], list[dict[str, Any]]]:
        lines = body.split(b"\n")
        if lines and not lines[-1].strip():
            lines.pop()
        if len(lines) > BULK_LINES_MAX:
            raise EventMalformed(
                f"A bulk request takes at most {BULK_LINES_MAX} lines; this one has {len(lines)}.",
                details={"remedy": "Send several requests."},
            )
        changes: list[NewChange] = []
        rejected: list[dict[str, Any]] = []
        for number, line in enumerate(lines, start=1):
            try:
                changes.append(self._to_change(line, fallback_version=None))
            except ComityError as error:
                rejected.append({"line": number, "code": error.code, "message": error.message, **error.details})
        return changes, rejected

    def _to_change(self, body: bytes, *, fallback_version: str | None) -> NewChange:
        try:
            event = _event.decode(body)
        except msgspec.DecodeError as error:
            raise EventMalformed(
                f"The event cannot be read: {error}.",
                details={
                    "remedy": "Send a JSON object with system, stream, id and data (the record as the system has it)."
                },
            ) from None
        data = bytes(event.data)
        if not data.startswith(b"{"):
            raise EventMalformed(
                "The event's `data` is not a JSON object - at `$.data`.",
                details={"remedy": "Send the record's fields."},
            )
        self._streams.require(event.system, event.stream)
        version = event.event_id or fallback_version
        if version is None:
            version = hashlib.blake2b(event.kind.encode() + data, digest_size=VERSION_BYTES).hexdigest()
        return NewChange(
            system=event.system,
            stream=event.stream,
            external_id=event.id,
            version=version,
            kind=event.kind,
            source_at=event.occurred_at,
            payload=data,
        )

    def _accept(self, changes: Sequence[NewChange]) -> list[bool]:
        with self._database.transaction() as tx:
            new = inbox.accept_changes(tx, changes=changes, now=self._clock.now())
        answers: list[bool] = []
        for change in changes:
            key = (change.system, change.stream, change.external_id, change.version)
            answers.append(key in new)
            new.discard(key)
        return answers
