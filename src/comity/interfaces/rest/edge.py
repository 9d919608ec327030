"""One wish a request, committed in groups: the bare routes by which points move."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from comity.access.types import Caller
from comity.interfaces.rest.batcher import Batcher
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.http import Receive, Scope, Send, header, read_body, send_json, send_problem, split_place
from comity.kernel.errors import ComityError, Invalid

BODY_BYTES_MAX = 10_000
KEY_LENGTH_MAX = 400
KEY_REMEDY = "Send one value per wish, the same on every repetition; the header Idempotency-Key will do."

Wish = TypeVar("Wish")
Told = TypeVar("Told", bound=msgspec.Struct)
Request = TypeVar("Request", bound=msgspec.Struct)


class WishMalformed(Invalid):
    """The request cannot be read; the details name the place."""


class Verb(Generic[Wish, Told]):
    """A route: who may use it, how its body is read, what is done with a batch, and how that is told."""

    def __init__(
        self,
        *,
        name: str,
        scope: str,
        callers: Callers,
        read: Callable[[bytes, str | None, Caller], Wish],
        work: Callable[[Sequence[Wish]], Sequence[Told | ComityError]],
        is_repeated: Callable[[Told], bool],
        remedies: Mapping[type[ComityError], str],
    ) -> None:
        """`work` runs on a thread and returns for each wish what became of it, or the error it met.

        One flush at a time: a batch of the ledger costs much as a batch, so that larger ones pay; and two of one
        process would wait for each other where they meet the same member.
        """
        self._scope = scope
        self._callers = callers
        self._read = read
        self._is_repeated = is_repeated
        self._remedies = remedies
        self._batcher: Batcher[Wish, Told | ComityError] = Batcher(name=name, work=work, flushes_max=1)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._batcher.close()

    async def accept(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 201 with what was done as of the commit, 200 for a repetition, or the problem."""
        try:
            caller = await self._callers.require(header(scope, b"authorization"), self._scope)
            body = await read_body(scope, receive, bytes_max=BODY_BYTES_MAX)
            told = await self._batcher.submit(self._read(body, header(scope, b"idempotency-key"), caller))
        except Exception as error:  # noqa: BLE001 - the edge turns every error into problem+json.
            await send_problem(send, error)
            return
        if isinstance(told, ComityError):
            remedy = self._remedies.get(type(told))
            if remedy is not None:
                told.details.setdefault("remedy", remedy)
            await send_problem(send, told)
            return
        await send_json(send, 200 if self._is_repeated(told) else 201, msgspec.json.encode(told))


def decode_wish(
    decoder: msgspec.json.Decoder[Request],
    body: bytes,
    *,
    what: str = "request",
    error: type[Invalid] = WishMalformed,
    remedy: str = "Compare it with the description of the API: /v1/openapi.json.",
) -> Request:
    """Return the request in a body. Raises the error, which names the place."""
    try:
        return decoder.decode(body.decode())
    except UnicodeDecodeError as found:
        message, place = f"The {what} is not UTF-8: byte {found.start} cannot be read.", "$"
    except RecursionError:
        message, place = f"The {what} is nested too deep.", "$"
    except msgspec.DecodeError as found:
        reason, place = split_place(found)
        message = f"The {what} cannot be read: {reason} - at `{place}`."
    raise error(message, details={"field": place, "remedy": remedy})


def require_wish_key(
    own: str | None, key: str | None, *, what: str = "request", error: type[Invalid] = WishMalformed
) -> str:
    """Return the idempotency key of the body, or else of the header. Raises the error when there is none."""
    found = own or key
    if not found or len(found) > KEY_LENGTH_MAX:
        told = "needs an idempotency key" if not found else f"has an idempotency key of {len(found)} characters"
        raise error(
            f"The {what} {told} - at `$.idempotency_key`.",
            details={"field": "$.idempotency_key", "remedy": KEY_REMEDY, "length_max": KEY_LENGTH_MAX},
        )
    return found
