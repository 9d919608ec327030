"""Purchases and returns over HTTP: taken in, and earned at once, with what it came to in the answer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec

from comity import wiring
from comity.access.types import Caller
from comity.activity.types import RecordReference, name_profile, read_profile
from comity.interfaces.rest import redeem
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.edge import Verb, decode_wish
from comity.interfaces.rest.events import Name
from comity.interfaces.shared.keys import to_record_keys
from comity.kernel.database import Tx
from comity.kernel.errors import ComityError
from comity.ledger.types import AMOUNT_MAX
from comity.programme import api as loyalty
from comity.programme.api import (
    KeyReused,
    PurchaseInvalid,
    PurchaseOfAnother,
    PurchaseTold,
    PurchaseWish,
    ReturnRefused,
    ReturnTold,
    ReturnWish,
    UnknownMember,
    UnknownPurchase,
)
from comity.sync import api as sync

BODY_BYTES_MAX = 200_000
LINES_MAX = 1_000
FIRST_MOMENT = datetime(1900, 1, 1, tzinfo=UTC)
AHEAD_MAX = timedelta(days=1)

Money = Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]

REMEDIES: dict[type[ComityError], str] = {
    **redeem.REMEDIES,
    UnknownMember: "Check the Global ID or record: GET /v1/profiles?key=... finds people by e-mail, phone or record.",
    PurchaseOfAnother: "Check the number, and the Global ID: GET /v1/profiles?key=...",
    KeyReused: "Use a new number for a new purchase or return; repeat an old one exactly as it was.",
    UnknownPurchase: "Send the purchase first: POST /v1/purchases. A return may come earlier as an event only.",
    ReturnRefused: "Ask for at most `left_minor`, in the currency of the purchase.",
}


class PurchaseLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line; without `line_id` they are numbered from 1. Below zero it is a discount."""

    amount_minor: Annotated[int, msgspec.Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    line_id: Name | None = None
    quantity: Annotated[int, msgspec.Meta(ge=0, le=AMOUNT_MAX)] | None = None
    item: Name | None = None
    category: Name | None = None


class ReturnedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much of a line came back; `line_id` as the purchase has it."""

    line_id: Name
    amount_minor: Money


class PurchaseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A purchase of whom `global_id`, or else `record` (system/stream/external-id) names, under its `number`."""

    number: Name
    occurred_at: Moment
    amount_minor: Money
    currency: Currency
    global_id: UUID | None = None
    record: Annotated[str, msgspec.Meta(min_length=5, max_length=700)] | None = None
    channel: Name | None = None
    store: Name | None = None
    brand: Name | None = None
    lines: Annotated[list[PurchaseLine], msgspec.Meta(max_length=LINES_MAX)] | None = None


class ReturnRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A return of a purchase; `number` is the return's own, and makes a repetition harmless.

    Without `amount_minor` all that is left comes back, without `occurred_at` it does so now.
    """

    number: Name
    purchase: Name
    amount_minor: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)] | None = None
    currency: Currency | None = None
    occurred_at: Moment | None = None
    global_id: UUID | None = None
    lines: Annotated[list[ReturnedLine], msgspec.Meta(min_length=1, max_length=LINES_MAX)] | None = None


_decoder = msgspec.json.Decoder(PurchaseRequest)
_return_decoder = msgspec.json.Decoder(ReturnRequest)

DESCRIBED: dict[str, dict[str, Any]] = {
    "/v1/purchases": {
        "operationId": "record_purchase",
        "tags": ["purchases"],
        "scope": "intake",
        "summary": "Take in a purchase, and let it earn at once.",
        "description": "The answer holds what it earned in each programme, by which rules, and balance and tier as of "
        "the commit. What a system reports of the same number is the same purchase, whoever comes first; the first "
        "report decides what it says.",
        "takes_key": False,
        "again": "The same request again answers 200, and how the purchase stands now.",
        "request": PurchaseRequest,
        "answer": PurchaseTold,
        "done": "the purchase is new",
    },
    "/v1/returns": {
        "operationId": "record_return",
        "tags": ["purchases"],
        "scope": "intake",
        "summary": "Take in a return, and let the points follow.",
        "description": "Of all or a part of a purchase, by the policy of returns. The answer holds how the purchase "
        "stands since, what was taken back in each programme, and balance and tier as of the commit.",
        "takes_key": False,
        "again": "The same request again answers 200, and how the purchase stands now.",
        "request": ReturnRequest,
        "answer": ReturnTold,
        "done": "the return is new",
    },
}


def open_purchase(hub: wiring.Hub, callers: Callers) -> Verb[PurchaseWish, PurchaseTold]:
    """POST /v1/purchases."""

    def read(body: bytes, _key: str | None, _caller: Caller) -> PurchaseWish:
        request = decode_wish(_decoder, body, what="purchase")
        return PurchaseWish(
            person=read_person(request.global_id, request.record),
            number=request.number,
            occurred_at=read_moment(request.occurred_at, now=hub.clock.now()),
            amount_minor=request.amount_minor,
            currency=request.currency,
            details=_read_details(request),
        )

    def work(wishes: Sequence[PurchaseWish]) -> Sequence[PurchaseTold | ComityError]:
        def record(tx: Tx) -> list[PurchaseTold | ComityError]:
            runtime, now = hub.runtimes.get(tx), hub.clock.now()
            return loyalty.record_purchases(
                tx,
                wishes=wishes,
                programmes=runtime.programmes,
                now=now,
                choose=sync.choose_by(runtime, now),
            )

        return hub.database.run(record)

    return Verb(
        name="purchase",
        scope="intake",
        callers=callers,
        read=read,
        work=work,
        is_repeated=lambda told: told.is_duplicate,
        remedies=REMEDIES,
        bytes_max=BODY_BYTES_MAX,
    )


def open_return(hub: wiring.Hub, callers: Callers) -> Verb[ReturnWish, ReturnTold]:
    """POST /v1/returns."""

    def read(body: bytes, _key: str | None, _caller: Caller) -> ReturnWish:
        request = decode_wish(_return_decoder, body, what="return")
        if request.lines is not None and request.amount_minor is None:
            raise PurchaseInvalid(
                "Lines came back, but not how much in all - at `$.amount_minor`.", details={"field": "$.amount_minor"}
            )
        return ReturnWish(
            number=request.number,
            purchase_number=request.purchase,
            occurred_at=request.occurred_at and read_moment(request.occurred_at, now=hub.clock.now()),
            amount_minor=request.amount_minor,
            currency=request.currency,
            profile_id=request.global_id,
            details=None if request.lines is None else {"lines": msgspec.to_builtins(request.lines)},
        )

    def work(wishes: Sequence[ReturnWish]) -> Sequence[ReturnTold | ComityError]:
        def record(tx: Tx) -> list[ReturnTold | ComityError]:
            runtime, now = hub.runtimes.get(tx), hub.clock.now()
            return loyalty.record_returns(
                tx, wishes=wishes, programmes=runtime.programmes, now=now, choose=sync.choose_by(runtime, now)
            )

        return hub.database.run(record)

    return Verb(
        name="return",
        scope="intake",
        callers=callers,
        read=read,
        work=work,
        is_repeated=lambda told: told.is_duplicate,
        remedies=REMEDIES,
        bytes_max=BODY_BYTES_MAX,
    )


def read_person(global_id: UUID | None, record: str | None, *, what: str = "purchase") -> RecordReference:
    """Return whom a request names: by one of both. Raises PurchaseInvalid, RecordKeyMalformed."""
    if (global_id is None) == (record is None):
        raise PurchaseInvalid(
            f"A {what} is somebody's: either `global_id` or `record` says whose - at `$`.",
            details={"field": "$", "remedy": "Send one of both."},
        )
    if global_id is not None:
        return name_profile(global_id)
    [key] = to_record_keys([record or ""])
    named = RecordReference(system=key.system, stream=key.stream, external_id=key.external_id)
    profile_id = read_profile(named)
    return named if profile_id is None else name_profile(profile_id)


def read_moment(moment: datetime, *, now: datetime) -> datetime:
    """Return when something happened, in UTC. Raises PurchaseInvalid for times nothing can have happened at."""
    try:
        found = moment.astimezone(UTC)
    except OverflowError:
        found = FIRST_MOMENT - AHEAD_MAX
    if not FIRST_MOMENT <= found <= now + AHEAD_MAX:
        raise PurchaseInvalid(
            f"{moment.isoformat()} lies before 1900 or in the future - at `$.occurred_at`.",
            details={"field": "$.occurred_at", "remedy": "Send when it was, with its offset from UTC."},
        )
    return found


def _read_details(request: PurchaseRequest) -> dict[str, Any] | None:
    told: dict[str, Any] = {"channel": request.channel, "store": request.store, "brand": request.brand}
    if request.lines is not None:
        told["lines"] = [
            {"line_id": str(number)} | msgspec.to_builtins(line) for number, line in enumerate(request.lines, start=1)
        ]
        if len({line["line_id"] for line in told["lines"]}) < len(told["lines"]):
            raise PurchaseInvalid(
                "Two lines have one line_id - at `$.lines`.",
                details={"field": "$.lines", "remedy": "Give each line a line_id of its own, or none of them."},
            )
    return {name: value for name, value in told.items() if value is not None} or None
