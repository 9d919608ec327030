"""Promotions over HTTP: how budgets stand, who brought whom and what became of it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from comity.interfaces.rest.edge import require_wish_key
from comity.interfaces.rest.events import Name
from comity.interfaces.rest.guards import caller_of, hub_of, require_key
from comity.interfaces.rest.holds import Key
from comity.interfaces.rest.members import Programme
from comity.interfaces.rest.moves import HeaderKey
from comity.interfaces.shared.programmes import require_programme
from comity.programme import api as loyalty
from comity.programme.api import BudgetState, Referral, ReferralWish
from comity.sync.api import share_by

Before = Annotated[int | None, QueryParameter(description="Only referrals before this one.", ge=1, le=2**63 - 1)]
Limit = Annotated[int, QueryParameter(description="Referrals at most.", ge=1, le=1_000)]


class ReferralRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member who brought a friend, who is a member, too; without `referred_at` that was now."""

    global_id: UUID
    friend_global_id: UUID
    programme: Name
    referred_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    idempotency_key: Key | None = None


@get("/v1/budgets", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_budgets(request: Request[Any, Any, Any], programme: Programme) -> list[BudgetState]:
    """Return the budgets of a programme and what has been drawn on them in the period of today."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        defined = require_programme(hub.runtimes.get(tx), programme)
        return loyalty.list_budgets(tx, programme=defined, now=hub.clock.now())


@post("/v1/referrals", guards=[require_key], opt={"scope": "intake"}, sync_to_thread=True)
def note_referral(
    request: Request[Any, Any, Any], data: JSONBody[ReferralRequest], idempotency_key: HeaderKey = None
) -> Response[Referral]:
    """Note that a member brought a friend; the answer says where the referral stands, and why.

    201: noted. 200: a repetition, with the referral as it stands now.
    """
    hub = hub_of(request)
    now = hub.clock.now()
    wish = ReferralWish(
        profile_id=data.global_id,
        friend_profile_id=data.friend_global_id,
        programme=data.programme,
        referred_at=data.referred_at or now,
        idempotency_key=require_wish_key(data.idempotency_key, idempotency_key),
        told_by=caller_of(request),
    )

    def work(tx: Any) -> Referral:
        runtime = hub.runtimes.get(tx)
        defined = require_programme(runtime, wish.programme)
        return loyalty.refer(tx, wish=wish, programme=defined, shares=share_by(runtime), now=now)

    told = hub.database.run(work)
    return Response(content=told, status_code=200 if told.is_duplicate else 201)


@get("/v1/referrals/{referral_id:int}", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def get_referral(request: Request[Any, Any, Any], referral_id: FromPath[int]) -> Referral:
    """Return where a referral stands, why, and by which numbers that was decided."""
    with hub_of(request).database.transaction() as tx:
        return loyalty.get_referral(tx, referral_id=referral_id)


@get("/v1/members/{global_id:uuid}/referrals", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_referrals(
    request: Request[Any, Any, Any],
    global_id: FromPath[UUID],
    programme: Programme,
    before: Before = None,
    limit: Limit = 100,
) -> list[Referral]:
    """Return whom a member brought, and by whom they were brought, newest first, each with its state and reason."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        return loyalty.list_referrals(
            tx,
            profile_id=global_id,
            programme=programme,
            before_referral_id=before,
            limit_max=limit,
            now=hub.clock.now(),
        )


HANDLERS = [list_budgets, note_referral, get_referral, list_referrals]
