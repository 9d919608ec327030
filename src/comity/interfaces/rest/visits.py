"""Visits over HTTP: what keeps points alive, beside what is bought."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.params import JSONBody

from comity.interfaces.rest.events import Name
from comity.interfaces.rest.guards import hub_of, require_key
from comity.interfaces.rest.purchases import REMEDIES, Moment, read_moment, read_person
from comity.kernel.errors import ComityError
from comity.programme import api as loyalty
from comity.programme.api import PurchaseInvalid, VisitInvalid, VisitTold, VisitWish


class VisitRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A visit of whom `global_id`, or else `record` (system/stream/external-id) names; without `occurred_at` now."""

    number: Name
    global_id: UUID | None = None
    record: Annotated[str, msgspec.Meta(min_length=5, max_length=700)] | None = None
    occurred_at: Moment | None = None


@post("/v1/visits", guards=[require_key], opt={"scope": "intake"}, sync_to_thread=True)
def record_visit(request: Request[Any, Any, Any], data: JSONBody[VisitRequest]) -> Response[VisitTold]:
    """Take in a visit: it earns nothing, and keeps points alive where their expiry slides with visits.

    `number` makes a repetition harmless: 200 for one, 201 for a visit that is new.
    """
    hub = hub_of(request)
    now = hub.clock.now()
    try:
        wish = VisitWish(
            person=read_person(data.global_id, data.record, what="visit"),
            number=data.number,
            occurred_at=data.occurred_at and read_moment(data.occurred_at, now=now),
        )
    except PurchaseInvalid as error:
        raise VisitInvalid(error.message, details=error.details) from None
    try:
        told = hub.database.run(lambda tx: loyalty.record_visit(tx, wish=wish, now=now))
    except ComityError as error:
        if type(error) in REMEDIES:
            error.details.setdefault("remedy", REMEDIES[type(error)])
        raise
    return Response(content=told, status_code=200 if told.is_duplicate else 201)


HANDLERS = [record_visit]
