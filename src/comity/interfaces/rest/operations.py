"""Systems and their health, and what was set aside."""

from typing import Any

import msgspec
from litestar import Request, get, post

from comity.inbox import api as inbox
from comity.inbox.types import ParkedItem
from comity.interfaces.rest.guards import caller_of, hub_of, require_key
from comity.interfaces.shared.views import SystemView, view_status
from comity.outbox import api as outbox
from comity.outbox.types import ParkedDelivery

PAGE_MAX = 500


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parked changes to put in again; all open ones when no ids are given."""

    change_ids: list[int] | None = None


class DiscardRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parked changes to close for good."""

    change_ids: list[int]


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many were touched."""

    count: int


@get("/v1/systems", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_systems(request: Request[Any, Any, Any]) -> list[SystemView]:
    """Return the connected systems and their health."""
    return view_status(hub_of(request)).systems


@get("/v1/parked/changes", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_parked_changes(
    request: Request[Any, Any, Any], system: str | None = None, after_id: int = 0, limit: int = 100
) -> list[ParkedItem]:
    """Return changes that could not be used, with place, reason and remedy."""
    with hub_of(request).database.transaction() as tx:
        return inbox.list_parked(tx, system=system, after_id=after_id, count_max=min(limit, PAGE_MAX))


@post(
    "/v1/parked/changes/replay", guards=[require_key], opt={"scope": "configure"}, status_code=200, sync_to_thread=True
)
def replay_changes(request: Request[Any, Any, Any], data: ReplayRequest) -> Count:
    """Put parked changes in again."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        replayed = inbox.replay_parked(tx, change_ids=data.change_ids, now=hub.clock.now())
    return Count(count=len(replayed))


@post(
    "/v1/parked/changes/discard", guards=[require_key], opt={"scope": "configure"}, status_code=200, sync_to_thread=True
)
def discard_changes(request: Request[Any, Any, Any], data: DiscardRequest) -> Count:
    """Close parked changes for good."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        count = inbox.discard_parked(tx, change_ids=data.change_ids, actor=caller_of(request), now=hub.clock.now())
    return Count(count=count)


@get("/v1/parked/deliveries", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_parked_deliveries(
    request: Request[Any, Any, Any], system: str | None = None, limit: int = 100
) -> list[ParkedDelivery]:
    """Return deliveries that a system refused for good, with its reason."""
    with hub_of(request).database.transaction() as tx:
        return outbox.list_parked(tx, system=system, count_max=min(limit, PAGE_MAX))


@post(
    "/v1/parked/deliveries/replay",
    guards=[require_key],
    opt={"scope": "configure"},
    status_code=200,
    sync_to_thread=True,
)
def replay_deliveries(request: Request[Any, Any, Any], system: str | None = None) -> Count:
    """Give parked deliveries another chance."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        return Count(count=outbox.replay_parked(tx, system=system, now=hub.clock.now()))


HANDLERS = [
    list_systems,
    list_parked_changes,
    replay_changes,
    discard_changes,
    list_parked_deliveries,
    replay_deliveries,
]
