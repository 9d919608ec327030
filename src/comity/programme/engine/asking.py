"""A purchase while it is asked about: its lines as they count, its day, and the words conditions speak of."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from comity.programme.engine.arithmetic import apportion
from comity.programme.engine.facts import (
    AMOUNT_MAX,
    LINES_MAX,
    REST_LINE,
    Counter,
    Counts,
    InvalidPurchase,
    Line,
    Member,
    Purchase,
)


class Asked:
    """One purchase of one member; `first_ladder` is the ladder that `loyalty.tier` speaks of."""

    __slots__ = (
        "_row",
        "budget_before",
        "budget_counts",
        "budgets",
        "business_on",
        "counts",
        "explains",
        "first_ladder",
        "lines",
        "member",
        "purchase",
        "reserves",
        "zone",
    )

    def __init__(
        self,
        purchase: Purchase,
        member: Member,
        *,
        zone: ZoneInfo,
        first_ladder: str,
        budgets: Counts,
        reserves: Counts,
        explains: bool,
    ) -> None:
        """Take the facts; the lines are those that count, their amounts add up to what was paid."""
        self.purchase = purchase
        self.member = member
        self.zone = zone
        self.first_ladder = first_ladder
        self.explains = explains
        self.business_on: date = purchase.occurred_at.astimezone(zone).date()
        self.lines = count_lines(purchase)
        self.budgets = budgets
        self.reserves = reserves
        self.budget_before: dict[Counter, int] = {}
        self.counts: dict[Counter, int] = {}
        self.budget_counts: dict[Counter, int] = {}
        self._row: dict[str, Any] = {}

    def row(self, words: Iterable[str]) -> dict[str, Any]:
        """Return the values of at least these words, none of which speaks of a line; the rest is not looked at."""
        row = self._row
        for word in words:
            if word not in row:
                row[word] = self._look_up(word)
        return row

    def _look_up(self, word: str) -> Any:
        known = _WORDS.get(word)
        if known is not None:
            return known(self)
        if word.startswith(_TIER):
            return self.member.tiers.get(word.removeprefix(_TIER))
        return self.member.attributes.get(word)

    def line_row(self, place: int, words: Iterable[str]) -> dict[str, Any]:
        """Return the values of at least these words, and of all that speak of the line."""
        line = self.lines[place]
        return {
            **self.row(words),
            "line.item": line.item,
            "line.category": line.category,
            "line.amount_minor": line.amount_minor,
            "line.quantity": line.quantity,
        }


_TIER = "tier."

_WORDS: Mapping[str, Callable[[Asked], Any]] = {
    "purchase.amount_minor": lambda asked: asked.purchase.amount_minor,
    "purchase.currency": lambda asked: asked.purchase.currency,
    "purchase.channel": lambda asked: asked.purchase.channel,
    "purchase.store": lambda asked: asked.purchase.store,
    "purchase.brand": lambda asked: asked.purchase.brand,
    "purchase.occurred_on": lambda asked: asked.business_on,
    "purchase.weekday": lambda asked: asked.business_on.isoweekday(),
    "purchase.hour": lambda asked: asked.purchase.occurred_at.astimezone(asked.zone).hour,
    "purchase.number": lambda asked: asked.member.purchase_count + 1,
    "loyalty.tier": lambda asked: asked.member.tiers.get(asked.first_ladder),
    "loyalty.enrolled_on": lambda asked: asked.member.enrolled_on,
}


def check_purchase(purchase: Purchase) -> None:
    """Raise InvalidPurchase when the facts cannot be: no whole numbers, no time zone, a line twice, too many lines."""
    if purchase.occurred_at.tzinfo is None:
        raise InvalidPurchase(
            "The time of a purchase needs a time zone.", details={"purchase_id": purchase.purchase_id}
        )
    amount = purchase.amount_minor
    is_sound = type(amount) is int and -AMOUNT_MAX <= amount <= AMOUNT_MAX
    if is_sound and not purchase.lines:
        return
    for line in purchase.lines:
        is_sound = is_sound and _is_amount(line.amount_minor) and _is_amount(line.quantity) and line.quantity >= 0
    if not is_sound:
        raise InvalidPurchase(
            f"Amounts are whole numbers of at most {AMOUNT_MAX}, quantities are not negative.",
            details={"purchase_id": purchase.purchase_id},
        )
    if len(purchase.lines) > LINES_MAX or len({each.line_id for each in purchase.lines}) < len(purchase.lines):
        raise InvalidPurchase(
            f"A purchase has at most {LINES_MAX} lines, each with an id of its own.",
            details={"purchase_id": purchase.purchase_id},
        )


def _is_amount(value: int) -> bool:
    return type(value) is int and -AMOUNT_MAX <= value <= AMOUNT_MAX


def count_lines(purchase: Purchase) -> tuple[Line, ...]:
    """Return the lines as they count: none below zero, and together exactly what was paid.

    What no line covers is a line of its own (a purchase without lines is one piece); where the lines come to more than
    was paid (a discount on all), each counts with its part. Raises InvalidPurchase.

    >>> from datetime import datetime, UTC
    >>> lines = (Line(line_id="a", amount_minor=600), Line(line_id="b", amount_minor=300))
    >>> paid = Purchase(purchase_id="p", occurred_at=datetime(2026, 1, 1, tzinfo=UTC), amount_minor=600, currency="EUR",
    ...                 lines=lines)
    >>> [each.amount_minor for each in count_lines(paid)]
    [400, 200]
    """
    check_purchase(purchase)
    if purchase.amount_minor <= 0:
        return ()
    if not purchase.lines:
        return (Line(line_id=REST_LINE, amount_minor=purchase.amount_minor),)
    lines = [each for each in purchase.lines if each.amount_minor >= 0]
    rest = purchase.amount_minor - sum(each.amount_minor for each in lines)
    if rest > 0:
        return (*lines, Line(line_id=REST_LINE, amount_minor=rest, quantity=0 if lines else 1))
    if not rest:
        return tuple(lines)
    parts = apportion(purchase.amount_minor, [each.amount_minor for each in lines])
    return tuple(msgspec.structs.replace(each, amount_minor=part) for each, part in zip(lines, parts, strict=True))
