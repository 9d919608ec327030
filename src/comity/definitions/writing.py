"""Write plain values as YAML that every reader, of version 1.1 or 1.2, takes the same way."""

import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*$")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def write_yaml(value: dict[str, Any]) -> str:
    r"""Write a map in block style; texts that could be taken for something else are quoted.

    >>> write_yaml({"country": "NO", "tiers": [{"name": "Blue"}]})
    'country: "NO"\ntiers:\n  - name: Blue\n'
    """
    return "".join(f"{line}\n" for line in _block(value))


def _block(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        fields: dict[str, Any] = msgspec.convert(value, dict[str, Any])
        for name, inner in fields.items():
            yield from _entry(f"{_text(name)}:", inner)
    else:
        items: list[Any] = msgspec.convert(value, list[Any])
        for item in items:
            if isinstance(item, dict | list) and item:
                first, *rest = _block(item)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
            else:
                yield f"- {_scalar(item)}"


def _entry(label: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield label
        yield from (f"  {line}" for line in _block(value))
    else:
        yield f"{label} {_scalar(value)}"


def _scalar(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and math.fabs(value) < 1e15 else repr(value)
        case str():
            return _text(value)
        case _:
            return "{}" if isinstance(value, dict) else "[]"


def _text(value: str) -> str:
    if _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    return '"' + "".join(map(_letter, value)) + '"'


def _letter(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter.isprintable() and letter != "\ufeff":
        return letter
    return f"\\U{ord(letter):08x}"
