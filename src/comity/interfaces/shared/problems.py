"""From kinds of errors to HTTP (RFC 9457 problem details) and to exit codes. No other file knows a status."""

from typing import Any

import msgspec

from comity.access.types import KeyExpired, KeyMissing, KeyRevoked, KeyUnknown, ScopeMissing
from comity.connect.types import SettingsInvalid, SignatureInvalid
from comity.kernel.errors import (
    Broken,
    ComityError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
)
from comity.programme.types import InsufficientPoints, KeyReused, UnknownMember
from comity.sync.types import NotReady

PROBLEM_TYPE = b"application/problem+json"
NEW_KEY = "Have one made: `comity keys create NAME --scope SCOPE`."


class BodyTooLarge(Invalid):
    """The body is larger than this route takes."""


class Treatment(msgspec.Struct, frozen=True):
    """How a kind of error is told: status over HTTP, exit code of the command line, remedy when it names none."""

    status: int
    exit_code: int
    remedy: str


TREATMENTS: tuple[tuple[type[ComityError], Treatment], ...] = (
    (KeyMissing, Treatment(401, 5, f"Send the header `Authorization: Bearer KEY`. No key yet? {NEW_KEY}")),
    (KeyUnknown, Treatment(401, 5, "Check that the key was copied whole; `comity keys list` shows the known ones.")),
    (KeyExpired, Treatment(401, 5, NEW_KEY)),
    (KeyRevoked, Treatment(401, 5, NEW_KEY)),
    (SignatureInvalid, Treatment(401, 5, "Compare the secret on both sides, and the public address of the hub.")),
    (ScopeMissing, Treatment(403, 5, "Use a key that has the scope named in `needed`.")),
    (SettingsInvalid, Treatment(422, 2, "Correct `settings` and `secrets` of the system's document, and apply it.")),
    (BodyTooLarge, Treatment(413, 2, "Send less in one request.")),
    (UnknownMember, Treatment(404, 3, "Check the Global ID and the programme: GET /v1/profiles?key=... shows both.")),
    (KeyReused, Treatment(409, 4, "Use a new key for a new wish; repeat an old one exactly as it was.")),
    (InsufficientPoints, Treatment(409, 6, "Ask for at most `balance` points.")),
    (NotFound, Treatment(404, 3, "Check the name or the id.")),
    (Invalid, Treatment(422, 2, "Correct the input and send it again.")),
    (Conflict, Treatment(409, 4, "Read how things stand now, then decide again.")),
    (Refused, Treatment(409, 6, "The rule stands; ask for something else.")),
    (Forbidden, Treatment(403, 5, "Ask somebody who may do this.")),
    (RateLimited, Treatment(429, 7, "Wait as long as Retry-After says, then send the same again.")),
    (NotReady, Treatment(503, 7, "Run `comity apply` in the project's directory, then send the same again.")),
    (Unavailable, Treatment(503, 7, "Wait a moment, then send the same again; repeating is harmless.")),
    (Broken, Treatment(500, 70, "Report it with the time and the code; the log of the hub has the rest.")),
    (ComityError, Treatment(500, 70, "Report it with the time and the code; the log of the hub has the rest.")),
)
"""The first kind that fits counts."""

FRAMEWORK_CODES = {
    404: "route_unknown",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_unsupported",
    422: "request_malformed",
}
"""Codes of what the web framework refuses before any code of ours sees it."""

OUTSIDE_NAMES = {"profile_id": "global_id"}
"""What details are called outside, where callers know them by another name."""

NO_BODY = "'data'"
"""What the web framework says of a body that is missing."""

BAD_REQUEST = 400
"""What the web framework calls input that cannot be read; to us it is as invalid as any other."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Problem details as RFC 9457 has them; `code` is stable, `details` name place and remedy."""

    status: int
    code: str
    title: str
    type: str = "about:blank"
    details: dict[str, Any] = {}


def to_problem(error: BaseException) -> Problem:
    """Return what a caller is told of an error, with a remedy always. Unknown errors tell nothing of the inside."""
    if not isinstance(error, ComityError):
        error = Broken("Something went wrong inside Comity; the log has the details.")
    treatment = find_treatment(type(error))
    details = {OUTSIDE_NAMES.get(name, name): value for name, value in error.details.items()}
    details.setdefault("remedy", treatment.remedy)
    return Problem(status=treatment.status, code=error.code, title=error.message, details=details)


def to_framework_problem(*, status: int, title: str, found: Any) -> Problem:
    """Return the problem for a request that the web framework refused; `found` are places and reasons, if any."""
    status = find_treatment(Invalid).status if status == BAD_REQUEST else status
    if found and found[0].get("message") == NO_BODY:
        title, found = "The body is empty; this address takes a JSON object.", None
    details: dict[str, Any] = {"problems": found} if found else {}
    details["remedy"] = "Compare the request with the description of the API: /v1/openapi.json."
    return Problem(status=status, code=FRAMEWORK_CODES.get(status, "request_refused"), title=title, details=details)


def find_treatment(kind: type[ComityError]) -> Treatment:
    """Return how errors of this class are told."""
    return next(treatment for each, treatment in TREATMENTS if issubclass(kind, each))


def to_exit_code(error: BaseException) -> int:
    """Return the exit code of the command line for an error."""
    return find_treatment(type(error)).exit_code if isinstance(error, ComityError) else 70


def retry_after_seconds(error: BaseException) -> int | None:
    """Return what goes into Retry-After, or None."""
    if isinstance(error, RateLimited):
        return max(1, round(error.retry_after_seconds))
    return 1 if isinstance(error, Unavailable) else None
