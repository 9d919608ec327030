"""Pools over HTTP: members who collect together, and spend together."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody

from comity import wiring
from comity.interfaces.rest.edge import require_wish_key
from comity.interfaces.rest.events import Name
from comity.interfaces.rest.guards import hub_of, require_key
from comity.interfaces.rest.holds import Key, Points, Reason
from comity.interfaces.rest.members import Programme
from comity.interfaces.rest.moves import HeaderKey
from comity.interfaces.rest.redeem import Reference
from comity.interfaces.shared.programmes import require_programme
from comity.kernel.database import Tx
from comity.programme import api as loyalty
from comity.programme.api import PoolRedeemed, PoolSpending, PoolView, PoolWish
from comity.programme.types import Programme as Defined

PoolId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class PoolRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pool to open, with its first member; the key may come as the header Idempotency-Key instead."""

    global_id: UUID
    programme: Name
    idempotency_key: Key | None = None


class SeatRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member who joins a pool, or leaves it."""

    pool_id: PoolId
    global_id: UUID


class PoolSpendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points of a pool that one of its members spends; the key may come as the header Idempotency-Key instead.

    `reference` is the number of the document or journal in your accounts.
    """

    pool_id: PoolId
    global_id: UUID
    points: Points
    reason: Reason = ""
    reference: Reference = ""
    idempotency_key: Key | None = None


@post("/v1/pools", guards=[require_key], opt={"scope": "redeem"}, sync_to_thread=True)
def open_pool(
    request: Request[Any, Any, Any], data: JSONBody[PoolRequest], idempotency_key: HeaderKey = None
) -> Response[PoolView]:
    """Open a pool with its first member, where the programme has pools; 200 for a repetition."""
    hub = hub_of(request)
    wish = PoolWish(
        profile_id=data.global_id,
        programme=data.programme,
        idempotency_key=require_wish_key(data.idempotency_key, idempotency_key),
    )
    told = hub.database.run(
        lambda tx: loyalty.open_pool(
            tx, wish=wish, programme=require_programme(hub.runtimes.get(tx), wish.programme), now=hub.clock.now()
        )
    )
    return Response(content=told, status_code=200 if told.is_duplicate else 201)


@post("/v1/pools/join", guards=[require_key], opt={"scope": "redeem"}, status_code=200, sync_to_thread=True)
def join_pool(request: Request[Any, Any, Any], data: JSONBody[SeatRequest]) -> PoolView:
    """Let a member join a pool; who is in it already stays so. What they earn from then on counts for it."""
    return _seat(request, data, loyalty.join_pool)


@post("/v1/pools/leave", guards=[require_key], opt={"scope": "redeem"}, status_code=200, sync_to_thread=True)
def leave_pool(request: Request[Any, Any, Any], data: JSONBody[SeatRequest]) -> PoolView:
    """Let a member leave a pool, with what is left of their part or without it, as the programme says."""
    return _seat(request, data, loyalty.leave_pool)


@post("/v1/pools/end", guards=[require_key], opt={"scope": "redeem"}, status_code=200, sync_to_thread=True)
def end_pool(request: Request[Any, Any, Any], data: JSONBody[SeatRequest]) -> PoolView:
    """Let all leave a pool, each with what is left of their part; who has been in it longest asks, and has the rest."""
    hub = hub_of(request)
    return hub.database.run(
        lambda tx: loyalty.end_pool(tx, pool_id=data.pool_id, profile_id=data.global_id, now=hub.clock.now())
    )


@post("/v1/pools/redeem", guards=[require_key], opt={"scope": "redeem"}, sync_to_thread=True)
def redeem_from_pool(
    request: Request[Any, Any, Any], data: JSONBody[PoolSpendRequest], idempotency_key: HeaderKey = None
) -> Response[PoolRedeemed]:
    """Spend points of a pool, as one of its members who may; 200 for a repetition."""
    hub = hub_of(request)
    wish = PoolSpending(
        pool_id=data.pool_id,
        profile_id=data.global_id,
        points=data.points,
        reason=data.reason,
        reference=data.reference,
        idempotency_key=require_wish_key(data.idempotency_key, idempotency_key),
    )
    told = hub.database.run(
        lambda tx: loyalty.redeem_from_pool(tx, wish=wish, programmes=_list_programmes(hub, tx), now=hub.clock.now())
    )
    return Response(content=told, status_code=200 if told.is_duplicate else 201)


@get("/v1/members/{global_id:uuid}/pools", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_pools(request: Request[Any, Any, Any], global_id: FromPath[UUID], programme: Programme) -> list[PoolView]:
    """Return the pools a member is in: who else is, and what they have."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        return loyalty.list_pools(tx, profile_id=global_id, programme=programme, now=hub.clock.now())


def _seat(request: Request[Any, Any, Any], data: SeatRequest, verb: Callable[..., PoolView]) -> PoolView:
    hub = hub_of(request)
    return hub.database.run(
        lambda tx: verb(
            tx,
            pool_id=data.pool_id,
            profile_id=data.global_id,
            programmes=_list_programmes(hub, tx),
            now=hub.clock.now(),
        )
    )


def _list_programmes(hub: wiring.Hub, tx: Tx) -> dict[str, Defined]:
    return {each.name: each for each in hub.runtimes.get(tx).programmes}


HANDLERS = [open_pool, join_pool, leave_pool, end_pool, redeem_from_pool, list_pools]
