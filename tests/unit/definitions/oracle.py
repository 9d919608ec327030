"""The meaning of a condition in plain Python: the slow, obvious way, with SQL's three-valued logic.

Tests hold the compiled SQL against it. Two differences to PostgreSQL are known:
upper and lower case go letter by letter, and a date that leaves the years 1 to 9999 raises OverflowError.
"""

import calendar
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import singledispatch
from typing import Any

import msgspec

from comity.definitions.condition_nodes import (
    BetweenNode,
    ColumnNode,
    CompareNode,
    DaysNode,
    ExtractNode,
    FunctionNode,
    InNode,
    LikeNode,
    LiteralNode,
    LogicNode,
    MemberNode,
    MidnightNode,
    NotNode,
    NullNode,
    ShiftNode,
    TagsNode,
    TodayNode,
    TruthNode,
)
from comity.definitions.types_condition import Compiled
from comity.kernel.errors import Broken


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    row: Mapping[str, Any]
    today: date


def evaluate(condition: Compiled, row: Mapping[str, Any], *, today: date) -> bool | None:
    """Say whether a condition holds for one row of canonical values: True, False, or None for unknown.

    A word missing in the row counts as null.
    """
    found = _value(condition.tree, _Asked(row=row, today=today))
    return None if found is None else bool(found)


@singledispatch
def _value(node: object, asked: _Asked) -> Any:
    raise Broken(f"No meaning for {type(node).__name__} on {asked.today}.")


@_value.register
def _column(node: ColumnNode, asked: _Asked) -> Any:
    return asked.row.get(node.name)


@_value.register
def _literal(node: LiteralNode, asked: _Asked) -> Any:
    del asked
    return node.value


@_value.register
def _today(node: TodayNode, asked: _Asked) -> Any:
    del node
    return asked.today


@_value.register
def _function(node: FunctionNode, asked: _Asked) -> Any:
    values = [_value(each, asked) for each in node.arguments]
    if node.name == "coalesce":
        return next((each for each in values if each is not None), None)
    if values[0] is None:
        return None
    if node.name in {"length", "cardinality"}:
        return len(values[0])
    fold = str.lower if node.name == "lower" else str.upper
    return _by_letter(values[0], fold)


def _by_letter(text: str, fold: Any) -> str:
    return "".join(changed if len(changed := fold(letter)) == 1 else letter for letter in text)


@_value.register
def _extract(node: ExtractNode, asked: _Asked) -> Any:
    found = _value(node.item, asked)
    return None if found is None else getattr(found, node.part)


@_value.register
def _shift(node: ShiftNode, asked: _Asked) -> Any:
    found = _value(node.item, asked)
    if found is None:
        return None
    month = found.year * 12 + found.month - 1 + node.months
    year, month = divmod(month, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(year)
    day = min(found.day, calendar.monthrange(year, month + 1)[1])
    return found.replace(year=year, month=month + 1, day=day) + timedelta(days=node.days, seconds=node.seconds)


@_value.register
def _days(node: DaysNode, asked: _Asked) -> Any:
    left, right = _value(node.left, asked), _value(node.right, asked)
    return None if left is None or right is None else (left - right).days


@_value.register
def _midnight(node: MidnightNode, asked: _Asked) -> Any:
    found = _value(node.item, asked)
    return None if found is None else datetime(found.year, found.month, found.day, tzinfo=UTC)


@_value.register
def _logic(node: LogicNode, asked: _Asked) -> Any:
    values = [_value(each, asked) for each in node.items]
    decisive = not node.is_all
    if any(each is decisive for each in values):
        return decisive
    return None if any(each is None for each in values) else not decisive


@_value.register
def _not(node: NotNode, asked: _Asked) -> Any:
    found = _value(node.item, asked)
    return None if found is None else not found


def _compare_values(operator: str, left: Any, right: Any) -> bool | None:
    if operator.startswith("is"):
        is_distinct = left != right
        return is_distinct if operator == "is distinct from" else not is_distinct
    if left is None or right is None:
        return None
    return {
        "=": lambda: left == right,
        "<>": lambda: left != right,
        "<": lambda: left < right,
        "<=": lambda: left <= right,
        ">": lambda: left > right,
        ">=": lambda: left >= right,
    }[operator]()


@_value.register
def _compare(node: CompareNode, asked: _Asked) -> Any:
    return _compare_values(node.operator, _value(node.left, asked), _value(node.right, asked))


@_value.register
def _in(node: InNode, asked: _Asked) -> Any:
    item = _value(node.item, asked)
    return _any(_compare_values("=", item, _value(each, asked)) for each in node.options)


def _any(answers: Any) -> bool | None:
    seen = list(answers)
    if any(each is True for each in seen):
        return True
    return None if any(each is None for each in seen) else False


@_value.register
def _between(node: BetweenNode, asked: _Asked) -> Any:
    item = _value(node.item, asked)
    low = _compare_values(">=", item, _value(node.low, asked))
    high = _compare_values("<=", item, _value(node.high, asked))
    if low is False or high is False:
        return False
    return None if low is None or high is None else True


@_value.register
def _null(node: NullNode, asked: _Asked) -> Any:
    return _value(node.item, asked) is None


@_value.register
def _truth(node: TruthNode, asked: _Asked) -> Any:
    return _value(node.item, asked) is node.expected


@_value.register
def _like(node: LikeNode, asked: _Asked) -> Any:
    found = _value(node.item, asked)
    if found is None:
        return None
    pattern, found = (
        (node.pattern, found)
        if node.is_case_sensitive
        else (_by_letter(node.pattern, str.lower), _by_letter(found, str.lower))
    )
    parts = re.findall(r"\\(.)|(%)|(_)|(.)", pattern, flags=re.DOTALL)
    expression = "".join(
        ".*" if many else "." if one else re.escape(quoted or letter) for quoted, many, one, letter in parts
    )
    return re.fullmatch(expression, found, flags=re.DOTALL) is not None


@_value.register
def _member(node: MemberNode, asked: _Asked) -> Any:
    item, tags = _value(node.item, asked), _value(node.tags, asked)
    if tags is None:
        return None
    return _any(_compare_values("=", item, tag) for tag in tags)


@_value.register
def _tags(node: TagsNode, asked: _Asked) -> Any:
    left, right = _value(node.left, asked), _value(node.right, asked)
    if left is None or right is None:
        return None
    if node.operator == "@>":
        return set(right) <= set(left)
    if node.operator == "<@":
        return set(left) <= set(right)
    return bool(set(left) & set(right))
