"""The lens for phone numbers."""

from typing import Annotated, Any, Literal

import phonenumbers
from msgspec import Meta

from comity.definitions.types import AttributeType
from comity.mapping.lenses.base import NOT_TEXT, Lens, OptionFault, Options, Rejection, folded, plain_text
from comity.mapping.types import Value

try:
    import rphonenumbers as _engine
except ImportError:  # pragma: no cover - there are wheels for the platforms we build for.
    _engine = phonenumbers

_fast: Any = _engine
"""The same interface as the reference implementation, some ten times faster."""
_E164: Any = _fast.PhoneNumberFormat.E164

NOT_PHONE = Rejection(
    "not_a_phone", "a valid phone number", "Correct the number, or set `country` for numbers without country code."
)
TEXT_MAX = 250


class PhoneOptions(Options, frozen=True):
    """Options of the lens `phone`."""

    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] | None = None
    country_field: Annotated[str, Meta(min_length=1)] | None = None
    form: Literal["e164", "national", "international"] = "e164"
    null_values: tuple[str, ...] = ()


class PhoneLens(Lens):
    """One phone number in E.164 form."""

    name = "phone"
    summary = (
        "One valid phone number in E.164 form; `country` is that of numbers without country code, `country_field` "
        "a field that holds its ISO code."
    )
    types = (AttributeType.PHONE, AttributeType.TEXT)
    options_type = PhoneOptions
    options: PhoneOptions

    def __init__(self, options: PhoneOptions) -> None:
        """Refuse a country without numbers, and national numbers that could not be read back."""
        super().__init__(options)
        self._nulls = folded(options.null_values)
        if options.country is not None and options.country not in phonenumbers.SUPPORTED_REGIONS:
            raise OptionFault("country", f"There are no numbers of {options.country!r}.", "Use an ISO code such as DE.")
        if options.form == "national" and (options.country is None or options.country_field):
            raise OptionFault("form", "National numbers need one fixed country.", "Give `country` alone, or use e164.")

    @property
    def paths(self) -> tuple[str, ...]:
        """The field of the country, if there is one."""
        return (self.options.country_field,) if self.options.country_field else ()

    def read(self, found: Any) -> Value | Rejection:
        """Read a number."""
        country = self.options.country
        if self.options.country_field is not None:
            found, given = found
            if found is None:
                return None
            code = given.strip().upper() if isinstance(given, str) else ""
            country = code if code in phonenumbers.SUPPORTED_REGIONS else country
        text = plain_text(found)
        if text is None:
            return NOT_TEXT
        text = text.strip()
        if not text or (self._nulls and " ".join(text.split()).casefold() in self._nulls):
            return None
        if len(text) > TEXT_MAX:
            return NOT_PHONE
        return to_e164(text, country) or NOT_PHONE

    def write(self, value: Any) -> Any:
        """Write the number; one of another country, or one that would not be read back, always in E.164 form."""
        text = str(value)
        if self.options.form == "e164":
            return text
        written = _formatted(text, self.options.form, self.options.country)
        return written if written is not None and to_e164(written, self.options.country) == text else text


def to_e164(text: str, country: str | None) -> str | None:
    """Parse and check a number; None when it is not valid."""
    try:
        number = _fast.parse(text, country)
        return _fast.format_number(number, _E164) if _fast.is_valid_number(number) else None
    except _fast.NumberParseException:
        return None
    except Exception:  # noqa: BLE001 - one strange number must not stop a batch; the reference implementation decides.
        return _to_e164_slowly(text, country)


def _to_e164_slowly(text: str, country: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _formatted(text: str, form: str, country: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, None)
        if form == "international":
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        if phonenumbers.region_code_for_number(number) == country:
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    except phonenumbers.NumberParseException:
        return None
    return None
