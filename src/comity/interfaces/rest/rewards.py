"""Rewards for points over HTTP, and the vouchers that members get: each a wish of its own, committed in groups."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get
from litestar.params import FromPath

from comity import wiring
from comity.access.types import Caller
from comity.definitions.types import AttributeType
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.edge import Verb, decode_wish, require_wish_key
from comity.interfaces.rest.events import Name
from comity.interfaces.rest.guards import hub_of, require_key
from comity.interfaces.rest.holds import Key, Reason
from comity.interfaces.rest.members import Limit, Programme
from comity.interfaces.rest.redeem import REMEDIES, Reference
from comity.interfaces.shared.programmes import require_programme
from comity.kernel.database import Tx
from comity.kernel.errors import ComityError
from comity.programme import api as loyalty
from comity.programme.api import (
    RewardOffer,
    RewardRefused,
    RewardWish,
    UnknownReward,
    UnknownVoucher,
    Voucher,
    VoucherEnded,
    VoucherNotUsed,
    VoucherTold,
    VoucherVerb,
    VoucherWish,
    WishInvalid,
)
from comity.sync.api import Runtime

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
Told = VoucherTold | ComityError

_REMEDIES: dict[type[ComityError], str] = {
    **REMEDIES,
    WishInvalid: "Send a key, and a reason and a reference if any, of printable characters.",
    UnknownReward: "Ask GET /v1/members/ID/rewards what there is.",
    RewardRefused: "`reason` says why; GET /v1/members/ID/rewards says what the member can have.",
    UnknownVoucher: "Check the code: 16 letters and digits; GET /v1/members/ID/vouchers lists them.",
    VoucherEnded: "Nothing is left to do; `state` says how it ended.",
    VoucherNotUsed: "Cancel it: POST /v1/vouchers/cancel.",
}


class RewardRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reward that a member wants for points; the key may come as the header Idempotency-Key instead.

    `reference` is the number of the document or journal in your accounts.
    """

    global_id: UUID
    programme: Name
    reward: Name
    reference: Reference = ""
    idempotency_key: Key | None = None


class UseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voucher by its code, however it is typed; the key may come as the header Idempotency-Key instead."""

    code: Code
    idempotency_key: Key | None = None


class GiveBackRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voucher by its code; the reason stands in the statement. The key may come as the header Idempotency-Key."""

    code: Code
    reason: Reason = ""
    idempotency_key: Key | None = None


_reward_decoder = msgspec.json.Decoder(RewardRequest)
_use_decoder = msgspec.json.Decoder(UseRequest)
_back_decoder = msgspec.json.Decoder(GiveBackRequest)

DESCRIBED: dict[str, dict[str, Any]] = {
    "/v1/rewards/redeem": {
        "operationId": "redeem_reward",
        "tags": ["rewards"],
        "summary": "Have a reward for points.",
        "description": "Stock and what a member may have are counted exactly. The answer holds the voucher, what the "
        "member can spend now, and the tier, as of the commit.",
        "request": RewardRequest,
        "answer": VoucherTold,
        "done": "the voucher is issued",
    },
    "/v1/vouchers/use": {
        "operationId": "use_voucher",
        "tags": ["vouchers"],
        "summary": "Use a voucher.",
        "description": "It can be used once, before `expires_on`.",
        "request": UseRequest,
        "answer": VoucherTold,
        "done": "the voucher is used",
    },
    "/v1/vouchers/cancel": {
        "operationId": "cancel_voucher",
        "tags": ["vouchers"],
        "summary": "Cancel a voucher that has not been used; the points come back.",
        "description": "They go back into the lots they came from, the piece is on the shelf again.",
        "request": GiveBackRequest,
        "answer": VoucherTold,
        "done": "the voucher is cancelled",
    },
    "/v1/vouchers/return": {
        "operationId": "return_voucher",
        "tags": ["vouchers"],
        "summary": "Take back a voucher that has been used; the points come back.",
        "description": "They go back into the lots they came from, the piece is on the shelf again.",
        "request": GiveBackRequest,
        "answer": VoucherTold,
        "done": "the voucher is returned",
    },
}


