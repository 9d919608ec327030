"""Routes for webhook settings and subscriptions, and the way from an event to its deliveries."""

import re

import msgspec

from comity.sandbox.clock import ShiftedClock
from comity.sandbox.hubspot.errors import ObjectFault, refuse
from comity.sandbox.hubspot.portal import Portal
from comity.sandbox.hubspot.properties import format_stamp
from comity.sandbox.hubspot.routes_objects import read_body
from comity.sandbox.hubspot.webhooks import Deliveries
from comity.sandbox.wire import JsonObject, Request, Response, Routes, answer, as_list, as_object

CONCURRENCY_DEFAULT = 10
SUBSCRIPTIONS_MAX = 1000
_KINDS = ("propertyChange", "creation", "deletion", "privacyDeletion", "merge", "restore")
_EVENT_TYPE = re.compile(rf"(contact|company|deal|object)\.({'|'.join(_KINDS)})")
_SINGULARS = {"contacts": "contact", "companies": "company", "deals": "deal"}


class Subscription(msgspec.Struct, kw_only=True):
    """What the app wants to hear of."""

    number: int
    event_type: str
    property_name: str | None
    """None, which only the admin route sets: any property."""
    object_type_id: str | None
    is_active: bool
    created_at: str
    updated_at: str

    def report(self) -> JsonObject:
        """Return the subscription as the API tells it."""
        shown: JsonObject = {
            "id": str(self.number),
            "eventType": self.event_type,
            "active": self.is_active,
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
        }
        if self.property_name:
            shown["propertyName"] = self.property_name
        if self.object_type_id:
            shown["objectTypeId"] = self.object_type_id
        return shown


