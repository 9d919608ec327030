"""From kinds of errors to HTTP (RFC 9457 problem details) and to exit codes. No other file knows a status."""

from typing import Any

import msgspec

from comity.access.types import KeyExpired, KeyMissing, KeyRevoked, KeyUnknown
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

PROBLEM_TYPE = b"application/problem+json"
_STATUS: tuple[tuple[type[ComityError], int, int], ...] = (
    (KeyMissing, 401, 5),
    (KeyUnknown, 401, 5),
    (KeyExpired, 401, 5),
    (KeyRevoked, 401, 5),
    (NotFound, 404, 3),
    (Invalid, 422, 2),
    (Conflict, 409, 4),
    (Refused, 409, 6),
    (Forbidden, 403, 5),
    (RateLimited, 429, 7),
    (Unavailable, 503, 7),
    (Broken, 500, 70),
    (ComityError, 500, 70),
)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Problem details as RFC 9457 has them; `code` is stable, `details` name place and remedy."""

    status: int
    code: str
    title: str
    type: str = "about:blank"
    details: dict[str, Any] = {}


def to_problem(error: BaseException) -> Problem:
    """Return what a caller is told of an error. Unknown errors tell nothing of the inside."""
    if not isinstance(error, ComityError):
        return Problem(status=500, code="broken", title="Something went wrong inside Comity; the log has the details.")
    status = next(status for kind, status, _ in _STATUS if isinstance(error, kind))
    return Problem(status=status, code=error.code, title=error.message, details=error.details)


def to_exit_code(error: BaseException) -> int:
    """Return the exit code of the command line for an error."""
    if not isinstance(error, ComityError):
        return 70
    return next(code for kind, _, code in _STATUS if isinstance(error, kind))


def retry_after_seconds(error: BaseException) -> int | None:
    """Return what goes into Retry-After, or None."""
    if isinstance(error, RateLimited):
        return max(1, round(error.retry_after_seconds))
    return 1 if isinstance(error, Unavailable) else None
