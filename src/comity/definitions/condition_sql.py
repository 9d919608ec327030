"""Write a condition tree as PostgreSQL text: every operation in parentheses, every constant quoted by us.

Two things are decided here so that a condition means the same on every server: text is ordered by code point
(`collate "C"`), and dates become times in UTC.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import singledispatch

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
    Node,
    NotNode,
    NullNode,
    ShiftNode,
    TagsNode,
    TodayNode,
    TruthNode,
    ValueType,
)
from comity.kernel.errors import Broken

_ORDERING = frozenset({"<", "<=", ">", ">="})


def quote_text(value: str) -> str:
    r"""Quote a text constant. Per cent signs are written \x25, since the driver reads them as parameters.

    >>> quote_text("it's")
    "'it''s'"
    """
    quoted = value.replace("'", "''")
    if "\\" not in quoted and "%" not in quoted:
        return f"'{quoted}'"
    return "E'" + quoted.replace("\\", "\\\\").replace("%", "\\x25") + "'"


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    columns: Mapping[str, str]
    today: str


def write_condition(node: Node, *, columns: Mapping[str, str], today: str) -> str:
    """Write a tree as SQL; `columns` gives the SQL of each word, `today` that of the current date."""
    return _write(node, _Words(columns=columns, today=today))


@singledispatch
def _write(node: object, words: _Words) -> str:
    """Refuse what has no writer: that is a bug of ours, never passed through."""
    raise Broken(f"No way to write {type(node).__name__} with {len(words.columns)} columns.")


def _ordered(node: Node, words: _Words) -> str:
    text = _write(node, words)
    return f'({text} collate "C")' if node.type is ValueType.TEXT else text


@_write.register
def _column(node: ColumnNode, words: _Words) -> str:
    return words.columns[node.name]


@_write.register
def _today(node: TodayNode, words: _Words) -> str:
    del node
    return words.today


@_write.register
def _literal(node: LiteralNode, words: _Words) -> str:
    del words
    match node.value:
        case bool() as value:
            return "true" if value else "false"
        case int() | Decimal() as value:
            text = str(value) if isinstance(value, int) else format(value, "f")
            return f"({text})" if value < 0 else text
        case datetime() as value:
            return f"'{value.isoformat()}'::timestamptz"
        case date() as value:
            return f"'{value.isoformat()}'::date"
        case str() as value:
            return quote_text(value)
        case values:
            return "array[" + ", ".join(map(quote_text, values)) + "]::text[]"


@_write.register
def _function(node: FunctionNode, words: _Words) -> str:
    written = [_write(each, words) for each in node.arguments]
    if node.name in {"lower", "upper", "length"}:
        return f"{node.name}({written[0]}::text)"
    return f"{node.name}({', '.join(written)})"


@_write.register
def _extract(node: ExtractNode, words: _Words) -> str:
    item = _write(node.item, words)
    if node.item.type is ValueType.TIMESTAMP:
        item = f"({item} at time zone 'UTC')"
    return f"extract({node.part} from {item})::integer"


@_write.register
def _shift(node: ShiftNode, words: _Words) -> str:
    item = _write(node.item, words)
    interval = f"make_interval(months => {node.months}, days => {node.days}, secs => {node.seconds})"
    if node.type is ValueType.DATE:
        return f"({item} + {interval})::date"
    return f"(({item} at time zone 'UTC' + {interval}) at time zone 'UTC')"


@_write.register
def _days(node: DaysNode, words: _Words) -> str:
    return f"({_write(node.left, words)} - {_write(node.right, words)})"


@_write.register
def _midnight(node: MidnightNode, words: _Words) -> str:
    return f"({_write(node.item, words)}::timestamp at time zone 'UTC')"


@_write.register
def _logic(node: LogicNode, words: _Words) -> str:
    return "(" + (" and " if node.is_all else " or ").join(_write(each, words) for each in node.items) + ")"


@_write.register
def _not(node: NotNode, words: _Words) -> str:
    return f"(not {_write(node.item, words)})"


@_write.register
def _compare(node: CompareNode, words: _Words) -> str:
    write = _ordered if node.operator in _ORDERING else _write
    return f"({write(node.left, words)} {node.operator} {write(node.right, words)})"


@_write.register
def _in(node: InNode, words: _Words) -> str:
    return f"({_write(node.item, words)} in ({', '.join(_write(each, words) for each in node.options)}))"


@_write.register
def _between(node: BetweenNode, words: _Words) -> str:
    low, high = _ordered(node.low, words), _ordered(node.high, words)
    return f"({_ordered(node.item, words)} between {low} and {high})"


@_write.register
def _null(node: NullNode, words: _Words) -> str:
    return f"({_write(node.item, words)} is null)"


@_write.register
def _truth(node: TruthNode, words: _Words) -> str:
    return f"({_write(node.item, words)} is {'true' if node.expected else 'false'})"


@_write.register
def _like(node: LikeNode, words: _Words) -> str:
    operator = "like" if node.is_case_sensitive else "ilike"
    return f"({_write(node.item, words)} {operator} {quote_text(node.pattern)})"


@_write.register
def _member(node: MemberNode, words: _Words) -> str:
    return f"({_write(node.item, words)} = any({_write(node.tags, words)}))"


@_write.register
def _tags(node: TagsNode, words: _Words) -> str:
    return f"({_write(node.left, words)} {node.operator} {_write(node.right, words)})"
