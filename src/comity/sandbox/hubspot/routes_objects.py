"""Routes for records one by one: create, read, list, update, archive, merge, search."""

import bisect

from comity.sandbox.hubspot.errors import ObjectFault, not_found, refuse, refuse_unknown
from comity.sandbox.hubspot.portal import API, Collection, Portal, Record
from comity.sandbox.hubspot.search import search
from comity.sandbox.wire import JsonObject, Request, Response, Routes, answer, as_list, as_object, decode_object

PAGE_MAX = 100
ROOTS = ("/crm/v3/objects/{type}", "/crm/objects/{version}/{type}")


def read_body(request: Request) -> JsonObject:
    """Return the JSON object of the body. Raises the vendor's error for bad JSON."""
    body = decode_object(request.body)
    if body is None:
        raise refuse(400, "VALIDATION_ERROR", "Invalid input JSON on line 1, column 1: no JSON object")
    return body


def read_properties(body: JsonObject) -> JsonObject:
    """Return the properties of a write. Raises the vendor's error when there are none."""
    properties = as_object(body.get("properties"))
    if properties is None:
        raise ObjectFault(
            400, "VALIDATION_ERROR", 'Invalid input JSON: some required fields were not set: ["properties"]'
        )
    return properties


def render(collection: Collection, record: Record, names: list[str] | None = None) -> JsonObject:
    """Return a record as an answer shows it: what was asked for, and always id and stamps."""
    properties: dict[str, str | None] = {}
    kind = collection.kind
    if names:
        known = [name for name in names if name in kind.properties]
        properties = {name: record.properties.get(name) for name in known}
        names = [kind.shown[0], "hs_object_id", kind.modified]
    for name in names or kind.shown:
        properties[name] = record.properties.get(name)
    shown: JsonObject = {
        "id": record.record_id,
        "properties": properties,
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "archived": record.archived_at is not None,
    }
    if record.archived_at:
        shown["archivedAt"] = record.archived_at
    return shown


def check_lock(request: Request) -> None:
    """Refuse the write when a lock fault is set. Raises ObjectFault."""
    if request.is_locked:
        raise ObjectFault(423, "LOCKED", "The record is locked by another operation. Wait at least two seconds.")


