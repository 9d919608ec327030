"""Points moved by people: from member to member, and by hand with a second key above the programme's limit."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, HeaderParameter, JSONBody

from comity.interfaces.rest.edge import KEY_LENGTH_MAX, require_wish_key
from comity.interfaces.rest.events import Name
from comity.interfaces.rest.guards import caller_of, hub_of, require_key
from comity.interfaces.rest.holds import Key, Points, Reason
from comity.interfaces.rest.redeem import Reference
from comity.interfaces.shared.programmes import require_programme
from comity.ledger.types import AMOUNT_MAX
from comity.programme import api as loyalty
from comity.programme.api import Adjustment, AdjustmentState, AdjustmentWish, Transferred, TransferWish, WishInvalid

HeaderKey = Annotated[
    str | None,
    HeaderParameter(name="Idempotency-Key", description="The same on every repetition.", max_length=KEY_LENGTH_MAX),
]


class TransferRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points that a member gives to another; the key may come as the header Idempotency-Key instead.

    `reference` is the number of the document or journal in your accounts.
    """

    global_id: UUID
    to_global_id: UUID
    programme: Name
    points: Points
    kind: Name | None = None
    reason: Reason = ""
    reference: Reference = ""
    idempotency_key: Key | None = None


class AdjustmentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points to give, or below zero to take; the key may come as the header Idempotency-Key instead.

    `effective_on` is the business day it counts from: today, or a day before whose books are open. `reference` is the
    number of the document or journal in your accounts.
    """

    global_id: UUID
    programme: Name
    points: Annotated[int, msgspec.Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    kind: Name | None = None
    effective_on: date | None = None
    reason: Name
    reference: Reference = ""
    idempotency_key: Key | None = None


@post("/v1/transfers", guards=[require_key], opt={"scope": "redeem"}, sync_to_thread=True)
def transfer_points(
    request: Request[Any, Any, Any], data: JSONBody[TransferRequest], idempotency_key: HeaderKey = None
) -> Response[Transferred]:
    """Move points from one member to another, within the limits of the programme.

    The answer holds the giver's balance and tier as of the commit; 200 for a repetition.
    """
    hub = hub_of(request)
    wish = TransferWish(
        profile_id=data.global_id,
        to_profile_id=data.to_global_id,
        programme=data.programme,
        points=data.points,
        kind=data.kind,
        reason=data.reason,
        reference=data.reference,
        idempotency_key=require_wish_key(data.idempotency_key, idempotency_key),
    )
    told = hub.database.run(
        lambda tx: loyalty.transfer(
            tx, wish=wish, programme=require_programme(hub.runtimes.get(tx), wish.programme), now=hub.clock.now()
        )
    )
    return Response(content=told, status_code=200 if told.is_duplicate else 201)


@post("/v1/adjustments", guards=[require_key], opt={"scope": "adjust"}, sync_to_thread=True)
def adjust_points(
    request: Request[Any, Any, Any], data: JSONBody[AdjustmentRequest], idempotency_key: HeaderKey = None
) -> Response[Adjustment]:
    """Give or take points by hand.

    201: done. 202: above the programme's limit, so that it waits until another key confirms it. 200: a repetition, with
    the adjustment as it stands now.
    """
    if data.points == 0:
        raise WishInvalid("An adjustment gives or takes points; 0 is neither.")
    hub = hub_of(request)
    wish = AdjustmentWish(
        profile_id=data.global_id,
        programme=data.programme,
        points=data.points,
        kind=data.kind,
        effective_on=data.effective_on,
        reason=data.reason,
        reference=data.reference,
        idempotency_key=require_wish_key(data.idempotency_key, idempotency_key),
        maker=caller_of(request),
    )
    told = hub.database.run(
        lambda tx: loyalty.adjust(
            tx, wish=wish, programme=require_programme(hub.runtimes.get(tx), wish.programme), now=hub.clock.now()
        )
    )
    status = 200 if told.is_duplicate else 202 if told.state is AdjustmentState.WAITING else 201
    return Response(content=told, status_code=status)


@get("/v1/adjustments/waiting", guards=[require_key], opt={"scope": "adjust"}, sync_to_thread=True)
def list_adjustments(request: Request[Any, Any, Any]) -> list[Adjustment]:
    """Return the adjustments that wait for a second key, oldest first; a hundred at most."""
    with hub_of(request).database.transaction() as tx:
        return loyalty.list_waiting_adjustments(tx)


@post(
    "/v1/adjustments/{adjustment_id:int}/confirm",
    guards=[require_key],
    opt={"scope": "adjust"},
    status_code=200,
    sync_to_thread=True,
)
def confirm_adjustment(request: Request[Any, Any, Any], adjustment_id: FromPath[int]) -> Adjustment:
    """Post an adjustment that waits, with another key than the one that asked for it."""
    hub = hub_of(request)
    checker = caller_of(request)

    def work(tx: Any) -> Adjustment:
        found = loyalty.get_adjustment(tx, adjustment_id=adjustment_id)
        defined = require_programme(hub.runtimes.get(tx), found.programme)
        return loyalty.confirm(tx, adjustment_id=adjustment_id, checker=checker, programme=defined, now=hub.clock.now())

    return hub.database.run(work)


@post(
    "/v1/adjustments/{adjustment_id:int}/reject",
    guards=[require_key],
    opt={"scope": "adjust"},
    status_code=200,
    sync_to_thread=True,
)
def reject_adjustment(request: Request[Any, Any, Any], adjustment_id: FromPath[int]) -> Adjustment:
    """Drop an adjustment that waits; the key that asked for it may do that too."""
    hub = hub_of(request)
    checker = caller_of(request)
    return hub.database.run(
        lambda tx: loyalty.reject(tx, adjustment_id=adjustment_id, checker=checker, now=hub.clock.now())
    )


HANDLERS = [transfer_points, adjust_points, list_adjustments, confirm_adjustment, reject_adjustment]
