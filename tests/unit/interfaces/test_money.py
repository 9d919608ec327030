"""Amounts for people."""

import pytest

from comity.interfaces.shared.money import tell_money


@pytest.mark.parametrize(
    ("amount_minor", "currency", "told"),
    [
        (123_456, "EUR", "1,234.56 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (0, "USD", "0.00 USD"),
        (-1_500, "JPY", "-1,500 JPY"),
        (5, "KWD", "0.005 KWD"),
        (10**18 + 1, "EUR", "10,000,000,000,000,000.01 EUR"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(amount_minor, currency, told):
    assert tell_money(amount_minor, currency) == told
