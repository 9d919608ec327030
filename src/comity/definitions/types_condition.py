"""What crosses the door about conditions: the vocabulary, the compiled text, the errors."""

from typing import Any

import msgspec

from comity.definitions.condition_nodes import Node
from comity.definitions.types_attribute import AttributeType
from comity.kernel.errors import Invalid


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One word of a vocabulary: the SQL it stands for and the type of its value."""

    sql: str
    type: AttributeType


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A condition as one SQL expression, safe to put into a statement wherever its vocabulary's SQL is valid.

    The text holds no per cent sign of its own, so it may be run with or without parameters.
    """

    sql: str
    columns: frozenset[str]
    is_time_dependent: bool
    tree: Node


class ConditionInvalid(Invalid):
    """The condition is not well formed."""

    def __init__(self, message: str, *, position: int = 0, remedy: str = "") -> None:
        """Say what is wrong, at which character (from 0), and what to do."""
        details: dict[str, Any] = {"position": position, "remedy": remedy}
        super().__init__(f"{message.removesuffix('.')} (at character {position + 1}).", details=details)
        self.reason = message
        self.position = position
        self.remedy = remedy
