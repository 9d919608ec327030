"""Kinds of points of a programme: which there are, and where each is kept. Pure."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from comity.kernel.errors import ComityError, Conflict, NotFound, Refused
from comity.programme.types import LockedMember, Programme


class UnknownKind(NotFound):
    """The programme has no such kind of points."""


class KindNotSpendable(Refused):
    """Points of this kind count for tiers; they cannot be spent."""


class KindMoved(Conflict):
    """Another kind of points stands first than did, so both would be mixed. Put the kinds in their former order."""


class Kinds(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds of a programme by name: the first one, and all others it ever had."""

    first: str
    further: tuple[str, ...]
    spendable: frozenset[str]


@lru_cache(maxsize=64)
def list_kinds(programme: Programme) -> Kinds:
    """Return the kinds of points of a programme; what it has no more is kept, and cannot be spent."""
    specs = programme.spec.points_specs
    past = (each for former in programme.past for each in former.spec.points_specs[1:])
    further = dict.fromkeys(each.name for each in (*specs[1:], *past))
    return Kinds(
        first=specs[0].name,
        further=tuple(each for each in further if each != specs[0].name),
        spendable=frozenset(each.name for each in specs if each.spendable),
    )


def name_unit(programme: str, kind: str | None) -> str:
    """Return the unit of the books that points of a kind are counted in; None is the first kind.

    >>> name_unit("club", None), name_unit("club", "status")
    ('club', 'club.status')
    """
    return programme if kind is None else f"{programme}.{kind}"


def list_units(programme: Programme) -> dict[str, str | None]:
    """Return the units of a programme's books, each with its kind (None: the first)."""
    return {name_unit(programme.name, kind): kind for kind in (None, *list_kinds(programme).further)}


def split_points(points: Mapping[str, int], further: Iterable[str]) -> tuple[int, dict[str, int] | None]:
    """Return the points of the first kind, whatever it was called, and those of the others (None: none).

    >>> split_points({"coins": 3, "status": 4}, ["status"])
    (3, {'status': 4})
    """
    others = {kind: points[kind] for kind in further if points.get(kind)}
    return sum(count for kind, count in points.items() if kind not in others), others or None


def tell_points(first: str, points: int, further_points: Mapping[str, int] | None) -> dict[str, int]:
    """Return points by kind, those that are none left out."""
    return ({first: points} if points else {}) | dict(further_points or {})


def choose_kind(member: LockedMember, kind: str | None, *, is_spent: bool) -> LockedMember | ComityError:
    """Return a member as holder of the kind that was named (None: the first), or what is wrong with it."""
    known = member.list_kinds()
    details = {"programme": member.programme, "kind": kind or member.first_kind}
    if kind is not None and kind not in known:
        return UnknownKind(details={**details, "known": known})
    found = member.of_kind(kind or member.first_kind)
    return KindNotSpendable(details=details) if is_spent and not found.is_spendable else found
