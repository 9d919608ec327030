"""Routes for property definitions."""

import re

from comity.sandbox.clock import ShiftedClock
from comity.sandbox.hubspot.errors import ObjectFault, refuse
from comity.sandbox.hubspot.portal import Collection, Portal
from comity.sandbox.hubspot.properties import Property, format_stamp
from comity.sandbox.hubspot.routes_objects import find_collection, read_body
from comity.sandbox.wire import JsonObject, Request, Response, Routes, answer, as_list, as_object

UNIQUE_MAX = 10
TYPES = {"string", "number", "date", "datetime", "enumeration", "bool", "phone_number"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")


class PropertyRoutes:
    """Handlers for properties."""

    def __init__(self, *, portal: Portal, clock: ShiftedClock) -> None:
        """Serve this account."""
        self._portal = portal
        self._clock = clock

    def register(self, routes: Routes) -> None:
        """Add the routes, in the numbered and in the dated form."""
        for root in ("/crm/v3/properties/{type}", "/crm/properties/{version}/{type}"):
            routes.add("GET", root, self.list_all)
            routes.add("POST", root, self.create)
            routes.add("GET", root + "/{name}", self.get)
            routes.add("POST", root + "/batch/create", self.create_batch)

    def list_all(self, request: Request) -> Response:
        """List all properties."""
        collection = find_collection(self._portal, request)
        return answer(200, {"results": [item.report() for item in collection.kind.properties.values()]})

    def get(self, request: Request) -> Response:
        """GET a property."""
        collection = find_collection(self._portal, request)
        found = collection.kind.properties.get(request.params["name"])
        if found is None:
            message = f"Property {request.params['name']} does not exist"
            raise refuse(404, "OBJECT_NOT_FOUND", message)
        return answer(200, found.report())

    def create(self, request: Request) -> Response:
        """Create a property: 201."""
        collection = find_collection(self._portal, request)
        return answer(201, self._add(collection, read_body(request)).report())

    def create_batch(self, request: Request) -> Response:
        """Create properties: 201, or 207 when some are refused."""
        collection = find_collection(self._portal, request)
        results: list[JsonObject] = []
        errors: list[JsonObject] = []
        for item in [as_object(item) or {} for item in as_list(read_body(request).get("inputs")) or []]:
            try:
                results.append(self._add(collection, item).report())
            except ObjectFault as fault:
                errors.append(fault.batch_error({"name": [str(item.get("name", ""))]}))
        now = format_stamp(self._clock.now())
        body: JsonObject = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if errors:
            body |= {"numErrors": len(errors), "errors": errors}
        return answer(207 if errors else 201, body)

    def _add(self, collection: Collection, body: JsonObject) -> Property:
        missing = [name for name in ("name", "label", "type", "fieldType", "groupName") if not body.get(name)]
        if missing:
            message = f"Invalid input JSON: some required fields were not set: {missing}"
            raise ObjectFault(400, "VALIDATION_ERROR", message)
        name, kind = str(body["name"]), str(body["type"])
        if not _NAME.fullmatch(name):
            raise ObjectFault(400, "VALIDATION_ERROR", f"{name} is no property name: lower-case letters, digits and _")
        if kind not in TYPES:
            raise ObjectFault(400, "VALIDATION_ERROR", f"{kind} is no property type")
        if name in collection.kind.properties:
            raise ObjectFault(409, "OBJECT_ALREADY_EXISTS", f"A property named '{name}' already exists.")
        is_unique = body.get("hasUniqueValue") is True
        if is_unique and sum(item.is_unique for item in collection.kind.properties.values()) >= UNIQUE_MAX:
            raise ObjectFault(400, "VALIDATION_ERROR", f"At most {UNIQUE_MAX} unique properties are allowed")
        options = [as_object(option) or {} for option in as_list(body.get("options")) or []]
        created = Property(
            name=name,
            label=str(body["label"]),
            type=kind,  # pyright: ignore[reportArgumentType] - checked against TYPES above.
            field_type=str(body["fieldType"]),
            group=str(body["groupName"]),
            description=str(body.get("description") or ""),
            options=tuple(str(option.get("value", "")) for option in options),
            is_unique=is_unique,
            is_vendor=False,
            created_at=format_stamp(self._clock.now()),
        )
        collection.kind.properties[name] = created
        if is_unique:
            collection.keys[name] = {}
        return created
