"""Names and constants inside compiled SQL: nothing gets into a text but through here."""

import re

from comity.definitions.types import ATTRIBUTE_NAME, DOCUMENT_NAME, RESERVED_NAMES
from comity.kernel.errors import Broken

_COLUMN = re.compile(r"^[a-z][a-z0-9_]*$")
_ATTRIBUTE = re.compile(ATTRIBUTE_NAME)
_SYSTEM = re.compile(DOCUMENT_NAME)


def is_attribute_name(name: str) -> bool:
    """True when an attribute may be called so."""
    return _ATTRIBUTE.fullmatch(name) is not None and name not in RESERVED_NAMES


def is_system_name(name: str) -> bool:
    """True when a system may be called so."""
    return _SYSTEM.fullmatch(name) is not None


def column(name: str) -> str:
    """Quote a column name; anything but lower-case letters, digits and underscores is a bug of ours."""
    if not _COLUMN.fullmatch(name):
        raise Broken(f"{name!r} is no column name.")
    return f'"{name}"'


def at(name: str) -> str:
    """Column that holds when the value of the attribute came about; null when the record never had one."""
    return column(f"{name}__at")


def seen(name: str) -> str:
    """Column that holds when the attribute was last seen unchanged; null when not seen again since it changed."""
    return column(f"{name}__seen")


def text_constant(value: str) -> str:
    """Quote the name of a system or an attribute as a text constant."""
    if not (_SYSTEM.fullmatch(value) or _COLUMN.fullmatch(value)):
        raise Broken(f"{value!r} is no name.")
    return f"'{value}'"
