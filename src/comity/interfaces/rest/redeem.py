"""The hot route for spending points: one redemption a request, committed in groups, the verdict in the answer."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec

from comity import wiring
from comity.interfaces.rest.batcher import Batcher
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.events import Name
from comity.interfaces.rest.http import Receive, Scope, Send, header, read_body, send_json, send_problem, split_place
from comity.kernel.errors import Invalid
from comity.programme import api as programme
from comity.programme.types import (
    InsufficientPoints,
    InvalidRedemption,
    KeyReused,
    Redemption,
    RedemptionStatus,
    RedemptionVerdict,
    UnknownMember,
)

BODY_BYTES_MAX = 10_000
TEXT_LENGTH_MAX = 400

_ERRORS = {
    RedemptionStatus.INSUFFICIENT_POINTS: InsufficientPoints,
    RedemptionStatus.UNKNOWN_MEMBER: UnknownMember,
    RedemptionStatus.KEY_REUSED: KeyReused,
    RedemptionStatus.INVALID: InvalidRedemption,
}

_REMEDIES = {
    RedemptionStatus.INSUFFICIENT_POINTS: "Redeem at most `balance` points.",
    RedemptionStatus.UNKNOWN_MEMBER: "Check the Global ID and the programme: GET /v1/profiles?key=... shows both.",
    RedemptionStatus.KEY_REUSED: "Use a new key for a new wish; repeat an old one exactly as it was.",
    RedemptionStatus.INVALID: "Send points above zero, and a key and a reason of printable characters.",
}


class RedemptionMalformed(Invalid):
    """The redemption cannot be read; the details name the place."""


class RedemptionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points to spend; the key makes a repetition harmless and may come as the header Idempotency-Key instead."""

    global_id: UUID
    programme: Name
    points: Annotated[int, msgspec.Meta(ge=1)]
    reason: Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)] = ""
    idempotency_key: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_LENGTH_MAX)] | None = None


_decoder = msgspec.json.Decoder(RedemptionRequest)


class Redeem:
    """POST /v1/redemptions."""

    def __init__(self, *, hub: wiring.Hub, callers: Callers) -> None:
        """Collaborators of one process."""
        self._hub = hub
        self._callers = callers
        # One flush at a time: a batch of the ledger costs much as a batch, so that larger ones pay; and two of one
        # process would wait for each other where they meet the same member.
        self._batcher: Batcher[Redemption, RedemptionVerdict] = Batcher(name="redeem", work=self._redeem, flushes_max=1)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._batcher.close()

    async def accept(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 201 with transfer, balance and tier as of the commit; 200 for a repetition."""
        try:
            await self._callers.require(header(scope, b"authorization"), "redeem")
            body = await read_body(scope, receive, bytes_max=BODY_BYTES_MAX)
            verdict = await self._batcher.submit(_to_redemption(body, key=header(scope, b"idempotency-key")))
        except Exception as error:  # noqa: BLE001 - the edge turns every error into problem+json.
            await send_problem(send, error)
            return
        refusal = _ERRORS.get(verdict.status)
        if refusal is not None:
            balance = {} if verdict.balance is None else {"balance": verdict.balance}
            remedy = {"remedy": _REMEDIES[verdict.status]}
            await send_problem(send, refusal(details=balance | remedy))
            return
        status = 200 if verdict.status is RedemptionStatus.DUPLICATE else 201
        await send_json(send, status, msgspec.json.encode(verdict))

    def _redeem(self, wanted: Sequence[Redemption]) -> Sequence[RedemptionVerdict]:
        return self._hub.database.run(
            lambda tx: programme.redeem_many(tx, redemptions=wanted, now=self._hub.clock.now())
        )


def _to_redemption(body: bytes, *, key: str | None) -> Redemption:
    try:
        request = _decoder.decode(body.decode())
    except UnicodeDecodeError as error:
        raise _malformed(f"The redemption is not UTF-8: byte {error.start} cannot be read.", "$") from None
    except msgspec.DecodeError as error:
        message, place = split_place(error)
        raise _malformed(f"The redemption cannot be read: {message} - at `{place}`.", place) from None
    idempotency_key = request.idempotency_key or key
    if not idempotency_key:
        raise _malformed(
            "A redemption needs an idempotency key - at `$.idempotency_key`.",
            "$.idempotency_key",
            "Send one value per wish to redeem, the same on every repetition; the header Idempotency-Key will do.",
        )
    return Redemption(
        profile_id=request.global_id,
        programme=request.programme,
        points=request.points,
        idempotency_key=idempotency_key,
        reason=request.reason,
    )


def _malformed(
    message: str, place: str, remedy: str = "Send global_id, programme and points; and an Idempotency-Key."
) -> RedemptionMalformed:
    return RedemptionMalformed(message, details={"field": place, "remedy": remedy})
