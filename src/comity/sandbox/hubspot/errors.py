"""Errors in the vendor's form: an object with status, message, correlationId and category."""

import uuid
from typing import Any

from comity.sandbox.wire import JsonObject, Refusal, answer

_NAMESPACE = uuid.UUID("6f0b1b1e-6c1f-4b7a-9f7e-0a3c8f1d2e55")


class ObjectFault(Exception):
    """One record cannot be written or found."""

    def __init__(
        self,
        status: int,
        category: str,
        message: str,
        *,
        errors: list[JsonObject] | None = None,
        context: dict[str, list[str]] | None = None,
    ) -> None:
        """Say why, in the vendor's words."""
        super().__init__(message)
        self.status = status
        self.category = category
        self.message = message
        self.errors = errors or []
        self.context = context or {}

    def refusal(self) -> Refusal:
        """Return the fault as the answer to a call for one record."""
        extra: JsonObject = {}
        if self.errors:
            extra["errors"] = self.errors
        if self.context:
            extra["context"] = self.context
        return refuse(self.status, self.category, self.message, **extra)

    def batch_error(self, context: dict[str, list[str]]) -> JsonObject:
        """Return the fault as one of the errors of a batch."""
        return {
            "status": "error",
            "category": self.category,
            "message": self.message,
            "errors": self.errors,
            "context": {**self.context, **context},
            "links": {},
        }


def refuse(status: int, category: str, message: str, **extra: Any) -> Refusal:
    """Build the answer to a call that cannot be served."""
    # The correlation id follows from the message, so that a run from a seed repeats byte by byte.
    correlation_id = str(uuid.uuid5(_NAMESPACE, message))
    body = {"status": "error", "message": message, "correlationId": correlation_id, "category": category, **extra}
    return Refusal(answer(status, body))


def refuse_unknown(what: str) -> Refusal:
    """Build the answer to what HubSpot may know and this simulator does not."""
    return refuse(501, "NOT_IMPLEMENTED", f"The sandbox does not implement {what}.")


def not_found(record_id: str) -> ObjectFault:
    """Build the fault of a record that is not there."""
    return ObjectFault(404, "OBJECT_NOT_FOUND", "resource not found", context={"id": [record_id]})
