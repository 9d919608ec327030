"""What crosses the door about promotions."""

import msgspec

from comity.definitions.types import CapPeriod

BUDGET_LOW = "programme.budget_low"
BUDGET_SPENT = "programme.budget_spent"
"""Kinds of events; the payload is the `BudgetState`, which is nobody's alone."""


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """How a budget stands in a period, also payload of `programme.budget_low` and `programme.budget_spent`.

    `period` is empty where the budget is for ever. What it limits in points, in money, or in both, has a maximum.
    """

    programme: str
    budget: str
    per: CapPeriod
    period: str
    points_max: int | None
    points_used: int | None
    money_max_minor: int | None
    money_used_minor: int | None
    used_percent: int
    is_low: bool
    is_spent: bool
