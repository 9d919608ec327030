"""Purchases that came late, were corrected, cancelled or returned: the books follow, by entries that compensate."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from comity.kernel.database import Tx
from comity.kernel.errors import Broken
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.ledger.types import (
    POSTINGS_MAX,
    Holding,
    PostingStatus,
    PostingVerdict,
    Reversal,
    ReversalVerdict,
)
from comity.programme import budgets, history, pool_shares, store
from comity.programme import store_stands as stands_store
from comity.programme.engine.facts import Counter, Earning, Step
from comity.programme.history import Bookings
from comity.programme.kind_accounts import provide
from comity.programme.kinds import list_kinds, list_units, split_points
from comity.programme.moving import post_all, tell_of
from comity.programme.pools import Pooled
from comity.programme.running import to_id
from comity.programme.stands import BookedLot, PurchaseState, Stand
from comity.programme.tiers import recompute
from comity.programme.types import (
    POINTS_AVAILABLE,
    POINTS_EARNED,
    POINTS_TAKEN_BACK,
    Counted,
    Earned,
    LockedMember,
    PointsAvailable,
    PointsEarned,
    PointsTakenBack,
    Programme,
)
from comity.programme.waiting import NewTerms, change_lot, plan_change
from comity.programme.wishes import POINTS_MOVED, PointsMoved

WITHDRAWN = "event_withdrawn"
"""Cause of `programme.points_moved`: what the points had waited for did not happen after all."""
NOT_POSTED = "A corrected purchase could not be posted."


def follow_purchases(
    tx: Tx, *, purchase_ids: Sequence[int], programmes: Sequence[Programme], now: datetime, explains: bool = False
) -> list[Earned]:
    """Let what purchases have earned follow what is known of them now; return what stands. Repeatable.

    By the programme's policies of corrections and returns, by compensating entries only; a second time there is nothing
    left to do. Points that waited for an event which has come can be spent from then on. Purchases that earned nowhere
    are passed over. Publishes `programme.points_earned`, `programme.points_taken_back`, `programme.points_available`
    and `programme.tier_changed`.
    """
    found: list[Earned] = []
    for programme in programmes if purchase_ids else ():
        budgets.hold(tx, programme=programme, now=now)
        earners = stands_store.list_earners(tx, programme=programme.name, purchase_ids=purchase_ids)
        wishes = [(profile_id, programme.name) for _, profile_id in earners]
        places = store.lock_members(tx, wishes=wishes, now=now)
        members = {each.member_id: each for each in places.values()}
        changed: dict[int, set[int]] = {}
        # Somebody may have been merged while we waited: whose they are is read again.
        for each in stands_store.list_stands(
            tx, programme=programme.name, member_ids=sorted(members), purchase_ids=purchase_ids
        ):
            changed.setdefault(each.member_id, set()).add(each.purchase_id)
        found += settle(
            tx, members=members, changed=changed, programme=programme, is_entry=False, now=now, explains=explains
        )
    return found


class _Work(msgspec.Struct, kw_only=True):
    """What is to be done for one member."""

    member: LockedMember
    bookings: Bookings
    stands: list[Stand]
    counted: list[Counted]
    drawn: dict[Counter, int]
    earnings: Mapping[str, Earning]


def settle(
    tx: Tx,
    *,
    members: Mapping[int, LockedMember],
    changed: Mapping[int, Collection[int]],
    programme: Programme,
    is_entry: bool,
    now: datetime,
    told: Mapping[int, PurchaseState] | None = None,
    explains: bool = False,
) -> list[Earned]:
    """Book what changed purchases of locked members come to, both by member id; return what stands of them.

    With `is_entry` they come after all that stands. `told` are facts that are at hand already. With `explains`, what
    stands is explained, unless something was taken of it since.
    """
    if not changed:
        return []
    members = provide(tx, members, programme=programme, now=now)
    works = _plan(
        tx, members=members, changed=changed, programme=programme, is_entry=is_entry, told=told or {}, explains=explains
    )
    # Pools are held before accounts are.
    accounts = {work.member.account_id for work in works}
    touched = [lot_id for work in works for lot_id in work.bookings.list_touched()]
    pooled = pool_shares.hold_pools_of(tx, lot_ids=touched, account_ids=accounts)
    lots, given, taken = _book(tx, works, pooled, now=now)
    _change_terms(tx, works, lots, pooled, programme=programme.name, now=now)
    if lots:
        stands_store.put_lots(tx, programme=programme.name, lots=list(lots.values()))
    stands = _note(tx, works, lots, programme=programme, now=now)
    _publish(tx, works, given, taken, programme=programme.name, now=now)
    recompute(tx, member_ids=sorted(changed), programme=programme, now=now)
    earnings = {key: each for work in works for key, each in work.earnings.items()}
    further = list_kinds(programme).further
    return [
        Earned(
            purchase_id=each.purchase_id,
            programme=programme.name,
            profile_id=members[each.member_id].profile_id,
            points=each.points,
            further_points=each.further_points,
            outcome=each.outcome,
            explanation=_find_explanation(earnings.get(to_id(each.purchase_id)), each, further),
        )
        for each in stands
        if each.purchase_id in changed.get(each.member_id, ())
    ]


def _find_explanation(earning: Earning | None, stand: Stand, further: Sequence[str]) -> Step | None:
    stands = earning is not None and split_points(earning.points, further) == (stand.points, stand.further_points)
    return earning.explanation if earning and stands else None


def _plan(
    tx: Tx,
    *,
    members: Mapping[int, LockedMember],
    changed: Mapping[int, Collection[int]],
    programme: Programme,
    is_entry: bool,
    told: Mapping[int, PurchaseState],
    explains: bool,
) -> list[_Work]:
    new_ids = {each for ids in changed.values() for each in ids}
    wanted = None if is_entry or history.needs_all(programme) else sorted(new_ids)
    stands: dict[int, dict[int, Stand]] = {}
    for each in stands_store.list_stands(tx, programme=programme.name, member_ids=sorted(changed), purchase_ids=wanted):
        stands.setdefault(each.member_id, {})[each.purchase_id] = each
    known = new_ids if is_entry else new_ids.union(*stands.values())
    states = dict(told) | {each.purchase_id: each for each in stands_store.list_states(tx, purchase_ids=sorted(known))}
    open_from = stands_store.find_open_day(tx, units=list(list_units(programme))) or date.min
    shared = budgets.read(tx, programme=programme)
    works: list[_Work] = []
    for member_id, ids in sorted(changed.items()):
        mine = stands.get(member_id, {})
        facts = {key: states[key] for key in {*mine, *ids} if key in states}
        correction = history.plan(
            programme,
            list(mine.values()),
            facts,
            changed=ids,
            is_entry=is_entry,
            today=members[member_id].today,
            open_from=open_from,
            budgets=shared,
            explains=explains,
        )
        bookings = history.plan_bookings(
            correction.deltas,
            {key: each.lots for key, each in mine.items()},
            facts,
            member=members[member_id],
            programme=programme,
        )
        after = history.restate(mine, facts, correction, changed=ids, member_id=member_id, programme=programme)
        drawn = history.compare_draws(mine, after)
        shared = budgets.add_up([shared, drawn])
        works.append(
            _Work(
                member=members[member_id],
                bookings=bookings,
                stands=after,
                counted=history.compare_counts(mine, after),
                drawn=drawn,
                earnings=correction.earnings,
            )
        )
    return works


LotKey = tuple[int, int]
PurchaseKind = tuple[int, str]


def _book(
    tx: Tx, works: Sequence[_Work], pooled: Mapping[int, Pooled], *, now: datetime
) -> tuple[dict[LotKey, BookedLot], dict[PurchaseKind, PostingVerdict], dict[PurchaseKind, list[ReversalVerdict]]]:
    """Post; what is given comes first, so that it is there to be taken. Return the lots as they are now, and both."""
    lots: dict[LotKey, BookedLot] = {
        (lot.purchase_id, lot.lot_number): lot for work in works for lot in work.bookings.restored
    }
    given: dict[PurchaseKind, PostingVerdict] = {}
    made = [each for work in works for each in work.bookings.made]
    booked = post_all(tx, [each.posting for each in made], failure=NOT_POSTED, now=now)
    for each, posted in zip(made, booked, strict=True):
        purchase_id = int(each.delta.purchase_id)
        given[purchase_id, each.delta.currency] = posted
        lots[purchase_id, each.lot_number] = history.to_lot(each, posted.transfer_id or 0)
    taken: dict[PurchaseKind, list[ReversalVerdict]] = {}
    takes = [each for work in works for each in work.bookings.taken]
    pool_shares.call_home(tx, reversals=[each.reversal for each in takes], pooled=pooled, now=now)
    for each, undone in zip(takes, _reverse(tx, [each.reversal for each in takes], now=now), strict=True):
        lot, wanted = each.lot, each.reversal.amount or 0
        taken.setdefault((lot.purchase_id, lot.currency), []).append(undone)
        lots[lot.purchase_id, lot.lot_number] = replace(
            lot,
            points=lot.points - wanted,
            kept=lot.kept + wanted - undone.amount,
            take_count=lot.take_count + 1,
        )
    return lots, given, taken


def _change_terms(
    tx: Tx,
    works: Sequence[_Work],
    lots: dict[LotKey, BookedLot],
    pooled: Mapping[int, Pooled],
    *,
    programme: str,
    now: datetime,
) -> None:
    """Give lots their new terms, in the books and in `lots`, and say whose points that makes available."""
    wanted = [(work.member.of_kind(each.lot.currency), each) for work in works for each in work.bookings.changed]
    if not wanted:
        return
    # What is taken back has come home meanwhile.
    in_pools = pool_shares.hold_pools_of(tx, lot_ids=pooled, account_ids=())
    accounts = {member.account_id for member, _ in wanted} | {each.pool_account_id for each in in_pools.values()}
    holdings = {
        (each.account_id, each.lot_id): each
        for held in ledger.list_holdings(tx, account_ids=sorted(accounts)).values()
        for each in held
    }
    found: list[tuple[NewTerms, LockedMember, list[Holding]]] = []
    for member, each in wanted:
        places = [member.account_id]
        if each.lot.transfer_id in in_pools:
            places.append(in_pools[each.lot.transfer_id].pool_account_id)
        parts = [holdings[place, each.lot.transfer_id] for place in places if (place, each.lot.transfer_id) in holdings]
        found.append((each, member, parts))
    changes = [
        plan_change(each, parts[0] if parts else None, member=member, programme=programme)
        for each, member, parts in found
    ]
    for change, status in zip(changes, ledger.change_terms(tx, changes=changes, now=now), strict=True):
        if status not in {PostingStatus.POSTED, PostingStatus.DUPLICATE}:
            raise Broken(
                "The terms of a lot could not be changed.",
                details={"idempotency_key": change.idempotency_key, "status": status},
            )
    for _, each in wanted:
        key = (each.lot.purchase_id, each.lot.lot_number)
        lots[key] = change_lot(lots.get(key, each.lot), each.terms)
    _tell_terms(tx, found, in_pools, programme=programme, now=now)


def _tell_terms(
    tx: Tx,
    found: Sequence[tuple[NewTerms, LockedMember, Sequence[Holding]]],
    in_pools: Mapping[int, Pooled],
    *,
    programme: str,
    now: datetime,
) -> None:
    """Say what can be spent now, or no longer: to the member, and of a pool to who has been in it longest."""
    pools = store.find_holders(tx, account_ids=[each.pool_account_id for each in in_pools.values()]) if in_pools else {}
    released: list[dict[str, Any]] = []
    withdrawn: list[dict[str, Any]] = []
    for each, member, parts in found:
        for part in parts:
            profile_id, pool_id, _ = pools.get(part.account_id, (member.profile_id, None, ""))
            if each.terms.awaits is not None:
                moved = PointsMoved(
                    profile_id=profile_id,
                    programme=programme,
                    cause=WITHDRAWN,
                    points=-part.rest,
                    balance=None,
                    transfer_id=None,
                    kind=member.kind_name,
                )
                withdrawn.append(tell_of(moved, pool_id=pool_id))
            elif each.terms.available_from is not None and each.terms.available_from <= member.today:
                available = PointsAvailable(
                    profile_id=profile_id, programme=programme, points=part.rest, kind=member.kind_name
                )
                released.append(tell_of(available, pool_id=pool_id))
    publish(tx, kind=POINTS_AVAILABLE, payloads=released, now=now)
    publish(tx, kind=POINTS_MOVED, payloads=withdrawn, now=now)


def _reverse(tx: Tx, reversals: Sequence[Reversal], *, now: datetime) -> list[ReversalVerdict]:
    verdicts: list[ReversalVerdict] = []
    for start in range(0, len(reversals), POSTINGS_MAX):
        verdicts += ledger.reverse(tx, reversals=reversals[start : start + POSTINGS_MAX], now=now)
    for place, (wish, verdict) in enumerate(zip(reversals, verdicts, strict=True)):
        if verdict.status is PostingStatus.ALREADY_REVERSED:
            # Somebody took points of this purchase back by hand: what they left is all there is.
            [verdicts[place]] = ledger.reverse(tx, reversals=[replace(wish, amount=None)], now=now)
        if not verdicts[place].is_booked and verdicts[place].status is not PostingStatus.ALREADY_REVERSED:
            raise Broken(
                "Points of a purchase could not be taken back.",
                details={"idempotency_key": wish.idempotency_key, "status": verdicts[place].status},
            )
    return verdicts


def _note(
    tx: Tx,
    works: Sequence[_Work],
    lots: Mapping[LotKey, BookedLot],
    *,
    programme: Programme,
    now: datetime,
) -> list[Stand]:
    """Note what stands of each purchase that is other than it was, and what caps count by now."""
    stands = [stand for work in works for stand in work.stands]
    first = {key[0]: lot.transfer_id for key, lot in lots.items() if key[1] == 0}
    stands_store.put_earnings(tx, programme=programme.name, stands=stands, transfer_ids=first, now=now)
    store.add_counted(tx, counted=[each for work in works for each in work.counted])
    budgets.draw(tx, programme=programme, drawn=budgets.add_up(work.drawn for work in works), now=now)
    return stands


def _publish(
    tx: Tx,
    works: Sequence[_Work],
    given: Mapping[PurchaseKind, PostingVerdict],
    taken: Mapping[PurchaseKind, Sequence[ReversalVerdict]],
    *,
    programme: str,
    now: datetime,
) -> None:
    earned: list[PointsEarned] = []
    returned: list[PointsTakenBack] = []
    for work in works:
        points: dict[PurchaseKind, int] = {}
        for each in work.bookings.made:
            key = (int(each.delta.purchase_id), each.delta.currency)
            points[key] = points.get(key, 0) + each.posting.amount
        earned += [
            PointsEarned(
                profile_id=work.member.profile_id,
                programme=programme,
                purchase_id=key[0],
                points=count,
                balance=given[key].balance_after,
                transfer_id=given[key].transfer_id,
                kind=work.member.of_kind(key[1]).kind_name,
            )
            for key, count in points.items()
        ]
        returned += [
            PointsTakenBack(
                profile_id=work.member.profile_id,
                programme=programme,
                purchase_id=key[0],
                points=sum(each.amount for each in taken[key]),
                shortfall=sum(each.shortfall for each in taken[key]),
                balance=taken[key][-1].debit_balance_after,
                kind=work.member.of_kind(key[1]).kind_name,
            )
            for key in dict.fromkeys((each.lot.purchase_id, each.lot.currency) for each in work.bookings.taken)
        ]
    publish(tx, kind=POINTS_EARNED, payloads=[asdict(each) for each in earned], now=now)
    publish(tx, kind=POINTS_TAKEN_BACK, payloads=[asdict(each) for each in returned], now=now)
