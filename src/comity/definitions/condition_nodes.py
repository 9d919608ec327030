"""The closed set of things a condition is made of. What is not here cannot be said.

The tree is typed and total: every node has one type, and no node can fail while it runs.
"""

import enum
from datetime import date, datetime
from decimal import Decimal

import msgspec


class ValueType(enum.StrEnum):
    """Types of values inside a condition."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TAGS = "tags"


class _Base(msgspec.Struct, frozen=True, kw_only=True):
    pass


class ColumnNode(_Base, frozen=True):
    """A word of the vocabulary."""

    name: str
    type: ValueType


class LiteralNode(_Base, frozen=True):
    """A constant."""

    value: str | int | Decimal | bool | date | datetime | tuple[str, ...]
    type: ValueType


class TodayNode(_Base, frozen=True):
    """The day the condition is asked on."""

    type: ValueType = ValueType.DATE


class FunctionNode(_Base, frozen=True):
    """One of: lower, upper, length, coalesce, cardinality."""

    name: str
    arguments: "tuple[Node, ...]"
    type: ValueType


class ExtractNode(_Base, frozen=True):
    """Year, month or day of a date or of a time (in UTC)."""

    part: str
    item: "Node"
    type: ValueType = ValueType.NUMBER


class ShiftNode(_Base, frozen=True):
    """A date or time moved by an interval; dates move by whole days only."""

    item: "Node"
    months: int
    days: int
    seconds: int
    type: ValueType


class DaysNode(_Base, frozen=True):
    """Days from the right date to the left one."""

    left: "Node"
    right: "Node"
    type: ValueType = ValueType.NUMBER


class MidnightNode(_Base, frozen=True):
    """The first instant of a date, in UTC."""

    item: "Node"
    type: ValueType = ValueType.TIMESTAMP


class LogicNode(_Base, frozen=True):
    """All of these, or any of these."""

    is_all: bool
    items: "tuple[Node, ...]"
    type: ValueType = ValueType.BOOLEAN


class NotNode(_Base, frozen=True):
    """Not this."""

    item: "Node"
    type: ValueType = ValueType.BOOLEAN


class CompareNode(_Base, frozen=True):
    """One of: = <> < <= > >=, `is distinct from`, `is not distinct from`."""

    operator: str
    left: "Node"
    right: "Node"
    type: ValueType = ValueType.BOOLEAN


class InNode(_Base, frozen=True):
    """One of these values."""

    item: "Node"
    options: "tuple[Node, ...]"
    type: ValueType = ValueType.BOOLEAN


class BetweenNode(_Base, frozen=True):
    """Between two values, both included."""

    item: "Node"
    low: "Node"
    high: "Node"
    type: ValueType = ValueType.BOOLEAN


class NullNode(_Base, frozen=True):
    """Has no value."""

    item: "Node"
    type: ValueType = ValueType.BOOLEAN


class TruthNode(_Base, frozen=True):
    """Is true, or is false; never unknown."""

    item: "Node"
    expected: bool
    type: ValueType = ValueType.BOOLEAN


class LikeNode(_Base, frozen=True):
    """Fits a constant pattern of `%` and `_`."""

    item: "Node"
    pattern: str
    is_case_sensitive: bool
    type: ValueType = ValueType.BOOLEAN


class MemberNode(_Base, frozen=True):
    """A text is one of the tags."""

    item: "Node"
    tags: "Node"
    type: ValueType = ValueType.BOOLEAN


class TagsNode(_Base, frozen=True):
    """Tags contain (@>), are contained in (<@), or share one with (&&) other tags."""

    operator: str
    left: "Node"
    right: "Node"
    type: ValueType = ValueType.BOOLEAN


Node = (
    ColumnNode
    | LiteralNode
    | TodayNode
    | FunctionNode
    | ExtractNode
    | ShiftNode
    | DaysNode
    | MidnightNode
    | LogicNode
    | NotNode
    | CompareNode
    | InNode
    | BetweenNode
    | NullNode
    | TruthNode
    | LikeNode
    | MemberNode
    | TagsNode
)
