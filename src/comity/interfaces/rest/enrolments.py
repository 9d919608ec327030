"""Joining a programme over HTTP."""

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.params import FromPath, JSONBody

from comity.interfaces.rest.events import Name
from comity.interfaces.rest.guards import hub_of, require_key
from comity.interfaces.shared.programmes import require_programme
from comity.kernel.database import Tx
from comity.programme import api as loyalty
from comity.programme.api import Enrolment
from comity.sync import api as sync


class EnrolmentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The programme to join."""

    programme: Name


@post("/v1/members/{global_id:uuid}/enrolments", guards=[require_key], opt={"scope": "redeem"}, sync_to_thread=True)
def enrol_member(
    request: Request[Any, Any, Any], global_id: FromPath[UUID], data: JSONBody[EnrolmentRequest]
) -> Response[Enrolment]:
    """Make a person a member of a programme; purchases earn there from then on.

    The answer holds balance and tier as of the commit; 200 for who is a member already, whoever enrolled them.
    """
    hub = hub_of(request)

    def work(tx: Tx) -> Enrolment:
        runtime, now = hub.runtimes.get(tx), hub.clock.now()
        return loyalty.join(
            tx,
            profile_id=global_id,
            programme=require_programme(runtime, data.programme),
            now=now,
            choose=sync.choose_by(runtime, now),
        )

    told = hub.database.run(work)
    return Response(content=told, status_code=200 if told.is_duplicate else 201)


HANDLERS = [enrol_member]
