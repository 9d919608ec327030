"""The ledger as a plain model: one wish after the other, lists and sums, no batches, no database.

It knows the promises, not the code: what a wish must be answered with, and what every account holds afterwards, lot by
lot. Transfers are named by the ids the real ledger gave, so that both tell the same story.
"""

from dataclasses import dataclass, field
from datetime import date

from tests.property.ledger_journal import Journal

NEVER = date.max


@dataclass
class Lot:
    """What an account holds of an accrual; a negative rest is a debt."""

    lot_id: int
    rest: int
    expires_on: date = NEVER
    available_from: date = date.min

    @property
    def order(self):
        return (self.expires_on, self.lot_id)

    def is_spendable(self, day):
        return self.rest > 0 and self.available_from <= day < self.expires_on


@dataclass
class Moved:
    """A transfer: what it took of which lots, and how much of it has been asked back."""

    kind: str
    debit: str
    credit: str
    amount: int
    pieces: list[tuple[int, int]]
    has_money: bool = False
    asked_back: int = 0
    given_back: dict[int, int] = field(default_factory=dict)

    @property
    def holder(self):
        return self.debit if self.kind == "redeem" else self.credit


@dataclass
class Hold:
    account: str
    pieces: list[tuple[int, int]]
    end: tuple[str, str, int] | None = None


