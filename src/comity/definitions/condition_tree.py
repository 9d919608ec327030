"""Turn sqlglot's open tree of a condition into the closed, typed one; whatever is not on the list is refused."""

import difflib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sqlglot import exp

from comity.definitions import condition_values as values
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
    Node,
    NotNode,
    NullNode,
    ShiftNode,
    TagsNode,
    TodayNode,
    TruthNode,
    ValueType,
)
from comity.definitions.types_condition import ConditionInvalid

DEPTH_MAX = 80

_FUNCTIONS = "lower, upper, length, coalesce, cardinality, extract"
_FUNCTION_REMEDY = f"Allowed functions: {_FUNCTIONS}."
_OPERATORS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "is not distinct from",
    exp.NullSafeNEQ: "is distinct from",
}
_TAG_OPERATORS: dict[type[exp.Expr], str] = {
    exp.ArrayContainsAll: "@>",
    exp.ArrayContainedBy: "<@",
    exp.ArrayOverlaps: "&&",
}


def _position(node: exp.Expr) -> int:
    starts = [int(each.meta["start"]) for each in node.walk() if "start" in each.meta]
    if not starts and node.parent is not None:
        return _position(node.parent)
    return min(starts, default=0)


class Converter:
    """Turns sqlglot's open tree into ours; one method a kind of node, and only fields it names may be filled."""

    def __init__(self, types: Mapping[str, ValueType]) -> None:
        self.columns: set[str] = set()
        self.is_time_dependent = False
        self._types = types
        self._depth = 0

    def convert(self, node: Any) -> Node:
        """Convert a node and everything under it."""
        handler = _HANDLERS.get(node.__class__)
        if handler is None:
            raise self._refuse(node)
        method, fields = handler
        extra = [name for name, value in node.args.items() if name not in fields and value not in (None, False, [])]
        if extra:
            raise self._refuse(node)
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ConditionInvalid("The condition is nested too deeply.", position=_position(node), remedy="Split it.")
        converted = method(self, node)
        self._depth -= 1
        return converted

    def _refuse(self, node: Any) -> ConditionInvalid:
        if not isinstance(node, exp.Expr):
            return ConditionInvalid("Something is missing.", remedy="Complete the expression.")
        if isinstance(node, exp.Func):
            name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
            return ConditionInvalid(
                f"The function {name.lower()[:40]} is not allowed.", position=_position(node), remedy=_FUNCTION_REMEDY
            )
        if isinstance(node, exp.Query | exp.Subquery):
            return ConditionInvalid(
                "A query inside a condition is not allowed.",
                position=_position(node),
                remedy="A condition speaks of one person's attributes only.",
            )
        return ConditionInvalid(
            f"'{_words(type(node).__name__)}' is not allowed in a condition.",
            position=_position(node),
            remedy="Allowed: comparisons, and, or, not, in, between, is null, like, dates and intervals, tags.",
        )

    def _wanted(self, node: Any, *wanted: ValueType) -> Node:
        converted = self.convert(node)
        if converted.type not in wanted:
            expected = " or ".join(wanted)
            raise ConditionInvalid(
                f"A {converted.type} stands where a {expected} is needed.",
                position=_position(node),
                remedy=f"Put a {expected} here.",
            )
        return converted

    def column(self, node: exp.Column) -> Node:
        """Take a word of the vocabulary."""
        parts = [node.args.get("table"), node.this]
        if any(part is not None and not isinstance(part, exp.Identifier) for part in parts):
            raise self._refuse(node)
        name = ".".join(
            str(part.this) if part.args.get("quoted") else str(part.this).lower() for part in parts if part is not None
        )
        if name == "today" and name not in self._types:
            return self.today(node)
        if name not in self._types:
            close = difflib.get_close_matches(name, self._types, n=1)
            known = ", ".join(sorted(self._types)[:20])
            raise ConditionInvalid(
                f"There is no attribute '{name[:60]}'.",
                position=_position(node),
                remedy=f"Did you mean '{close[0]}'?" if close else f"Known: {known}." if known else "None is known.",
            )
        self.columns.add(name)
        return ColumnNode(name=name, type=self._types[name])

    def today(self, node: exp.Expr) -> Node:
        """Take the current date."""
        del node
        self.is_time_dependent = True
        return TodayNode()

    def literal(self, node: exp.Literal) -> Node:
        """Take a text or a number."""
        if node.is_string:
            return LiteralNode(value=str(node.this), type=ValueType.TEXT)
        return values.read_number(str(node.this), position=_position(node))

    def boolean(self, node: exp.Boolean) -> Node:
        """Take true or false."""
        return LiteralNode(value=bool(node.this), type=ValueType.BOOLEAN)

    def null(self, node: exp.Null) -> Node:
        """Refuse a bare null."""
        raise ConditionInvalid(
            "Nothing compares with null.", position=_position(node), remedy="Write `is null` or `is not null`."
        )

    def negative(self, node: exp.Neg) -> Node:
        """Take a negative number."""
        item = self._wanted(node.this, ValueType.NUMBER)
        if not isinstance(item, LiteralNode) or not isinstance(item.value, int | Decimal):
            raise ConditionInvalid(
                "Only a number can be negative.", position=_position(node), remedy="Compare with a negative number."
            )
        return LiteralNode(value=-item.value, type=ValueType.NUMBER)

    def paren(self, node: exp.Paren) -> Node:
        """Look inside parentheses."""
        return self.convert(node.this)

    def array(self, node: exp.Array) -> Node:
        """Take an array of constant texts."""
        items = [self._wanted(each, ValueType.TEXT) for each in node.expressions]
        texts = tuple(item.value for item in items if isinstance(item, LiteralNode) and isinstance(item.value, str))
        if len(texts) != len(items):
            raise ConditionInvalid(
                "An array holds constants only.", position=_position(node), remedy="Write array['x', 'y']."
            )
        return LiteralNode(value=texts, type=ValueType.TAGS)

    def cast(self, node: exp.Cast) -> Node:
        """Take a constant date or time."""
        kind = node.to.sql(dialect="postgres").lower()
        readers = {"date": values.read_date, "timestamp": values.read_timestamp, "timestamptz": values.read_timestamp}
        if kind not in readers or not (isinstance(node.this, exp.Literal) and node.this.is_string):
            raise ConditionInvalid(
                "Only a constant can be made a date or a time.",
                position=_position(node),
                remedy="Write date '2026-01-31' or timestamp '2026-01-31T12:00:00Z'.",
            )
        return readers[kind](str(node.this.this), position=_position(node))

    def logic(self, node: exp.And | exp.Or) -> Node:
        """Take a chain of `and` or of `or`."""
        items = tuple(self._wanted(each, ValueType.BOOLEAN) for each in node.flatten())
        return LogicNode(is_all=isinstance(node, exp.And), items=items)

    def negation(self, node: exp.Not) -> Node:
        """Take `not`."""
        return NotNode(item=self._wanted(node.this, ValueType.BOOLEAN))

    def compare(self, node: exp.Binary) -> Node:
        """Take a comparison, or `= any(tags)`."""
        for side in (node.this, node.expression):
            if type(side) in _OPERATORS:
                raise ConditionInvalid(
                    "Comparisons follow each other.", position=_position(side), remedy="Put one of them in parentheses."
                )
        operator = _OPERATORS[type(node)]
        if isinstance(node.expression, exp.Any):
            return self._member(node, operator)
        left, right = values.unify(
            self.convert(node.this), self.convert(node.expression), position=_position(node.expression)
        )
        if left.type is ValueType.TAGS or (left.type is ValueType.BOOLEAN and operator in {"<", "<=", ">", ">="}):
            raise ConditionInvalid(
                f"A {left.type} cannot be compared with {operator}.",
                position=_position(node),
                remedy="Ask tags with 'x' = any(tags) or @>, booleans with = or is true.",
            )
        return CompareNode(operator=operator, left=left, right=right)

    def _member(self, node: exp.Binary, operator: str) -> Node:
        if operator != "=":
            raise ConditionInvalid(
                f"{operator} any(...) is not allowed.",
                position=_position(node),
                remedy="Write 'x' = any(tags), or not ('x' = any(tags)).",
            )
        item = self._wanted(node.this, ValueType.TEXT)
        return MemberNode(item=item, tags=self._wanted(node.expression.this, ValueType.TAGS))

    def tags(self, node: exp.Binary) -> Node:
        """Take `@>`, `<@` or `&&`."""
        left, right = self._wanted(node.this, ValueType.TAGS), self._wanted(node.expression, ValueType.TAGS)
        return TagsNode(operator=_TAG_OPERATORS[type(node)], left=left, right=right)

    def is_test(self, node: exp.Is) -> Node:
        """Take `is [not] null`, `is [not] true`, `is [not] false`."""
        test = node.expression
        if isinstance(test, exp.Null):
            found: Node = NullNode(item=self.convert(node.this))
        elif isinstance(test, exp.Boolean):
            found = TruthNode(item=self._wanted(node.this, ValueType.BOOLEAN), expected=bool(test.this))
        else:
            raise self._refuse(node)
        return NotNode(item=found) if node.args.get("negate") else found

    def in_list(self, node: exp.In) -> Node:
        """Take `in (...)`."""
        if not node.expressions:
            raise self._refuse(node.args.get("query") or node)
        item = self.convert(node.this)
        options: list[Node] = []
        for each in node.expressions:
            item, option = values.unify(item, self.convert(each), position=_position(each))
            options.append(option)
        if item.type is ValueType.TAGS:
            raise ConditionInvalid(
                "Tags are no single value.", position=_position(node), remedy="Write tags && array['x']."
            )
        # A later option may have turned the item (and its own side) into a time; bring the earlier ones along.
        aligned = tuple(values.unify(item, option, position=_position(node))[1] for option in options)
        return InNode(item=item, options=aligned)

    def between(self, node: exp.Between) -> Node:
        """Take `between ... and ...`."""
        item = self.convert(node.this)
        item, low = values.unify(item, self.convert(node.args["low"]), position=_position(node.args["low"]))
        item, high = values.unify(item, self.convert(node.args["high"]), position=_position(node.args["high"]))
        _, low = values.unify(item, low, position=_position(node))
        if item.type in {ValueType.TAGS, ValueType.BOOLEAN}:
            raise ConditionInvalid(f"A {item.type} has no range.", position=_position(node), remedy="Compare with =.")
        return BetweenNode(item=item, low=low, high=high)

    def like(self, node: exp.Like | exp.ILike) -> Node:
        """Take `like` or `ilike`."""
        item, pattern = self._wanted(node.this, ValueType.TEXT), node.expression
        if not isinstance(pattern, exp.Literal) or not pattern.is_string:
            raise ConditionInvalid(
                "A pattern must be a constant.", position=_position(node), remedy="Write like 'Mar%'."
            )
        text = str(pattern.this)
        if (len(text) - len(text.rstrip("\\"))) % 2:
            raise ConditionInvalid(
                "A pattern cannot end with a single backslash.", position=_position(pattern), remedy="Double it."
            )
        found = LikeNode(item=item, pattern=text, is_case_sensitive=isinstance(node, exp.Like))
        return NotNode(item=found) if node.args.get("negate") else found

    def one_text(self, node: exp.Func) -> Node:
        """Take lower, upper or length."""
        name = _TEXT_FUNCTIONS[type(node)]
        item = self._wanted(node.this, ValueType.TEXT)
        kind = ValueType.NUMBER if name == "length" else ValueType.TEXT
        return FunctionNode(name=name, arguments=(item,), type=kind)

    def coalesce(self, node: exp.Coalesce) -> Node:
        """Take coalesce."""
        found: list[Node] = [self.convert(node.this)]
        for each in node.expressions:
            first, other = values.unify(found[0], self.convert(each), position=_position(each))
            found = [values.unify(first, one, position=_position(each))[1] for one in found]
            found.append(other)
        return FunctionNode(name="coalesce", arguments=tuple(found), type=found[0].type)

    def anonymous(self, node: exp.Anonymous) -> Node:
        """Take cardinality."""
        if str(node.this).lower() != "cardinality" or len(node.expressions) != 1:
            raise self._refuse(node)
        tags = self._wanted(node.expressions[0], ValueType.TAGS)
        return FunctionNode(name="cardinality", arguments=(tags,), type=ValueType.NUMBER)

    def extract(self, node: exp.Extract) -> Node:
        """Take extract."""
        part = node.name.lower()
        if part not in {"year", "month", "day"}:
            raise ConditionInvalid(
                f"'{part[:40]}' cannot be extracted.", position=_position(node), remedy="Extract year, month or day."
            )
        return ExtractNode(part=part, item=self._wanted(node.expression, ValueType.DATE, ValueType.TIMESTAMP))

    def arithmetic(self, node: exp.Add | exp.Sub) -> Node:
        """Take a date plus or minus something."""
        sign = 1 if isinstance(node, exp.Add) else -1
        item = self._wanted(node.this, ValueType.DATE, ValueType.TIMESTAMP)
        amount, position = node.expression, _position(node.expression)
        if isinstance(amount, exp.Interval):
            months, days, seconds = self._interval(amount)
        else:
            other = self._wanted(amount, ValueType.NUMBER, ValueType.DATE)
            if other.type is ValueType.DATE and item.type is ValueType.DATE and sign < 0:
                return DaysNode(left=item, right=other)
            if (
                not isinstance(other, LiteralNode)
                or not isinstance(other.value, int)
                or item.type is not ValueType.DATE
            ):
                raise ConditionInvalid(
                    "Only an interval or a whole number of days can be added to a date.",
                    position=position,
                    remedy="Write today - interval '30 days'.",
                )
            months, days, seconds = 0, other.value, 0
        if seconds and item.type is ValueType.DATE:
            raise ConditionInvalid(
                "A date has no hours.", position=position, remedy="Use days, weeks, months or years."
            )
        shift = ShiftNode(item=item, months=sign * months, days=sign * days, seconds=sign * seconds, type=item.type)
        return values.bounded(shift, position=position)

    def _interval(self, node: exp.Interval) -> tuple[int, int, int]:
        unit, amount = node.args.get("unit"), node.this
        if not isinstance(amount, exp.Literal) or (unit is not None and not isinstance(unit, exp.Var)):
            raise self._refuse(node)
        text = f"{amount.this} {unit.this}" if unit is not None else str(amount.this)
        return values.read_interval(text, position=_position(node))


