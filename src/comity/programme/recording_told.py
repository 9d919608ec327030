"""What is told at the counter of purchases: what each is worth in which programme, why, and how the member stands."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from comity.activity.types import Fact
from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.ledger import api as ledger
from comity.ledger.types import Standing
from comity.programme import rules, store, store_stands
from comity.programme.engine.facts import Step, StepKind
from comity.programme.explaining import explain_purchase
from comity.programme.purchases import EarnedIn, KindEarned, LotTold, PurchaseTold, RuleTold
from comity.programme.stands import BookedEarning
from comity.programme.tiers import show_tiers
from comity.programme.types import Earned, Member, Programme

_TELLING = frozenset({StepKind.AWARD, StepKind.BONUS, StepKind.CAP, StepKind.BUDGET})


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What a purchase was worth in a programme (of the first kind of points, and of the others).

    `kept` is what could not be taken back of it, by the name its lots have.
    """

    points: int = 0
    further_points: Mapping[str, int] = {}
    kept: Mapping[str, int] = {}

    def count(self, kind: str, others: Collection[str]) -> int:
        """Return what it is worth in points of a kind; `others` are the kinds after the first."""
        return self.further_points.get(kind, 0) if kind in others else self.points

    def count_kept(self, kind: str, others: Collection[str]) -> int:
        """Return what could not be taken back of a kind."""
        if kind in others:
            return self.kept.get(kind, 0)
        return sum(points for name, points in self.kept.items() if name not in others)


def require_profile(fact: Fact) -> UUID:
    """Return whose purchase it is; that of what is told at the counter is known."""
    if fact.profile_id is None:
        raise Broken("A purchase was told at the counter, and is nobody's.", details={"number": fact.business_key})
    return fact.profile_id


def list_worth(tx: Tx, *, purchase_ids: Sequence[int]) -> dict[int, dict[str, Worth]]:
    """Return what purchases are worth in each programme."""
    return {
        purchase_id: {name: _sum_up(rows) for name, rows in booked.items()}
        for purchase_id, booked in _list_booked(tx, purchase_ids).items()
    }


