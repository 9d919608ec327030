"""Amounts as people read them; machines are told minor units."""

from decimal import Decimal

from comity.mapping.api import exponent_of


def tell_money(amount_minor: int, currency: str) -> str:
    """Return an amount with the decimals of its currency.

    >>> tell_money(123456, "EUR"), tell_money(-1500, "JPY"), tell_money(5, "KWD")
    ('1,234.56 EUR', '-1,500 JPY', '0.005 KWD')
    """
    exponent = exponent_of(currency)
    return f"{Decimal(amount_minor).scaleb(-exponent):,.{exponent}f} {currency}"
