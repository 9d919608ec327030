"""Business days and moments as options of commands."""

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from comity.kernel.errors import Invalid


class DayUnreadable(Invalid):
    """A day is written as 2026-03-31."""


Day = Annotated[str | None, typer.Option("--on", help="Up to this business day, as 2026-03-31.")]
KnownAt = Annotated[
    str | None,
    typer.Option("--known-at", help="What was sealed by then, as 2026-04-10 (0:00 UTC) or with a time."),
]


def to_day(text: str | None) -> date | None:
    """Return the day a text says, if any. Raises DayUnreadable."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise DayUnreadable(details={"day": text}) from error


def to_moment(text: str | None) -> datetime | None:
    """Return the moment a text says, if any, in UTC where it names no zone. Raises DayUnreadable."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise DayUnreadable(details={"time": text}) from error
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
