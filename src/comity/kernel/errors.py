"""Errors by what the caller must do about them. Every room puts its own under one of these kinds."""

from collections.abc import Mapping
from typing import Any


class ComityError(Exception):
    """Something Comity refused or could not do. The docstring of a subclass is its default message."""

    def __init__(
        self, message: str | None = None, *, code: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        """Take a sentence for people, a stable code for machines and details that tell the place and the remedy."""
        self.message = message or (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
        self.code = code or _snake_case(type(self).__name__)
        self.details: dict[str, Any] = dict(details or {})
        super().__init__(self.message)


class NotFound(ComityError):
    """There is no such thing."""


class Invalid(ComityError):
    """The input is not well formed; correct it and try again."""


class Conflict(ComityError):
    """The state has moved on or the key is taken; read again before trying again."""


class Refused(ComityError):
    """A business rule says no."""


class Forbidden(ComityError):
    """The caller may not do this."""


class RateLimited(ComityError):
    """Too many calls; wait before trying again."""

    def __init__(
        self, message: str | None = None, *, retry_after_seconds: float = 1.0, code: str | None = None
    ) -> None:
        """Say after how many seconds another try makes sense."""
        super().__init__(message, code=code, details={"retry_after_seconds": retry_after_seconds})
        self.retry_after_seconds = retry_after_seconds


class Unavailable(ComityError):
    """Something Comity depends on is away; try again later."""


class Broken(ComityError):
    """A bug of ours: an invariant does not hold."""


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
