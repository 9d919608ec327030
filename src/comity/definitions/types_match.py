"""Specification of kind `match`: which records are the same person."""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta


class Transform(enum.StrEnum):
    """What is done to a value before it becomes part of a key; keys are always lower case."""

    LOWER = "lower"
    SOUNDEX = "soundex"
    METAPHONE = "metaphone"
    DIGITS = "digits"
    ALNUM = "alnum"
    YEAR = "year"


class PrefixTransform(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only the first characters count."""

    prefix: Annotated[int, Meta(ge=1, le=64, description="How many characters count.")]


class KeyPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One part of a key: an attribute and what is done to its value."""

    attribute: Annotated[str, Meta(min_length=1)]
    transform: Transform | PrefixTransform = Transform.LOWER


class SimilarCompare(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values agree when they are at least this similar (0 to 1, Jaro-Winkler)."""

    similar: Annotated[float, Meta(gt=0, le=1)]


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How two values of one attribute are held against each other; equality unless said otherwise."""

    attribute: Annotated[str, Meta(min_length=1)]
    compare: SimilarCompare | None = None

    @property
    def similar_min(self) -> float | None:
        """Least similarity that counts as agreement, or None for equality."""
        return self.compare.similar if self.compare else None


def _comparisons(of: tuple[str | Comparison, ...]) -> tuple[Comparison, ...]:
    return tuple(Comparison(attribute=each) if isinstance(each, str) else each for each in of)


class Agreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Guard of a pair: at least so many of these are present on both sides and agree."""

    at_least: Annotated[int, Meta(ge=1, le=100)]
    of: Annotated[tuple[str | Comparison, ...], Meta(min_length=1, max_length=100)]

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparisons, each in its long form."""
        return _comparisons(self.of)


class Conflict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Guard of a pair: at most so many of these may be present on both sides and differ."""

    of: Annotated[tuple[str | Comparison, ...], Meta(min_length=1, max_length=100)]
    at_most: Annotated[int, Meta(ge=0, le=100)] = 0

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparisons, each in its long form."""
        return _comparisons(self.of)


class MatchRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Records with the same key are the same person, unless a guard says no."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
    key: Annotated[tuple[str | KeyPart, ...], Meta(min_length=1, max_length=16)]
    agree: Agreement | None = None
    conflict: tuple[str, ...] | Conflict = ()
    records_max: Annotated[int, Meta(ge=2, le=10_000, description="A key shared by more records makes no link.")] = 10

    @property
    def key_parts(self) -> tuple[KeyPart, ...]:
        """The key, each part in its long form."""
        return tuple(KeyPart(attribute=part) if isinstance(part, str) else part for part in self.key)

    @property
    def conflict_guard(self) -> Conflict | None:
        """The conflict guard in its long form, or None."""
        if isinstance(self.conflict, Conflict):
            return self.conflict
        return Conflict(of=self.conflict) if self.conflict else None


class MatchSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rules that link records, strongest first."""

    rules: Annotated[tuple[MatchRule, ...], Meta(min_length=1, max_length=100)]
    per_system_max: Annotated[int, Meta(ge=1, description="Records of one system in a profile at most.")] | None = None
