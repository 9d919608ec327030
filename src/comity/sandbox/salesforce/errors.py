"""Errors in the vendor's form: a JSON array of `errorCode`, `message`, `fields`."""

from comity.sandbox.wire import JsonObject, Refusal, answer


class RowFault(Exception):
    """One record cannot be written or found."""

    def __init__(self, code: str, message: str, *, fields: list[str] | None = None, status: int = 400) -> None:
        """Say why, in the vendor's words."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields or []
        self.status = status

    def refusal(self) -> Refusal:
        """Return the fault as the answer to a call for one record."""
        return refuse(self.status, self.code, self.message, self.fields)

    def row(self) -> JsonObject:
        """Return the fault as one row of a collection."""
        error = {"statusCode": self.code, "message": self.message, "fields": self.fields}
        return {"success": False, "errors": [error]}


def refuse(status: int, code: str, message: str, fields: list[str] | None = None) -> Refusal:
    """Build the answer to a call that cannot be served."""
    error: JsonObject = {"message": message, "errorCode": code}
    if fields:
        error["fields"] = fields
    return Refusal(answer(status, [error]))


def refuse_unknown(what: str) -> Refusal:
    """Build the answer to what Salesforce may know and this simulator does not."""
    return refuse(501, "NOT_IMPLEMENTED", f"The sandbox does not implement {what}.")
