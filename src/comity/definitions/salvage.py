"""What of a document with mistakes of shape can still be checked for its meaning. Pure.

What does not fit is left out, and what needs it, until the rest is a document. Its checks then say what is wrong in the
rest; they are not believed where they may speak of what was left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from comity.definitions.places import Place
from comity.definitions.shape import find_plain_misfits
from comity.definitions.types_document import SPEC_TYPES, Kind, Spec

Path = tuple[str | int, ...]

_QUOTED = re.compile(r"'([^']*)'")

ROUNDS_MAX = 12
"""So often something is left out because what it needs was left out."""


ORDERED = frozenset({"attributes", "levels"})
"""Lists whose entries are measured by each other: what leads an attribute, and the levels of a ladder."""


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """A spec as far as its shape is right; paths are those of the whole one."""

    spec: Spec
    gone: tuple[Path, ...]
    words: frozenset[str]
    kept: dict[Path, tuple[int, ...]]
    """Lists from which entries were left out: the indexes of those that stayed."""

    def to_whole(self, path: Path) -> Path:
        """Return the path in the whole spec of a path in this one."""
        return _to_whole(path, self.kept)

    def may_concern_gone(self, path: Path, text: str) -> bool:
        """Tell whether a finding (path in the whole spec, its message) may come of what was left out."""
        return any(_touches(path, gone) for gone in self.gone) or any(
            word in self.words for word in _QUOTED.findall(text)
        )


def salvage(place: Place, *, kind: Kind, misfits: Sequence[Path]) -> Rest | None:
    """Return what can be checked of a spec whose misfits are at these paths; None when nothing is left of it."""
    gone: set[Path] = set(misfits)
    for _ in range(ROUNDS_MAX):
        if () in gone:
            return None
        kept: dict[Path, tuple[int, ...]] = {}
        rest = _without(place.value, (), gone, kept)
        found = {_to_whole(path, kept) for path in find_plain_misfits(rest, SPEC_TYPES[kind])}
        if not found:
            return _convert(rest, kind, gone=gone, words=frozenset(_words_of(place.value, (), gone)), kept=kept)
        gone |= found
    return None


def _convert(
    rest: Any, kind: Kind, *, gone: set[Path], words: frozenset[str], kept: dict[Path, tuple[int, ...]]
) -> Rest | None:
    try:
        spec: Spec = msgspec.convert(rest, SPEC_TYPES[kind])
    except msgspec.ValidationError:
        return None
    return Rest(spec=spec, gone=tuple(gone), words=words, kept=kept)


def _to_whole(path: Path, kept: Mapping[Path, tuple[int, ...]]) -> Path:
    found: Path = ()
    for step in path:
        stayed = kept.get(found)
        found = (*found, stayed[step] if stayed and isinstance(step, int) and step < len(stayed) else step)
    return found


def _touches(path: Path, gone: Path) -> bool:
    """A finding above, below or beside: fields of one map speak of each other, entries of most lists do not.

    Beside a field of the whole spec is what is said of another such field as a whole.
    """
    if len(gone) == 1:
        return len(path) < 2 or path[:1] == gone
    ordered = next((place + 1 for place, step in enumerate(gone) if step in ORDERED), None)
    near = gone[:ordered] if ordered else gone[:-1] if isinstance(gone[-1], str) else gone
    return path[: len(near)] == near or gone[: len(path)] == path


def _without(value: Any, path: Path, gone: set[Path], kept: dict[Path, tuple[int, ...]]) -> Any:
    if isinstance(value, dict):
        entries: dict[str, Any] = msgspec.convert(value, dict[str, Any])
        return {
            name: _without(each, (*path, name), gone, kept)
            for name, each in entries.items()
            if (*path, name) not in gone
        }
    if isinstance(value, list):
        items: list[Any] = msgspec.convert(value, list[Any])
        stayed = tuple(index for index in range(len(items)) if (*path, index) not in gone)
        if len(stayed) < len(items):
            kept[path] = stayed
        return [_without(items[index], (*path, index), gone, kept) for index in stayed]
    return value


def _words_of(value: Any, path: Path, gone: set[Path], *, is_gone: bool = False) -> Iterator[str]:
    """Yield every name and text of what was left out: others may speak of it."""
    is_gone = is_gone or path in gone
    if isinstance(value, dict):
        entries: dict[str, Any] = msgspec.convert(value, dict[str, Any])
        for name, each in entries.items():
            if is_gone or (*path, name) in gone:
                yield name
            yield from _words_of(each, (*path, name), gone, is_gone=is_gone)
    elif isinstance(value, list):
        for index, each in enumerate(msgspec.convert(value, list[Any])):
            yield from _words_of(each, (*path, index), gone, is_gone=is_gone)
    elif isinstance(value, str) and is_gone:
        yield value
