"""Ways to walk through a list in pages, as data. None of them follows the same token twice."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from comity.connect.paths import text_at
from comity.connect.types import CallFailed, ErrorClass

_LINK_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?')


class NoPaging(Struct, frozen=True, kw_only=True, tag="none", tag_field="kind", forbid_unknown_fields=True):
    """The answer is the whole list."""


class NextLink(Struct, frozen=True, kw_only=True, tag="next_link", tag_field="kind", forbid_unknown_fields=True):
    """The answer holds the URL of the next page at `path`, or in the Link header when `path` is empty."""

    path: str = ""


class NextToken(Struct, frozen=True, kw_only=True, tag="token", tag_field="kind", forbid_unknown_fields=True):
    """The answer holds a token at `path`, sent back as the query parameter `param`."""

    path: str
    param: str


class Offset(Struct, frozen=True, kw_only=True, tag="offset", tag_field="kind", forbid_unknown_fields=True):
    """Pages by the number of records to skip; an empty page is the end: a system may give less than was asked for."""

    param: str = "offset"
    size: int = 100
    size_param: str | None = "limit"


class PageNumber(Struct, frozen=True, kw_only=True, tag="page", tag_field="kind", forbid_unknown_fields=True):
    """Pages by number; an empty page is the end, since a system may give less than was asked for."""

    param: str = "page"
    first: int = 1
    size: int = 100
    size_param: str | None = "per_page"


class Keyset(Struct, frozen=True, kw_only=True, tag="keyset", tag_field="kind", forbid_unknown_fields=True):
    """Each page starts after the last record of the one before: its value at `path` goes back as `param`."""

    param: str
    path: str
    size: int = 100
    size_param: str | None = "limit"


Paging = NoPaging | NextLink | NextToken | Offset | PageNumber | Keyset


class Place(Struct, frozen=True, kw_only=True):
    """Where a walk is: what to add to the query, or the URL to follow instead; `seen` tells the page before it."""

    params: Mapping[str, str] = {}
    url: str | None = None
    seen: str = ""


def first_place(paging: Paging) -> Place:
    """Where a walk begins."""
    match paging:
        case Offset():
            return Place(params={paging.param: "0"} | _size(paging.size_param, paging.size))
        case PageNumber():
            return Place(params={paging.param: str(paging.first)} | _size(paging.size_param, paging.size))
        case Keyset():
            return Place(params=_size(paging.size_param, paging.size))
        case _:
            return Place()


def next_place(
    paging: Paging, place: Place, document: Any, *, records: Sequence[Any], link_header: str | None = None
) -> Place | None:
    """Where the next page is, None after the last one. Raises `CallFailed` when the system points to the same page."""
    following: Place | None = None
    match paging:
        case NoPaging():
            return None
        case NextLink():
            found = text_at(document, paging.path) if paging.path else _link(link_header)
            following = Place(url=found) if found else None
        case NextToken():
            token = text_at(document, paging.path)
            following = Place(params={paging.param: token}) if token else None
        case _ if not records:
            return None
        case Offset():
            following = _count_on(paging.param, place, records, step=len(records))
        case PageNumber():
            following = _count_on(paging.param, place, records, step=1)
        case Keyset():
            last = text_at(records[-1], paging.path)
            if last is None:
                message = (
                    f"The last record of a page has nothing at {paging.path}, so the next page cannot be asked for."
                )
                raise CallFailed(error_class=ErrorClass.UNKNOWN, message=message)
            following = Place(params={**place.params, paging.param: last})
    if following is not None and following == place:
        raise CallFailed(error_class=ErrorClass.UNKNOWN, message="The system points from a page to the same page.")
    return following


def _count_on(param: str, place: Place, records: Sequence[Any], *, step: int) -> Place:
    seen = _digest(records)
    if seen == place.seen:
        message = f"The system gives the same page again whatever {param!r} says; correct the paging."
        raise CallFailed(error_class=ErrorClass.UNKNOWN, message=message)
    return Place(params={**place.params, param: str(int(place.params[param]) + step)}, seen=seen)


def _digest(records: Sequence[Any]) -> str:
    return hashlib.blake2b(msgspec.json.encode(records, enc_hook=str), digest_size=8).hexdigest()


def _size(name: str | None, size: int) -> dict[str, str]:
    return {name: str(size)} if name else {}


def _link(link_header: str | None) -> str | None:
    found = _LINK_NEXT.search(link_header or "")
    return found.group(1) if found else None
