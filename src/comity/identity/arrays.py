"""Lists on their way to the server: as one text, some ten times faster than as an array with its quoting."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

SEPARATOR: Final = "\x1e"
"""Joins lists of texts; keys, folded values and JSON hold no control character."""
_encode = msgspec.json.Encoder().encode


def texts(values: Iterable[str]) -> str:
    """Write a list of texts, for `identity.as_texts`."""
    return SEPARATOR.join(values)


def json_text(value: Any) -> str:
    """Write a value as JSON."""
    return _encode(value).decode()


def array(values: Iterable[object]) -> str:
    """Write numbers or UUIDs as an array."""
    return "{" + ",".join(map(str, values)) + "}"