class ObjectRoutes:
    """Handlers for single records."""

    def __init__(self, *, portal: Portal) -> None:
        """Serve this account."""
        self._portal = portal

    def register(self, routes: Routes) -> None:
        """Add the routes, in the numbered and in the dated form."""
        for root in ROOTS:
            routes.add("POST", root, self.create)
            routes.add("GET", root, self.list_page)
            routes.add("GET", root + "/{id}", self.get)
            routes.add("PATCH", root + "/{id}", self.update)
            routes.add("DELETE", root + "/{id}", self.archive)
            routes.add("POST", root + "/search", self.search)
            routes.add("POST", root + "/merge", self.merge)
            routes.add("POST", root + "/gdpr-delete", self.erase)

    def create(self, request: Request) -> Response:
        """POST a record: 201."""
        collection = find_collection(self._portal, request)
        check_lock(request)
        body = read_body(request)
        properties = read_properties(body)
        associations = read_associations(body)
        record = self._portal.create(collection, properties, actor=API)
        record.associations.update(associations)
        return answer(201, render(collection, record, list(properties)))

    def get(self, request: Request) -> Response:
        """GET a record; a merged id answers with the record it lives on in."""
        collection = find_collection(self._portal, request)
        refuse_history(request.arguments("propertiesWithHistory"))
        names = request.arguments("properties")
        if request.has_flag("archived"):
            record = collection.archived.get(request.params["id"])
            if record is None:
                raise not_found(request.params["id"])
        else:
            record_id = collection.resolve(request.params["id"], request.argument("idProperty"))
            record = collection.live[record_id]
        shown = render(collection, record, names)
        wanted = request.arguments("associations")
        if wanted:
            shown["associations"] = self._associations(record, wanted)
        return answer(200, shown)

    def list_page(self, request: Request) -> Response:
        """List records in the order of their ids, up to 100 a page."""
        collection = find_collection(self._portal, request)
        refuse_history(request.arguments("propertiesWithHistory"))
        limit, after = request.argument("limit") or "10", request.argument("after") or "0"
        if not limit.isdecimal() or not 1 <= int(limit) <= PAGE_MAX or not after.isdigit():
            raise refuse(400, "VALIDATION_ERROR", f"limit must be 1 to {PAGE_MAX} and after a number")
        is_archived = request.has_flag("archived")
        records = collection.archived if is_archived else collection.live
        names = request.arguments("properties")
        start = bisect.bisect_left(collection.numbers, int(after))
        page: list[Record] = []
        following: int | None = None
        for number in collection.numbers[start:]:
            record = records.get(str(number))
            if record is None:
                continue
            if len(page) == int(limit):
                following = number
                break
            page.append(record)
        body: JsonObject = {"results": [render(collection, record, names) for record in page]}
        if following is not None:
            link = f"{request.path}?limit={limit}&after={following}"
            body["paging"] = {"next": {"after": str(following), "link": link}}
        return answer(200, body)

    def update(self, request: Request) -> Response:
        """PATCH a record; never creates one."""
        collection = find_collection(self._portal, request)
        check_lock(request)
        properties = read_properties(read_body(request))
        record_id = collection.resolve(request.params["id"], request.argument("idProperty"))
        record = self._portal.update(collection, record_id, properties, actor=API)
        return answer(200, render(collection, record, list(properties)))

    def archive(self, request: Request) -> Response:
        """DELETE a record; one that is not there is none of our business: 204 all the same."""
        collection = find_collection(self._portal, request)
        check_lock(request)
        try:
            self._portal.archive(collection, collection.resolve(request.params["id"]), actor=API)
        except ObjectFault:
            if request.params["id"] not in collection.archived:
                raise
        return Response(status=204)

    def search(self, request: Request) -> Response:
        """Search."""
        collection = find_collection(self._portal, request)
        body = read_body(request)
        visible = self._portal.refresh_search(collection)
        found = search(collection, visible, body)
        names = [str(name) for name in as_list(body.get("properties")) or []]
        page: JsonObject = {
            "total": found.total,
            "results": [render(collection, record, names) for record in found.records],
        }
        if found.after is not None:
            page["paging"] = {"next": {"after": str(found.after)}}
        return answer(200, page)

    def merge(self, request: Request) -> Response:
        """Merge two records into a new one."""
        collection = find_collection(self._portal, request)
        check_lock(request)
        body = read_body(request)
        primary_id, loser_id = (
            collection.resolve(str(body.get(name, ""))) for name in ("primaryObjectId", "objectIdToMerge")
        )
        merged = self._portal.merge(collection, primary_id, loser_id, actor=API)
        return answer(200, render(collection, merged))

    def erase(self, request: Request) -> Response:
        """Delete a contact for good."""
        collection = find_collection(self._portal, request)
        body = read_body(request)
        id_property = body.get("idProperty")
        record_id = collection.resolve(str(body.get("objectId", "")), str(id_property) if id_property else None)
        self._portal.erase(collection, record_id, actor=API)
        return Response(status=204)

    def _associations(self, record: Record, wanted: list[str]) -> JsonObject:
        shown: JsonObject = {}
        for name in wanted:
            target = self._portal.collection(name)
            if target and (found := record.associations.get(target.kind.type_id)):
                shown[target.kind.name] = {"results": found}
        return shown


def find_collection(portal: Portal, request: Request) -> Collection:
    """Return the records of the type in the path. Raises 501 for types that are not simulated."""
    collection = portal.collection(request.params["type"])
    if collection is None:
        raise refuse_unknown(f"objects of the type {request.params['type']}")
    return collection


def refuse_history(names: list[str]) -> None:
    """Refuse a call for the history of properties. Raises 501."""
    if names:
        raise refuse_unknown("propertiesWithHistory")


_TYPES_BY_ASSOCIATION = {204: "0-1", 192: "0-2", 216: "0-3", 1: "0-2", 279: "0-2"}
"""Association types that lead from a task (204, 192, 216) or a contact (1, 279), and where to."""


def read_associations(body: JsonObject) -> dict[str, list[JsonObject]]:
    """Return the associations of a create by target type. Raises 501 for unknown association types."""
    found: dict[str, list[JsonObject]] = {}
    for item in [as_object(item) or {} for item in as_list(body.get("associations")) or []]:
        target_id = str((as_object(item.get("to")) or {}).get("id", ""))
        for spec in [as_object(spec) or {} for spec in as_list(item.get("types")) or []]:
            number = spec.get("associationTypeId")
            if number not in _TYPES_BY_ASSOCIATION:
                raise refuse_unknown(f"the association type {number}")
            found.setdefault(_TYPES_BY_ASSOCIATION[number], []).append({"id": target_id, "type": str(number)})
    return found
