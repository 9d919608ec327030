"""The lenses by name."""

import difflib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from comity.definitions.types import AttributeType, Direction
from comity.mapping.lenses.base import Lens, OptionFault, Rejection
from comity.mapping.lenses.choices import ConstantLens, CountryLens, EnumLens, TagsLens
from comity.mapping.lenses.numbers import BooleanLens, IntegerLens, MoneyLens
from comity.mapping.lenses.phone import PhoneLens
from comity.mapping.lenses.text import ConcatLens, EmailLens, SplitLens, TextLens
from comity.mapping.lenses.times import DateLens, TimestampLens
from comity.mapping.types import Fault, LensInfo, Value

LENSES: Final[Mapping[str, type[Lens]]] = {
    lens.name: lens
    for lens in (
        BooleanLens,
        ConcatLens,
        ConstantLens,
        CountryLens,
        DateLens,
        EmailLens,
        EnumLens,
        IntegerLens,
        MoneyLens,
        PhoneLens,
        SplitLens,
        TagsLens,
        TextLens,
        TimestampLens,
    )
}


def lens_names() -> tuple[str, ...]:
    """Names of all lenses, sorted."""
    return tuple(sorted(LENSES))


def lens_infos() -> tuple[LensInfo, ...]:
    """Describe all lenses, by name."""
    return tuple(
        LensInfo(name=name, summary=LENSES[name].summary, types=LENSES[name].types, options=_option_names(LENSES[name]))
        for name in lens_names()
    )


def build_lens(name: str, options: Mapping[str, Any]) -> Lens | list[Fault]:
    """Make a lens of its options, or say what is wrong with them."""
    lens_type = LENSES.get(name)
    if lens_type is None:
        return [Fault(field="lens", message=f"There is no lens {name!r}.", remedy=suggest(name, lens_names()))]
    known = _option_names(lens_type)
    unknown = [option for option in options if option not in known]
    if unknown:
        return [
            Fault(
                field=f"lens.{name}.{option}",
                message=f"The lens {name} has no option {option!r}.",
                remedy=suggest(option, known),
            )
            for option in unknown
        ]
    try:
        checked: Any = msgspec.convert(dict(options), lens_type.options_type)
        return lens_type(checked)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        return [
            Fault(
                field=f"lens.{name}.{place.rstrip('`')}" if place else f"lens.{name}",
                message=f"{message}.",
                remedy="Correct the option.",
            )
        ]
    except OptionFault as fault:
        return [Fault(field=f"lens.{name}.{fault.option}", message=fault.message, remedy=fault.remedy)]


def read_text(name: str, text: str) -> Value | None:
    """Read one text with a lens as it is without options, as people type it in a search; None when it cannot."""
    lens = build_lens(name, {})
    found = lens.read(text) if isinstance(lens, Lens) else None
    return None if isinstance(found, Rejection) else found


def check_fit(lens: Lens, attribute_type: AttributeType, direction: Direction) -> list[Fault]:
    """Check that a lens reads into (or, when only written, writes) an attribute type."""
    if attribute_type in lens.types or (not direction.is_read and attribute_type in lens.written_types):
        return []
    fitting = [each for each in lens_names() if attribute_type in LENSES[each].types]
    return [
        Fault(
            field="lens",
            message=f"The lens {lens.name} gives {' or '.join(lens.types)}, the attribute is {attribute_type}.",
            remedy=f"Use {' or '.join(fitting)}.",
        )
    ]


def _option_names(lens_type: type[Lens]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(lens_type.options_type))


def suggest(word: str, known: tuple[str, ...]) -> str:
    """Say which known word was probably meant."""
    """Say which known word was probably meant."""
    if not known:
        return "It takes no options."
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