def tell(
    tx: Tx,
    *,
    facts: Sequence[Fact],
    programmes: Sequence[Programme],
    earned: Sequence[Earned],
    now: datetime,
    before: Mapping[int, Mapping[str, Worth]] | None = None,
) -> dict[int, list[EarnedIn]]:
    """Return by purchase what it is worth in each programme that its person is a member of.

    What was `earned` just now explains itself; the rest is derived anew from the whole history of its person. Where
    `before` says what it was worth before a return, what was taken since is told, too.
    """
    stories = {(each.purchase_id, each.programme): each for each in earned}
    owners = {each.purchase_id: require_profile(each) for each in facts}
    booked = _list_booked(tx, sorted(owners))
    members = _list_members(tx, sorted(set(owners.values())), programmes, now=now)
    standings = _list_standings(tx, [each for own in members.values() for each in own], programmes, now=now)
    told: dict[int, list[EarnedIn]] = {}
    for purchase_id, profile_id in owners.items():
        mine = booked.get(purchase_id, {})
        explained = {
            name: _explain(tx, rows, stories.get((purchase_id, name)), now=now) for name, rows in mine.items() if rows
        }
        told[purchase_id] = [
            _tell_one(
                mine.get(each.programme, []),
                explained.get(each.programme),
                member=each,
                standings=standings,
                before=(before or {}).get(purchase_id, {}).get(each.programme),
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
    explanation: Step | None,
    *,
    member: Member,
    standings: Mapping[int, Standing],
    before: Worth | None,
) -> EarnedIn:
    first = booked[0] if booked else None
    others = set(member.kinds) - {member.first_kind}
    accounts = {kind: each.account_id for kind, each in member.kinds.items()} or {member.first_kind: member.account_id}
    unspendable = {kind for kind, each in member.kinds.items() if not each.is_spendable}
    worth = _sum_up(booked)
    kinds = {
        kind: KindEarned(
            points=worth.count(kind, others),
            balance=standings[account_id].balance if account_id else 0,
            spendable=standings[account_id].spendable if account_id and kind not in unspendable else 0,
            pending=standings[account_id].pending if account_id else 0,
            taken_back=max(0, before.count(kind, others) - worth.count(kind, others)) if before else 0,
            shortfall=max(0, worth.count_kept(kind, others) - before.count_kept(kind, others)) if before else 0,
        )
        for kind, account_id in accounts.items()
    }
    usual = kinds[member.first_kind]
    return EarnedIn(
        programme=member.programme,
        points=usual.points,
        outcome=first.outcome if first else None,
        effective_on=first.effective_on if first else None,
        rules=_list_rules(explanation),
        lots=[
            LotTold(
                points=each.lot_points,
                kind=each.currency if each.currency in others else member.first_kind,
                booked_on=each.booked_on,
                available_from=each.available_from,
                expires_on=each.expires_on,
            )
            for each in booked
            if each.lot_points and each.booked_on is not None
        ],
        balance=usual.balance,
        spendable=usual.spendable,
        pending=usual.pending,
        tier=member.tier,
        taken_back=usual.taken_back,
        shortfall=usual.shortfall,
        kinds=kinds if others else {},
    )


def _explain(tx: Tx, booked: Sequence[BookedEarning], story: Earned | None, *, now: datetime) -> Step | None:
    """Explain what is booked; None where it is nothing, or deriving it anew says something else than the books."""
    first = booked[0]
    worth = (first.points, first.further_points)
    if not first.points and not first.further_points:
        return None
    if story is not None and story.explanation is not None and (story.points, story.further_points) == worth:
        return story.explanation
    found = explain_purchase(tx, purchase_id=first.purchase_id, now=now, programme=first.programme)
    return found[0].explanation if found and found[0].is_exact else None


def _list_rules(explanation: Step | None) -> list[RuleTold]:
    """Return what rules gave."""
    if explanation is None:
        return []
    return [
        RuleTold(kind=step.kind, rule=step.rule, points=step.points, of=total.currency)
        for total in explanation.steps
        if total.kind is StepKind.TOTAL
        for step in total.steps
        if step.kind in _TELLING
    ]


def _sum_up(booked: Sequence[BookedEarning]) -> Worth:
    if not booked:
        return Worth()
    kept: Counter[str] = Counter()
    for each in booked:
        kept[each.currency or ""] += each.kept or 0
    return Worth(points=booked[0].points, further_points=booked[0].further_points or {}, kept=kept)


def _list_booked(tx: Tx, purchase_ids: Sequence[int]) -> dict[int, dict[str, list[BookedEarning]]]:
    found: dict[int, dict[str, list[BookedEarning]]] = {}
    for each in store_stands.list_booked(tx, purchase_ids=purchase_ids):
        found.setdefault(each.purchase_id, {}).setdefault(each.programme, []).append(each)
    return found


def _list_members(
    tx: Tx, profile_ids: Sequence[UUID], programmes: Sequence[Programme], *, now: datetime
) -> dict[UUID, list[Member]]:
    defined = {each.name: each for each in programmes}
    found = store.list_members(tx, profile_ids=profile_ids, programme=None)
    told = show_tiers(tx, [each for _, each in found], programmes=defined, now=now)
    members: dict[UUID, list[Member]] = {}
    for (profile_id, _), member in zip(found, told, strict=True):
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
        mine = {each.account_id, *(kind.account_id for kind in each.kinds.values())}
        accounts.setdefault(today, set()).update(account_id for account_id in mine if account_id)
    return {
        each.account_id: each
        for day, account_ids in accounts.items()
        for each in ledger.get_standings(tx, account_ids=sorted(account_ids), day=day)
    }
