"""Routes for batches of up to 100 records.

A fault in one input fails the whole batch, unless every input carries an `objectWriteTraceId`: then the others are
written and the answer is 207 with an error that names the trace id. Inputs whose record is not there always answer 207.
"""

from collections.abc import Callable
from typing import Any

from comity.sandbox.clock import ShiftedClock
from comity.sandbox.hubspot.errors import ObjectFault, refuse
from comity.sandbox.hubspot.portal import API, Collection, Portal, Record
from comity.sandbox.hubspot.properties import format_stamp
from comity.sandbox.hubspot.routes_objects import (
    ROOTS,
    check_lock,
    find_collection,
    read_associations,
    read_body,
    read_properties,
    refuse_history,
    render,
)
from comity.sandbox.wire import JsonObject, Request, Response, Routes, answer, as_list, as_object

INPUTS_MAX = 100

WriteOne = Callable[[JsonObject], JsonObject]


class BatchRoutes:
    """Handlers for batches."""

    def __init__(self, *, portal: Portal, clock: ShiftedClock) -> None:
        """Serve this account."""
        self._portal = portal
        self._clock = clock

    def register(self, routes: Routes) -> None:
        """Add the routes, in the numbered and in the dated form."""
        for root in ROOTS:
            routes.add("POST", root + "/batch/create", self.create)
            routes.add("POST", root + "/batch/read", self.read)
            routes.add("POST", root + "/batch/update", self.update)
            routes.add("POST", root + "/batch/upsert", self.upsert)
            routes.add("POST", root + "/batch/archive", self.archive)

    def create(self, request: Request) -> Response:
        """Create: 201."""
        collection = find_collection(self._portal, request)

        def write(item: JsonObject) -> JsonObject:
            properties, associations = read_properties(item), read_associations(item)
            record = self._portal.create(collection, properties, actor=API)
            record.associations.update(associations)
            return render(collection, record, list(properties))

        return self._run(request, collection, write, status=201)

    def update(self, request: Request) -> Response:
        """Update: 200."""
        collection = find_collection(self._portal, request)

        def write(item: JsonObject) -> JsonObject:
            properties = read_properties(item)
            record = self._portal.update(collection, _resolve(collection, item), properties, actor=API)
            return render(collection, record, list(properties))

        return self._run(request, collection, write, status=200)

    def upsert(self, request: Request) -> Response:
        """Create or update by a unique property: 200, each result saying whether it is `new`."""
        collection = find_collection(self._portal, request)

        def write(item: JsonObject) -> JsonObject:
            properties, name = read_properties(item), item.get("idProperty")
            if not name:
                raise ObjectFault(400, "VALIDATION_ERROR", "idProperty is required for an upsert")
            try:
                record_id = _resolve(collection, item)
            except ObjectFault as fault:
                if fault.category != "OBJECT_NOT_FOUND":
                    raise
                record = self._portal.create(collection, {**properties, str(name): item.get("id")}, actor=API)
                return {**render(collection, record, [*properties, str(name)]), "new": True}
            record = self._portal.update(collection, record_id, properties, actor=API)
            return {**render(collection, record, [*properties, str(name)]), "new": False}

        return self._run(request, collection, write, status=200)

    def read(self, request: Request) -> Response:
        """Read: 200, or 207 when some are not there."""
        collection = find_collection(self._portal, request)
        body = read_body(request)
        refuse_history([str(name) for name in as_list(body.get("propertiesWithHistory")) or []])
        names = [str(name) for name in as_list(body.get("properties")) or []]
        id_property = str(body["idProperty"]) if body.get("idProperty") else None
        is_archived = request.has_flag("archived")
        results: dict[str, JsonObject] = {}
        missing: list[str] = []
        for item in _inputs(body):
            record_id = str(item.get("id", ""))
            record = self._find(collection, record_id, id_property, is_archived=is_archived)
            if record is None:
                missing.append(record_id)
            else:
                results[record.record_id] = render(collection, record, names)
        errors = [_missing(collection, missing)] if missing else []
        return self._answer(list(results.values()), errors, status=200, started_at=self._now())

    def archive(self, request: Request) -> Response:
        """Archive: 204; ids that are not there are passed over."""
        collection = find_collection(self._portal, request)
        check_lock(request)
        for item in _inputs(read_body(request)):
            try:
                record_id = collection.resolve(str(item.get("id", "")))
            except ObjectFault:
                continue
            self._portal.archive(collection, record_id, actor=API)
        return Response(status=204)

    def _run(self, request: Request, collection: Collection, write: WriteOne, *, status: int) -> Response:
        check_lock(request)
        started_at = self._now()
        inputs = _inputs(read_body(request))
        is_traced = all(item.get("objectWriteTraceId") for item in inputs)
        _refuse_doubles(inputs)
        if not is_traced:
            self._check_all(collection, inputs)
        results: list[JsonObject] = []
        errors: list[JsonObject] = []
        missing: list[str] = []
        for item in inputs:
            trace_id = item.get("objectWriteTraceId")
            try:
                result = write(item)
            except ObjectFault as fault:
                if is_traced:
                    errors.append(fault.batch_error({"objectWriteTraceId": [str(trace_id)]}))
                elif fault.category == "OBJECT_NOT_FOUND":
                    missing.append(str(item.get("id", "")))
                else:
                    raise
                continue
            results.append({**result, "objectWriteTraceId": trace_id} if trace_id else result)
        if missing:
            errors.append(_missing(collection, missing))
        return self._answer(results, errors, status=status, started_at=started_at)

    def _check_all(self, collection: Collection, inputs: list[JsonObject]) -> None:
        """Refuse a batch as a whole before its first record is written. Raises ObjectFault."""
        self._portal.check_batch(collection, [(_own_id(collection, item), read_properties(item)) for item in inputs])

    def _find(
        self, collection: Collection, record_id: str, id_property: str | None, *, is_archived: bool
    ) -> Record | None:
        if is_archived:
            return collection.archived.get(record_id)
        try:
            return collection.live[collection.resolve(record_id, id_property)]
        except ObjectFault as fault:
            if fault.category != "OBJECT_NOT_FOUND":
                raise
            return None

    def _now(self) -> str:
        return format_stamp(self._clock.now())

    def _answer(self, results: list[JsonObject], errors: list[JsonObject], *, status: int, started_at: str) -> Response:
        body: dict[str, Any] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": started_at,
            "completedAt": self._now(),
        }
        if errors:
            body |= {"numErrors": len(errors), "errors": errors}
        return answer(207 if errors else status, body)


