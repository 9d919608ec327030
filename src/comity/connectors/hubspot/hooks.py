"""Webhooks v3: what HubSpot tells, and asking it to tell us."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from comity.connect.http import objects_in
from comity.connect.signatures import verify_hubspot_v3
from comity.connect.types import (
    ChangeKind,
    Hint,
    HookMalformed,
    HookRequest,
    ReadChange,
    SettingsInvalid,
    Subscription,
)
from comity.connect.versions import parse_stamp
from comity.connectors.hubspot.client import HubSpotClient
from comity.connectors.hubspot.reading import merge_change

EVENTS_MAX = 1_000
EVENT_KINDS = ("creation", "deletion", "privacyDeletion", "merge", "restore")

_STREAMS = {
    "contact": "contacts",
    "company": "companies",
    "deal": "deals",
    "ticket": "tickets",
    "product": "products",
    "line_item": "line_items",
    "0-1": "contacts",
    "0-2": "companies",
    "0-3": "deals",
    "0-5": "tickets",
    "0-7": "products",
    "0-8": "line_items",
}
_KINDS = {stream: kind for kind, stream in _STREAMS.items() if not kind[0].isdigit()}

WEBHOOK_SCHEMA: dict[str, Any] = {
    "type": "array",
    "maxItems": 100,
    "items": {
        "type": "object",
        "required": ["subscriptionType"],
        "properties": {
            "subscriptionType": {"type": "string"},
            "objectId": {"type": "integer"},
            "occurredAt": {"type": "integer"},
            "propertyName": {"type": "string"},
            "primaryObjectId": {"type": "integer"},
            "mergedObjectIds": {"type": "array", "items": {"type": "integer"}},
            "newObjectId": {"type": "integer"},
        },
    },
}


class _Event(Struct, frozen=True, kw_only=True, rename="camel"):
    subscription_type: str
    object_id: int | str | None = None
    object_type_id: str | None = None
    occurred_at: int | None = None
    primary_object_id: int | str | None = None
    merged_object_ids: list[int | str] = []
    new_object_id: int | str | None = None
    from_object_id: int | str | None = None


def receive(client: HubSpotClient, request: HookRequest) -> list[ReadChange | Hint]:
    """Verify the signature and translate the events.

    Order and number of events mean nothing here, so changed records are only named, to be read again; endings carry
    all there is to know. Raises `SignatureInvalid`, `HookMalformed`.
    """
    secret = client.secrets.get("client_secret")
    if not secret:
        raise SettingsInvalid("Set the secret `client_secret` of the app to receive webhooks from HubSpot.")
    verify_hubspot_v3(request, secret=secret, public_url=client.settings.public_url)
    try:
        events = msgspec.json.decode(request.body, type=list[_Event])
    except msgspec.DecodeError as error:
        raise HookMalformed(f"Expected a list of events: {error}") from error
    if len(events) > EVENTS_MAX:
        raise HookMalformed(f"HubSpot sends at most 100 events at once; these are {len(events)}.")
    changes: list[ReadChange | Hint] = []
    named: dict[str, dict[str, None]] = {}
    for event in events:
        stream, kind = _stream_and_kind(event)
        if stream is None:
            continue
        found, to_read = _translate(stream, kind, event)
        changes += found
        named.setdefault(stream, {}).update(dict.fromkeys(to_read))
    return changes + [Hint(stream=stream, external_ids=tuple(ids)) for stream, ids in named.items() if ids]


def subscribe(client: HubSpotClient, target_url: str, *, fields: Mapping[str, Sequence[str]]) -> Subscription:
    """Set the app's target and add the subscriptions that are missing. Raises `SettingsInvalid`, `CallFailed`."""
    settings = client.settings
    if settings.app_id is None:
        raise SettingsInvalid("Set app_id: HubSpot keeps webhook subscriptions with an app, not with an account.")
    key = client.secrets.get("developer_api_key")
    params = {"hapikey": key} if key else None
    root = f"/webhooks/v3/{settings.app_id}"
    body = {
        "targetUrl": target_url,
        "throttling": {"maxConcurrentRequests": settings.webhook_concurrency},
    }
    client.caller.call("PUT", f"{root}/settings", json=body, params=params)
    present = client.caller.call("GET", f"{root}/subscriptions", params=params).json()
    known = {_identity(row) for row in objects_in(present.get("results")) if row.get("active", True)}
    is_new = False
    wanted = _subscriptions(fields)
    for subscription in wanted:
        if _identity(subscription) not in known:
            client.post(f"{root}/subscriptions", {**subscription, "active": True}, is_write=True, params=params)
            is_new = True
    kinds = tuple(dict.fromkeys(str(subscription["eventType"]) for subscription in wanted))
    return Subscription(target_url=target_url, event_kinds=kinds, is_new=is_new)


def _translate(stream: str, kind: str, event: _Event) -> tuple[list[ReadChange], list[str]]:
    external_id = _text(event.object_id)
    at = parse_stamp(event.occurred_at)
    if kind == "merge":
        survivor = _text(event.new_object_id) or external_id or _text(event.primary_object_id)
        losers = dict.fromkeys(_text(i) for i in (event.primary_object_id, *event.merged_object_ids))
        if survivor is None:
            return [], []
        merges = [merge_change(stream, loser, survivor, at) for loser in losers if loser and loser != survivor]
        return merges, [survivor]
    if external_id is None:
        from_id = _text(event.from_object_id)
        return [], [from_id] if from_id else []
    if kind in {"deletion", "privacyDeletion"}:
        return [_event_change(stream, external_id, ChangeKind.DELETE, f"deleted.{event.occurred_at}", event)], []
    if kind == "restore":
        version = f"restored.{event.occurred_at}"
        return [_event_change(stream, external_id, ChangeKind.RESTORE, version, event)], [external_id]
    return [], [external_id]


def _event_change(stream: str, external_id: str, kind: ChangeKind, version: str, event: _Event) -> ReadChange:
    return ReadChange(
        stream=stream,
        external_id=external_id,
        kind=kind,
        version=version,
        source_at=parse_stamp(event.occurred_at),
    )


def _stream_and_kind(event: _Event) -> tuple[str | None, str]:
    what, _, kind = event.subscription_type.partition(".")
    if what == "object":
        type_id = event.object_type_id
        return (_STREAMS.get(type_id, type_id) if type_id else None), kind
    return _STREAMS.get(what), kind


def _subscriptions(fields: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    wanted: list[dict[str, Any]] = []
    for stream, names in fields.items():
        kind = _KINDS.get(stream)
        what = {"objectTypeId": stream} if kind is None else {}
        prefix = kind or "object"
        kinds = [k for k in EVENT_KINDS if k != "privacyDeletion" or prefix == "contact"]
        wanted += [{"eventType": f"{prefix}.{k}", **what} for k in kinds]
        wanted += [{"eventType": f"{prefix}.propertyChange", "propertyName": n, **what} for n in dict.fromkeys(names)]
    return wanted


def _identity(subscription: dict[str, Any]) -> tuple[str, str, str]:
    return (
        str(subscription.get("eventType")),
        str(subscription.get("propertyName") or ""),
        str(subscription.get("objectTypeId") or "") if str(subscription.get("eventType")).startswith("object.") else "",
    )


def _text(value: int | str | None) -> str | None:
    return None if value is None else str(value)
