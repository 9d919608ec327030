"""Members over HTTP: points by lots, statement, what keeps and lifts a tier, and what would be earned or redeemed."""

from datetime import UTC, date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from comity.interfaces.rest.events import Name
from comity.interfaces.rest.guards import hub_of, require_key
from comity.interfaces.shared.programmes import list_programmes, require_programme
from comity.interfaces.shared.statements import to_csv
from comity.ledger.types import AMOUNT_MAX, StatementLine
from comity.programme import api as loyalty
from comity.programme.api import MemberPoints, PurchaseQuote, RedemptionQuote, Standing

CSV = "text/csv"

Programme = Annotated[str, QueryParameter(description="The programme's name.", max_length=200)]
Kind = Annotated[str | None, QueryParameter(description="Kind of points; the first without it.", max_length=200)]
Before = Annotated[int | None, QueryParameter(description="Only lines before this transfer.", ge=1, le=2**63 - 1)]
Day = Annotated[date, QueryParameter(description="The business day, as 2026-03-31.")]
KnownAt = Annotated[datetime | None, QueryParameter(description="What was sealed by then; without a zone it is UTC.")]
Amount = Annotated[int, msgspec.Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
Limit = Annotated[int, QueryParameter(description="Lines at most.", ge=1, le=1_000)]


class StatementView(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a statement, newest first; `next_before` asks for the next page, null on the last."""

    global_id: UUID
    programme: str
    lines: list[StatementLine]
    next_before: int | None


class BalanceOn(msgspec.Struct, frozen=True, kw_only=True):
    """Points on a business day, pending ones too; with `known_at` as far as they were sealed by then."""

    global_id: UUID
    programme: str
    kind: str | None
    day: date
    known_at: datetime | None
    balance: int


class LineQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A line of it; an amount below zero is a discount that the others share. Without ids they are counted from 1."""

    amount_minor: Amount
    quantity: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)] = 1
    item: Name | None = None
    category: Name | None = None
    line_id: Name | None = None


class PurchaseQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A purchase that has not happened; without `occurred_at` it would happen now."""

    global_id: UUID
    programme: Name
    amount_minor: Amount
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    channel: Name | None = None
    store: Name | None = None
    brand: Name | None = None
    lines: Annotated[list[LineQuestion], msgspec.Meta(max_length=1_000)] = []

    @property
    def details(self) -> dict[str, Any]:
        """What a reported purchase would say of itself."""
        told = {"channel": self.channel, "store": self.store, "brand": self.brand}
        lines = [
            {"line_id": str(number)} | msgspec.to_builtins(each) for number, each in enumerate(self.lines, start=1)
        ]
        return {name: value for name, value in told.items() if value is not None} | ({"lines": lines} if lines else {})


class RedemptionQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points that somebody thinks of redeeming."""

    global_id: UUID
    programme: Name
    points: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
    kind: Name | None = None


@get("/v1/members/{global_id:uuid}/points", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def get_points(request: Request[Any, Any, Any], global_id: FromPath[UUID], programme: Programme) -> MemberPoints:
    """Return what a member has: balance, what can be spent, what is pending, held or owed, and every open lot.

    Where the programme has several kinds of points that is of the first, and `kinds` has all.
    """
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        return loyalty.get_points(
            tx,
            profile_id=global_id,
            programme=programme,
            programmes=list_programmes(hub.runtimes, tx),
            now=hub.clock.now(),
        )


@get("/v1/members/{global_id:uuid}/balance-on", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def get_balance_on(
    request: Request[Any, Any, Any],
    global_id: FromPath[UUID],
    programme: Programme,
    day: Day,
    *,
    known_at: KnownAt = None,
    kind: Kind = None,
) -> BalanceOn:
    """Return what a member had on a business day, as far as it was known at a time; the same whenever that is asked."""
    hub = hub_of(request)
    moment = known_at.replace(tzinfo=UTC) if known_at and known_at.tzinfo is None else known_at
    with hub.database.transaction() as tx:
        balance = loyalty.get_balance_on(
            tx,
            profile_id=global_id,
            programme=programme,
            kind=kind,
            day=day,
            known_at=moment,
            now=hub.clock.now(),
        )
    return BalanceOn(global_id=global_id, programme=programme, kind=kind, day=day, known_at=moment, balance=balance)


@get("/v1/members/{global_id:uuid}/statement", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def get_statement(
    request: Request[Any, Any, Any],
    global_id: FromPath[UUID],
    programme: Programme,
    *,
    kind: Kind = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response[StatementView]:
    """Return what moved a member's points, newest first; as CSV when the request accepts text/csv.

    The header Link names the next page, where there is one.
    """
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        lines = loyalty.list_statement(
            tx,
            profile_id=global_id,
            programme=programme,
            kind=kind,
            before_transfer_id=before,
            limit_max=limit,
            now=hub.clock.now(),
        )
    next_before = lines[-1].transfer_id if len(lines) == limit else None
    headers: dict[str, str] = {}
    if next_before is not None:
        named = {"kind": kind} if kind else {}
        query = urlencode({"programme": programme, **named, "before": next_before, "limit": limit})
        headers["link"] = f'<{request.url.path}?{query}>; rel="next"'
    if CSV in request.headers.get("accept", ""):
        content: Any = to_csv(lines)
        return Response(content=content, media_type=CSV, headers=headers)
    view = StatementView(global_id=global_id, programme=programme, lines=lines, next_before=next_before)
    return Response(content=view, headers=headers)


@get("/v1/members/{global_id:uuid}/tiers", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def get_tier_progress(
    request: Request[Any, Any, Any], global_id: FromPath[UUID], programme: Programme
) -> list[Standing]:
    """Return where a member stands on each ladder, what lifts the level, what keeps it, and every level before."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        defined = require_programme(hub.runtimes.get(tx), programme)
        return loyalty.get_progress(tx, profile_id=global_id, programme=defined, now=hub.clock.now())


@post("/v1/quotes/purchase", guards=[require_key], opt={"scope": "read"}, status_code=200, sync_to_thread=True)
def quote_purchase(request: Request[Any, Any, Any], data: JSONBody[PurchaseQuestion]) -> PurchaseQuote:
    """Say what a purchase would earn, by the code that would let it earn; nothing is written."""
    hub = hub_of(request)
    now = hub.clock.now()
    with hub.database.transaction() as tx:
        return loyalty.quote_purchase(
            tx,
            profile_id=data.global_id,
            programme=require_programme(hub.runtimes.get(tx), data.programme),
            amount_minor=data.amount_minor,
            currency=data.currency,
            occurred_at=data.occurred_at or now,
            details=data.details or None,
            now=now,
        )


@post("/v1/quotes/redemption", guards=[require_key], opt={"scope": "read"}, status_code=200, sync_to_thread=True)
def quote_redemption(request: Request[Any, Any, Any], data: JSONBody[RedemptionQuestion]) -> RedemptionQuote:
    """Say whether points could be redeemed now, and how many are missing if not; nothing is written."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        return loyalty.quote_redemption(
            tx,
            profile_id=data.global_id,
            programme=data.programme,
            points=data.points,
            kind=data.kind,
            programmes=list_programmes(hub.runtimes, tx),
            now=hub.clock.now(),
        )


HANDLERS = [get_points, get_balance_on, get_statement, get_tier_progress, quote_purchase, quote_redemption]