_TEXT_FUNCTIONS: dict[type[exp.Expr], str] = {exp.Lower: "lower", exp.Upper: "upper", exp.Length: "length"}
_Handler = tuple[Callable[[Converter, Any], Node], frozenset[str]]
_TWO = frozenset({"this", "expression"})
_ONE = frozenset({"this"})
_HANDLERS: dict[type, _Handler] = {
    exp.Column: (Converter.column, frozenset({"this", "table"})),
    exp.CurrentDate: (Converter.today, frozenset()),
    exp.Literal: (Converter.literal, frozenset({"this", "is_string"})),
    exp.Boolean: (Converter.boolean, _ONE),
    exp.Null: (Converter.null, frozenset()),
    exp.Neg: (Converter.negative, _ONE),
    exp.Paren: (Converter.paren, _ONE),
    exp.Array: (Converter.array, frozenset({"expressions"})),
    exp.Cast: (Converter.cast, frozenset({"this", "to"})),
    exp.And: (Converter.logic, _TWO),
    exp.Or: (Converter.logic, _TWO),
    exp.Not: (Converter.negation, _ONE),
    exp.Is: (Converter.is_test, _TWO | {"negate"}),
    exp.In: (Converter.in_list, frozenset({"this", "expressions", "query"})),
    exp.Between: (Converter.between, frozenset({"this", "low", "high"})),
    exp.Like: (Converter.like, _TWO | {"negate"}),
    exp.ILike: (Converter.like, _TWO | {"negate"}),
    exp.Lower: (Converter.one_text, _ONE),
    exp.Upper: (Converter.one_text, _ONE),
    exp.Length: (Converter.one_text, _ONE),
    exp.Coalesce: (Converter.coalesce, frozenset({"this", "expressions"})),
    exp.Anonymous: (Converter.anonymous, frozenset({"this", "expressions"})),
    exp.Extract: (Converter.extract, _TWO),
    exp.Add: (Converter.arithmetic, _TWO),
    exp.Sub: (Converter.arithmetic, _TWO),
    **dict.fromkeys(_OPERATORS, (Converter.compare, _TWO)),
    **dict.fromkeys(_TAG_OPERATORS, (Converter.tags, _TWO)),
}


def _words(name: str) -> str:
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