class WebhookRoutes:
    """Handlers for settings and subscriptions; turns events into deliveries."""

    def __init__(self, *, portal: Portal, deliveries: Deliveries, clock: ShiftedClock, app_id: int) -> None:
        """Serve the app of this account."""
        self._portal = portal
        self._deliveries = deliveries
        self._clock = clock
        self._app_id = app_id
        self._settings: JsonObject | None = None
        self._subscriptions: dict[int, Subscription] = {}
        self._number = 0
        self._event_number = 0
        self._waiting: list[JsonObject] = []
        self._dropped = 0
        self._doubled = 0

    def register(self, routes: Routes) -> None:
        """Add the routes."""
        root = "/webhooks/v3/{app}"
        routes.add("GET", root + "/settings", self.get_settings)
        routes.add("PUT", root + "/settings", self.put_settings)
        routes.add("DELETE", root + "/settings", self.delete_settings)
        routes.add("GET", root + "/subscriptions", self.list_subscriptions)
        routes.add("POST", root + "/subscriptions", self.create_subscription)
        routes.add("POST", root + "/subscriptions/batch/update", self.update_subscriptions)
        routes.add("GET", root + "/subscriptions/{id}", self.get_subscription)
        routes.add("PATCH", root + "/subscriptions/{id}", self.update_subscription)
        routes.add("DELETE", root + "/subscriptions/{id}", self.delete_subscription)

    def get_settings(self, request: Request) -> Response:
        """GET the settings."""
        self._check_app(request)
        if self._settings is None:
            raise refuse(404, "OBJECT_NOT_FOUND", "No webhook settings")
        return answer(200, self._settings)

    def put_settings(self, request: Request) -> Response:
        """PUT target and concurrency."""
        self._check_app(request)
        body = read_body(request)
        throttling = as_object(body.get("throttling")) or {}
        concurrency = throttling.get("maxConcurrentRequests", CONCURRENCY_DEFAULT)
        if not isinstance(concurrency, int) or concurrency < 1:
            raise refuse(400, "VALIDATION_ERROR", "maxConcurrentRequests must be at least 1")
        try:
            return answer(200, self.set_target(str(body.get("targetUrl", "")), concurrency=concurrency))
        except ValueError as error:
            raise refuse(400, "VALIDATION_ERROR", str(error)) from error

    def delete_settings(self, request: Request) -> Response:
        """Forget the target: 204."""
        self._check_app(request)
        self._settings = None
        self._deliveries.set_target("", concurrency=1)
        return Response(status=204)

    def set_target(self, url: str, *, concurrency: int = CONCURRENCY_DEFAULT) -> JsonObject:
        """Send events to a URL. Raises ValueError for a bad one."""
        self._deliveries.set_target(url, concurrency=concurrency)
        now = format_stamp(self._clock.now())
        created_at = self._settings["createdAt"] if self._settings else now
        self._settings = {
            "targetUrl": url,
            "throttling": {"maxConcurrentRequests": concurrency},
            "createdAt": created_at,
            "updatedAt": now,
        }
        return self._settings

    def subscribe(self, event_type: str, property_name: str | None, object_type_id: str | None) -> Subscription:
        """Add a subscription; the same one again is answered with the first. Raises ObjectFault."""
        if not _EVENT_TYPE.fullmatch(event_type):
            raise ObjectFault(501, "NOT_IMPLEMENTED", f"The sandbox does not implement {event_type}.")
        for known in self._subscriptions.values():
            if (known.event_type, known.property_name, known.object_type_id) == (
                event_type,
                property_name,
                object_type_id,
            ):
                return known
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise ObjectFault(400, "VALIDATION_ERROR", f"At most {SUBSCRIPTIONS_MAX} subscriptions are allowed")
        self._number += 1
        now = format_stamp(self._clock.now())
        created = Subscription(
            number=self._number,
            event_type=event_type,
            property_name=property_name,
            object_type_id=object_type_id,
            is_active=True,
            created_at=now,
            updated_at=now,
        )
        self._subscriptions[created.number] = created
        return created

    def list_subscriptions(self, request: Request) -> Response:
        """List the subscriptions."""
        self._check_app(request)
        return answer(200, {"results": [item.report() for item in self._subscriptions.values()]})

    def create_subscription(self, request: Request) -> Response:
        """Create a subscription: 201."""
        self._check_app(request)
        body = read_body(request)
        event_type, name = str(body.get("eventType", "")), body.get("propertyName")
        if event_type.endswith(".propertyChange") and not name:
            raise refuse(400, "VALIDATION_ERROR", "propertyName is required for propertyChange subscriptions")
        if event_type.startswith("object.") and not body.get("objectTypeId"):
            raise refuse(400, "VALIDATION_ERROR", "objectTypeId is required for object subscriptions")
        type_id = body.get("objectTypeId")
        created = self.subscribe(event_type, str(name) if name else None, str(type_id) if type_id else None)
        created.is_active = body.get("active") is True
        return answer(201, created.report())

    def get_subscription(self, request: Request) -> Response:
        """GET a subscription."""
        return answer(200, self._one(request).report())

    def update_subscription(self, request: Request) -> Response:
        """Switch a subscription on or off."""
        found = self._one(request)
        self._switch(found, is_active=read_body(request).get("active") is True)
        return answer(200, found.report())

    def update_subscriptions(self, request: Request) -> Response:
        """Switch several subscriptions on or off."""
        self._check_app(request)
        changed: list[JsonObject] = []
        for item in [as_object(item) or {} for item in as_list(read_body(request).get("inputs")) or []]:
            found = self._subscriptions.get(_number(item.get("id")))
            if found:
                self._switch(found, is_active=item.get("active") is True)
                changed.append(found.report())
        now = format_stamp(self._clock.now())
        return answer(200, {"status": "COMPLETE", "results": changed, "startedAt": now, "completedAt": now})

    def delete_subscription(self, request: Request) -> Response:
        """Delete a subscription: 204."""
        del self._subscriptions[self._one(request).number]
        return Response(status=204)

    def note(self, type_name: str, kind: str, record_id: str, detail: JsonObject) -> None:
        """Turn one event into a delivery for every subscription that fits."""
        if not self._subscriptions or not self._deliveries.target:
            return
        collection = self._portal.collections[type_name]
        occurred_at = int(self._clock.now().timestamp() * 1000)
        for item in self._subscriptions.values():
            subject, _, wanted = item.event_type.partition(".")
            is_fitting = (
                item.object_type_id == collection.kind.type_id
                if subject == "object"
                else subject == _SINGULARS.get(type_name)
            )
            if not item.is_active or wanted != kind or not is_fitting:
                continue
            if item.property_name and item.property_name != detail.get("propertyName"):
                continue
            self._event_number += 1
            event: JsonObject = {
                "eventId": self._event_number,
                "subscriptionId": item.number,
                "portalId": self._portal.portal_id,
                "appId": self._app_id,
                "occurredAt": occurred_at,
                "subscriptionType": item.event_type,
                "attemptNumber": 0,
                "objectId": int(record_id),
                **detail,
            }
            if subject == "object":
                event["objectTypeId"] = collection.kind.type_id
            self._waiting.append(event)

    def disturb(self, *, dropped: int, doubled: int) -> None:
        """Lose the next events, and double the next ones."""
        self._dropped += dropped
        self._doubled += doubled

    def flush(self) -> None:
        """Hand the events of the call that just ended to the deliveries."""
        if not self._waiting:
            return
        dropped = min(self._dropped, len(self._waiting))
        doubled = min(self._doubled, len(self._waiting) - dropped)
        self._dropped -= dropped
        self._doubled -= doubled
        self._deliveries.submit([*self._waiting[dropped:], *self._waiting[dropped : dropped + doubled]])
        self._waiting = []

    def _switch(self, found: Subscription, *, is_active: bool) -> None:
        found.is_active = is_active
        found.updated_at = format_stamp(self._clock.now())

    def _one(self, request: Request) -> Subscription:
        self._check_app(request)
        text = request.params["id"]
        found = self._subscriptions.get(int(text)) if text.isdecimal() else None
        if found is None:
            raise refuse(404, "OBJECT_NOT_FOUND", f"No subscription {text}")
        return found

    def _check_app(self, request: Request) -> None:
        if request.params["app"] != str(self._app_id):
            raise refuse(404, "OBJECT_NOT_FOUND", f"No app {request.params['app']}")


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0