def open_verbs(hub: wiring.Hub, callers: Callers) -> dict[str, Verb[Any, VoucherTold]]:
    """Return the routes of rewards and vouchers, by path."""

    def redeem(tx: Tx, wishes: Sequence[RewardWish]) -> list[Told]:
        runtime = hub.runtimes.get(tx)
        return loyalty.issue_rewards(
            tx,
            wishes=wishes,
            programmes={each.name: each for each in runtime.programmes},
            attributes=_list_attributes(runtime),
            ids=hub.ids,
            now=hub.clock.now(),
        )

    def use(tx: Tx, wishes: Sequence[VoucherWish]) -> list[Told]:
        return loyalty.use_vouchers(tx, wishes=wishes, now=hub.clock.now())

    def end(verb: VoucherVerb) -> Callable[[Tx, Sequence[VoucherWish]], list[Told]]:
        def work(tx: Tx, wishes: Sequence[VoucherWish]) -> list[Told]:
            known = {each.name: each for each in hub.runtimes.get(tx).programmes}
            return loyalty.end_vouchers(tx, wishes=wishes, verb=verb, programmes=known, now=hub.clock.now())

        return work

    reward = _open(hub, callers, name="reward", read=_read_reward, work=redeem)
    return {
        "/v1/rewards/redeem": reward,
        "/v1/vouchers/use": _open(hub, callers, name="voucher_use", read=_read_use, work=use),
        **{
            f"/v1/vouchers/{verb}": _open(hub, callers, name=f"voucher_{verb}", read=_read_back, work=end(verb))
            for verb in (VoucherVerb.CANCEL, VoucherVerb.RETURN)
        },
    }


def _open(
    hub: wiring.Hub,
    callers: Callers,
    *,
    name: str,
    read: Callable[[bytes, str | None, Caller], Any],
    work: Callable[[Tx, Any], list[Told]],
) -> Verb[Any, VoucherTold]:
    return Verb(
        name=name,
        scope="redeem",
        callers=callers,
        read=read,
        work=lambda wishes: hub.database.run(lambda tx: work(tx, wishes)),
        is_repeated=lambda told: told.is_duplicate,
        remedies=_REMEDIES,
    )


def _read_reward(body: bytes, key: str | None, _caller: Caller) -> RewardWish:
    request = decode_wish(_reward_decoder, body)
    return RewardWish(
        profile_id=request.global_id,
        programme=request.programme,
        reward=request.reward,
        reference=request.reference,
        idempotency_key=require_wish_key(request.idempotency_key, key),
    )


def _read_use(body: bytes, key: str | None, _caller: Caller) -> VoucherWish:
    request = decode_wish(_use_decoder, body)
    return VoucherWish(code=request.code, idempotency_key=require_wish_key(request.idempotency_key, key))


def _read_back(body: bytes, key: str | None, _caller: Caller) -> VoucherWish:
    request = decode_wish(_back_decoder, body)
    return VoucherWish(
        code=request.code,
        reason=request.reason,
        idempotency_key=require_wish_key(request.idempotency_key, key),
    )


def _list_attributes(runtime: Runtime) -> Mapping[str, AttributeType]:
    return {each.name: each.type for each in runtime.model.attributes}


@get("/v1/members/{global_id:uuid}/rewards", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_rewards(request: Request[Any, Any, Any], global_id: FromPath[UUID], programme: Programme) -> list[RewardOffer]:
    """Return every reward of the programme, whether the member can have it now, and why not."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        return loyalty.list_rewards(
            tx,
            profile_id=global_id,
            programme=require_programme(runtime, programme),
            attributes=_list_attributes(runtime),
            now=hub.clock.now(),
        )


@get("/v1/members/{global_id:uuid}/vouchers", guards=[require_key], opt={"scope": "redeem"}, sync_to_thread=True)
def list_vouchers(
    request: Request[Any, Any, Any], global_id: FromPath[UUID], programme: Programme, limit: Limit = 100
) -> list[Voucher]:
    """Return a member's vouchers with their codes, newest first, those that are used or over included."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        return loyalty.list_vouchers(
            tx, profile_id=global_id, programme=programme, limit_max=limit, now=hub.clock.now()
        )


HANDLERS = [list_rewards, list_vouchers]
