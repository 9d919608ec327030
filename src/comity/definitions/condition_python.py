"""A condition as a Python function, for decisions that are made before there is a row to ask.

The meaning is that of the compiled SQL, with its three-valued logic; tests hold this against PostgreSQL and against the
plain reading of the tree. Known differences: upper and lower case go letter by letter; a date that leaves the years
1 to 9999 is unknown here and an error there.
"""

import calendar
import re
from collections.abc import Callable, Mapping
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
from comity.definitions.conditions import compile_condition
from comity.definitions.types_attribute import AttributeType
from comity.definitions.types_condition import Column
from comity.kernel.errors import Broken

Row = Mapping[str, Any]
Ask = Callable[[Row, date], Any]
"""Gets canonical values by word, and the day that is today; a missing word is null."""


class ConditionFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that can be asked of a row, and the words it speaks of."""

    text: str
    words: frozenset[str]
    ask: Ask

    def holds(self, row: Row, *, today: date) -> bool:
        """True when the condition is true; false when it is false or unknown."""
        return self.ask(row, today) is True


def condition_function(text: str, *, types: Mapping[str, AttributeType]) -> ConditionFunction:
    """Turn the text of a condition over words of these types into a function. Pure; raises ConditionInvalid.

    >>> from datetime import date
    >>> adult = condition_function("country in ('DE', 'AT')", types={"country": AttributeType.TEXT})
    >>> adult.holds({"country": "DE"}, today=date(2026, 1, 31)), adult.holds({}, today=date(2026, 1, 31))
    (True, False)
    """
    vocabulary = {name: Column(sql="x", type=kind) for name, kind in types.items()}
    compiled = compile_condition(text, vocabulary=vocabulary)
    return ConditionFunction(text=text, words=compiled.columns, ask=_function(compiled.tree))


@singledispatch
def _function(node: object) -> Ask:
    raise Broken(f"No meaning for {type(node).__name__}.")


@_function.register
def _(node: ColumnNode) -> Ask:
    name = node.name
    return lambda row, _today: row.get(name)


@_function.register
def _(node: LiteralNode) -> Ask:
    value = node.value
    return lambda _row, _today: value


@_function.register
def _(node: TodayNode) -> Ask:
    del node
    return lambda _row, today: today


@_function.register
def _(node: FunctionNode) -> Ask:
    arguments = tuple(_function(each) for each in node.arguments)
    first = arguments[0]
    if node.name == "coalesce":
        return lambda row, today: next((v for each in arguments if (v := each(row, today)) is not None), None)
    if node.name in {"length", "cardinality"}:
        return _if_known(first, len)
    fold = str.lower if node.name == "lower" else str.upper
    return _if_known(first, lambda text: _by_letter(text, fold))


def _if_known(item: Ask, change: Callable[[Any], Any]) -> Ask:
    def ask(row: Row, today: date) -> Any:
        found = item(row, today)
        return None if found is None else change(found)

    return ask


def _by_letter(text: str, fold: Callable[[str], str]) -> str:
    return "".join(changed if len(changed := fold(letter)) == 1 else letter for letter in text)


@_function.register
def _(node: ExtractNode) -> Ask:
    part = node.part
    return _if_known(_function(node.item), lambda value: getattr(value, part))


@_function.register
def _(node: ShiftNode) -> Ask:
    rest = timedelta(days=node.days, seconds=node.seconds)

    def shift(value: Any) -> Any:
        year, month = divmod(value.year * 12 + value.month - 1 + node.months, 12)
        if not 1 <= year <= 9999:
            return None
        day = min(value.day, calendar.monthrange(year, month + 1)[1])
        try:
            return value.replace(year=year, month=month + 1, day=day) + rest
        except OverflowError:
            return None

    return _if_known(_function(node.item), shift)


@_function.register
def _(node: DaysNode) -> Ask:
    return _of_both(_function(node.left), _function(node.right), lambda left, right: (left - right).days)


def _of_both(left: Ask, right: Ask, join: Callable[[Any, Any], Any]) -> Ask:
    def ask(row: Row, today: date) -> Any:
        one, other = left(row, today), right(row, today)
        return None if one is None or other is None else join(one, other)

    return ask


@_function.register
def _(node: MidnightNode) -> Ask:
    return _if_known(_function(node.item), lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC))


@_function.register
def _(node: LogicNode) -> Ask:
    items = tuple(_function(each) for each in node.items)
    decisive = not node.is_all

    def ask(row: Row, today: date) -> bool | None:
        found: bool | None = not decisive
        for item in items:
            answer = item(row, today)
            if answer is decisive:
                return decisive
            if answer is None:
                found = None
        return found

    return ask


@_function.register
def _(node: NotNode) -> Ask:
    return _if_known(_function(node.item), lambda found: not found)


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


@_function.register
def _(node: CompareNode) -> Ask:
    left, right = _function(node.left), _function(node.right)
    if node.operator == "is distinct from":
        return lambda row, today: left(row, today) != right(row, today)
    if node.operator == "is not distinct from":
        return lambda row, today: left(row, today) == right(row, today)
    return _of_both(left, right, _COMPARISONS[node.operator])


@_function.register
def _(node: InNode) -> Ask:
    item, options = _function(node.item), tuple(_function(each) for each in node.options)

    def ask(row: Row, today: date) -> bool | None:
        found = item(row, today)
        if found is None:
            return None
        values = [each(row, today) for each in options]
        return True if found in [each for each in values if each is not None] else None if None in values else False

    return ask


@_function.register
def _(node: BetweenNode) -> Ask:
    item = _function(node.item)
    low = _of_both(item, _function(node.low), _COMPARISONS[">="])
    high = _of_both(item, _function(node.high), _COMPARISONS["<="])

    def ask(row: Row, today: date) -> bool | None:
        bounds = (low(row, today), high(row, today))
        return False if False in bounds else None if None in bounds else True

    return ask


@_function.register
def _(node: NullNode) -> Ask:
    item = _function(node.item)
    return lambda row, today: item(row, today) is None


@_function.register
def _(node: TruthNode) -> Ask:
    item, expected = _function(node.item), node.expected
    return lambda row, today: item(row, today) is expected


@_function.register
def _(node: LikeNode) -> Ask:
    pattern = node.pattern if node.is_case_sensitive else _by_letter(node.pattern, str.lower)
    parts = re.findall(r"\\(.)|(%)|(_)|(.)", pattern, flags=re.DOTALL)
    expression = re.compile(
        "".join(".*" if many else "." if one else re.escape(quoted or letter) for quoted, many, one, letter in parts),
        flags=re.DOTALL,
    )
    if node.is_case_sensitive:
        return _if_known(_function(node.item), lambda text: expression.fullmatch(text) is not None)
    return _if_known(_function(node.item), lambda text: expression.fullmatch(_by_letter(text, str.lower)) is not None)


@_function.register
def _(node: MemberNode) -> Ask:
    item, tags = _function(node.item), _function(node.tags)

    def ask(row: Row, today: date) -> bool | None:
        held = tags(row, today)
        if held is None:
            return None
        if not held:
            return False
        found = item(row, today)
        return None if found is None else found in held

    return ask


_TAG_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "@>": lambda left, right: set(right) <= set(left),
    "<@": lambda left, right: set(left) <= set(right),
    "&&": lambda left, right: bool(set(left) & set(right)),
}


@_function.register
def _(node: TagsNode) -> Ask:
    return _of_both(_function(node.left), _function(node.right), _TAG_TESTS[node.operator])