class Model:
    """Holders by name; everything else is outside."""

    def __init__(self, holders):
        self.lots = {name: [] for name in holders}
        self.terms = {}
        self.reserved = {name: [] for name in holders}
        self.outside = {"programme": 0, "expired": 0}
        self.money = 0
        self.transfers = {}
        self.holds = {}
        self.journal = Journal()
        self.last_days = {}
        self.known_rests = {}

    def balance(self, name):
        return sum(lot.rest for lot in self.lots[name])

    def spendable(self, name, day):
        good = sum(lot.rest for lot in self.lots[name] if lot.is_spendable(day))
        return min(good, max(0, self.balance(name)))

    def find(self, lots, lot_id):
        return next((lot for lot in lots if lot.lot_id == lot_id), None)

    def put(self, lots, lot_id, amount):
        known = self.find(lots, lot_id)
        if known is None:
            lots.append(Lot(lot_id, amount, *self.terms.get(lot_id, (NEVER, date.min))))
        else:
            known.rest += amount

    def book(self, debit, credit, amount, day, what, *, accrual=None):
        """Write down what has just been done, and on which day it changed which lots."""
        day = self.journal.add(debit, credit, amount, day, what)
        rests = {(name, lot.lot_id): lot.rest for name, lots in self.lots.items() for lot in lots}
        if accrual is not None:
            self.known_rests[accrual] = amount
        for key in self.known_rests.keys() | rests.keys():
            if self.known_rests.get(key, 0) != rests.get(key, 0):
                self.last_days[key] = max(day, self.last_days.get(key, day))
        self.known_rests = rests

    def clean(self):
        for lots in (*self.lots.values(), *self.reserved.values()):
            lots[:] = [lot for lot in lots if lot.rest]

    def plan(self, name, amount, day, *, first=(), anything=False):
        """Return the pieces a debit takes: those named first, then what can be spent, soonest expiry first."""
        left = amount
        pieces = {}
        for lot_id, most in first:
            lot = self.find(self.lots[name], lot_id)
            part = min(left, most, lot.rest) if lot and lot.rest > 0 else 0
            if part:
                pieces[lot_id] = part
                left -= part
        for lot in sorted(self.lots[name], key=lambda each: each.order):
            free = lot.rest - pieces.get(lot.lot_id, 0)
            if free > 0 and left > 0 and (anything or lot.is_spendable(day)):
                part = min(free, left)
                pieces[lot.lot_id] = pieces.get(lot.lot_id, 0) + part
                left -= part
        return list(pieces.items()), left

    def take(self, lots, pieces):
        for lot_id, part in pieces:
            self.find(lots, lot_id).rest -= part

    def pay_debts(self, name, income, day):
        lots = self.lots[name]
        for debt in [lot for lot in sorted(lots, key=lambda each: each.lot_id) if lot.rest < 0]:
            for lot in sorted(lots, key=lambda each: each.order):
                part = min(-debt.rest, lot.rest, income) if lot.expires_on > day else 0
                if part > 0:
                    lot.rest -= part
                    debt.rest += part
                    income -= part
        self.clean()

    def earn(self, name, amount, expires_on, available_from, day, transfer_id):
        self.terms[transfer_id] = (expires_on, available_from)
        self.put(self.lots[name], transfer_id, amount)
        self.outside["programme"] -= amount
        self.money += amount
        self.transfers[transfer_id] = Moved("earn", "programme", name, amount, [], has_money=True)
        self.pay_debts(name, amount, day)
        self.book("programme", name, amount, day, "issued", accrual=(name, transfer_id))

    def judge_debit(self, name, amount, day, *, anything=False):
        enough = self.balance(name) >= amount and self.plan(name, amount, day, anything=anything)[1] == 0
        return "posted" if enough else "insufficient"

    def redeem(self, name, amount, day, transfer_id):
        pieces, _ = self.plan(name, amount, day)
        self.take(self.lots[name], pieces)
        self.outside["programme"] += amount
        self.money -= amount
        self.transfers[transfer_id] = Moved("redeem", name, "programme", amount, pieces, has_money=True)
        self.clean()
        self.book(name, "programme", amount, day, "redeemed")

    def give(self, source, target, amount, day, transfer_id, *, anything=False):
        pieces, _ = self.plan(source, amount, day, anything=anything)
        self.take(self.lots[source], pieces)
        for lot_id, part in pieces:
            self.put(self.lots[target], lot_id, part)
        self.transfers[transfer_id] = Moved("gift", source, target, amount, pieces)
        self.pay_debts(target, amount, day)
        self.book(source, target, amount, day, "moved")

    def move_all(self, source, target, day, debt_id):
        """Lots first, then what is owed, then what is reserved."""
        lots = [lot for lot in self.lots[source] if lot.rest > 0]
        owed = -sum(lot.rest for lot in self.lots[source] if lot.rest < 0)
        amount = sum(lot.rest for lot in lots)
        for lot in lots:
            self.put(self.lots[target], lot.lot_id, lot.rest)
            lot.rest = 0
        if amount:
            self.pay_debts(target, amount, day)
            self.book(source, target, amount, day, "moved")
        if owed:
            pieces, left = self.plan(target, owed, day)
            self.take(self.lots[target], pieces)
            if left:
                self.lots[target].append(Lot(debt_id, -left))
            self.lots[source] = []
            self.clean()
            self.book(target, source, owed, day, "moved")
        for hold in self.holds.values():
            if hold.account == source and not hold.end:
                hold.account = target
                for lot_id, part in hold.pieces:
                    self.find(self.reserved[source], lot_id).rest -= part
                    self.put(self.reserved[target], lot_id, part)
        self.clean()

    def reserve(self, name, amount, day, hold_id):
        pieces, _ = self.plan(name, amount, day)
        self.take(self.lots[name], pieces)
        for lot_id, part in pieces:
            self.put(self.reserved[name], lot_id, part)
        self.holds[hold_id] = Hold(name, pieces)
        self.clean()
        self.book(name, "reserved", amount, day, "moved")

    def judge_end(self, hold_id, outcome, amount, key):
        hold = self.holds[hold_id]
        total = sum(part for _, part in hold.pieces)
        if hold.end:
            return "duplicate" if hold.end == (key, outcome, amount) else "already_resolved"
        return "posted" if outcome != "captured" or 0 < amount <= total else "invalid"

    def end(self, hold_id, outcome, amount, key, day, capture_id):
        """Capture the lots that expire soonest, give the others back."""
        hold = self.holds[hold_id]
        hold.end = (key, outcome, amount)
        left, captured, released = amount, [], 0
        for lot_id, held in sorted(hold.pieces, key=lambda piece: (self.terms[piece[0]][0], piece[0])):
            part = min(held, left)
            left -= part
            self.find(self.reserved[hold.account], lot_id).rest -= held
            if part:
                captured.append((lot_id, part))
            if held > part:
                self.put(self.lots[hold.account], lot_id, held - part)
                released += held - part
        if amount:
            self.outside["programme"] += amount
            self.transfers[capture_id] = Moved("redeem", hold.account, "programme", amount, captured)
            self.book("reserved", "programme", amount, day, "redeemed")
        self.pay_debts(hold.account, released, day)
        if released:
            self.book("reserved", hold.account, released, day, "moved")

    def due(self, today):
        return [
            (name, lot) for name, lots in self.lots.items() for lot in lots if lot.rest > 0 and lot.expires_on <= today
        ]

    def expire(self, today):
        """On its day, or on the day on which its units last went or came."""
        for name, lot in self.due(today):
            gone, lot.rest = lot.rest, 0
            self.outside["expired"] += gone
            day = max(lot.expires_on, self.last_days.get((name, lot.lot_id), date.min))
            self.book(name, "expired", gone, day, "expired")
        self.clean()

    def settle(self, lot_id, expires_on):
        self.terms[lot_id] = (expires_on, date.min)
        for lots in (*self.lots.values(), *self.reserved.values()):
            for lot in lots:
                if lot.lot_id == lot_id:
                    lot.expires_on, lot.available_from = self.terms[lot_id]

    def own(self, moved, transfer_id, holder, policy, day):
        """Return the lots that the transfer brought and that are still there, with how much of each."""
        brought = {transfer_id: moved.amount}
        if moved.kind == "gift":
            brought = {lot_id: part - moved.given_back.get(lot_id, 0) for lot_id, part in moved.pieces}
        return [
            (lot.lot_id, brought[lot.lot_id])
            for lot in sorted(self.lots[holder], key=lambda each: each.order)
            if lot.rest > 0
            and brought.get(lot.lot_id, 0) > 0
            and (policy != "only_pending" or lot.available_from > day)
        ]

    def plan_return(self, transfer_id, holder, amount, policy, day):
        """Return status, what is wanted, what is taken."""
        moved = self.transfers[transfer_id]
        left = moved.amount - moved.asked_back
        wanted = left if amount is None else amount
        if left == 0 or wanted > left:
            return "already_reversed", wanted, 0
        if moved.kind == "redeem":
            return "posted", wanted, wanted
        lots = self.lots[holder]
        named = {}
        for lot_id, most in self.own(moved, transfer_id, holder, policy, day):
            named[lot_id] = min(wanted - sum(named.values()), most, self.find(lots, lot_id).rest)
        found = sum(named.values())
        others = sum(lot.rest - named.get(lot.lot_id, 0) for lot in lots if lot.is_spendable(day))
        owed = -sum(lot.rest for lot in lots if lot.rest < 0)
        if policy == "exact" and found + max(0, others - owed) < wanted:
            return "insufficient", wanted, 0
        if policy == "only_pending":
            wanted_now = found
        elif policy == "within_balance":
            wanted_now = min(wanted, found + max(0, others - owed))
        else:
            wanted_now = wanted
        return ("posted" if wanted_now else "nothing_taken"), wanted, wanted_now

    def take_back(self, transfer_id, holder, wanted, taken, policy, day, reversal_id):
        moved = self.transfers[transfer_id]
        moved.asked_back += wanted
        if not taken:
            return
        if moved.kind == "redeem":
            self.give_back(moved, holder, taken, day)
            return
        first = self.own(moved, transfer_id, holder, policy, day)
        pieces, left = self.plan(holder, taken, day, first=first)
        self.take(self.lots[holder], pieces)
        if left:
            self.lots[holder].append(Lot(reversal_id, -left))
        if moved.kind == "earn":
            self.outside["programme"] += taken
        else:
            for lot_id, part in pieces:
                self.put(self.lots[moved.debit], lot_id, part)
                moved.given_back[lot_id] = moved.given_back.get(lot_id, 0) + part
            self.pay_debts(moved.debit, taken, day)
        self.clean()
        self.book(holder, moved.debit, taken, day, "adjusted")

    def give_back(self, moved, holder, amount, day):
        self.outside["programme"] -= amount
        left = amount
        for lot_id, part in sorted(moved.pieces, key=lambda piece: (self.terms[piece[0]][0], piece[0]), reverse=True):
            back = min(left, part - moved.given_back.get(lot_id, 0))
            if back > 0:
                moved.given_back[lot_id] = moved.given_back.get(lot_id, 0) + back
                self.put(self.lots[holder], lot_id, back)
                left -= back
        self.pay_debts(holder, amount, day)
        self.book("programme", holder, amount, day, "adjusted")

    def total(self):
        held = sum(lot.rest for lots in (*self.lots.values(), *self.reserved.values()) for lot in lots)
        return held + sum(self.outside.values())
