"""Purchases earn points."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import asdict

from comity.activity.types import PurchaseRecorded
from comity.definitions.types import CorrectionPolicy
from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.ledger.types import Posting, PostingVerdict
from comity.programme import budgets, rules, running, store, store_stands
from comity.programme.enrolment import enrol
from comity.programme.kind_accounts import provide
from comity.programme.settling import settle
from comity.programme.stands import PurchaseState
from comity.programme.tiers import recompute
from comity.programme.types import POINTS_EARNED, Earned, Earning, LockedMember, PointsEarned, Programme


def earn_for_purchases(
    tx: Tx,
    *,
    purchases: Sequence[PurchaseRecorded],
    programmes: Sequence[Programme],
    now: datetime,
    explains: bool = False,
) -> list[Earned]:
    """Let purchases earn in every programme their person is a member of; return what was new, explained if asked for.

    A purchase earns once per programme, whoever it belongs to by then and however often it comes. Where everybody is
    enrolled automatically, who is no member yet becomes one. Publishes `programme.points_earned` and
    `programme.tier_changed`.
    """
    earned: list[Earned] = []
    for programme in programmes if purchases else ():
        budgets.hold(tx, programme=programme, now=now)
        known = store.list_earned(tx, programme=programme.name, purchase_ids=[each.purchase_id for each in purchases])
        fresh = {each.purchase_id: each for each in purchases if each.purchase_id not in known}
        if fresh:
            earned += _earn(tx, purchases=list(fresh.values()), programme=programme, now=now, explains=explains)
    return earned


def _earn(
    tx: Tx, *, purchases: Sequence[PurchaseRecorded], programme: Programme, now: datetime, explains: bool
) -> list[Earned]:
    wishes = [(each.profile_id, programme.name) for each in purchases]
    members = store.lock_members(tx, wishes=wishes, now=now)
    if len(members) < len(purchases) and programme.spec.enrol.automatic and programme.spec.enrol.when is None:
        strangers = [each.profile_id for place, each in enumerate(purchases) if place not in members]
        enrol(tx, profile_ids=strangers, programme=programme, now=now)
        members = store.lock_members(tx, wishes=wishes, now=now)
    if not members:
        return []
    members = provide(tx, members, programme=programme, now=now)
    late, walked, plain = _sort(tx, purchases, members, programme)
    earned: list[Earned] = []
    for places, is_entry in ((late, False), (walked, True)):
        earned += _settle(
            tx, purchases, members, places, programme=programme, is_entry=is_entry, now=now, explains=explains
        )
    members = {place: members[place] for place in plain}
    if not members:
        return earned
    return earned + _earn_plainly(tx, purchases, members, programme=programme, now=now, explains=explains)


def _sort(
    tx: Tx, purchases: Sequence[PurchaseRecorded], members: Mapping[int, LockedMember], programme: Programme
) -> tuple[list[int], list[int], list[int]]:
    """Tell places of purchases that came late (others follow them), that look at the tier of their day, and the rest.

    Where no purchase earns by others, none is late.
    """
    versions = [each.rules for each in running.list_versions(programme)]
    is_forward = programme.spec.corrections is CorrectionPolicy.ADJUST_FORWARD
    if not is_forward and not any(running.has_memory(each) for each in versions):
        return [], [], sorted(members)
    latest = store_stands.list_latest(tx, member_ids=sorted({each.member_id for each in members.values()}))
    late = [
        place
        for place in sorted(members)
        if (purchases[place].occurred_at, purchases[place].purchase_id)
        < latest.get(members[place].member_id, (purchases[place].occurred_at, 0))
    ]
    others = sorted(members.keys() - set(late))
    is_walked = any(running.looks_at_tiers(each) for each in versions)
    is_walked = is_walked or (len(versions) > 1 and any(running.needs_history(each) for each in versions))
    return (late, others, []) if is_walked else (late, [], others)


def _settle(
    tx: Tx,
    purchases: Sequence[PurchaseRecorded],
    members: Mapping[int, LockedMember],
    places: Sequence[int],
    *,
    programme: Programme,
    is_entry: bool,
    now: datetime,
    explains: bool,
) -> list[Earned]:
    changed: dict[int, list[int]] = {}
    for place in places:
        changed.setdefault(members[place].member_id, []).append(purchases[place].purchase_id)
    return settle(
        tx,
        members={each.member_id: each for each in members.values()},
        changed=changed,
        programme=programme,
        is_entry=is_entry,
        now=now,
        told={purchases[place].purchase_id: _to_state(purchases[place]) for place in places},
        explains=explains,
    )


def _to_state(purchase: PurchaseRecorded) -> PurchaseState:
    return PurchaseState(
        purchase_id=purchase.purchase_id,
        occurred_at=purchase.occurred_at,
        amount_minor=purchase.amount_minor,
        currency=purchase.currency,
        is_cancelled=purchase.is_cancelled,
        details=purchase.details,
        system=purchase.system,
        external_id=purchase.external_id,
        returns=[],
    )


def _earn_plainly(
    tx: Tx,
    purchases: Sequence[PurchaseRecorded],
    members: Mapping[int, LockedMember],
    *,
    programme: Programme,
    now: datetime,
    explains: bool,
) -> list[Earned]:
    plan = _plan(tx, purchases=purchases, members=members, programme=programme, explains=explains)
    postings = rules.plan_earn_postings(plan, programme.name)
    booked = iter(_post(tx, postings=postings, now=now))
    verdicts = [[next(booked) for _ in each.lots] for each in plan]
    new = store.insert_earnings(
        tx,
        programme=programme.name,
        earnings=plan,
        transfer_ids=[[each.transfer_id or 0 for each in booked] for booked in verdicts],
        now=now,
    )
    fresh = [each for each in plan if each.purchase.purchase_id in new]
    store.add_counted(tx, counted=[each for earning in fresh for each in earning.counted])
    budgets.draw(tx, programme=programme, drawn=budgets.add_up(budgets.sum_net(each.drawn) for each in fresh), now=now)
    _publish_earned(tx, plan, verdicts, new, programme=programme.name, now=now)
    touched = sorted({each.member.member_id for each in fresh})
    recompute(tx, member_ids=touched, programme=programme, now=now)
    return [
        Earned(
            purchase_id=each.purchase.purchase_id,
            programme=programme.name,
            profile_id=each.member.profile_id,
            points=each.points,
            further_points=each.further_points,
            outcome=each.outcome,
            explanation=each.explanation,
        )
        for each in plan
        if each.purchase.purchase_id in new
    ]


def _plan(
    tx: Tx,
    *,
    purchases: Sequence[PurchaseRecorded],
    members: Mapping[int, LockedMember],
    programme: Programme,
    explains: bool,
) -> list[Earning]:
    """Return what purchases earn, given what their members have behind them where the rules ask for that."""
    member_ids = sorted({each.member_id for each in members.values()})
    is_asked = any(running.needs_history(each.rules) for each in running.list_versions(programme))
    return running.plan_earnings(
        purchases,
        members,
        programme,
        purchase_counts=store.count_purchases(tx, member_ids=member_ids) if is_asked else {},
        counted=store.list_counted(tx, member_ids=member_ids) if is_asked else (),
        budgets=budgets.read(tx, programme=programme),
        explains=explains,
    )


def _post(tx: Tx, *, postings: Sequence[Posting], now: datetime) -> list[PostingVerdict]:
    verdicts = ledger.post(tx, postings=postings, now=now)
    for posting, verdict in zip(postings, verdicts, strict=True):
        if not verdict.is_booked:
            raise Broken(
                "An earned purchase could not be posted.",
                details={"idempotency_key": posting.idempotency_key, "status": verdict.status},
            )
    return verdicts


def _publish_earned(
    tx: Tx,
    plan: Sequence[Earning],
    verdicts: Sequence[Sequence[PostingVerdict]],
    new: set[int],
    *,
    programme: str,
    now: datetime,
) -> None:
    told: list[PointsEarned] = []
    for each, booked in zip(plan, verdicts, strict=True):
        if each.purchase.purchase_id not in new:
            continue
        by_kind: dict[str, list[tuple[int, PostingVerdict]]] = {}
        for lot, verdict in zip(each.lots, booked, strict=True):
            kind = each.member.of_kind(lot.currency).kind_name
            by_kind.setdefault(kind, []).append((lot.points, verdict))
        told += [
            PointsEarned(
                profile_id=each.member.profile_id,
                programme=programme,
                purchase_id=each.purchase.purchase_id,
                points=sum(points for points, _ in made),
                balance=made[-1][1].balance_after,
                transfer_id=made[0][1].transfer_id,
                kind=kind,
            )
            for kind, made in by_kind.items()
        ]
    publish(tx, kind=POINTS_EARNED, payloads=[asdict(each) for each in told], now=now)