def _inputs(body: JsonObject) -> list[JsonObject]:
    items = as_list(body.get("inputs"))
    if items is None or not items:
        raise refuse(400, "VALIDATION_ERROR", "inputs is required and must not be empty")
    if len(items) > INPUTS_MAX:
        raise refuse(
            400, "VALIDATION_ERROR", f"The maximum number of inputs supported in a batch request is {INPUTS_MAX}"
        )
    return [as_object(item) or {} for item in items]


def _resolve(collection: Collection, item: JsonObject) -> str:
    id_property = item.get("idProperty")
    return collection.resolve(str(item.get("id", "")), str(id_property) if id_property else None)


def _own_id(collection: Collection, item: JsonObject) -> str | None:
    """Return the record an input is about; None when it makes a new one."""
    if "id" not in item:
        return None
    try:
        return _resolve(collection, item)
    except ObjectFault as fault:
        if fault.category != "OBJECT_NOT_FOUND":
            raise
        return None


def _refuse_doubles(inputs: list[JsonObject]) -> None:
    ids = [str(item["id"]) for item in inputs if "id" in item]
    doubled = next((record_id for record_id in ids if ids.count(record_id) > 1), None)
    if doubled:
        message = f"Duplicate IDs found in batch input: [{doubled}]. IDs must be unique"
        raise refuse(400, "VALIDATION_ERROR", message)


def _missing(collection: Collection, ids: list[str]) -> JsonObject:
    name = collection.kind.singular.upper()
    message = f"Could not get some {name} objects, they may be deleted or not exist. Check that ids are valid."
    return ObjectFault(404, "OBJECT_NOT_FOUND", message).batch_error({"ids": ids})
