"""Lenses for values from a list."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

from comity.definitions.types import AttributeType
from comity.mapping.lenses.base import NOT_TEXT, Lens, OptionFault, Options, Rejection, plain_text
from comity.mapping.lenses.countries import COUNTRIES
from comity.mapping.types import Value


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


class EnumOptions(Options, frozen=True):
    """Options of the lens `enum`."""

    values: Annotated[dict[str, str], Meta(min_length=1, description="The system's value: the canonical one.")]
    unknown: Literal["refuse", "keep", "empty", "default"] = "refuse"
    default: Annotated[str, Meta(min_length=1)] | None = None
    form: Literal["text", "number"] = "text"


class EnumLens(Lens):
    """A value from a list, translated."""

    name = "enum"
    summary = (
        "A value from a list: `values` maps the system's to the canonical ones, the first of several is written; "
        "`unknown` says what else becomes: refuse, keep, empty or default."
    )
    types = (AttributeType.TEXT,)
    options_type = EnumOptions
    options: EnumOptions

    def __init__(self, options: EnumOptions) -> None:
        """Turn the list round for writing."""
        super().__init__(options)
        if (options.unknown == "default") != (options.default is not None):
            raise OptionFault("default", "`default` and `unknown: default` go together.", "Give both or neither.")
        if any(not canonical.strip() for canonical in options.values.values()):
            raise OptionFault("values", "A canonical value is empty.", "Leave the row out and say `unknown: empty`.")
        self._canonical = {_folded(found): value for found, value in options.values.items()}
        self._vendor: dict[str, str] = {}
        for found, value in options.values.items():
            self._vendor.setdefault(value, found)
        if options.default is not None and options.default not in self._vendor:
            raise OptionFault(
                "default", f"{options.default!r} is not among `values`.", "Use one of the canonical values."
            )
        if options.form == "number" and not all(found.lstrip("-").isdecimal() for found in options.values):
            raise OptionFault("form", "Not every value of the system is a number.", "Use `form: text`.")
        self._refusal = Rejection(
            "unknown_value",
            "one of " + ", ".join(sorted(options.values)[:20]),
            "Add the value to `values` of the mapping, or say what `unknown` values become.",
        )

    def read(self, found: Any) -> Value | Rejection:
        """Translate the system's value."""
        text = plain_text(found) if found.__class__ is not bool else str(found).lower()
        if text is None:
            return NOT_TEXT
        value = self._canonical.get(_folded(text))
        if value is not None:
            return value
        tidy = " ".join(text.split())
        if not tidy or self.options.unknown == "empty":
            return None
        if self.options.unknown == "keep":
            return tidy
        return self.options.default if self.options.unknown == "default" else self._refusal

    def write(self, value: Any) -> Any:
        """Translate the canonical value."""
        text = str(value)
        found = self._vendor.get(text)
        if found is None:
            if self.options.unknown != "keep" or self.read(text) != text or self.options.form == "number":
                return Rejection(
                    "no_vendor_value",
                    "one of " + ", ".join(sorted(self._vendor)[:20]),
                    "Add a row for this canonical value to `values` of the mapping.",
                )
            return text
        return int(found) if self.options.form == "number" else found


class CountryOptions(Options, frozen=True):
    """Options of the lens `country`."""

    names: dict[str, str | tuple[str, ...]] = msgspec.field(default_factory=dict[str, str | tuple[str, ...]])
    form: Literal["code", "name"] = "code"
    null_values: tuple[str, ...] = ()


