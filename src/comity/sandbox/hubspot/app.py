"""The simulated HubSpot: tokens, limits, the way of a call, and what the admin routes need."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from comity.kernel.ids import Ids
from comity.sandbox.clock import ShiftedClock
from comity.sandbox.faults import FaultOrder
from comity.sandbox.hubspot.errors import ObjectFault, refuse, refuse_unknown
from comity.sandbox.hubspot.portal import USER, Collection, Portal, fold
from comity.sandbox.hubspot.routes_batch import BatchRoutes
from comity.sandbox.hubspot.routes_objects import ObjectRoutes
from comity.sandbox.hubspot.routes_properties import PropertyRoutes
from comity.sandbox.hubspot.routes_webhooks import WebhookRoutes
from comity.sandbox.hubspot.webhooks import Deliveries
from comity.sandbox.simulator import BadAdmin, Tally
from comity.sandbox.types import SandboxOptions
from comity.sandbox.wire import JsonObject, Refusal, Request, Response, Routes

WINDOW_SECONDS = 10
WINDOW_CALLS_GENEROUS, WINDOW_CALLS_DOCUMENTED = 1_000_000, 190
DAILY_CALLS_GENEROUS, DAILY_CALLS_DOCUMENTED = 100_000_000, 650_000
SEARCHES_SECONDLY = 5
APP_ID = 54321
EVENT_KINDS = ("creation", "propertyChange", "deletion", "merge", "restore", "privacyDeletion")

_READING = ("/search", "/batch/read")


class HubSpot:
    """One simulated account behind the CRM API."""

    app_id: int | None = APP_ID

    def __init__(self, *, clock: ShiftedClock, ids: Ids, seed: int, options: SandboxOptions) -> None:
        """Start an account without customers."""
        self.tally = Tally()
        self.public_url = ""
        self.token = f"pat-eu1-{ids.token(18)}"
        self.client_secret: str | None = ids.token(18)
        self._clock = clock
        self._is_strict = options.has_documented_limits
        self._has_one_stamp = options.has_one_stamp
        self._window_max = WINDOW_CALLS_DOCUMENTED if self._is_strict else WINDOW_CALLS_GENEROUS
        self._daily_max = DAILY_CALLS_DOCUMENTED if self._is_strict else DAILY_CALLS_GENEROUS
        self._daily_used = 0
        self._day = clock.now().date()
        self._window: deque[datetime] = deque()
        self._searches: deque[datetime] = deque()
        self.portal = Portal(
            clock=clock,
            seed=seed,
            tally=self.tally,
            has_loyalty_fields=options.has_loyalty_fields,
            search_lag_seconds=options.search_lag_seconds,
        )
        self.portal_id: int | None = self.portal.portal_id
        self._deliveries = Deliveries(
            clock=clock,
            client_secret=self.client_secret,
            ca_file=options.webhook_ca_file,
            retry_seconds=options.webhook_retry_seconds,
        )
        self._webhooks = WebhookRoutes(portal=self.portal, deliveries=self._deliveries, clock=clock, app_id=APP_ID)
        self.portal.emit = self._webhooks.note
        self._routes = Routes()
        ObjectRoutes(portal=self.portal).register(self._routes)
        BatchRoutes(portal=self.portal, clock=clock).register(self._routes)
        PropertyRoutes(portal=self.portal, clock=clock).register(self._routes)
        self._webhooks.register(self._routes)

    def answer(self, request: Request) -> Response:
        """Answer one call."""
        try:
            self._require_token(request)
            headers = self._take_call(request)
            is_write = request.method != "GET" and not request.path.endswith(_READING)
            self.tally.count_call(is_write=is_write)
            response = self._dispatch(request)
        except ObjectFault as fault:
            response, headers = fault.refusal().response, []
        except Refusal as refusal:
            response, headers = refusal.response, []
        self._webhooks.flush()
        response.headers.extend(headers)
        return response

    def _dispatch(self, request: Request) -> Response:
        handler = self._routes.find(request)
        if handler is None:
            if self._routes.methods(request):
                raise refuse(405, "METHOD_NOT_ALLOWED", f"Method {request.method} is not allowed")
            raise refuse_unknown(f"{request.method} {request.path}")
        try:
            return handler(request)
        except ObjectFault as fault:
            return fault.refusal().response
        except Refusal as refusal:
            return refusal.response

    def _require_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        is_known = scheme.lower() == "bearer" and token.strip() == self.token
        # The webhook settings of a public app are reached with the developer's key.
        is_developer = request.segments[:2] == ("webhooks", "v3") and request.argument("hapikey") == self.client_secret
        if not (is_known or is_developer):
            message = (
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more"
                " details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
            )
            raise refuse(401, "INVALID_AUTHENTICATION", message)

    def _take_call(self, request: Request) -> list[tuple[str, str]]:
        now = self._clock.now()
        if now.date() != self._day:
            self._day, self._daily_used = now.date(), 0
        if self._daily_used >= self._daily_max:
            raise _limited("DAILY", "You have reached your daily limit.")
        if request.path.endswith("/search"):
            if self._is_strict:
                _slide(self._searches, now, seconds=1)
                if len(self._searches) >= SEARCHES_SECONDLY:
                    raise _limited("SECONDLY", "You have reached your secondly limit.")
                self._searches.append(now)
            self._daily_used += 1
            return []
        _slide(self._window, now, seconds=WINDOW_SECONDS)
        if len(self._window) >= self._window_max:
            raise _limited("TEN_SECONDLY_ROLLING", "You have reached your ten_secondly_rolling limit.")
        self._window.append(now)
        self._daily_used += 1
        return [
            ("x-hubspot-ratelimit-max", str(self._window_max)),
            ("x-hubspot-ratelimit-remaining", str(self._window_max - len(self._window))),
            ("x-hubspot-ratelimit-interval-milliseconds", str(WINDOW_SECONDS * 1000)),
            ("x-hubspot-ratelimit-daily", str(self._daily_max)),
            ("x-hubspot-ratelimit-daily-remaining", str(max(self._daily_max - self._daily_used, 0))),
        ]

    def load(self, *, kind: str | None, rows: Iterable[Mapping[str, str]]) -> int:
        """Load old records."""
        collection = self._collection(kind or "contacts")
        return self.portal.load(collection, rows, has_one_stamp=self._has_one_stamp)

    def edit(self, *, kind: str, record_id: str | None, fields: JsonObject) -> str:
        """Edit or create a record as a user."""
        collection = self._collection(kind)
        try:
            if record_id is None:
                return self.portal.create(collection, fields, actor=USER).record_id
            return self.portal.update(collection, collection.resolve(record_id), fields, actor=USER).record_id
        except ObjectFault as fault:
            raise BadAdmin(f"{fault.category}: {fault.message}") from fault
        finally:
            self._webhooks.flush()

    def remove(self, *, kind: str, record_ids: list[str]) -> None:
        """Archive records as a user."""
        collection = self._collection(kind)
        try:
            for record_id in record_ids:
                self.portal.archive(collection, collection.resolve(record_id), actor=USER)
        except ObjectFault as fault:
            raise BadAdmin(f"{fault.category}: {fault.message}") from fault
        finally:
            self._webhooks.flush()

    def restore(self, *, kind: str, record_ids: list[str]) -> None:
        """Restore records as a user."""
        collection = self._collection(kind)
        try:
            for record_id in record_ids:
                self.portal.restore(collection, record_id, actor=USER)
        except ObjectFault as fault:
            raise BadAdmin(f"{fault.category}: {fault.message}") from fault
        finally:
            self._webhooks.flush()

    def merge(self, *, kind: str, survivor_id: str, loser_ids: list[str]) -> str:
        """Merge records as a user; each merge makes a new record."""
        collection = self._collection(kind)
        try:
            for loser_id in loser_ids:
                survivor_id = self.portal.merge(
                    collection, collection.resolve(survivor_id), collection.resolve(loser_id), actor=USER
                ).record_id
        except ObjectFault as fault:
            raise BadAdmin(f"{fault.category}: {fault.message}") from fault
        finally:
            self._webhooks.flush()
        return survivor_id

    def find(self, *, kind: str, field: str, value: str) -> list[JsonObject]:
        """List records whose property holds the value, live ones first."""
        collection = self._collection(kind)
        return [
            {"id": record.record_id, "fields": record.properties, "archived": record.archived_at is not None}
            for records in (collection.live, collection.archived)
            for record in records.values()
            if (held := record.properties.get(field)) is not None and fold(held) == fold(value)
        ]

    def state(self) -> JsonObject:
        """Report records, webhooks and the calls left for today."""
        return {
            "objects": {
                name: {"live": len(collection.live), "deleted": len(collection.archived)}
                for name, collection in self.portal.collections.items()
            },
            "webhooks": self._deliveries.report(),
            "daily": {"used": self._daily_used, "max": self._daily_max},
        }

    def disturb(self, order: FaultOrder) -> None:
        """Leave so many calls for today; lose and double events."""
        if order.daily_remaining is not None:
            self._daily_max = self._daily_used + order.daily_remaining
        self._webhooks.disturb(dropped=order.webhooks_dropped, doubled=order.webhooks_doubled)

    def register_webhook(self, *, url: str, event_kinds: list[str]) -> JsonObject:
        """Send all events of contacts, or the kinds named, to a URL; property changes of any property."""
        settings = self._webhooks.set_target(url)
        wanted = event_kinds or [f"contact.{kind}" for kind in EVENT_KINDS]
        try:
            subscriptions = [self._webhooks.subscribe(kind, None, None).report() for kind in wanted]
        except ObjectFault as fault:
            raise BadAdmin(fault.message) from fault
        return {**settings, "subscriptions": subscriptions, "clientSecret": self.client_secret}

    def close(self) -> None:
        """Deliver what waits."""
        self._deliveries.close()

    def _collection(self, kind: str) -> Collection:
        found = self.portal.collection(kind)
        if found is None:
            raise BadAdmin(f"There is no object type {kind}.")
        return found


def _slide(window: deque[datetime], now: datetime, *, seconds: int) -> None:
    begin = now - timedelta(seconds=seconds)
    while window and window[0] <= begin:
        window.popleft()


def _limited(policy: str, message: str) -> Refusal:
    return refuse(
        429, "RATE_LIMITS", message, errorType="RATE_LIMIT", policyName=policy, groupName="publicapi:crm:sandbox"
    )
