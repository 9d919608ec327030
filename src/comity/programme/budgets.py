"""What promotions give all members together: budgets, counted to the point whoever draws on them at the same time.

Whoever lets purchases earn holds the budgets of the programme until the end of the transaction, and before any member:
so each sees what was drawn before.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import asdict

from comity.definitions.types import BudgetSpec, ProgrammeSpec
from comity.kernel.database import Tx
from comity.kernel.events import publish
from comity.programme import running, store_budgets
from comity.programme.engine.days import name_period
from comity.programme.engine.facts import Counter, Counts, Draw
from comity.programme.enrolment import open_programme
from comity.programme.promotions import BUDGET_LOW, BUDGET_SPENT, BudgetState
from comity.programme.rules import to_local_date
from comity.programme.types import Programme

LOW_PERCENT = 90
"""From here on a budget is nearly used up."""


def hold(tx: Tx, *, programme: Programme, now: datetime) -> None:
    """Be the only one who draws on the budgets of a programme until the transaction ends; nothing where it has none."""
    if running.has_budgets(programme):
        open_programme(tx, programme=programme, now=now)
        store_budgets.lock_budgets(tx, programme=programme.name)


def read(tx: Tx, *, programme: Programme) -> Counts:
    """Return what has been drawn on the budgets of a programme."""
    return store_budgets.list_drawn(tx, programme=programme.name) if running.has_budgets(programme) else {}


def sum_net(draws: Sequence[Draw]) -> Counts:
    """Return what draws come to."""
    return add_up({each.counter: each.net} for each in draws)


def add_up(drawn: Iterable[Counts]) -> dict[Counter, int]:
    """Return the sum of counters."""
    sums: dict[Counter, int] = {}
    for counts in drawn:
        for counter, amount in counts.items():
            sums[counter] = sums.get(counter, 0) + amount
    return sums


def draw(tx: Tx, *, programme: Programme, drawn: Counts, now: datetime) -> None:
    """Count what is drawn or (below zero) given back; the budgets are held.

    Publishes `programme.budget_low` and `programme.budget_spent` where a budget comes to that.
    """
    changed = {counter: amount for counter, amount in drawn.items() if amount}
    if not changed:
        return
    after = store_budgets.add_drawn(tx, programme=programme.name, drawn=changed)
    before = {counter: after[counter] - amount for counter, amount in changed.items()}
    low: list[BudgetState] = []
    spent: list[BudgetState] = []
    for budget in programme.spec.budgets:
        for period in sorted({period for name, period in changed if name.startswith(f"budget.{budget.name}.")}):
            old, new = (_look(programme, budget, each, period) for each in (before, after))
            if new.is_spent and not old.is_spent:
                spent.append(new)
            elif new.is_low and not old.is_low:
                low.append(new)
    publish(tx, kind=BUDGET_LOW, payloads=[asdict(each) for each in low], now=now)
    publish(tx, kind=BUDGET_SPENT, payloads=[asdict(each) for each in spent], now=now)


def list_states(tx: Tx, *, programme: Programme, now: datetime) -> list[BudgetState]:
    """Return how the budgets of a programme stand in the period of today."""
    spec = programme.spec
    used = store_budgets.list_drawn(tx, programme=programme.name) if spec.budgets else {}
    today = to_local_date(now, spec.timezone)
    return [_look(programme, each, used, name_period(today, each.per)) for each in spec.budgets]


def _look(programme: Programme, budget: BudgetSpec, used: Counts, period: str) -> BudgetState:
    points, money = (used.get((f"budget.{budget.name}.{kind}.{budget.per}", period), 0) for kind in ("points", "money"))
    points_left = None if budget.points is None else max(budget.points - points, 0)
    money_left = None if budget.money_minor is None else max(budget.money_minor - money, 0)
    shares = [(points, budget.points), (money, budget.money_minor)]
    percent = max(min(used * 100 // most, 100) for used, most in shares if most is not None)
    is_spent = points_left == 0 or (money_left is not None and not _buys_any(programme.spec, budget, money_left))
    return BudgetState(
        programme=programme.name,
        budget=budget.name,
        per=budget.per,
        period=period,
        points_max=budget.points,
        points_used=None if budget.points is None else points,
        money_max_minor=budget.money_minor,
        money_used_minor=None if budget.money_minor is None else money,
        used_percent=percent,
        is_low=is_spent or percent >= LOW_PERCENT,
        is_spent=is_spent,
    )


def _buys_any(spec: ProgrammeSpec, budget: BudgetSpec, money_left: int) -> bool:
    """True when there is money left for a point of one of the kinds that the rules of the budget give."""
    names = {rule.points or spec.points_specs[0].name for rule in spec.earning_rules if rule.budget == budget.name}
    worths = [each.worth for each in spec.points_specs if each.name in names and each.worth is not None]
    return money_left > 0 and (not worths or any(money_left * each.points >= each.minor for each in worths))
