"""The hot route for spending points: one redemption a request, committed in groups, the verdict in the answer."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec

from comity import wiring
from comity.access.types import Caller
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.edge import KEY_LENGTH_MAX, Verb, decode_wish, require_wish_key
from comity.interfaces.rest.events import Name
from comity.interfaces.shared.programmes import list_programmes
from comity.kernel.errors import ComityError, Invalid
from comity.ledger.types import AMOUNT_MAX
from comity.programme import api as programme
from comity.programme.api import KindNotSpendable, ProgrammeNotDefined, UnknownKind
from comity.programme.types import InvalidRedemption, Redemption, RedemptionStatus, RedemptionVerdict

REASON_LENGTH_MAX = 400

Reference = Annotated[str, msgspec.Meta(max_length=200)]
"""What a transfer is in the accounts outside."""

REMEDIES: dict[type[ComityError], str] = {
    ProgrammeNotDefined: "Check the name of the programme, or add it to the definitions.",
    UnknownKind: "Name one of the kinds under `points` of the programme, or none: the first is meant then.",
    KindNotSpendable: "Name a kind that can be spent: GET /v1/members/ID/points shows all.",
    InvalidRedemption: "Send points above zero, and a key, a reason and a reference of printable characters.",
}


class RedemptionMalformed(Invalid):
    """The redemption cannot be read; the details name the place."""


class RedemptionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points to spend, of the first kind unless one is named.

    The key makes a repetition harmless and may come as the header Idempotency-Key instead. `reference` is the number of
    the document or journal in your accounts; statement, trace and export show it.
    """

    global_id: UUID
    programme: Name
    points: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
    kind: Name | None = None
    reason: Annotated[str, msgspec.Meta(max_length=REASON_LENGTH_MAX)] = ""
    reference: Reference = ""
    idempotency_key: Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_LENGTH_MAX)] | None = None


_decoder = msgspec.json.Decoder(RedemptionRequest)


def open_redeem(hub: wiring.Hub, callers: Callers) -> Verb[Redemption, RedemptionVerdict]:
    """POST /v1/redemptions: 201 with transfer, balance and tier as of the commit, 200 for a repetition.

    POST /v1/redemptions/bulk takes up to 1,000 at once.
    """

    def work(wanted: Sequence[Redemption]) -> Sequence[RedemptionVerdict | ComityError]:
        verdicts = hub.database.run(
            lambda tx: programme.redeem_many(
                tx, redemptions=wanted, now=hub.clock.now(), programmes=list_programmes(hub.runtimes, tx)
            )
        )
        return [
            programme.tell_refusal(wish, verdict) or verdict for wish, verdict in zip(wanted, verdicts, strict=True)
        ]

    return Verb(
        name="redeem",
        scope="redeem",
        callers=callers,
        read=_read,
        work=work,
        is_repeated=lambda told: told.status is RedemptionStatus.DUPLICATE,
        remedies=REMEDIES,
    )


def _read(body: bytes, key: str | None, _caller: Caller) -> Redemption:
    request = decode_wish(
        _decoder,
        body,
        what="redemption",
        error=RedemptionMalformed,
        remedy="Send global_id, programme and points; and an Idempotency-Key.",
    )
    return Redemption(
        profile_id=request.global_id,
        programme=request.programme,
        points=request.points,
        kind=request.kind,
        idempotency_key=require_wish_key(request.idempotency_key, key, what="redemption", error=RedemptionMalformed),
        reason=request.reason,
        reference=request.reference,
    )
