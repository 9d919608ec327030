"""What the engine is told, and what it answers. Amounts are minor units of money, points whole numbers.

Structs of results hold no references back, so the collector of cycles need not look at them (`gc=False`).
"""

import enum
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from comity.kernel.errors import Invalid

AMOUNT_MAX = 1_000_000_000_000_000
"""Largest amount and largest number of points of one purchase."""

LINES_MAX = 10_000
"""Most lines of one purchase."""

REST_LINE = ""
"""The line that stands for what the lines of a purchase do not cover; without lines, for all of it."""

Counter = tuple[str, str]
"""What a cap or budget counts, and the stretch of the calendar: ("rule.web.points.month", "2026-03")."""

Counts = Mapping[Counter, int]

Inputs = Mapping[str, int | str | date]
"""What went into a step, by name."""


class InvalidPurchase(Invalid):
    """The facts of a purchase contradict themselves."""


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a purchase. Lines below zero are discounts: the others share them by their amounts."""

    line_id: str
    amount_minor: int
    quantity: int = 1
    item: str | None = None
    category: str | None = None


class Returned(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was returned of a purchase in all, by line, with the return of that moment."""

    occurred_at: datetime
    returned_minor: Mapping[str, int]


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase as it is known now; `amount_minor` is what was paid, whatever the lines add up to.

    `returned_minor` is what was returned so far, by line; `""` stands for what no line covers; `returns` are the steps
    it came to that by, in the order of time, where they are known. `events` are when what
    points may wait for happened. All that happened through `known_on` is known: what had to come by then and is not
    told did not come; None: nobody has looked.
    """

    purchase_id: str
    occurred_at: datetime
    amount_minor: int
    currency: str
    lines: tuple[Line, ...] = ()
    channel: str | None = None
    store: str | None = None
    brand: str | None = None
    returned_minor: Mapping[str, int] = {}
    returns: tuple[Returned, ...] = ()
    events: Mapping[str, datetime] = {}
    known_on: date | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a member just before a purchase.

    `tiers` is the level by ladder, `purchase_count` the purchases before this one, `counts` what caps have counted so
    far, `attributes` golden attributes by name for conditions.
    """

    enrolled_on: date | None = None
    tiers: Mapping[str, str | None] = {}
    purchase_count: int = 0
    counts: Counts = {}
    attributes: Mapping[str, Any] = {}


class Outcome(enum.StrEnum):
    """Why a purchase earned what it earned."""

    EARNED = "earned"
    NOTHING = "nothing"
    NOT_POSITIVE = "not_positive"
    OTHER_CURRENCY = "other_currency"
    OTHER_BRAND = "other_brand"
    TOO_LARGE = "too_large"


class StepKind(enum.StrEnum):
    """What a step of an explanation is about.

    `purchase` is the root. Its `total` steps, one for each kind of points, are the sum of their `award`, `bonus`, `cap`
    and `budget` steps; each of these is the sum of its `line` steps where there are several lines. `lot` steps add up
    to the totals once more. `exclusion` and `skipped` steps give nothing and say why.
    """

    PURCHASE = "purchase"
    TOTAL = "total"
    AWARD = "award"
    BONUS = "bonus"
    CAP = "cap"
    BUDGET = "budget"
    LINE = "line"
    LOT = "lot"
    EXCLUSION = "exclusion"
    SKIPPED = "skipped"


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One step of an explanation: a number, the rule it comes from, what went in, and what rounding left over.

    The exact value is `points` + `remainder` / `remainder_of`; for a bonus the remainder is that of the running total.
    """

    kind: StepKind
    points: int = 0
    rule: str = ""
    currency: str = ""
    inputs: Inputs = {}
    remainder: int = 0
    remainder_of: int = 1
    steps: "tuple[Step, ...]" = ()


class Terms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """When points can be spent and when they expire; days are those of the programme's time zone.

    They can be spent from `available_from` to the day before `expires_on`. While `awaits` names an event, they are
    pending until it comes, at the longest to the day before `waits_until`.
    """

    available_from: date | None
    expires_on: date | None = None
    awaits: str | None = None
    waits_until: date | None = None


class Lot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Points of one kind with the same terms, earned by one purchase."""

    currency: str
    points: int
    terms: Terms


class Share(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one rule gave for one line, and in which lot it lies."""

    rule: str
    line_id: str
    lot: int
    points: int


class Count(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an earning adds to a counter."""

    counter: Counter
    amount: int


class Draw(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a purchase drew on a budget: `amount` when it earned, of which returns gave `back` so much.

    `before` is what had been drawn when the budget was asked.
    """

    counter: Counter
    amount: int
    back: int = 0
    before: int = 0

    @property
    def net(self) -> int:
        """What it draws still."""
        return self.amount - self.back


class Earning(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one purchase earns: points by kind, the lots they make, who gave what for which line, and why.

    `counts` are to be added to the member's counters, `budget_counts` to those all members share; `budget_before` is
    what the budgets that were asked had counted. `line_minor` are the amounts of the lines as they counted.
    """

    purchase_id: str
    programme: str
    version: int
    outcome: Outcome
    business_on: date
    points: Mapping[str, int]
    lots: tuple[Lot, ...]
    shares: tuple[Share, ...]
    line_minor: Mapping[str, int]
    counts: tuple[Count, ...]
    budget_counts: tuple[Count, ...]
    budget_before: tuple[Count, ...]
    explanation: Step
