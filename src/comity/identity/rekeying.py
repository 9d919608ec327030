"""What becomes of records' keys when their features change."""

from collections.abc import Container
from typing import Any, NamedTuple

import msgspec

from comity.identity.match import (
    LOOKUP_MARK,
    CompiledMatch,
    CompiledRule,
    Features,
    Identifier,
    Key,
    fold,
    hash_key,
    makes_key,
)


class _Concerned(NamedTuple):
    """What has to do with some features: rules (tag, whether the key is made of them), look-ups (salt, tag)."""

    rules: list[tuple[CompiledRule, int, bool]]
    lookups: list[tuple[str, bytes, int]]


class Rekeyed(msgspec.Struct):
    """What changes of features do to keys, record by record.

    `saved` are the records with their row places and features as JSON; `gone` and `fresh` the keys lost and won,
    look-ups among them; `vacated` those lost that may link records, with the record; `doubtful` the keys to be judged
    anew, each as record, digest, and most records a link allows.
    """

    saved: list[tuple[int, str, str]] = []
    gone: list[Identifier] = []
    fresh: list[Identifier] = []
    vacated: list[tuple[int, Key]] = []
    doubtful: list[tuple[int, int, int]] = []

    def add(self, other: "Rekeyed", *, without: Container[int] = ()) -> None:
        """Take over what was found elsewhere, except of some records."""
        parts: list[tuple[list[Any], list[Any], int]] = [
            (self.saved, other.saved, 0),
            (self.gone, other.gone, 1),
            (self.fresh, other.fresh, 1),
            (self.vacated, other.vacated, 0),
            (self.doubtful, other.doubtful, 0),
        ]
        for mine, theirs, place in parts:
            mine.extend([each for each in theirs if each[place] not in without] if without else theirs)


class Rekeying:
    """Gathers what changes of features do to keys, record by record; what did not change is not looked at."""

    def __init__(self, match: CompiledMatch) -> None:
        """Start with nothing."""
        self.found = Rekeyed()
        self._match = match
        self._concerned_by: dict[tuple[str, ...], _Concerned] = {}

    def note(self, record_id: int, before: Features, after: Features) -> None:
        """Take note of a record whose keys were made of `before`, by the rules in force."""
        old: dict[str, str] = {}
        new: dict[str, str] = {}
        for name in self._match.attributes:
            was, now = before.get(name), after.get(name)
            if was != now and (folded_was := fold(was)) != (folded_now := fold(now)):
                old[name], new[name] = folded_was, folded_now
        if not new:
            return
        concerned = self._find_concerned(tuple(new))
        for rule, tag, is_keyed in concerned.rules:
            key, digest = rule.key_of(new, after), 0
            if key is not None:
                digest = hash_key(rule.salt, key)
                self.found.doubtful.append((record_id, digest, rule.records_max))
            lost = rule.key_of(old, after) if is_keyed else key
            if lost == key:
                continue
            if key is not None:
                self.found.fresh.append((digest, record_id, tag))
            if lost is not None:
                self.found.gone.append((hash_key(rule.salt, lost), record_id, tag))
                self.found.vacated.append((record_id, (rule.name, lost)))
        for name, salt, tag in concerned.lookups:
            _note_lookup(self.found.gone, old[name], record_id, salt, tag)
            _note_lookup(self.found.fresh, new[name], record_id, salt, tag)

    def note_outdated(self, record_id: int, before: Features, after: tuple[Key, ...]) -> None:
        """Take note of a record whose keys were made by other rules, and are to be these."""
        match = self._match
        folded = match.folded(before)
        left = set(match.keys_of(folded)) - set(after)
        self.found.vacated += [(record_id, key) for key in left]
        self.found.gone += match.identifiers_of((key, record_id) for key in (*left, *match.lookups_of(folded)))

    def _find_concerned(self, names: tuple[str, ...]) -> _Concerned:
        found = self._concerned_by.get(names)
        if found is None:
            match = self._match
            found = self._concerned_by[names] = _Concerned(
                rules=[
                    (rule, match.tag_of(rule.name), not rule.keying.isdisjoint(names))
                    for rule in match.rules
                    if not (rule.keying | rule.guarding).isdisjoint(names)
                ],
                lookups=[
                    (name, match.salt_of(LOOKUP_MARK + name), match.tag_of(LOOKUP_MARK + name))
                    for name in match.lookups
                    if name in names
                ],
            )
        return found


def _note_lookup(identifiers: list[Identifier], value: str, record_id: int, salt: bytes, tag: int) -> None:
    if makes_key(value):
        identifiers.append((hash_key(salt, value), record_id, tag))
