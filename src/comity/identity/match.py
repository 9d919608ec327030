"""Match rules compiled: keys of a record, and what the guards say of a pair."""

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from rapidfuzz.distance import JaroWinkler

from comity.definitions.types import (
    AttributeSpec,
    AttributeType,
    Comparison,
    KeyPart,
    MatchRule,
    MatchSpec,
    PrefixTransform,
    Transform,
)
from comity.identity.phonetic import metaphone, soundex
from comity.identity.types import MatchInvalid

Features = Mapping[str, str | None]
NOTHING: Final[Features] = MappingProxyType({})
Key = tuple[str, str]
"""A rule's name and the key value."""
Verdict = Literal["accept", "conflict", "no_agreement"]


Identifier = tuple[int, int, int]
"""A key of a record as it is stored: the digest of the key, the record, the tag of the rule."""


KEY_SEPARATOR: Final = "\x1f"
KEY_CHARS_MAX: Final = 1_000
"""A longer key makes no link: an index entry has its limit, and so has a name."""
LOOKUP_MARK: Final = "@"
FOLDED_MAX: Final = 65_536
"""Folded values remembered: names, places and dates come again and again."""
_LOOKUP_TYPES: Final = (AttributeType.EMAIL, AttributeType.PHONE)


@lru_cache(maxsize=FOLDED_MAX)
def fold(value: str | None) -> str:
    """Write a value as matching compares it: lower case, no accents, single spaces."""
    if not value:
        return ""
    if value.isascii():
        return " ".join(value.lower().split())
    plain = unicodedata.normalize("NFKD", value.casefold())
    bare = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return " ".join(unicodedata.normalize("NFC", bare).casefold().split())


def transformer(transform: Transform | PrefixTransform) -> Callable[[str], str]:
    """Give the function a transform does to a folded value; an empty result makes no key."""
    if isinstance(transform, PrefixTransform):
        length = transform.prefix
        return lambda text: text[:length]
    return _TRANSFORMS[transform]


def _same(text: str) -> str:
    return text


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter in "0123456789")


