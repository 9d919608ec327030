"""What HubSpot's errors mean: `category`, `policyName` and the codes inside `errors` come before the status."""

import re
from typing import Any, cast

from comity.connect.http import decode_json, failure_by_status, objects_in, retry_after
from comity.connect.types import CallFailed, ErrorClass
from comity.kernel.clock import Clock
from comity.kernel.egress import Response

SHORT_LIMIT_SECONDS = 1.0
TEN_SECONDS_LIMIT_SECONDS = 10.0
LONG_LIMIT_SECONDS = 3600.0
LOCK_SECONDS = 2.0

UNKNOWN_FIELD_CODES = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})

_CLASSES = {
    "INVALID_AUTHENTICATION": ErrorClass.AUTH_EXPIRED,
    "EXPIRED_AUTHENTICATION": ErrorClass.AUTH_EXPIRED,
    "MISSING_SCOPES": ErrorClass.FORBIDDEN,
    "BANNED": ErrorClass.FORBIDDEN,
    "OBJECT_NOT_FOUND": ErrorClass.NOT_FOUND,
    "CONFLICT": ErrorClass.CONFLICT,
    "VALIDATION_ERROR": ErrorClass.VALIDATION,
    "RATE_LIMIT": ErrorClass.LIMIT_SHORT,
    "RATE_LIMITS": ErrorClass.LIMIT_SHORT,
}
_EXISTING = re.compile(r"Existing ID:\s*(\d+)")
_CODE_IN_MESSAGE = re.compile(r'"error"\s*:\s*"([A-Z_]+)"')
_NAME_IN_MESSAGE = re.compile(r'"name"\s*:\s*"([^"]+)"')
_PROPERTY_IN_MESSAGE = re.compile(r'Property \\?"([A-Za-z0-9_]+)\\?" does not exist')


def classify(response: Response, clock: Clock) -> CallFailed | None:
    """Tell a failed call; a body that is not HubSpot's (a gateway's page) is told by its status."""
    if 200 <= response.status < 300:
        return None
    decoded = decode_json(response)
    body = cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}
    after = retry_after(response, clock.now())
    if response.status == 429 or "RATE_LIMIT" in str(body.get("errorType")):
        return _limited(body, after)
    if response.status in {423, 477}:
        kind = ErrorClass.LOCK if response.status == 423 else ErrorClass.LIMIT_LONG
        return CallFailed(
            error_class=kind,
            message=str(body.get("message", f"HTTP {response.status}")),
            retry_after_seconds=after or (LOCK_SECONDS if kind is ErrorClass.LOCK else LONG_LIMIT_SECONDS),
            reason_code=f"http_{response.status}",
        )
    if "category" not in body:
        return failure_by_status(response, clock.now())
    return of_error(body, status=response.status)


def of_error(body: dict[str, Any], *, status: int = 0) -> CallFailed:
    """The failure one error object tells, whether of a whole call or of one record of a batch."""
    category, message = str(body.get("category", "")), str(body.get("message", ""))
    kind = _CLASSES.get(category, ErrorClass.TRANSIENT if status >= 500 else ErrorClass.VALIDATION)
    existing = _EXISTING.search(message)
    if existing:
        kind = ErrorClass.DUPLICATE
    code, field = _code_and_field(body, message)
    if existing and message.startswith("Contact already exists"):
        field = field or "email"  # The one property that has to be unique by itself.
    return CallFailed(
        error_class=kind,
        message=message or category,
        reason_code=code or category or None,
        field=field,
        existing_id=existing.group(1) if existing else None,
    )


def _limited(body: dict[str, Any], after: float | None) -> CallFailed:
    policy = str(body.get("policyName") or "RATE_LIMIT")
    is_daily = policy == "DAILY"
    wait = TEN_SECONDS_LIMIT_SECONDS if policy == "TEN_SECONDLY_ROLLING" else SHORT_LIMIT_SECONDS
    return CallFailed(
        error_class=ErrorClass.LIMIT_LONG if is_daily else ErrorClass.LIMIT_SHORT,
        message=str(body.get("message", "HTTP 429")),
        retry_after_seconds=after or (LONG_LIMIT_SECONDS if is_daily else wait),
        reason_code=policy,
    )


def _code_and_field(body: dict[str, Any], message: str) -> tuple[str | None, str | None]:
    """The first inner error and its property: in `errors`, in `context`, or as JSON inside the message text."""
    for error in objects_in(body.get("errors")):
        context = cast("dict[str, Any]", error.get("context") or {})
        names: Any = context.get("propertyName")
        name = names[0] if isinstance(names, list) and names else error.get("in")  # pyright: ignore[reportUnknownVariableType] - JSON.
        text = str(error.get("message", ""))
        code = str(error.get("code") or error.get("error") or "")
        found = _PROPERTY_IN_MESSAGE.search(text)
        if code or found:
            field = str(name) if name else (found.group(1) if found else None)  # pyright: ignore[reportUnknownArgumentType] - JSON.
            return code or "PROPERTY_DOESNT_EXIST", field
    code_found, name_found = _CODE_IN_MESSAGE.search(message), _NAME_IN_MESSAGE.search(message)
    if code_found and name_found:
        return code_found.group(1), name_found.group(1)
    unknown = _PROPERTY_IN_MESSAGE.search(message)
    return ("PROPERTY_DOESNT_EXIST", unknown.group(1)) if unknown else (None, None)
