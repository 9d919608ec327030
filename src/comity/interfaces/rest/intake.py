"""The hot routes: single events and NDJSON bulk, as bare RSGI beside the rest of the API.

Nothing else is on this path than: the key, the shape of the event, one insert of many, the commit, the answer.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from comity.inbox import api as inbox
from comity.inbox.types import NewChange
from comity.interfaces.rest.batcher import Batcher
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.events import EventMalformed, to_change
from comity.interfaces.rest.http import Exchange, Scope, header, read_body, send_json, send_problem
from comity.interfaces.shared.problems import to_problem
from comity.interfaces.shared.streams import KnownStreams, StreamUnknown
from comity.kernel.clock import Clock
from comity.kernel.database import Database
from comity.kernel.errors import ComityError

BODY_BYTES_MAX = 1_000_000
BULK_BYTES_MAX = 16_000_000
BULK_LINES_MAX = 1_000


class EventsRejected(EventMalformed):
    """None of the lines holds an event that can be used; `rejected` names each."""


class Intake:
    """Takes events in; an answer 202 means that they are committed."""

    def __init__(self, *, database: Database, callers: Callers, streams: KnownStreams, clock: Clock) -> None:
        """Collaborators of one process.

        One flush at a time: a batch costs as much as ten events by itself, so that fewer, larger ones pay. A second
        thread is for batches that are brought whole.
        """
        self._database = database
        self._callers = callers
        self._streams = streams
        self._clock = clock
        self._batcher: Batcher[NewChange, bool] = Batcher(name="intake", work=self._accept, flushes_max=1, threads=2)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._batcher.close()

    async def accept_one(self, scope: Scope, exchange: Exchange) -> None:
        """POST /v1/events."""
        try:
            await self._callers.require(scope.headers.get("authorization"), "intake")
            body = await read_body(scope, exchange, bytes_max=BODY_BYTES_MAX)
            await self._streams.refresh_when_old()
            change = to_change(body, fallback_version=header(scope, "idempotency-key"))
            await self._require_stream(change)
            is_new = await self._batcher.submit(change)
        except Exception as error:  # noqa: BLE001 - the edge turns every error into problem+json.
            send_problem(exchange, error)
            return
        send_json(exchange, 202, b'{"status":"accepted"}' if is_new else b'{"status":"duplicate"}')

    async def accept_bulk(self, scope: Scope, exchange: Exchange) -> None:
        """POST /v1/events/bulk: up to 1,000 events, one JSON object a line; bad lines are named, good ones stored."""
        try:
            await self._callers.require(scope.headers.get("authorization"), "intake")
            body = await read_body(scope, exchange, bytes_max=BULK_BYTES_MAX)
            lines = _split(body)
            await self._streams.refresh_when_old()
            seen_revision = self._streams.revision
            changes, rejected, has_unknown = self._to_changes(lines)
            if has_unknown and await self._streams.look_again(seen_revision=seen_revision):
                changes, rejected, _ = self._to_changes(lines)
            accepted: Sequence[bool] = await self._batcher.run(self._accept, changes) if changes else ()
        except Exception as error:  # noqa: BLE001 - the edge turns every error into problem+json.
            send_problem(exchange, error)
            return
        answer = {"accepted": sum(accepted), "duplicates": len(accepted) - sum(accepted), "rejected": rejected}
        if changes:
            send_json(exchange, 202, msgspec.json.encode(answer))
        else:
            send_problem(exchange, EventsRejected(), **answer)

    async def _require_stream(self, change: NewChange) -> None:
        seen_revision = self._streams.revision
        try:
            self._streams.require(change.system, change.stream)
        except StreamUnknown:
            if not await self._streams.look_again(seen_revision=seen_revision):
                raise
            self._streams.require(change.system, change.stream)

    def _to_changes(self, lines: Sequence[tuple[int, bytes]]) -> tuple[list[NewChange], list[dict[str, Any]], bool]:
        changes: list[NewChange] = []
        rejected: list[dict[str, Any]] = []
        has_unknown = False
        for number, line in lines:
            try:
                change = to_change(line, fallback_version=None)
                self._streams.require(change.system, change.stream)
                changes.append(change)
            except ComityError as error:
                problem = to_problem(error)
                rejected.append({"line": number, "code": problem.code, "message": problem.title, **problem.details})
                has_unknown = has_unknown or isinstance(error, StreamUnknown)
        return changes, rejected, has_unknown

    def _accept(self, changes: Sequence[NewChange]) -> list[bool]:
        new = self._database.run(
            lambda tx: inbox.accept_changes(tx, changes=changes, now=self._clock.now()), is_one_statement=True
        )
        answers: list[bool] = []
        for change in changes:
            key = (change.system, change.stream, change.external_id, change.version)
            answers.append(key in new)
            new.discard(key)
        return answers


def _split(body: bytes) -> list[tuple[int, bytes]]:
    """Return the lines that hold something, with their numbers. Raises EventMalformed."""
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), start=1) if line.strip()]
    if len(lines) > BULK_LINES_MAX:
        raise EventMalformed(
            f"A bulk request takes at most {BULK_LINES_MAX} lines; this one has {len(lines)}.",
            details={"remedy": "Send several requests.", "lines_max": BULK_LINES_MAX, "found": len(lines)},
        )
    if not lines:
        raise EventMalformed(
            "The request holds no event.", details={"remedy": "Send one JSON object a line (NDJSON), at least one."}
        )
    return lines
