"""Lenses for text."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from comity.definitions.types import AttributeType
from comity.mapping.lenses.base import NOT_TEXT, Lens, OptionFault, Options, Rejection, folded, plain_text
from comity.mapping.types import Value

_EMAIL = re.compile(
    r"[^\s@<>()\[\],;:\\\"]{1,64}@(?=.{3,190}\Z)(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,63})"
)


_PLAIN_EMAIL = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}@(?:[a-z0-9]{1,40}[.-]){1,4}[a-z]{2,40}")
"""What nearly all addresses look like; a subset of the other pattern that is much faster to check."""


class TextOptions(Options, frozen=True):
    """Options of the lens `text`."""

    trim: bool = True
    collapse: bool = True
    null_values: tuple[str, ...] = ()
    max_length: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    case: Literal["keep", "lower", "upper"] = "keep"


class TextLens(Lens):
    """Trimmed text, inner white space collapsed."""

    name = "text"
    summary = "Text: trimmed, white space collapsed, placeholders read as empty; a longer text is cut when written."
    types = (AttributeType.TEXT,)
    written_types = (
        AttributeType.EMAIL,
        AttributeType.PHONE,
        AttributeType.INTEGER,
    )
    options_type = TextOptions
    options: TextOptions

    def __init__(self, options: TextOptions) -> None:
        """Prepare the placeholders."""
        super().__init__(options)
        self._nulls = folded(options.null_values)

    def read(self, found: Any) -> Value | Rejection:
        """Read text or a number as text."""
        text = plain_text(found)
        if text is None:
            return NOT_TEXT
        tidy = self._tidy(text)
        if not tidy or (self._nulls and " ".join(tidy.split()).casefold() in self._nulls):
            return None
        length_max = self.options.max_length
        if length_max is not None and len(tidy) > length_max:
            return Rejection(
                "too_long", f"at most {length_max} characters", "Shorten the value or raise max_length in the mapping."
            )
        return tidy

    def write(self, value: Any) -> Any:
        """Write the text, cut to the length the system takes."""
        text = self._tidy(str(value))
        length_max = self.options.max_length
        return text if length_max is None or len(text) <= length_max else self._tidy(text[:length_max])

    def _tidy(self, text: str) -> str:
        options = self.options
        if options.case != "keep":
            text = unicodedata.normalize("NFC", text.lower() if options.case == "lower" else text.upper())
        if options.collapse:
            return " ".join(text.split()) if options.trim else re.sub(r"\s+", " ", text)
        return text.strip() if options.trim else text


class EmailOptions(Options, frozen=True):
    """Options of the lens `email`."""

    null_values: tuple[str, ...] = ()


class EmailLens(Lens):
    """One e-mail address in lower case."""

    name = "email"
    summary = "One e-mail address: trimmed, lower case, checked for form."
    types = (AttributeType.EMAIL, AttributeType.TEXT)
    options_type = EmailOptions
    options: EmailOptions
    is_memoised = False

    def __init__(self, options: EmailOptions) -> None:
        """Prepare the placeholders."""
        super().__init__(options)
        self._nulls = folded(options.null_values)

    def read(self, found: Any) -> Value | Rejection:
        """Read an address."""
        if found.__class__ is str and _PLAIN_EMAIL.fullmatch(found) is not None and found not in self._nulls:
            return found
        text = plain_text(found)
        if text is None:
            return NOT_TEXT
        text = text.strip()
        if not text or (self._nulls and " ".join(text.split()).casefold() in self._nulls):
            return None
        address = text.lower()
        if _PLAIN_EMAIL.fullmatch(address) is not None:
            return address
        address = unicodedata.normalize("NFC", address).removeprefix("mailto:")
        if _EMAIL.fullmatch(address) is None:
            return Rejection(
                "not_an_email", "one address such as name@example.com", "Correct the address at the source."
            )
        return address

    def write(self, value: Any) -> Any:
        """Write the address."""
        return str(value)


class ConcatOptions(Options, frozen=True):
    """Options of the lens `concat`."""

    also: Annotated[tuple[str, ...], Meta(min_length=1, max_length=20)]
    separator: Annotated[str, Meta(min_length=1, max_length=10)] = " "


class ConcatLens(Lens):
    """Several fields of the system, one canonical text."""

    name = "concat"
    summary = "Several fields joined into one text (`also` names the further fields); written back part by part."
    types = (AttributeType.TEXT,)
    options_type = ConcatOptions
    options: ConcatOptions
    is_memoised = False
    fills_all_paths = True

    @property
    def paths(self) -> tuple[str, ...]:
        """The further fields."""
        return self.options.also

    def read(self, found: Any) -> Value | Rejection:
        """Join the parts that hold something."""
        parts: list[str] = []
        for each in found:
            if each is None:
                continue
            text = plain_text(each)
            if text is None:
                return NOT_TEXT
            parts.extend(self._parts(text))
        return self.options.separator.join(parts) or None

    def write(self, value: Any) -> Any:
        """Give each field one part, the last field the rest, the fields left over nothing."""
        parts = self._parts(str(value))
        count = len(self.options.also) + 1
        if len(parts) > count:
            parts[count - 1 :] = [self.options.separator.join(parts[count - 1 :])]
        return tuple(parts) + (None,) * (count - len(parts))

    def _parts(self, text: str) -> list[str]:
        tidy = (" ".join(part.split()) for part in text.split(self.options.separator))
        return [part for part in tidy if part]


class SplitOptions(Options, frozen=True):
    """Options of the lens `split`."""

    part: Annotated[int, Meta(ge=1, le=20)]
    of: Annotated[int, Meta(ge=2, le=20)]
    separator: Annotated[str, Meta(min_length=1, max_length=10)] = " "
    rest: Literal["first", "last"] = "last"


class SplitLens(Lens):
    """One field of the system, several canonical values; each row reads one part."""

    name = "split"
    summary = "One part of a field that holds several; the parts are joined again when all their rows are written."
    types = (AttributeType.TEXT,)
    options_type = SplitOptions
    options: SplitOptions

    def __init__(self, options: SplitOptions) -> None:
        """Refuse a part beyond the last."""
        super().__init__(options)
        if options.part > options.of:
            raise OptionFault("part", f"There is no part {options.part} of {options.of}.", "Parts count from 1.")

    def read(self, found: Any) -> Value | Rejection:
        """Read one part; what is too much belongs to the first or to the last part, as `rest` says."""
        text = plain_text(found)
        if text is None:
            return NOT_TEXT
        options = self.options
        tidy = (" ".join(part.split()) for part in text.split(options.separator))
        parts = [part for part in tidy if part]
        surplus = len(parts) - options.of
        if surplus > 0:
            if options.rest == "last":
                parts[options.of - 1 :] = [options.separator.join(parts[options.of - 1 :])]
            else:
                parts[: surplus + 1] = [options.separator.join(parts[: surplus + 1])]
        return parts[options.part - 1] if options.part <= len(parts) else None

    def write(self, value: Any) -> Any:
        """Write this part alone; `join` writes all parts."""
        return str(value)

    def join(self, values: Sequence[str | None]) -> str | Rejection | None:
        """Write all parts in order. A gap cannot be written: the part after it would be read as another one."""
        filled = [value for value in values if value]
        if list(values[: len(filled)]) != filled:
            return Rejection(
                "part_missing", "no part left out before another", "Write these attributes to fields of their own."
            )
        pieces = [value.split(self.options.separator) for value in filled]
        keeper = 0 if self.options.rest == "first" else self.options.of - 1
        if any(len(piece) > 1 for at, piece in enumerate(pieces) if at != keeper):
            return Rejection(
                "separator_inside",
                f"no {self.options.separator!r} inside a part",
                "Use another separator or other fields.",
            )
        separator: str = self.options.separator
        return separator.join(filled) or None
