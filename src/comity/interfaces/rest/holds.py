"""Holds over HTTP: points reserved, then captured or released; each a wish of its own, committed in groups."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec

from comity import wiring
from comity.access.types import Caller
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.edge import KEY_LENGTH_MAX, Verb, decode_wish, require_wish_key
from comity.interfaces.rest.events import Name
from comity.interfaces.rest.redeem import REASON_LENGTH_MAX, REMEDIES, Reference
from comity.interfaces.shared.programmes import list_programmes
from comity.kernel.errors import ComityError
from comity.ledger.types import AMOUNT_MAX
from comity.programme import api as programme
from comity.programme.api import (
    EndWish,
    Held,
    HoldEnded,
    HoldExceeded,
    HoldOverdue,
    HoldResolved,
    HoldWish,
    UnknownHold,
    WishInvalid,
)

DAY_SECONDS = 86_400

ReadEnd = Callable[[bytes, str | None, Caller], EndWish]

Points = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_LENGTH_MAX)]
Reason = Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)]
HoldId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]

_REMEDIES: dict[type[ComityError], str] = {
    **REMEDIES,
    WishInvalid: "Send points above zero, and a key, a reason and a reference of printable characters.",
    UnknownHold: "Use the `hold_id` that POST /v1/holds answered.",
    HoldExceeded: "Capture at most what the hold reserves; for more, hold or redeem the rest apart.",
    HoldResolved: "Nothing is left to do; `outcome` says how the hold ended.",
    HoldOverdue: "Hold the points again: after the deadline they went back.",
}


class HoldRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points to reserve for so many seconds; the key may come as the header Idempotency-Key instead."""

    global_id: UUID
    programme: Name
    points: Points
    kind: Name | None = None
    seconds: Annotated[int, msgspec.Meta(ge=1, le=31 * DAY_SECONDS)] = 900
    reason: Reason = ""
    idempotency_key: Key | None = None


class CaptureRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hold to spend: all of it, or so many points and the rest is released.

    `reference` is the number of the document or journal in your accounts.
    """

    hold_id: HoldId
    points: Points | None = None
    reason: Reason = ""
    reference: Reference = ""
    idempotency_key: Key | None = None


class ReleaseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hold to let go of."""

    hold_id: HoldId
    reason: Reason = ""
    idempotency_key: Key | None = None


_hold_decoder = msgspec.json.Decoder(HoldRequest)
_capture_decoder = msgspec.json.Decoder(CaptureRequest)
_release_decoder = msgspec.json.Decoder(ReleaseRequest)

DESCRIBED: dict[str, dict[str, Any]] = {
    "/v1/holds": {
        "operationId": "hold_points",
        "summary": "Reserve points of a member until a deadline.",
        "description": "What is held can be captured or released, and nothing else can spend it; at the deadline it "
        "goes back. The answer holds the balance beside all holds, and the tier, as of the commit.",
        "request": HoldRequest,
        "answer": Held,
        "done": "points are held",
    },
    "/v1/holds/capture": {
        "operationId": "capture_hold",
        "summary": "Spend what a hold reserves, or a part of it; the rest is released.",
        "description": "A hold ends once. Points that expired while they were held count.",
        "request": CaptureRequest,
        "answer": HoldEnded,
        "done": "points were spent",
    },
    "/v1/holds/release": {
        "operationId": "release_hold",
        "summary": "Let go of a hold.",
        "description": "A hold ends once. The points go back as they were, with their days.",
        "request": ReleaseRequest,
        "answer": HoldEnded,
        "done": "the points went back",
    },
}


def open_hold(hub: wiring.Hub, callers: Callers) -> Verb[HoldWish, Held]:
    """POST /v1/holds."""

    def read(body: bytes, key: str | None, _caller: Caller) -> HoldWish:
        request = decode_wish(_hold_decoder, body)
        return HoldWish(
            profile_id=request.global_id,
            programme=request.programme,
            points=request.points,
            kind=request.kind,
            deadline_at=hub.clock.now() + timedelta(seconds=request.seconds),
            idempotency_key=require_wish_key(request.idempotency_key, key),
            reason=request.reason,
        )

    def work(wishes: Sequence[HoldWish]) -> Sequence[Held | ComityError]:
        return hub.database.run(
            lambda tx: programme.hold_many(
                tx, holds=wishes, now=hub.clock.now(), programmes=list_programmes(hub.runtimes, tx)
            )
        )

    return Verb(
        name="hold",
        scope="redeem",
        callers=callers,
        read=read,
        work=work,
        is_repeated=lambda told: told.is_duplicate,
        remedies=_REMEDIES,
    )


def open_capture(hub: wiring.Hub, callers: Callers) -> Verb[EndWish, HoldEnded]:
    """POST /v1/holds/capture."""

    def read(body: bytes, key: str | None, _caller: Caller) -> EndWish:
        request = decode_wish(_capture_decoder, body)
        return EndWish(
            hold_id=request.hold_id,
            points=request.points,
            idempotency_key=require_wish_key(request.idempotency_key, key),
            reason=request.reason,
            reference=request.reference,
        )

    return _open_end(hub, callers, name="capture", read=read)


def open_release(hub: wiring.Hub, callers: Callers) -> Verb[EndWish, HoldEnded]:
    """POST /v1/holds/release."""

    def read(body: bytes, key: str | None, _caller: Caller) -> EndWish:
        request = decode_wish(_release_decoder, body)
        return EndWish(
            hold_id=request.hold_id,
            points=0,
            idempotency_key=require_wish_key(request.idempotency_key, key),
            reason=request.reason,
        )

    return _open_end(hub, callers, name="release", read=read)


def _open_end(hub: wiring.Hub, callers: Callers, *, name: str, read: ReadEnd) -> Verb[EndWish, HoldEnded]:
    def work(wishes: Sequence[EndWish]) -> Sequence[HoldEnded | ComityError]:
        return hub.database.run(
            lambda tx: programme.end_holds(
                tx, ends=wishes, now=hub.clock.now(), programmes=list_programmes(hub.runtimes, tx)
            )
        )

    return Verb(
        name=name,
        scope="redeem",
        callers=callers,
        read=read,
        work=work,
        is_repeated=lambda told: told.is_duplicate,
        remedies=_REMEDIES,
    )