class CountryLens(Lens):
    """A country as its ISO code of two letters."""

    name = "country"
    summary = "A country as ISO code; read from code or English name, `names` adds the system's own names by code."
    types = (AttributeType.TEXT,)
    options_type = CountryOptions
    options: CountryOptions

    def __init__(self, options: CountryOptions) -> None:
        """Join the system's names with the English ones."""
        super().__init__(options)
        self._nulls = frozenset(map(_folded, options.null_values))
        self._codes = {_folded(name): code for code, name in COUNTRIES.items()}
        self._names: dict[str, str] = dict(COUNTRIES)
        own: dict[str, str] = {}
        for code, given in options.names.items():
            names = (given,) if isinstance(given, str) else given
            if code not in COUNTRIES:
                raise OptionFault("names", f"There is no country {code!r}.", "Use ISO codes of two capitals as keys.")
            for name in names:
                if own.setdefault(_folded(name), code) != code:
                    raise OptionFault("names", f"{name!r} stands for two countries.", "Keep one of them.")
            if names:
                self._names[code] = names[0]
        self._codes.update((code.casefold(), code) for code in COUNTRIES)
        self._codes.update(own)
        unsafe = [code for code, name in self._names.items() if self._codes[_folded(name)] != code]
        if options.form == "name" and unsafe:
            raise OptionFault("names", f"The name written for {unsafe[0]} is read as another country.", "Change it.")
        if options.form == "code" and any(self._codes[code.casefold()] != code for code in COUNTRIES):
            raise OptionFault("names", "A name is the code of another country.", "Write names: `form: name`.")

    def read(self, found: Any) -> Value | Rejection:
        """Read a code or a name."""
        text = plain_text(found)
        if text is None:
            return NOT_TEXT
        key = _folded(text)
        if not key or key in self._nulls:
            return None
        return self._codes.get(key) or Rejection(
            "unknown_country", "an ISO code or a known name", "Add the system's name for it to `names` of the mapping."
        )

    def write(self, value: Any) -> Any:
        """Write the code or the name."""
        code = str(value)
        if code not in COUNTRIES:
            return Rejection("unknown_country", "an ISO code of two letters", "Correct the value at its source.")
        return code if self.options.form == "code" else self._names[code]


class TagsOptions(Options, frozen=True):
    """Options of the lens `tags`."""

    separator: Annotated[str, Meta(min_length=1, max_length=5)] = ";"
    form: Literal["text", "list"] = "text"
    values: dict[str, str] = msgspec.field(default_factory=dict[str, str])


class TagsLens(Lens):
    """A set of words."""

    name = "tags"
    summary = "A set of words, sorted; in the system a list, or one text with a separator; `values` translates words."
    types = (AttributeType.TAGS,)
    options_type = TagsOptions
    options: TagsOptions

    def __init__(self, options: TagsOptions) -> None:
        """Turn the translation round for writing."""
        super().__init__(options)
        self._vendor: Mapping[str, str] = {tag: found for found, tag in options.values.items()}
        if len(self._vendor) != len(options.values):
            raise OptionFault("values", "Two words of the system mean the same tag.", "Keep one of them.")
        if options.form == "text" and any(options.separator in found for found in options.values):
            raise OptionFault("values", "A word contains the separator.", "Choose another separator.")

    def read(self, found: Any) -> Value | Rejection:
        """Read the words, each once, sorted."""
        if isinstance(found, list | tuple):
            items = cast("Sequence[Any]", found)
            words = [plain_text(each) for each in items]
        else:
            text = plain_text(found)
            words = [None] if text is None else list(text.split(self.options.separator))
        tidy = {" ".join(word.split()) for word in words if word is not None}
        if None in words:
            return Rejection("not_tags", "a list of words", "Map a field that holds words only.")
        return sorted({self.options.values.get(word, word) for word in tidy if word}) or None

    def write(self, value: Any) -> Any:
        """Write the words in the system's form; no words is an empty field."""
        words: list[str] = []
        for tag in value:
            word = self._vendor.get(tag, tag)
            is_ambiguous = tag not in self._vendor and word in self.options.values
            if is_ambiguous or (self.options.form == "text" and self.options.separator in word):
                return Rejection(
                    "not_writable", f"words without {self.options.separator!r}", "Translate the word under `values`."
                )
            words.append(word)
        if self.options.form == "list":
            return words
        return self.options.separator.join(words) or None


class ConstantOptions(Options, frozen=True):
    """Options of the lens `constant`."""

    value: str | int | bool


class ConstantLens(Lens):
    """The same value for every record."""

    name = "constant"
    summary = "The same value for every record of the stream, whatever the field holds."
    types = (AttributeType.TEXT, AttributeType.INTEGER, AttributeType.BOOLEAN)
    options_type = ConstantOptions
    options: ConstantOptions

    def __init__(self, options: ConstantOptions) -> None:
        """Keep the value."""
        super().__init__(options)
        self.types = (_CONSTANT_TYPES[options.value.__class__],)  # pyright: ignore[reportAttributeAccessIssue] - narrower for this one.

    def read(self, found: Any) -> Value | Rejection:  # noqa: ARG002 - a constant does not look.
        """Give the value."""
        return self.options.value

    def write(self, value: Any) -> Any:  # noqa: ARG002 - a constant does not look.
        """Give the value."""
        return self.options.value


_CONSTANT_TYPES = {str: AttributeType.TEXT, int: AttributeType.INTEGER, bool: AttributeType.BOOLEAN}