def _alnum(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def _year(text: str) -> str:
    return text[:4] if text[:4].isdecimal() else ""


_TRANSFORMS: Final[Mapping[Transform, Callable[[str], str]]] = {
    Transform.LOWER: _same,
    Transform.SOUNDEX: soundex,
    Transform.METAPHONE: metaphone,
    Transform.DIGITS: _digits,
    Transform.ALNUM: _alnum,
    Transform.YEAR: _year,
}


def values_agree(comparison: Comparison, value_a: str, value_b: str) -> bool:
    """Hold two folded values, both present, against each other."""
    if value_a == value_b:
        return True
    least = comparison.similar_min
    return least is not None and JaroWinkler.similarity(value_a, value_b) >= least


class CompiledRule:
    """One rule, ready for use; `priority` counts from 0, strongest first."""

    def __init__(self, rule: MatchRule, priority: int) -> None:
        """Compile the key and the guards."""
        self.name = rule.name
        self.priority = priority
        self.records_max = rule.records_max
        self.parts: tuple[KeyPart, ...] = rule.key_parts
        self.agree = rule.agree
        self.conflict = rule.conflict_guard
        self._parts = tuple((part.attribute, transformer(part.transform)) for part in self.parts)

        self.salt = msgspec.json.encode((rule.name, self.parts)) + KEY_SEPARATOR.encode()
        """What its keys are hashed with; it tells how a key is made, and nothing of guards."""
        guards = (rule.agree, rule.conflict_guard)
        self.keying = frozenset(part.attribute for part in self.parts)
        """Attributes the key is made of."""
        self.guarding = frozenset(each.attribute for guard in guards if guard is not None for each in guard.comparisons)
        """Attributes the guards look at."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes the rule looks at."""
        return tuple(self.keying | self.guarding)

    def key_of(self, folded: Mapping[str, str], features: Features = NOTHING) -> str | None:
        """Make the key of folded features, and of others where those have none; None when a part is missing."""
        values: list[str] = []
        for attribute, transform in self._parts:
            value = folded.get(attribute)
            if value is None:
                value = fold(features.get(attribute))
            if value:
                value = transform(value)
            if not value:
                return None
            values.append(value)
        key = KEY_SEPARATOR.join(values)
        return key if makes_key(key) else None

    def judge(self, folded_a: Mapping[str, str], folded_b: Mapping[str, str]) -> Verdict:
        """Say what the guards say of two records that share the key."""
        if self.agree is not None and count_agreeing(self.agree.comparisons, folded_a, folded_b) < self.agree.at_least:
            return "no_agreement"
        if (
            self.conflict is not None
            and count_differing(self.conflict.comparisons, folded_a, folded_b) > self.conflict.at_most
        ):
            return "conflict"
        return "accept"


def count_agreeing(comparisons: Sequence[Comparison], folded_a: Mapping[str, str], folded_b: Mapping[str, str]) -> int:
    """Count the attributes present on both sides that agree."""
    return sum(
        1
        for each in comparisons
        if (value_a := folded_a.get(each.attribute))
        and (value_b := folded_b.get(each.attribute))
        and values_agree(each, value_a, value_b)
    )


def count_differing(comparisons: Sequence[Comparison], folded_a: Mapping[str, str], folded_b: Mapping[str, str]) -> int:
    """Count the attributes present on both sides that differ."""
    return sum(
        1
        for each in comparisons
        if (value_a := folded_a.get(each.attribute))
        and (value_b := folded_b.get(each.attribute))
        and not values_agree(each, value_a, value_b)
    )


def hash_key(salt: bytes, value: str) -> int:
    """Digest a key value to 64 bits (BLAKE2b, RFC 7693). Who compares by it looks at the records themselves as well."""
    return int.from_bytes(hashlib.blake2b(salt + value.encode(), digest_size=8).digest(), "little", signed=True)


def makes_key(value: str) -> bool:
    """True when a folded value can be stored as a key."""
    return 0 < len(value) <= KEY_CHARS_MAX


def lookup_salt(attribute: str) -> bytes:
    """Return what tells keys for finding people by this attribute from others."""
    return f"{LOOKUP_MARK}{attribute}{KEY_SEPARATOR}".encode()


class CompiledMatch:
    """Match rules in force, ready for use; made by `compile_match`, shared by threads.

    `attributes` are the features a record's facts must hold. `match_hash` changes with anything that changes keys.
    """

    def __init__(self, spec: MatchSpec | None, *, lookups: tuple[str, ...]) -> None:
        """Compile the rules; `lookups` are attributes by whose value people are found."""
        self.rules = tuple(CompiledRule(rule, at) for at, rule in enumerate(spec.rules if spec else ()))
        self.rule_by_name = {rule.name: rule for rule in self.rules}
        self.lookups = lookups
        self.per_system_max = spec.per_system_max if spec else None
        looked_at = [attribute for rule in self.rules for attribute in rule.attributes]
        self.attributes = tuple(sorted({*looked_at, *lookups}))
        self.looked_at = frozenset(self.attributes)
        self._salts = {rule.name: rule.salt for rule in self.rules}
        self._salts.update((LOOKUP_MARK + name, lookup_salt(name)) for name in lookups)
        self._tags = {name: _tag(salt) for name, salt in self._salts.items()}
        digest = hashlib.blake2b(msgspec.json.encode((spec, lookups)), digest_size=8).digest()
        self.match_hash = int.from_bytes(digest, signed=True)

    @property
    def rule_tags(self) -> tuple[int, ...]:
        """What marks the keys that these rules make."""
        return tuple(self._tags.values())

    def salt_of(self, name: str) -> bytes:
        """Return what the keys of a rule (or @attribute) are hashed with."""
        return self._salts[name]

    def tag_of(self, name: str) -> int:
        """Return what marks the keys of a rule (or @attribute)."""
        return self._tags[name]

    def hash_of(self, key: Key) -> int:
        """Digest a key."""
        return hash_key(self._salts[key[0]], key[1])

    def identifiers_of(self, keys: Iterable[tuple[Key, int]]) -> list[Identifier]:
        """Write keys as they are stored, each given with its record."""
        return [(self.hash_of(key), record_id, self._tags[key[0]]) for key, record_id in keys]

    def folded(self, features: Features) -> dict[str, str]:
        """Fold the features that matching looks at."""
        return {name: fold(features.get(name)) for name in self.attributes}

    def keys_of(self, folded: Mapping[str, str]) -> tuple[Key, ...]:
        """Make the keys of a record that may link it, strongest rule first."""
        return tuple((rule.name, key) for rule in self.rules if (key := rule.key_of(folded)) is not None)

    def lookups_of(self, folded: Mapping[str, str]) -> tuple[Key, ...]:
        """Make the identifiers by which people are found."""
        return tuple(
            (LOOKUP_MARK + name, value) for name in self.lookups if (value := folded.get(name)) and makes_key(value)
        )


def _tag(salt: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(salt, digest_size=4).digest(), "little", signed=True)


def compile_match(spec: MatchSpec | None, *, attributes: Mapping[str, AttributeSpec | AttributeType]) -> CompiledMatch:
    """Compile match rules; None links nothing (every record is a person of its own).

    Raises MatchInvalid when a rule names an attribute that does not exist, or two rules share a name.
    """
    types = {name: each if isinstance(each, AttributeType) else each.type for name, each in attributes.items()}
    lookups = tuple(sorted(name for name, each in types.items() if each in _LOOKUP_TYPES))
    match = CompiledMatch(spec, lookups=lookups)
    unknown = sorted(set(match.attributes) - set(types))
    if unknown:
        raise MatchInvalid(
            f"Match rules name unknown attributes: {', '.join(unknown)}. Define them or correct the rules.",
            details={"unknown": unknown},
        )
    if len(match.rule_by_name) != len(match.rules):
        raise MatchInvalid("Two match rules have the same name. Give each rule a name of its own.")
    return match
