"""What a lens is."""

import re
import unicodedata
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import Any, ClassVar

from msgspec import Struct

from comity.definitions.types import AttributeType
from comity.mapping.types import Value

_SURROGATE = re.compile("[\ud800-\udfff]")


class Rejection(Struct, frozen=True):
    """A value that a lens cannot read or write: why, what it takes, and what to do."""

    code: str
    expected: str
    remedy: str


class OptionFault(Exception):
    """An option that a lens cannot work with."""

    def __init__(self, option: str, message: str, remedy: str) -> None:
        """Name the option, what is wrong and what to do."""
        self.option = option
        self.message = message
        self.remedy = remedy
        super().__init__(f"{option}: {message} {remedy}")


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Options of a lens that has none."""


class Lens(ABC):
    """One way to read and write a value.

    `types` are the attribute types it reads into, `written_types` those it can write besides. `paths` are fields it
    needs beside its own: then values are tuples, in the order of the fields. A memoised lens is asked once per
    distinct text. `fills_all_paths` means that `write` gives a tuple, one value a field.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    types: ClassVar[tuple[AttributeType, ...]]
    written_types: ClassVar[tuple[AttributeType, ...]] = ()
    options_type: ClassVar[type[Options]] = Options
    is_memoised: ClassVar[bool] = True
    fills_all_paths: ClassVar[bool] = False
    options: Any

    def __init__(self, options: Any) -> None:
        """Take the checked options. Raises OptionFault."""
        self.options = options

    @property
    def paths(self) -> tuple[str, ...]:
        """Fields needed beside the lens's own."""
        return ()

    @property
    def write_fault(self) -> str | None:
        """Say why values cannot be written with these options, or None."""
        return None

    @abstractmethod
    def read(self, found: Any) -> Value | Rejection:
        """Read a vendor's value; never called with ABSENT or None."""

    @abstractmethod
    def write(self, value: Any) -> Any:
        """Write a canonical value, never None, in the vendor's form, or return a Rejection."""


def plain_text(found: Any) -> str | None:
    """Take a JSON scalar as text, without what a database cannot hold; None for lists, objects and booleans."""
    kind = found.__class__
    if kind is str:
        text: str = found
    elif kind is int or kind is Decimal or kind is float:
        text = str(found)
    else:
        return None
    if "\x00" in text:
        text = text.replace("\x00", "")
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _SURROGATE.sub("", text))


def folded(texts: tuple[str, ...]) -> frozenset[str]:
    """Fold a list of words for comparison."""
    return frozenset(" ".join(text.split()).casefold() for text in texts)


NOT_TEXT = Rejection(
    "not_text", "a text or a number", "Map a scalar field, or name the part of the object in the path."
)
