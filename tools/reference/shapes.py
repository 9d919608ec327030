"""Types of msgspec in words, and structs as tables."""

import enum
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import inspect as shapes

WORDS = {
    shapes.StrType: "text",
    shapes.IntType: "integer",
    shapes.FloatType: "number",
    shapes.BoolType: "true or false",
    shapes.NoneType: "nothing",
    shapes.AnyType: "anything",
    shapes.DateTimeType: "timestamp",
    shapes.DateType: "date",
    shapes.UUIDType: "UUID",
    shapes.BytesType: "bytes",
    shapes.RawType: "anything",
    shapes.CustomType: "path",
}


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table, or nothing without rows."""
    if not rows:
        return []
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(cell(each) for each in line)} |" for line in lines] + [""]


def cell(text: str) -> str:
    """Return a text that stays in its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """Return a text as code."""
    return f"`{text}`"


def in_words(shape: Any, links: dict[type, str] | None = None) -> str:
    """Return a type in words; structs that are described elsewhere on the page as links."""
    links = links or {}
    if isinstance(shape, shapes.Metadata):
        return in_words(shape.type, links)
    if isinstance(shape, shapes.UnionType):
        parts = [each for each in shape.types if not isinstance(each, shapes.NoneType)]
        return " or ".join(dict.fromkeys(in_words(each, links) for each in parts))
    if isinstance(shape, shapes.StructType):
        name = name_of(shape.cls)
        return f"[{name}](#{links[shape.cls]})" if shape.cls in links else name
    return _choices(shape) or _many(shape, links) or WORDS[type(shape)] + bounds(shape)


def _choices(shape: Any) -> str:
    if isinstance(shape, shapes.EnumType):
        return ", ".join(code(each.value) for each in shape.cls)
    if isinstance(shape, shapes.LiteralType):
        return ", ".join(code(each) if each != "" else "empty" for each in shape.values)
    return ""


def _many(shape: Any, links: dict[type, str]) -> str:
    if isinstance(shape, shapes.DictType):
        return f"map of {in_words(shape.value_type, links)}"
    return f"list of {in_words(shape.item_type, links)}" if hasattr(shape, "item_type") else ""


def bounds(shape: Any) -> str:
    """Return the bounds of a number or text in words."""
    low = next((getattr(shape, name, None) for name in ("ge", "gt") if getattr(shape, name, None) is not None), None)
    high = next((getattr(shape, name, None) for name in ("le", "lt") if getattr(shape, name, None) is not None), None)
    if low is not None and high is not None:
        return f", {low:g} to {high:,g}" if high < 10**9 else f" from {low:g}"
    if low is not None:
        return f" {'above' if getattr(shape, 'gt', None) is not None else 'from'} {low:g}"
    if getattr(shape, "max_length", None):
        return f", at most {shape.max_length:,} characters" if isinstance(shape, shapes.StrType) else ""
    return ""


def name_of(cls: type) -> str:
    """Return a struct's name as people read it; kinds by their tag."""
    tag = getattr(getattr(cls, "__struct_config__", None), "tag", None)
    return code(f"kind: {tag}") if isinstance(tag, str) else cls.__name__.removesuffix("Spec")


def told_of(shape: Any) -> str:
    """Return the description a type carries."""
    if isinstance(shape, shapes.Metadata):
        own = (shape.extra_json_schema or {}).get("description", "")
        return own or told_of(shape.type)
    if isinstance(shape, shapes.UnionType):
        return next((told for each in shape.types if (told := told_of(each))), "")
    return ""


def default_of(field: Any) -> str:
    """Return a field's default as it is written in YAML."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, msgspec.Struct):
        return "its defaults"
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or value in ("", (), [], {}):
        return ""
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, tuple | list):
        return code(f"[{', '.join(map(str, value))}]")
    return code(f"{value:g}" if isinstance(value, float) else value)


def field_rows(cls: type, links: dict[type, str] | None = None) -> list[list[str]]:
    """Return a row for each field: name, type, default, meaning."""
    described = shapes.type_info(cls)
    return [
        [code(field.encode_name), in_words(field.type, links), default_of(field), told_of(field.type)]
        for field in described.fields
    ]


def structs_in(cls: type) -> Iterator[type]:
    """Yield a struct and those below it, each once, in the order they are met."""
    seen: set[type] = set()
    waiting: list[Any] = [shapes.type_info(cls)]
    while waiting:
        shape = waiting.pop(0)
        if isinstance(shape, shapes.StructType):
            if shape.cls in seen:
                continue
            seen.add(shape.cls)
            yield shape.cls
            waiting += [field.type for field in shape.fields]
        elif isinstance(shape, shapes.Metadata):
            waiting.append(shape.type)
        elif isinstance(shape, shapes.UnionType):
            waiting += shape.types
        elif isinstance(shape, shapes.DictType):
            waiting.append(shape.value_type)
        elif hasattr(shape, "item_type"):
            waiting.append(shape.item_type)


def first_paragraph(thing: object) -> str:
    """Return the first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(getattr(thing, "__doc__", None) or "").split("\n\n")[0].split())


def whole_docstring(thing: object) -> str:
    """Return a docstring, its paragraphs on one line each."""
    paragraphs = inspect.cleandoc(getattr(thing, "__doc__", None) or "").split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


def anchor(title: str) -> str:
    """Return the anchor of a heading, as Markdown readers make it."""
    kept = "".join(each for each in title.lower() if each.isalnum() or each in " -_")
    return kept.replace(" ", "-")
