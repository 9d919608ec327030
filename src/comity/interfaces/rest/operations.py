"""Systems and their health, and what was set aside."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.params import JSONBody, QueryParameter

from comity.activity import api as activity
from comity.activity.types import Unplaced
from comity.inbox import api as inbox
from comity.inbox.types import ParkedItem
from comity.interfaces.rest.guards import board_of, caller_of, hub_of, require_key
from comity.interfaces.shared.views import SystemView
from comity.outbox import api as outbox
from comity.outbox.types import ParkedDelivery

PAGE_MAX = 500
ID_MAX = 2**63 - 1

ChangeId = Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)]
ChangeIds = Annotated[list[ChangeId], msgspec.Meta(max_length=10_000)]
SystemName = Annotated[str | None, QueryParameter(description="Only of this system.", max_length=100)]
Closed = Annotated[bool, QueryParameter(description="Those that were closed, in place of the open ones.")]
AfterId = Annotated[int, QueryParameter(description="Go on after this change.", ge=0, le=ID_MAX)]
Limit = Annotated[int, QueryParameter(description="How many to return.", ge=1, le=PAGE_MAX)]


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parked changes to put in again; all open ones, of a system where one is named, when no ids are given."""

    change_ids: ChangeIds | None = None
    system: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class DiscardRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parked changes to close for good."""

    change_ids: ChangeIds


class DiscardDeliveriesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People whose parked deliveries to a system are given up."""

    system: Annotated[str, msgspec.Meta(max_length=100)]
    profile_ids: Annotated[list[UUID], msgspec.Meta(max_length=10_000)]


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many were touched."""

    count: int


class ChangeCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many parked changes were touched, and which of those asked for are not parked, or closed already."""

    count: int
    not_open: list[int]


@get("/v1/systems", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_systems(request: Request[Any, Any, Any]) -> list[SystemView]:
    """Return the connected systems and their health."""
    return board_of(request).look().systems


@get("/v1/parked/changes", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_parked_changes(
    request: Request[Any, Any, Any],
    system: SystemName = None,
    after_id: AfterId = 0,
    limit: Limit = 100,
    *,
    closed: Closed = False,
) -> list[ParkedItem]:
    """Return changes that could not be used, with place, reason and remedy."""
    with hub_of(request).database.transaction() as tx:
        return inbox.list_parked(tx, system=system, is_closed=closed, after_id=after_id, count_max=limit)


@post(
    "/v1/parked/changes/replay", guards=[require_key], opt={"scope": "configure"}, status_code=200, sync_to_thread=True
)
def replay_changes(request: Request[Any, Any, Any], data: JSONBody[ReplayRequest]) -> ChangeCount:
    """Put parked changes in again."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        replayed = inbox.replay_parked(tx, system=data.system, change_ids=data.change_ids, now=hub.clock.now())
    return ChangeCount(count=len(replayed), not_open=sorted({*(data.change_ids or ())} - {*replayed}))


@post(
    "/v1/parked/changes/discard", guards=[require_key], opt={"scope": "configure"}, status_code=200, sync_to_thread=True
)
def discard_changes(request: Request[Any, Any, Any], data: JSONBody[DiscardRequest]) -> ChangeCount:
    """Close parked changes for good."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        closed = inbox.discard_parked(tx, change_ids=data.change_ids, actor=caller_of(request), now=hub.clock.now())
    return ChangeCount(count=len(closed), not_open=sorted({*data.change_ids} - {*closed}))


@get("/v1/parked/deliveries", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_parked_deliveries(
    request: Request[Any, Any, Any], system: SystemName = None, limit: Limit = 100
) -> list[ParkedDelivery]:
    """Return deliveries that a system refused for good, with its reason."""
    with hub_of(request).database.transaction() as tx:
        return outbox.list_parked(tx, system=system, count_max=limit)


@get("/v1/parked/waiting", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_unplaced(request: Request[Any, Any, Any], system: SystemName = None, limit: Limit = 100) -> list[Unplaced]:
    """Return purchases whose person has not come in yet, and returns whose purchase has not."""
    with hub_of(request).database.transaction() as tx:
        return activity.list_unplaced(tx, system=system, limit_max=limit)


@post(
    "/v1/parked/deliveries/replay",
    guards=[require_key],
    opt={"scope": "configure"},
    status_code=200,
    sync_to_thread=True,
)
def replay_deliveries(request: Request[Any, Any, Any], system: SystemName = None) -> Count:
    """Give parked deliveries another chance."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        return Count(count=outbox.replay_parked(tx, system=system, now=hub.clock.now()))


@post(
    "/v1/parked/deliveries/discard",
    guards=[require_key],
    opt={"scope": "configure"},
    status_code=200,
    sync_to_thread=True,
)
def discard_deliveries(request: Request[Any, Any, Any], data: JSONBody[DiscardDeliveriesRequest]) -> Count:
    """Give parked deliveries up, until something else changes about these people."""
    with hub_of(request).database.transaction() as tx:
        return Count(count=outbox.discard_parked(tx, system=data.system, profile_ids=data.profile_ids))


HANDLERS = [
    list_systems,
    list_parked_changes,
    replay_changes,
    discard_changes,
    list_parked_deliveries,
    list_unplaced,
    replay_deliveries,
    discard_deliveries,
]
