"""Lists on their way to the server: as one text, some ten times faster than as an array with its quoting."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

SEPARATOR: Final = "\x1e"
"""Joins lists of texts; keys, folded values and JSON hold no control character."""
_SEPARATOR_BYTES: Final = SEPARATOR.encode()
_encode = msgspec.json.Encoder().encode


def texts(values: Iterable[str]) -> str:
    """Write a list of texts, for `identity.as_texts`."""
    return SEPARATOR.join(values)


def json_texts(values: Iterable[Any]) -> str:
    """Write a list of values as JSON, for `identity.as_texts`."""
    return _SEPARATOR_BYTES.join(map(_encode, values)).decode()


def array(values: Iterable[object]) -> str:
    """Write numbers or UUIDs as an array."""
    return "{" + ",".join(map(str, values)) + "}"
