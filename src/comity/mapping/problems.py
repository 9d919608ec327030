"""Telling what is wrong with a value of a record."""

from typing import Any, Final, cast

from comity.mapping.lenses.base import Rejection
from comity.mapping.types import ABSENT, Problem

FOUND_CHARS_MAX: Final = 80


def problem_of(rejection: Rejection, *, position: int, field: str, found: Any, is_fatal: bool = False) -> Problem:
    """Tell a rejection with its record and an excerpt of what was found."""
    return Problem(
        position=position,
        code=rejection.code,
        field=field,
        found=excerpt(found),
        expected=rejection.expected,
        remedy=rejection.remedy,
        is_fatal=is_fatal,
    )


def excerpt(found: Any) -> str:
    """Quote a value, cut to a readable length."""
    if found is ABSENT:
        return "nothing"
    if isinstance(found, tuple):  # A lens that looks at several fields.
        return ", ".join(excerpt(each) for each in cast("tuple[Any, ...]", found))
    text = repr(found[:FOUND_CHARS_MAX] if isinstance(found, str | bytes) else found)
    return text if len(text) <= FOUND_CHARS_MAX else f"{text[:FOUND_CHARS_MAX]}..."
