"""What is told at the counter of purchases: what each is worth in which programme, why, and how the member stands."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import groupby
from uuid import UUID

import msgspec

from comity.activity.types import Fact
from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import api as ledger
from comity.ledger.types import Standing
from comity.programme import rules, store, store_stands
from comity.programme.engine.facts import StepKind
from comity.programme.explaining import explain_purchase
from comity.programme.purchases import EarnedIn, LotTold, PurchaseTold, RuleTold
from comity.programme.simulating_types import ExplainedEarning
from comity.programme.stands import BookedEarning
from comity.programme.types import Member, Programme

_TELLING = frozenset({StepKind.AWARD, StepKind.BONUS, StepKind.CAP, StepKind.BUDGET})


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase was worth in a programme, and what could not be taken back of it."""

    points: int = 0
    kept: int = 0


def require_profile(fact: Fact) -> UUID:
    """Return whose purchase it is; that of what is told at the counter is known."""
    if fact.profile_id is None:
        raise Broken("A purchase was told at the counter, and is nobody's.", details={"number": fact.business_key})
    return fact.profile_id


def list_worth(tx: Tx, *, purchase_id: int) -> dict[str, Worth]:
    """Return what a purchase is worth in each programme."""
    rows = store_stands.list_booked(tx, purchase_ids=[purchase_id])
    return {
        name: Worth(points=booked[0].points, kept=_sum_kept(booked))
        for name, booked in ((name, list(group)) for name, group in groupby(rows, key=lambda each: each.programme))
    }


def tell(
    tx: Tx,
    *,
    facts: Sequence[Fact],
    programmes: Sequence[Programme],
    now: datetime,
    before: Mapping[str, Worth] | None = None,
) -> dict[int, list[EarnedIn]]:
    """Return by purchase what it is worth in each programme that its person is a member of.

    Where `before` says what it was worth before a return, what was taken since is told, too.
    """
    owners = {each.purchase_id: require_profile(each) for each in facts}
    booked = _list_booked(tx, sorted(owners))
    members = _list_members(tx, sorted(set(owners.values())), programmes)
    standings = _list_standings(tx, [each for own in members.values() for each in own], programmes, now=now)
    told: dict[int, list[EarnedIn]] = {}
    for purchase_id, profile_id in owners.items():
        mine = booked.get(purchase_id, {})
        earned = any(each.points for rows in mine.values() for each in rows)
        explained = (
            {each.programme: each for each in explain_purchase(tx, purchase_id=purchase_id, now=now)} if earned else {}
        )
        told[purchase_id] = [
            _tell_one(
                mine.get(each.programme, []),
                explained.get(each.programme),
                member=each,
                standing=standings[each.account_id],
                before=(before or {}).get(each.programme),
            )
            for each in members.get(profile_id, [])
        ]
    return told


def to_purchase(fact: Fact, told: list[EarnedIn], *, is_duplicate: bool, is_differing: bool) -> PurchaseTold:
    """Return a purchase as it stands."""
    return PurchaseTold(
        purchase_id=fact.purchase_id,
        number=fact.business_key,
        global_id=require_profile(fact),
        occurred_at=fact.occurred_at,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        returned_minor=fact.returned_minor,
        is_differing=is_differing,
        is_duplicate=is_duplicate,
        programmes=told,
    )


def _tell_one(
    booked: Sequence[BookedEarning],
    explained: ExplainedEarning | None,
    *,
    member: Member,
    standing: Standing,
    before: Worth | None,
) -> EarnedIn:
    first = booked[0] if booked else None
    points = first.points if first else 0
    return EarnedIn(
        programme=member.programme,
        points=points,
        outcome=first.outcome if first else None,
        effective_on=first.effective_on if first else None,
        rules=_list_rules(explained),
        lots=[
            LotTold(
                points=each.lot_points,
                booked_on=each.booked_on,
                available_from=each.available_from,
                expires_on=each.expires_on,
            )
            for each in booked
            if each.lot_points and each.booked_on is not None
        ],
        balance=standing.balance,
        spendable=standing.spendable,
        pending=standing.pending,
        tier=member.tier,
        taken_back=max(0, before.points - points) if before else 0,
        shortfall=max(0, _sum_kept(booked) - before.kept) if before else 0,
    )


def _list_rules(explained: ExplainedEarning | None) -> list[RuleTold]:
    """Return what rules gave; none where deriving it anew says something else than the books."""
    if explained is None or explained.explanation is None or not explained.is_exact:
        return []
    return [
        RuleTold(kind=step.kind, rule=step.rule, points=step.points)
        for total in explained.explanation.steps
        if total.kind is StepKind.TOTAL
        for step in total.steps
        if step.kind in _TELLING
    ]


def _sum_kept(booked: Sequence[BookedEarning]) -> int:
    return sum(each.kept or 0 for each in booked)


def _list_booked(tx: Tx, purchase_ids: Sequence[int]) -> dict[int, dict[str, list[BookedEarning]]]:
    found: dict[int, dict[str, list[BookedEarning]]] = {}
    for each in store_stands.list_booked(tx, purchase_ids=purchase_ids):
        found.setdefault(each.purchase_id, {}).setdefault(each.programme, []).append(each)
    return found


def _list_members(tx: Tx, profile_ids: Sequence[UUID], programmes: Sequence[Programme]) -> dict[UUID, list[Member]]:
    defined = {each.name for each in programmes}
    members: dict[UUID, list[Member]] = {}
    for profile_id, member in store.list_members(tx, profile_ids=profile_ids, programme=None):
        if member.programme in defined:
            members.setdefault(profile_id, []).append(member)
    return members


def _list_standings(
    tx: Tx, members: Sequence[Member], programmes: Sequence[Programme], *, now: datetime
) -> dict[int, Standing]:
    zones = {each.name: each.spec.timezone for each in programmes}
    accounts: dict[date, set[int]] = {}
    for each in members:
        today = rules.to_local_date(now, zones[each.programme])
        accounts.setdefault(today, set()).add(each.account_id)
    return {
        each.account_id: each
        for day, account_ids in accounts.items()
        for each in ledger.get_standings(tx, account_ids=sorted(account_ids), day=day)
    }
