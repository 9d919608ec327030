"""Constants and types inside conditions: how a constant becomes a typed value, and which types fit each other."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from comity.definitions.condition_nodes import FunctionNode, LiteralNode, MidnightNode, Node, ShiftNode, ValueType
from comity.definitions.types_condition import ConditionInvalid

DIGITS_MAX = 18
INTERVAL_COUNT_MAX = 100_000
REACH_DAYS_MAX = 1_000 * 372
"""A thousand years: from any year of four digits that stays inside what a database can hold."""

_NUMBER = re.compile(r"^\d{1,18}(\.\d{1,18})?$")
_INTERVAL_PART = re.compile(r"\s*(\d{1,6})\s*([a-z]+)\s*")
_MONTHS = {"month": 1, "year": 12}
_DAYS = {"day": 1, "week": 7}
_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


def read_number(text: str, *, position: int) -> LiteralNode:
    """Read a number of at most 18 digits on either side of the point."""
    if not _NUMBER.match(text):
        raise ConditionInvalid(
            f"The number {text[:40]} is not understood.",
            position=position,
            remedy=f"Write plain digits, at most {DIGITS_MAX}.",
        )
    return LiteralNode(value=int(text) if text.isdigit() else Decimal(text), type=ValueType.NUMBER)


def read_date(text: str, *, position: int) -> LiteralNode:
    """Read a date written as 2026-01-31."""
    try:
        return LiteralNode(value=datetime.strptime(text, "%Y-%m-%d").date(), type=ValueType.DATE)  # noqa: DTZ007 - a day.
    except ValueError as error:
        raise ConditionInvalid(
            f"'{text[:40]}' is not a date.", position=position, remedy="Write it as '2026-01-31'."
        ) from error


def read_timestamp(text: str, *, position: int) -> LiteralNode:
    """Read a time written as 2026-01-31 or 2026-01-31T12:00:00+01:00; without a zone it is in UTC."""
    try:
        value = datetime.fromisoformat(text)
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConditionInvalid(
            f"'{text[:40]}' is not a time.", position=position, remedy="Write it as '2026-01-31T12:00:00Z'."
        ) from error
    return LiteralNode(value=value, type=ValueType.TIMESTAMP)


def read_interval(text: str, *, position: int) -> tuple[int, int, int]:
    """Read `18 years`, `1 month 3 days`, `90 minutes` as months, days and seconds."""
    months = days = seconds = 0
    lowered = text.lower().strip()
    matches = list(_INTERVAL_PART.finditer(lowered))
    if not matches or "".join(match[0] for match in matches) != lowered:
        raise _bad_interval(text, position=position)
    for match in matches:
        count, unit = int(match[1]), match[2].removesuffix("s")
        if unit not in _MONTHS | _DAYS | _SECONDS or count > INTERVAL_COUNT_MAX:
            raise _bad_interval(text, position=position)
        months += count * _MONTHS.get(unit, 0)
        days += count * _DAYS.get(unit, 0)
        seconds += count * _SECONDS.get(unit, 0)
    if months > 12_000 or days > 366_000:
        raise _bad_interval(text, position=position)
    return months, days, seconds


def _bad_interval(text: str, *, position: int) -> ConditionInvalid:
    return ConditionInvalid(
        f"The interval '{text[:40]}' is not understood.",
        position=position,
        remedy="Write a count and one of seconds, minutes, hours, days, weeks, months, years; at most 1000 years.",
    )


def bounded(shift: ShiftNode, *, position: int) -> ShiftNode:
    """Refuse a shift that leads, together with those under it, where a database has no dates."""
    if _reach_days(shift) > REACH_DAYS_MAX:
        raise ConditionInvalid("That is more than 1000 years.", position=position, remedy="Use fewer days.")
    return shift


def _reach_days(node: Node) -> int:
    """Count the days, at most, that all shifts of a date or time, one upon the other, can move it."""
    match node:
        case ShiftNode():
            return abs(node.months) * 31 + abs(node.days) + abs(node.seconds) // 86_400 + _reach_days(node.item)
        case MidnightNode():
            return _reach_days(node.item)
        case FunctionNode():
            return max(map(_reach_days, node.arguments))
        case _:
            return 0


def unify(left: Node, right: Node, *, position: int) -> tuple[Node, Node]:
    """Bring two values to one type, or refuse: constants become dates or times, dates become times."""
    if left.type is right.type:
        return left, right
    if isinstance(right, LiteralNode) and isinstance(right.value, str):
        right = _adopt(right, wanted=left.type, position=position)
    elif isinstance(left, LiteralNode) and isinstance(left.value, str):
        left = _adopt(left, wanted=right.type, position=position)
    if (left.type, right.type) == (ValueType.DATE, ValueType.TIMESTAMP):
        left = MidnightNode(item=left)
    elif (left.type, right.type) == (ValueType.TIMESTAMP, ValueType.DATE):
        right = MidnightNode(item=right)
    if left.type is not right.type:
        raise ConditionInvalid(
            f"A {left.type} is held against a {right.type}.",
            position=position,
            remedy=_mismatch_remedy(left.type, right.type),
        )
    return left, right


def _adopt(literal: LiteralNode, *, wanted: ValueType, position: int) -> LiteralNode:
    text = str(literal.value)
    if wanted is ValueType.DATE:
        return read_date(text, position=position)
    if wanted is ValueType.TIMESTAMP:
        return read_timestamp(text, position=position)
    return literal


def _mismatch_remedy(left: ValueType, right: ValueType) -> str:
    both = {left, right}
    if ValueType.TAGS in both:
        return "Ask tags with 'x' = any(tags), or tags @> array['x', 'y']."
    if both == {ValueType.NUMBER, ValueType.TEXT}:
        return "Write numbers without quotes and texts in single quotes."
    if ValueType.BOOLEAN in both:
        return "A boolean stands alone, or is held against true or false."
    return "Both sides must be of one type."
