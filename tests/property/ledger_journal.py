"""The journal of the model: what was booked on which day, what was sealed when, through which day books are closed."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

OUTSIDE = {"programme", "expired"}
DAY = timedelta(days=1)


@dataclass
class Entry:
    debit: str
    credit: str
    amount: int
    day: date
    what: str

    @property
    def change(self):
        """By how much it changes what is outstanding."""
        return self.amount * ((self.debit in OUTSIDE) - (self.credit in OUTSIDE))


@dataclass
class Journal:
    """In the order of booking."""

    entries: list[Entry] = field(default_factory=list)
    seals: list[tuple[datetime, int]] = field(default_factory=list)
    closed_through: date | None = None

    def add(self, debit, credit, amount, day, what):
        """Book on a day, or on the first open one after it, and return that."""
        if self.closed_through is not None:
            day = max(day, self.closed_through + DAY)
        self.entries.append(Entry(debit, credit, amount, day, what))
        return day

    def seal(self, now):
        self.seals.append((now, len(self.entries)))

    def count_known(self, known_at):
        """What was sealed by then; None while nothing has been sealed since."""
        sealed = [0, *(count for _, count in self.seals)]
        later = (place for place, (sealed_at, _) in enumerate(self.seals) if sealed_at > known_at)
        place = next(later, None)
        return None if place is None else sealed[place]

    def balances(self, day, known_count=None):
        found = Counter()
        for each in self.entries[:known_count]:
            if each.day <= day:
                found[each.debit] -= each.amount
                found[each.credit] += each.amount
        return found

    def judge_closing(self, through, today):
        if through >= today:
            return "DayNotOver"
        return "PeriodOrder" if self.closed_through is not None and through <= self.closed_through else None

    def judge_opening(self, through, *, by_two):
        is_closed = self.closed_through is not None and through < self.closed_through
        return None if is_closed and by_two else "PeriodOrder"

    def roll_forward(self, first_on, last_on):
        found = Counter()
        for each in self.entries:
            if each.day <= last_on:
                found["opening" if each.day < first_on else each.what] += each.change
        return (
            found["opening"], found["issued"], -found["redeemed"], -found["expired"], found["adjusted"],
            sum(found.values()),
        )  # fmt: skip
