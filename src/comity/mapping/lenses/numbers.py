"""Lenses for numbers, money and truth values. Money is exact: decimals, never binary fractions."""

import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from comity.definitions.types import AttributeType
from comity.mapping.lenses.base import Lens, OptionFault, Options, Rejection, folded
from comity.mapping.types import Value

INTEGER_MAX: Final = 2**63 - 1
INTEGER_MIN: Final = -(2**63)
EXACT_DIGITS_MAX: Final = 15
"""A JSON number of so many digits survives every reader, also one that uses binary fractions."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}(\.0{1,9})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_WITHOUT_MINOR: Final = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_EXPONENTS: Final = {
    **dict.fromkeys(_WITHOUT_MINOR, 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_ROUNDING: Final = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}

NOT_INTEGER = Rejection("not_an_integer", "a whole number of at most 63 bits", "Correct the value or use another lens.")
NOT_MONEY = Rejection(
    "not_an_amount", "an amount such as 12.50", "Correct the value, or set `decimal` and `thousands`."
)
NOT_BOOLEAN = Rejection("not_a_boolean", "true or false", "List the system's words under `yes` and `no`.")
NOT_CURRENCY = Rejection("not_a_currency", "a currency code of three capitals", "Map the field that holds the code.")


class IntegerOptions(Options, frozen=True):
    """Options of the lens `integer`."""

    form: Literal["number", "text"] = "number"


class IntegerLens(Lens):
    """A whole number."""

    name = "integer"
    summary = "A whole number, given as a number or as text."
    types = (AttributeType.INTEGER,)
    options_type = IntegerOptions
    options: IntegerOptions

    def read(self, found: Any) -> Value | Rejection:
        """Read a whole number; 5.0 is one, 5.1 is not."""
        kind = found.__class__
        if kind is str:
            text = found.strip()
            if not text:
                return None
            if _INTEGER.fullmatch(text) is None:
                return NOT_INTEGER
            number = int(text.partition(".")[0])
        elif kind is int:
            number = found
        elif kind is Decimal or kind is float:
            exact = Decimal(str(found)) if kind is float else found
            if not exact.is_finite() or exact.adjusted() > len(str(INTEGER_MAX)):
                return NOT_INTEGER
            number = int(exact)
            if number != exact:
                return NOT_INTEGER
        else:
            return NOT_INTEGER
        return number if INTEGER_MIN <= number <= INTEGER_MAX else NOT_INTEGER

    def write(self, value: Any) -> Any:
        """Write a number, or its digits as text."""
        return int(value) if self.options.form == "number" else str(value)


def is_currency(code: str) -> bool:
    """Tell a currency code by its form: three capitals."""
    return _CURRENCY.fullmatch(code) is not None


def exponent_of(currency: str) -> int:
    """Digits after the decimal point in a currency (ISO 4217); two where nothing else is known."""
    return _EXPONENTS.get(currency, 2)


class MoneyOptions(Options, frozen=True):
    """Options of the lens `money`."""

    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None
    currency_field: Annotated[str, Meta(min_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    form: Literal["number", "text", "minor"] = "number"
    rounding: Literal["refuse", "half_up", "half_even"] = "refuse"


class MoneyLens(Lens):
    """An amount of money, in minor units."""

    name = "money"
    summary = "An amount of money, exact, as minor units of its currency."
    types = (AttributeType.MONEY,)
    options_type = MoneyOptions
    options: MoneyOptions

    def __init__(self, options: MoneyOptions) -> None:
        """Refuse separators that cannot be told apart."""
        super().__init__(options)
        if options.thousands == options.decimal:
            raise OptionFault("thousands", "It is the same as `decimal`.", "Choose two different characters.")
        if options.currency and options.currency_field:
            raise OptionFault("currency_field", "`currency` is given too.", "Keep one of the two.")

    @property
    def paths(self) -> tuple[str, ...]:
        """The field of the currency, if there is one."""
        return (self.options.currency_field,) if self.options.currency_field else ()

    @property
    def write_fault(self) -> str | None:
        """Refuse to write an amount whose currency stands in another field."""
        if self.options.currency_field is None:
            return None
        return "An amount whose currency stands in another field can only be read."

    @property
    def has_currency(self) -> bool:
        """True when the lens itself knows the currency, fixed or from a field."""
        return self.options.currency is not None or self.options.currency_field is not None

    def read(self, found: Any) -> Value | Rejection:
        """Read an amount, or an amount and its currency."""
        if self.options.currency_field is None:
            return self.read_amount(found, self.options.currency or "")
        amount, currency = found
        if amount is None:
            return None
        if not isinstance(currency, str) or not is_currency(currency.strip().upper()):
            return NOT_CURRENCY
        return self.read_amount(amount, currency.strip().upper())

    def read_amount(self, found: Any, currency: str) -> Value | Rejection:
        """Read an amount of a currency."""
        amount = self._decimal(found)
        if amount is None or isinstance(amount, Rejection):
            return amount
        try:
            minor = amount if self.options.form == "minor" else amount.scaleb(exponent_of(currency))
            whole = minor.to_integral_value(_ROUNDING.get(self.options.rounding, ROUND_HALF_EVEN))
        except InvalidOperation:
            return NOT_MONEY
        if whole != minor and self.options.rounding == "refuse":
            return Rejection(
                "too_many_decimals",
                f"at most {exponent_of(currency)} decimals",
                "Correct the amount, or say how to round with `rounding`.",
            )
        return int(whole) if INTEGER_MIN <= whole <= INTEGER_MAX else NOT_MONEY

    def write(self, value: Any) -> Any:
        """Write the amount in the fixed currency of the field."""
        if self.options.form == "minor":
            return int(value)
        exponent = exponent_of(self.options.currency or "")
        amount = Decimal(int(value)).scaleb(-exponent)
        if self.options.form == "text":
            return f"{amount:f}".replace(".", self.options.decimal)
        if len(amount.as_tuple().digits) > EXACT_DIGITS_MAX:
            return Rejection(
                "too_large", f"at most {EXACT_DIGITS_MAX} digits", "Write the amount as text: `form: text`."
            )
        whole = int(amount)
        # The shortest text of a binary fraction of up to 15 digits is those digits, so the JSON text is exact.
        return whole if whole == amount else float(amount)

    def _decimal(self, found: Any) -> Decimal | Rejection | None:
        kind = found.__class__
        if kind is str:
            text = "".join(found.split())
            if not text:
                return None
            if self.options.thousands:
                text = text.replace(self.options.thousands, "")
            if self.options.decimal == ",":
                if "." in text:
                    return NOT_MONEY
                text = text.replace(",", ".")
            if "_" in text:
                return NOT_MONEY
        elif kind is int or kind is Decimal or kind is float:
            text = str(found)
        else:
            return NOT_MONEY
        try:
            amount = Decimal(text)
        except InvalidOperation:
            return NOT_MONEY
        return amount if amount.is_finite() and amount.adjusted() <= len(str(INTEGER_MAX)) else NOT_MONEY


class BooleanOptions(Options, frozen=True):
    """Options of the lens `boolean`."""

    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()


_YES = ("true", "1", "yes", "y", "t", "on")
_NO = ("false", "0", "no", "n", "f", "off")


class BooleanLens(Lens):
    """True or false."""

    name = "boolean"
    summary = "True or false; `yes` and `no` list the system's own words, the first of each is the one written."
    types = (AttributeType.BOOLEAN,)
    options_type = BooleanOptions
    options: BooleanOptions

    def __init__(self, options: BooleanOptions) -> None:
        """Refuse a word that means both."""
        super().__init__(options)
        if bool(options.yes) != bool(options.no):
            missing = "no" if options.yes else "yes"
            raise OptionFault(missing, "Only one side is given.", "List the system's words for both sides.")
        self._yes = folded(options.yes or _YES)
        self._no = folded(options.no or _NO)
        if self._yes & self._no:
            raise OptionFault("yes", "The same word stands under `yes` and `no`.", "Keep it on one side.")
        self._written: tuple[Any, Any] = (options.no[0], options.yes[0]) if options.yes else (False, True)

    def read(self, found: Any) -> Value | Rejection:
        """Read a JSON boolean, 0 and 1, or one of the words."""
        if found.__class__ is bool:
            return bool(found)
        word = " ".join(str(found).split()).casefold() if isinstance(found, str | int) else None
        if word is None:
            return NOT_BOOLEAN
        if word in self._yes:
            return True
        if word in self._no:
            return False
        return NOT_BOOLEAN if word else None

    def write(self, value: Any) -> Any:
        """Write a JSON boolean, or the first word of the side."""
        return self._written[bool(value)]
