"""What a return takes back: pro rata by line, in whole points whose sum never drifts, from the right lots.

What is to be taken back for a line depends on how much of it has been returned in all, not on how often: half now and
half later is the same as everything at once, and the last return takes exactly what is left. What can be taken depends
on the policy (Talon.One's `returnPolicy` has the same three).
"""

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec

from comity.definitions.types import LateReturns, ReturnPolicy, ReturnsSpec, Rounding
from comity.kernel.errors import Invalid
from comity.programme.engine.arithmetic import apportion_within, round_ratio
from comity.programme.engine.days import add_days, to_business_day
from comity.programme.engine.facts import REST_LINE, Earning, Purchase


class InvalidReturn(Invalid):
    """A return takes back lines of the purchase, and no more of each than was bought."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be taken back in all: points by share of the earning, and by lot."""

    by_share: tuple[int, ...]
    by_lot: tuple[int, ...]

    @property
    def points(self) -> int:
        """All points, whatever kind."""
        return sum(self.by_lot)


def find_returned(purchase: Purchase, spec: ReturnsSpec, zone: ZoneInfo) -> Mapping[str, int]:
    """Return what counts as returned of a purchase, by line: all of it, or what came back within the window."""
    if spec.late is LateReturns.TAKE_BACK or not purchase.returns:
        return purchase.returned_minor
    last_day = add_days(to_business_day(purchase.occurred_at, zone), spec.window_days)
    in_time = [each for each in purchase.returns if to_business_day(each.occurred_at, zone) <= last_day]
    return in_time[-1].returned_minor if in_time else {}


def count_returned(
    earning: Earning, returned_minor: Mapping[str, int], *, rounding: Rounding = Rounding.FLOOR
) -> Taken:
    """Return what is to be taken back in all, when so much of each line has been returned in all.

    Of each line and each kind of points: points of the line times returned through bought, rounded by name; a line that
    came back whole gives back everything. A line that cost nothing comes back with the purchase as a whole. The sum is
    split over the rules and lots of the line by largest remainder. Raises InvalidReturn.
    """
    _check(earning, returned_minor)
    by_share = [0] * len(earning.shares)
    whole = (sum(earning.line_minor.values()), sum(returned_minor.values()))
    for line_id, paid in earning.line_minor.items():
        bought, returned = (paid, returned_minor.get(line_id, 0)) if paid else whole
        if not returned:
            continue
        for places in _group_shares(earning, line_id):
            limits = [earning.shares[place].points for place in places]
            total = min(round_ratio(sum(limits) * returned, bought, rounding), sum(limits))
            for place, part in zip(places, apportion_within(total, limits), strict=True):
                by_share[place] = part
    by_lot = [0] * len(earning.lots)
    for share, part in zip(earning.shares, by_share, strict=True):
        by_lot[share.lot] += part
    return Taken(by_share=tuple(by_share), by_lot=tuple(by_lot))


def take_back(
    earning: Earning,
    *,
    returned_before: Mapping[str, int],
    returned_now: Mapping[str, int],
    taken_by_lot: Sequence[int],
    rounding: Rounding = Rounding.FLOOR,
) -> tuple[int, ...]:
    """Return what a return is to take back from each lot of its purchase.

    `returned_before` and `returned_now` are what was returned of each line in all, without and with this return;
    `taken_by_lot` is what was to be taken back before. The sum of each kind of points is that of `count_returned` now
    less before; no lot gives more than it held, and never does a return give points back. Raises InvalidReturn.
    """
    if any(returned_now.get(line, 0) < before for line, before in returned_before.items()):
        raise InvalidReturn("What was returned can only grow.", details={"purchase_id": earning.purchase_id})
    before = count_returned(earning, returned_before, rounding=rounding).by_lot
    now = count_returned(earning, returned_now, rounding=rounding).by_lot
    result = [0] * len(earning.lots)
    for currency in dict.fromkeys(lot.currency for lot in earning.lots):
        places = [place for place, lot in enumerate(earning.lots) if lot.currency == currency]
        total = sum(now[place] - before[place] for place in places)
        wanted = [max(now[place] - taken_by_lot[place], 0) for place in places]
        room = [earning.lots[place].points - taken_by_lot[place] for place in places]
        limits = wanted if sum(wanted) >= total else room
        for place, part in zip(places, apportion_within(min(total, sum(room)), limits), strict=True):
            result[place] = part
    return tuple(result)


def _check(earning: Earning, returned_minor: Mapping[str, int]) -> None:
    for line, returned in returned_minor.items():
        bought = earning.line_minor.get(line)
        if type(returned) is not int or returned < 0 or (bought is None and returned) or returned > (bought or 0):
            raise InvalidReturn(
                details={"purchase_id": earning.purchase_id, "line": line or REST_LINE, "bought_minor": bought or 0}
            )


def _group_shares(earning: Earning, line_id: str) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for place, share in enumerate(earning.shares):
        if share.line_id == line_id:
            groups.setdefault(earning.lots[share.lot].currency, []).append(place)
    return list(groups.values())


class LotRest(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a lot of the purchase: points neither spent, expired nor taken back."""

    points: int
    is_pending: bool


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How a take-back is met: from the purchase's own lots, from the member's other points, as a debt, or not at all.

    The parts add up to what was to be taken back. `from_balance` comes from the soonest-expiring other lots; `owed`
    makes the balance negative; `forgiven` is what the policy leaves with the member.
    """

    from_lots: tuple[int, ...]
    from_balance: int
    owed: int
    forgiven: int


def settle(wanted: Sequence[int], rests: Sequence[LotRest], *, policy: ReturnPolicy, balance: int) -> Settlement:
    """Decide where points that are to be taken back come from; `wanted` and `rests` are by lot of the purchase.

    `balance` is what the member has available beside these lots, of the same kind of points.

    >>> settle([10], [LotRest(points=4, is_pending=False)], policy=ReturnPolicy.WITHIN_BALANCE, balance=5)
    Settlement(from_lots=(4,), from_balance=5, owed=0, forgiven=1)
    """
    from_lots = tuple(
        min(points, rest.points) if rest.is_pending or policy is not ReturnPolicy.ONLY_PENDING else 0
        for points, rest in zip(wanted, rests, strict=True)
    )
    missing = sum(wanted) - sum(from_lots)
    if policy is ReturnPolicy.ONLY_PENDING:
        return Settlement(from_lots=from_lots, from_balance=0, owed=0, forgiven=missing)
    from_balance = min(missing, max(balance, 0))
    missing -= from_balance
    is_negative = policy is ReturnPolicy.ALLOW_NEGATIVE
    return Settlement(
        from_lots=from_lots,
        from_balance=from_balance,
        owed=missing if is_negative else 0,
        forgiven=0 if is_negative else missing,
    )
