"""Specification of kind `rules`: which of several observations is the golden value."""

import enum
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from comity.definitions.types_attribute import AttributeType

CONDITION_LENGTH_MAX = 4_000

ConditionText = Annotated[
    str, Meta(min_length=1, max_length=CONDITION_LENGTH_MAX, description="A SQL boolean expression over attributes.")
]


class RuleKind(enum.StrEnum):
    """How a golden value is chosen."""

    MOST_RECENT = "most_recent"
    SYSTEM_OF_RECORD = "system_of_record"
    MERGE = "merge"


class MergeKind(enum.StrEnum):
    """How values are merged into one; which kinds fit depends on the type of the attribute."""

    UNION = "union"
    LONGEST = "longest"
    MAX = "max"
    MIN = "min"
    ALL = "all"
    ANY = "any"


_ORDERED = frozenset({AttributeType.INTEGER, AttributeType.MONEY, AttributeType.DATE, AttributeType.TIMESTAMP})

MERGE_TYPES: Mapping[MergeKind, frozenset[AttributeType]] = {
    MergeKind.UNION: frozenset({AttributeType.TAGS}),
    MergeKind.LONGEST: frozenset({AttributeType.TEXT, AttributeType.EMAIL, AttributeType.PHONE}),
    MergeKind.MAX: _ORDERED,
    MergeKind.MIN: _ORDERED,
    MergeKind.ALL: frozenset({AttributeType.BOOLEAN}),
    MergeKind.ANY: frozenset({AttributeType.BOOLEAN}),
}
"""Which types of attributes each kind of merge fits."""


class DefaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rule of every attribute that no other rule names."""

    rule: RuleKind = RuleKind.MOST_RECENT
    systems: tuple[str, ...] = ()


class AttributeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rule of some attributes or groups; of several entries the first whose `when` holds counts.

    `systems` is the order of precedence of `system_of_record`; for the other rules it names the only systems that
    take part.
    """

    of: Annotated[tuple[str, ...], Meta(min_length=1, max_length=500)]
    rule: RuleKind
    systems: tuple[str, ...] = ()
    when: ConditionText | None = None
    merge: MergeKind | None = None


class RulesSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Orchestration rules: the golden value as a function of the observations."""

    default: DefaultRule = DefaultRule()
    attributes: tuple[AttributeRule, ...] = ()
