"""Hold a value against the struct it should become, and find everything that does not fit, not only the first thing."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from msgspec import inspect

from comity.definitions.places import Field, Place
from comity.definitions.types_attribute import ATTRIBUTE_NAME
from comity.definitions.types_points import PART_NAME
from comity.definitions.types_system import SecretSpec

FOUND_LENGTH_MAX = 40

FORMS = {
    ATTRIBUTE_NAME: "Write lower-case letters, digits and single underscores between them, beginning with a letter.",
    PART_NAME: "Write lower-case letters, digits and _, beginning with a letter, 41 characters at most.",
    r"^[a-z][a-z0-9_]*$": "Write lower-case letters, digits and _, beginning with a letter.",
    r"^\d\d-\d\d$": "Write month and day with two digits each, such as 04-01.",
    r"^[A-Z]{3}$": "Write the three capital letters of a currency, such as EUR (ISO 4217).",
    r"^[A-Z]{2}$": "Write the two capital letters of a country, such as DE (ISO 3166).",
}
"""Patterns of the specs, in words."""


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not fit, and where."""

    path: tuple[str | int, ...]
    line: int
    column: int
    message: str
    remedy: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """The same without a line, for values that come from no file; fits `Finding`."""

    field: str
    message: str
    remedy: str


def find_misfits(place: Place, wanted: type[msgspec.Struct], *, path: tuple[str | int, ...] = ()) -> list[Misfit]:
    """Find all misfits of a value with a struct type; pure. An empty list means that msgspec will convert it."""
    return list(_check(place, inspect.type_info(wanted), path))


def find_plain_misfits(value: Any, wanted: type[msgspec.Struct]) -> list[tuple[str | int, ...]]:
    """Find the paths of all misfits of a plain value."""
    return [each.path for each in find_misfits(_without_places(value), wanted)]


def find_faults(values: Mapping[str, Any], wanted: type[msgspec.Struct], *, under: str) -> list[Fault]:
    """Find everything in plain values that does not fit a struct, e.g. a system's settings and its connector's.

    `under` is the field the values stand in. What this cannot judge it lets pass; msgspec has the last word.
    """
    return [
        Fault(field=name_path((under, *each.path)), message=each.message, remedy=each.remedy)
        for each in find_misfits(_without_places(dict(values)), wanted)
    ]


def _without_places(value: Any) -> Place:
    if isinstance(value, dict):
        entries: dict[str, Any] = msgspec.convert(value, dict[str, Any])
        fields = {name: Field(place=_without_places(inner), line=1, column=1) for name, inner in entries.items()}
        return Place(value=value, line=1, column=1, fields=fields)
    if isinstance(value, list):
        items: list[Any] = msgspec.convert(value, list[Any])
        return Place(value=value, line=1, column=1, items=[_without_places(inner) for inner in items])
    return Place(value=value, line=1, column=1)


