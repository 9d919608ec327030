"""What Salesforce's error codes mean. `errorCode` at the top of an answer, `statusCode` in the row of a collection."""

import re
from typing import Any

from comity.connect.http import decode_json, failure_by_status, objects_in
from comity.connect.types import CallFailed, ErrorClass, Outcome, Verdict, WriteItem
from comity.kernel.clock import Clock
from comity.kernel.egress import Response

SHORT_LIMIT_SECONDS = 5.0
LONG_LIMIT_SECONDS = 3600.0
LOCK_SECONDS = 1.0

_CLASSES = {
    "INVALID_SESSION_ID": ErrorClass.AUTH_EXPIRED,
    "INVALID_AUTH_HEADER": ErrorClass.AUTH_EXPIRED,
    "API_DISABLED_FOR_ORG": ErrorClass.FORBIDDEN,
    "API_CURRENTLY_DISABLED": ErrorClass.FORBIDDEN,
    "INSUFFICIENT_ACCESS": ErrorClass.FORBIDDEN,
    "INSUFFICIENT_ACCESS_OR_READONLY": ErrorClass.FORBIDDEN,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": ErrorClass.FORBIDDEN,
    "NOT_FOUND": ErrorClass.NOT_FOUND,
    "INVALID_CROSS_REFERENCE_KEY": ErrorClass.NOT_FOUND,
    "ENTITY_IS_DELETED": ErrorClass.GONE,
    "DUPLICATE_VALUE": ErrorClass.DUPLICATE,
    "DUPLICATE_EXTERNAL_ID": ErrorClass.DUPLICATE,
    "DUPLICATES_DETECTED": ErrorClass.DUPLICATE,
    "UNABLE_TO_LOCK_ROW": ErrorClass.LOCK,
    "QUERY_TIMEOUT": ErrorClass.TRANSIENT,
    "SERVER_UNAVAILABLE": ErrorClass.TRANSIENT,
    "UNKNOWN_EXCEPTION": ErrorClass.TRANSIENT,
    "INVALID_QUERY_LOCATOR": ErrorClass.TRANSIENT,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": ErrorClass.TRANSIENT,
}
_OUTCOMES = {
    ErrorClass.AUTH_EXPIRED: Outcome.RETRY,
    ErrorClass.LIMIT_SHORT: Outcome.RETRY,
    ErrorClass.LIMIT_LONG: Outcome.RETRY,
    ErrorClass.LOCK: Outcome.RETRY,
    ErrorClass.TRANSIENT: Outcome.RETRY,
    ErrorClass.DUPLICATE: Outcome.CONFLICT,
    ErrorClass.GONE: Outcome.GONE,
}
_RECORD_IN_MESSAGE = re.compile(r"record with id:\s*([A-Za-z0-9]{15,18})")
_COLUMN_IN_MESSAGE = re.compile(r"No such column '([^']+)'")
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")


def error_class(code: str, message: str) -> ErrorClass:
    """The class of an error code. An unknown code of a refused row is about its data, so: validation."""
    if code == "REQUEST_LIMIT_EXCEEDED":
        return ErrorClass.LIMIT_LONG if "TotalRequests" in message else ErrorClass.LIMIT_SHORT
    return _CLASSES.get(code, ErrorClass.VALIDATION)


def after_seconds(kind: ErrorClass) -> float | None:
    """When to try again: Salesforce sends no Retry-After."""
    waits = {
        ErrorClass.LIMIT_SHORT: SHORT_LIMIT_SECONDS,
        ErrorClass.LIMIT_LONG: LONG_LIMIT_SECONDS,
        ErrorClass.LOCK: LOCK_SECONDS,
    }
    return waits.get(kind)


def classify(response: Response, clock: Clock) -> CallFailed | None:
    """Tell a failed call by its code, and by its status only where the body is not Salesforce's (a proxy's page)."""
    if 200 <= response.status < 300:
        return None
    errors = objects_in(decode_json(response))
    if response.status == 300:
        message = "More than one record has this external id value."
        return CallFailed(error_class=ErrorClass.DUPLICATE, message=message, reason_code="http_300")
    if not errors or "errorCode" not in errors[0]:
        return failure_by_status(response, clock.now())
    code, message = str(errors[0]["errorCode"]), str(errors[0].get("message", ""))
    kind = error_class(code, message)
    return CallFailed(
        error_class=kind,
        message=message or code,
        retry_after_seconds=after_seconds(kind),
        reason_code=code,
        field=_field(errors[0], message),
    )


def row_verdict(item: WriteItem, row: dict[str, Any], *, is_created: bool | None) -> Verdict:
    """The verdict on one row of a collection."""
    errors = objects_in(row.get("errors"))
    record_id = row.get("id")
    if row.get("success") is True:
        created = row.get("created", is_created)
        return Verdict(
            key=item.key,
            outcome=Outcome.DELIVERED,
            external_id=str(record_id) if record_id else item.external_id,
            is_created=created if isinstance(created, bool) else None,
        )
    error = errors[0] if errors else {}
    code = str(error.get("statusCode") or error.get("errorCode") or "UNKNOWN")
    message = str(error.get("message", ""))
    field = _field(error, message)
    kind = error_class(code, message)
    outcome = _OUTCOMES.get(kind, Outcome.REJECTED)
    if kind is ErrorClass.NOT_FOUND and item.external_id and field is None:
        outcome = Outcome.GONE
    return Verdict(
        key=item.key,
        outcome=outcome,
        external_id=_record_in_the_way(error, message) if outcome is Outcome.CONFLICT else item.external_id,
        after_seconds=after_seconds(kind) or (1.0 if outcome is Outcome.RETRY else None),
        reason_code=code,
        message=message[:500],
        field=field,
    )


def usage(limit_info: str | None) -> tuple[int, int] | None:
    """Read `Sforce-Limit-Info: api-usage=18/5000`."""
    found = _USAGE.search(limit_info or "")
    return (int(found.group(1)), int(found.group(2))) if found else None


def _field(error: dict[str, Any], message: str) -> str | None:
    fields: Any = error.get("fields")
    if isinstance(fields, list) and fields:
        return str(fields[0])  # pyright: ignore[reportUnknownArgumentType] - JSON list of names.
    found = _COLUMN_IN_MESSAGE.search(message)
    return found.group(1) if found else None


def _record_in_the_way(error: dict[str, Any], message: str) -> str | None:
    found = _RECORD_IN_MESSAGE.search(message)
    if found:
        return found.group(1)
    result: Any = error.get("duplicateResult") or {}
    for match in objects_in(result.get("matchResults")):
        for record in objects_in(match.get("matchRecords")):
            inner: Any = record.get("record") or {}
            if inner.get("Id"):
                return str(inner["Id"])
    return None
