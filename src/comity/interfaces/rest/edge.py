"""One wish a request, committed in groups: the bare routes by which points move."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from comity.access.types import Caller
from comity.interfaces.rest.batcher import Batcher
from comity.interfaces.rest.callers import Callers
from comity.interfaces.rest.http import Exchange, Scope, header, read_body, send_json, send_problem, split_place
from comity.interfaces.shared.problems import to_problem
from comity.kernel.errors import ComityError, Invalid

BODY_BYTES_MAX = 10_000
BULK_LINES_MAX = 1_000
BULK_BYTES_MAX = 2_000_000
KEY_LENGTH_MAX = 400
KEY_REMEDY = "Send one value per wish, the same on every repetition; the header Idempotency-Key will do."

_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])

Wish = TypeVar("Wish")
Told = TypeVar("Told", bound=msgspec.Struct)
Request = TypeVar("Request", bound=msgspec.Struct)


class WishMalformed(Invalid):
    """The request cannot be read; the details name the place."""


class WishesMalformed(WishMalformed):
    """None of the lines holds a wish that can be read; `verdicts` name what is wrong with each."""


class LineVerdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the wish of one line: `told`, or the problem it met, as a request of its own would be told."""

    line: int
    outcome: str
    told: Any = None
    code: str | None = None
    title: str | None = None
    details: dict[str, Any] = {}


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
        bytes_max: int = BODY_BYTES_MAX,
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
        self._bytes_max = bytes_max
        self._work = work
        self._batcher: Batcher[Wish, Told | ComityError] = Batcher(name=name, work=work, flushes_max=1)

    async def close(self) -> None:
        """Finish what is under way."""
        await self._batcher.close()

    async def accept(self, scope: Scope, exchange: Exchange) -> None:
        """Answer 201 with what was done as of the commit, 200 for a repetition, or the problem."""
        try:
            caller = await self._callers.require(scope.headers.get("authorization"), self._scope)
            body = await read_body(scope, exchange, bytes_max=self._bytes_max)
            told = await self._batcher.submit(self._read(body, header(scope, "idempotency-key"), caller))
        except Exception as error:  # noqa: BLE001 - the edge turns every error into problem+json.
            send_problem(exchange, error)
            return
        if isinstance(told, ComityError):
            send_problem(exchange, self._with_remedy(told))
            return
        send_json(exchange, 200 if self._is_repeated(told) else 201, msgspec.json.encode(told))

    async def accept_bulk(self, scope: Scope, exchange: Exchange) -> None:
        """Answer 200 with a verdict for each wish of a list, after one commit of all; 422 when none can be read.

        The wishes are one JSON object a line (NDJSON), or one JSON list of them. Each carries its own key and stands
        for itself: one that is refused leaves the others alone.
        """
        try:
            caller = await self._callers.require(scope.headers.get("authorization"), self._scope)
            lines = split_wishes(await read_body(scope, exchange, bytes_max=BULK_BYTES_MAX))
            read = [self._read_line(line, caller) for _, line in lines]
            wishes = [each for each in read if not isinstance(each, ComityError)]
            answers = iter(await self._batcher.run(self._work, wishes) if wishes else ())
        except Exception as error:  # noqa: BLE001 - the edge turns every error into problem+json.
            send_problem(exchange, error)
            return
        verdicts = [
            self._judge(number, wish if isinstance(wish, ComityError) else next(answers))
            for (number, _), wish in zip(lines, read, strict=True)
        ]
        if not wishes:
            send_problem(exchange, WishesMalformed(), verdicts=verdicts)
            return
        counts = {name: sum(each.outcome == name for each in verdicts) for name in ("done", "repeated", "refused")}
        send_json(exchange, 200, msgspec.json.encode({**counts, "verdicts": verdicts}))

    def _read_line(self, line: bytes, caller: Caller) -> Wish | ComityError:
        try:
            return self._read(line, None, caller)
        except ComityError as error:
            return error

    def _judge(self, number: int, told: Told | ComityError) -> LineVerdict:
        if isinstance(told, ComityError):
            problem = to_problem(self._with_remedy(told))
            return LineVerdict(
                line=number, outcome="refused", code=problem.code, title=problem.title, details=problem.details
            )
        return LineVerdict(line=number, outcome="repeated" if self._is_repeated(told) else "done", told=told)

    def _with_remedy(self, error: ComityError) -> ComityError:
        remedy = self._remedies.get(type(error))
        if remedy is not None:
            error.details.setdefault("remedy", remedy)
        return error


def split_wishes(body: bytes) -> list[tuple[int, bytes]]:
    """Return the wishes of a bulk request with their numbers, counted from 1. Raises WishMalformed."""
    remedy = "Send one JSON object a line (NDJSON) or a JSON list of them, 1,000 at most."
    if body.lstrip()[:1] == b"[":
        try:
            lines = [bytes(each) for each in _list_decoder.decode(body.decode())]
        except (UnicodeDecodeError, RecursionError, msgspec.DecodeError) as error:
            raise WishMalformed(
                f"The list cannot be read: {error} - at `$`.", details={"field": "$", "remedy": remedy}
            ) from None
        numbered = list(enumerate(lines, start=1))
    else:
        numbered = [(number, line) for number, line in enumerate(body.split(b"\n"), start=1) if line.strip()]
    if not 0 < len(numbered) <= BULK_LINES_MAX:
        raise WishMalformed(
            f"A bulk request takes 1 to {BULK_LINES_MAX} wishes; this one has {len(numbered)}.",
            details={"remedy": remedy, "lines_max": BULK_LINES_MAX, "found": len(numbered)},
        )
    return numbered


def decode_wish(
    decoder: msgspec.json.Decoder[Request],
    body: bytes,
    *,
    what: str = "request",
    error: type[Invalid] = WishMalformed,
    remedy: str = "Compare it with the description of the API: /v1/openapi.json.",
) -> Request:
    """Return the request in a body. Raises the error, which names the place."""
    if not body.strip():
        raise error(f"The {what} is empty; send a JSON object - at `$`.", details={"field": "$", "remedy": remedy})
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