def name_path(path: Sequence[str | int]) -> str:
    """Write a path as people do: `fields[2].lens`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def suggest(word: str, known: Sequence[str], *, what: str) -> str:
    """Say which known word was probably meant, and which there are."""
    close = difflib.get_close_matches(word, known, n=1)
    listing = ", ".join(sorted(known)[:25])
    allowed = f"{what}: {listing}." if known else f"There are no {what.lower()} yet."
    return f"Did you mean '{close[0]}'? {allowed}" if close else allowed


def _misfit(place: Place, path: tuple[str | int, ...], message: str, remedy: str) -> Misfit:
    return Misfit(path=path, line=place.line, column=place.column, message=message, remedy=remedy)


def _check(place: Place, wanted: inspect.Type, path: tuple[str | int, ...]) -> Iterator[Misfit]:
    match wanted:
        case inspect.Metadata():
            yield from _check(place, wanted.type, path)
        case inspect.AnyType():
            return
        case inspect.UnionType():
            yield from _check_union(place, wanted, path)
        case inspect.StructType() if isinstance(place.value, dict):
            yield from _check_struct(place, wanted, path)
        case inspect.VarTupleType() | inspect.ListType() if isinstance(place.value, list):
            yield from _check_length(place, wanted, path, "entries")
            for index, item in enumerate(place.items):
                yield from _check(item, wanted.item_type, (*path, index))
        case inspect.DictType() if isinstance(place.value, dict):
            for name, field in place.fields.items():
                yield from _check(field.place, wanted.value_type, (*path, name))
        case _:
            yield from _check_scalar(place, wanted, path)


def _check_union(place: Place, wanted: inspect.UnionType, path: tuple[str | int, ...]) -> Iterator[Misfit]:
    shapes = list(_members(wanted))
    tagged = [each for each in map(_bare, shapes) if isinstance(each, inspect.StructType) and each.tag_field]
    if tagged and isinstance(place.value, dict):
        yield from _check_tagged(place, tagged, path)
        return
    fitting = [each for each in shapes if _is_kind(place.value, _bare(each))]
    if fitting:
        yield from _check(place, fitting[0], path)
        return
    yield _mismatch(place, path, _name(wanted))


def _check_tagged(place: Place, shapes: list[inspect.StructType], path: tuple[str | int, ...]) -> Iterator[Misfit]:
    name = shapes[0].tag_field or ""
    said = place.get(name)
    chosen = next((each for each in shapes if each.tag == said), None)
    if chosen is not None:
        yield from _check_struct(place, chosen, path)
        return
    tags = [str(each.tag) for each in shapes]
    line, column = place.find((name,))
    if name in place.fields:
        message = f"'{str(said)[:FOUND_LENGTH_MAX]}' is not one of the allowed values."
        remedy = suggest(str(said), tags, what="Allowed values")
    else:
        message = f"The field '{name}' is missing."
        remedy = f"Add `{name}:` with one of {', '.join(tags)}."
    yield Misfit(path=(*path, name), line=line, column=column, message=message, remedy=remedy)


def _members(wanted: inspect.UnionType) -> Iterator[inspect.Type]:
    """List what a union is made of; a union inside it counts with its own members."""
    for each in wanted.types:
        bare = _bare(each)
        if isinstance(bare, inspect.UnionType):
            yield from _members(bare)
        else:
            yield each


def _bare(wanted: inspect.Type) -> inspect.Type:
    return _bare(wanted.type) if isinstance(wanted, inspect.Metadata) else wanted


_PYTHON_TYPES: dict[type[inspect.Type], tuple[type, ...]] = {
    inspect.StructType: (dict,),
    inspect.DictType: (dict,),
    inspect.VarTupleType: (list,),
    inspect.ListType: (list,),
    inspect.LiteralType: (str, int),
    inspect.StrType: (str,),
    inspect.EnumType: (str,),
    inspect.BoolType: (bool,),
    inspect.IntType: (int,),
    inspect.FloatType: (int, float),
    inspect.NoneType: (type(None),),
    inspect.DateType: (str,),
}
_NAMES: dict[type[inspect.Type], str] = {
    inspect.DictType: "a map",
    inspect.VarTupleType: "a list",
    inspect.ListType: "a list",
    inspect.StrType: "a text",
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.DateType: "a date",
}


def _is_kind(value: Any, wanted: inspect.Type) -> bool:
    fits = isinstance(value, _PYTHON_TYPES.get(type(wanted), ()))
    return fits and (not isinstance(value, bool) or isinstance(wanted, inspect.BoolType))


def _name(wanted: inspect.Type) -> str:
    match _bare(wanted):
        case inspect.StructType() as struct:
            return "a map with " + ", ".join(field.encode_name for field in struct.fields)
        case inspect.EnumType() | inspect.LiteralType() as choice:
            return "one of " + ", ".join(_allowed(choice))
        case inspect.UnionType() as union:
            return " or ".join(_name(each) for each in _members(union) if not isinstance(_bare(each), inspect.NoneType))
        case bare:
            return _NAMES.get(type(bare), "something else")


def _allowed(wanted: inspect.EnumType | inspect.LiteralType) -> list[str]:
    if isinstance(wanted, inspect.EnumType):
        return [str(each.value) for each in wanted.cls]
    return [str(each) for each in wanted.values]


def _mismatch(place: Place, path: tuple[str | int, ...], expected: str) -> Misfit:
    value = place.value
    if value is None:
        found = "nothing"
    elif isinstance(value, dict):
        found = "a map"
    elif isinstance(value, list):
        found = "a list"
    else:
        shown = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
        found = f"{'the text ' if isinstance(value, str) else ''}'{str(shown)[:FOUND_LENGTH_MAX]}'"
    remedy = f"Write {expected} here."
    if isinstance(value, int | float) and expected == "a text":
        remedy = "Put it in quotes."
    if isinstance(value, str) and expected in {"a whole number", "a number"} and _looks_numeric(value):
        remedy = "Write the number without quotes."
    return _misfit(place, path, f"Expected {expected}, found {found}.", remedy)


def _is_date(text: str) -> bool:
    try:
        return msgspec.convert(text, date).isoformat() == text
    except msgspec.ValidationError:
        return False


def _looks_numeric(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _clear_secret(place: Place, path: tuple[str | int, ...]) -> Misfit:
    return _misfit(
        place,
        path,
        "A secret is written in the file itself.",
        "Write {env: NAME} or {file: path} instead, and replace this secret, since the file has been seen.",
    )


def _check_struct(place: Place, wanted: inspect.StructType, path: tuple[str | int, ...]) -> Iterator[Misfit]:
    known = {field.encode_name: field for field in wanted.fields}
    for name, found in place.fields.items():
        if name in known:
            yield from _check(found.place, known[name].type, (*path, name))
        elif wanted.cls is SecretSpec:
            yield _clear_secret(found.place, path)
        elif wanted.forbid_unknown_fields and name != wanted.tag_field:
            message = f"Unknown field '{name[:60]}'."
            remedy = suggest(name, list(known), what="Allowed fields")
            yield Misfit(path=(*path, name), line=found.line, column=found.column, message=message, remedy=remedy)
    for name, field in known.items():
        if field.required and name not in place.fields:
            yield _misfit(place, path, f"The field '{name}' is missing.", f"Add `{name}:` with {_name(field.type)}.")


def _check_scalar(place: Place, wanted: inspect.Type, path: tuple[str | int, ...]) -> Iterator[Misfit]:
    if isinstance(wanted, inspect.StructType) and wanted.cls is SecretSpec:
        yield _clear_secret(place, path)
    elif type(wanted) not in _PYTHON_TYPES:
        return
    elif not _is_kind(place.value, wanted):
        yield _mismatch(place, path, _name(wanted))
    elif isinstance(wanted, inspect.EnumType | inspect.LiteralType):
        allowed = _allowed(wanted)
        if str(place.value) not in allowed:
            message = f"'{str(place.value)[:FOUND_LENGTH_MAX]}' is not one of the allowed values."
            yield _misfit(place, path, message, suggest(str(place.value), allowed, what="Allowed values"))
    elif isinstance(wanted, inspect.StrType):
        yield from _check_length(place, wanted, path, "characters")
        if wanted.pattern and not re.search(wanted.pattern, place.value):
            message = f"'{place.value[:FOUND_LENGTH_MAX]}' does not have the right form."
            yield _misfit(place, path, message, FORMS.get(wanted.pattern, f"It must fit {wanted.pattern}."))
    elif isinstance(wanted, inspect.IntType | inspect.FloatType):
        yield from _check_range(place, wanted, path)
    elif isinstance(wanted, inspect.DateType) and not _is_date(place.value):
        yield _misfit(place, path, f"'{place.value[:FOUND_LENGTH_MAX]}' is not a date.", "Write it as 2026-01-31.")


def _check_length(
    place: Place,
    wanted: inspect.StrType | inspect.VarTupleType | inspect.ListType,
    path: tuple[str | int, ...],
    what: str,
) -> Iterator[Misfit]:
    length = len(place.value)
    if wanted.min_length is not None and length < wanted.min_length:
        yield _misfit(
            place, path, "It is empty." if not length else "It is too short.", f"At least {wanted.min_length} {what}."
        )
    if wanted.max_length is not None and length > wanted.max_length:
        yield _misfit(place, path, f"It is too long ({length} {what}).", f"At most {wanted.max_length} {what}.")


def _check_range(
    place: Place, wanted: inspect.IntType | inspect.FloatType, path: tuple[str | int, ...]
) -> Iterator[Misfit]:
    value = place.value
    bounds = (
        (wanted.ge is not None and value < wanted.ge, f"at least {wanted.ge}"),
        (wanted.gt is not None and value <= wanted.gt, f"more than {wanted.gt}"),
        (wanted.le is not None and value > wanted.le, f"at most {wanted.le}"),
        (wanted.lt is not None and value >= wanted.lt, f"less than {wanted.lt}"),
    )
    for is_outside, bound in bounds:
        if is_outside:
            yield _misfit(place, path, f"{value} is out of range.", f"Write a number of {bound}.")
