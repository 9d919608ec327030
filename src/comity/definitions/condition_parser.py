"""Parse the text of a condition; bound its size before anything recursive sees it."""

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from comity.definitions.condition_nodes import Node, ValueType
from comity.definitions.condition_tree import Converter
from comity.definitions.types_condition import ConditionInvalid
from comity.definitions.types_rules import CONDITION_LENGTH_MAX

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # It warns of what we refuse with a better message.

TOKENS_MAX = 1_000
NESTING_MAX = 40


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """The tree of a condition and what it speaks of."""

    tree: Node
    columns: frozenset[str]
    is_time_dependent: bool


def parse(text: str, *, types: Mapping[str, ValueType]) -> Parsed:
    """Parse a condition over words of these types. Raises ConditionInvalid; pure, and the same every time."""
    _check_size(text)
    try:
        root = sqlglot.parse_one(text, into=exp.Condition, dialect="postgres")
        converter = Converter(types)
        tree = converter.convert(root)
    except ParseError as error:
        raise _syntax_error(text, error) from error
    except (SqlglotError, RecursionError, ValueError) as error:
        raise _not_understood(text) from error
    if tree.type is not ValueType.BOOLEAN:
        raise ConditionInvalid(
            f"The condition is a {tree.type}, not true or false.", remedy="Compare it, e.g. country = 'DE'."
        )
    return Parsed(tree=tree, columns=frozenset(converter.columns), is_time_dependent=converter.is_time_dependent)


def _check_size(text: str) -> None:
    if not text.strip():
        raise ConditionInvalid("The condition is empty.", remedy="Write one, e.g. country = 'DE', or leave it out.")
    if len(text) > CONDITION_LENGTH_MAX:
        raise ConditionInvalid(f"The condition is longer than {CONDITION_LENGTH_MAX} characters.", remedy="Shorten it.")
    strange = next(
        (i for i, c in enumerate(text) if (c < " " and c not in "\t\r\n") or "\ud800" <= c <= "\udfff"), None
    )
    if strange is not None:
        raise ConditionInvalid("There is a control character.", position=strange, remedy="Remove it.")
    try:
        tokens = sqlglot.tokenize(text, read="postgres")
    except (SqlglotError, ValueError) as error:
        raise _not_understood(text) from error
    depth = run = 0
    for token in tokens:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        run = run + 1 if token.text.lower() in {"not", "-", "~", "+", "@", "case", "interval"} else 0
        if depth > NESTING_MAX or run > NESTING_MAX:
            raise ConditionInvalid("The condition is nested too deeply.", position=token.start, remedy="Split it.")
    if len(tokens) > TOKENS_MAX:
        raise ConditionInvalid(f"The condition has more than {TOKENS_MAX} words.", remedy="Shorten it.")


def _syntax_error(text: str, error: ParseError) -> ConditionInvalid:
    first: dict[str, Any] = error.errors[0] if error.errors else {}
    lines = text.splitlines(keepends=True)
    line = min(int(first.get("line") or 1), max(len(lines), 1))
    word = str(first.get("highlight") or "")
    position = sum(map(len, lines[: line - 1])) + int(first.get("col") or 0) - len(word)
    position = max(0, min(position, len(text)))
    near = f" near '{word[:40]}'" if word else ""
    return ConditionInvalid(
        f"This is no condition{near}.",
        position=position,
        remedy="Write a SQL boolean expression such as country = 'DE' and birth_date < today - interval '18 years'.",
    )


def _not_understood(text: str) -> ConditionInvalid:
    if text.count("'") % 2:
        return ConditionInvalid(
            "A text in quotes is not closed.",
            position=text.rfind("'"),
            remedy="Close it with '; write '' for a quote inside it.",
        )
    return ConditionInvalid("The condition is not understood.", remedy="Write it more simply.")
