"""How members stand and what would be: points by lots, what keeps and lifts a tier, quotes. Nothing is written."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from comity.activity.types import PurchaseRecorded
from comity.kernel.database import Tx
from comity.kernel.errors import ComityError
from comity.ledger import api as ledger
from comity.ledger.types import Holding, StatementLine
from comity.ledger.types import Standing as LedgerStanding
from comity.programme import budgets, ladders, rules, running, store, store_tiers
from comity.programme.engine.compiling import Rules
from comity.programme.engine.days import to_business_day
from comity.programme.engine.replaying import pick_version
from comity.programme.engine.tiers import Standing, find_standing
from comity.programme.kinds import choose_kind, list_kinds, tell_points
from comity.programme.moving import Stands, to_stand
from comity.programme.strangers import tell_stranger
from comity.programme.tiers import look, show_tiers
from comity.programme.types import LockedMember, Member, Programme
from comity.programme.wishes import KindPoints, MemberPoints, OpenLot, PurchaseQuote, QuotedLot, RedemptionQuote

LIMIT_MAX = 1_000


def get_points(
    tx: Tx, *, profile_id: UUID, programme: str, programmes: Mapping[str, Programme] | None = None, now: datetime
) -> MemberPoints:
    """Return what a member has, lot by lot, soonest expiry first. Raises UnknownMember, ProgrammeNotDefined."""
    member = _find(tx, profile_id=profile_id, programme=programme, programmes=programmes, now=now)
    views = {kind: member.of_kind(kind) for kind in member.list_kinds()}
    accounts = [each.account_id for each in views.values() if each.account_id]
    standings = {each.account_id: each for each in ledger.get_standings(tx, account_ids=accounts, day=member.today)}
    holdings = ledger.list_holdings(tx, account_ids=accounts)
    kinds = {
        kind: _tell_kind(each, standings.get(each.account_id), holdings.get(each.account_id, []))
        for kind, each in views.items()
    }
    usual = kinds[member.first_kind]
    return MemberPoints(
        profile_id=member.profile_id,
        programme=programme,
        tier=member.tier,
        on=member.today,
        balance=usual.balance,
        spendable=usual.spendable,
        pending=usual.pending,
        held=usual.held,
        owed=usual.owed,
        lots=usual.lots,
        kinds=kinds if len(kinds) > 1 else {},
    )


def _tell_kind(member: LockedMember, standing: LedgerStanding | None, lots: Sequence[Holding]) -> KindPoints:
    if standing is None:
        return KindPoints(balance=0, spendable=0, pending=0, held=0, owed=0, lots=[])
    return KindPoints(
        balance=standing.balance,
        spendable=standing.spendable if member.is_spendable else 0,
        pending=standing.pending,
        held=standing.reserved,
        owed=standing.owed,
        lots=[
            OpenLot(
                lot_id=each.lot_id,
                points=each.rest,
                expires_on=each.expires_on,
                available_from=each.available_from,
                is_pending=each.is_waiting(member.today),
            )
            for each in lots
            if each.rest > 0 and not each.is_expired(member.today)
        ],
    )


def show_today(
    tx: Tx, members: Sequence[Member], *, programmes: Mapping[str, Programme], now: datetime
) -> list[Member]:
    """Return memberships with the tiers and the points of today, whatever of it is booked; nothing is written."""
    accounts: dict[date, set[int]] = {}
    for each in members:
        if each.programme in programmes:
            today = rules.to_local_date(now, programmes[each.programme].spec.timezone)
            own = (each.account_id, *(kind.account_id for kind in each.kinds.values()))
            accounts.setdefault(today, set()).update(account_id for account_id in own if account_id)
    stands = {
        each.account_id: to_stand(each)
        for day, account_ids in accounts.items()
        for each in ledger.get_standings(tx, account_ids=sorted(account_ids), day=day)
    }
    return [
        _show(each, stands) if each.account_id in stands else each
        for each in show_tiers(tx, members, programmes=programmes, now=now)
    ]


def _show(member: Member, stands: Stands) -> Member:
    own = stands[member.account_id]
    kinds = {
        kind: replace(each, points=stands[each.account_id].points, pending=stands[each.account_id].pending)
        if each.account_id
        else each
        for kind, each in member.kinds.items()
    }
    return replace(member, points=own.points, pending=own.pending, kinds=kinds)


def list_statement(
    tx: Tx,
    *,
    profile_id: UUID,
    programme: str,
    before_transfer_id: int | None,
    limit_max: int,
    now: datetime,
    kind: str | None = None,
) -> list[StatementLine]:
    """Return a page of what moved a member's points of a kind, newest first.

    Raises UnknownMember, ProgrammeNotDefined, UnknownKind.
    """
    member = _find(tx, profile_id=profile_id, programme=programme, kind=kind, now=now)
    if not member.account_id:
        return []
    return ledger.list_entries(
        tx,
        account_id=member.account_id,
        before_transfer_id=before_transfer_id,
        limit_max=min(limit_max, LIMIT_MAX),
    )


def get_balance_on(
    tx: Tx,
    *,
    profile_id: UUID,
    programme: str,
    day: date,
    known_at: datetime | None,
    now: datetime,
    kind: str | None = None,
) -> int:
    """Return a member's points of a kind on a business day, pending ones too, as known at a time (now, without one).

    Raises UnknownMember, ProgrammeNotDefined, UnknownKind, NotYetKnown.
    """
    member = _find(tx, profile_id=profile_id, programme=programme, kind=kind, now=now)
    if not member.account_id:
        return 0
    return ledger.get_balances_on(tx, account_ids=[member.account_id], day=day, known_at=known_at)[0]


def get_progress(tx: Tx, *, profile_id: UUID, programme: Programme, now: datetime) -> list[Standing]:
    """Return where a member stands on each ladder, what lifts and what keeps the level, by the walk of the engine.

    Raises UnknownMember.
    """
    member = _find(tx, profile_id=profile_id, programme=programme.name, now=now)
    [(_, membership)] = store.list_members(tx, profile_ids=[member.profile_id], programme=programme.name)
    begins_on = rules.to_local_date(membership.enrolled_at, programme.spec.timezone)
    kinds = list_kinds(programme)
    qualified = store_tiers.list_qualifying(tx, member_id=member.member_id, further=kinds.further)
    return [
        find_standing(each, qualified.of_kind(each.points), begins_on=begins_on, on=member.today)
        for each in programme.spec.ladder_specs
    ]


def quote_purchase(
    tx: Tx,
    *,
    profile_id: UUID,
    programme: Programme,
    amount_minor: int,
    currency: str,
    occurred_at: datetime,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> PurchaseQuote:
    """Return what a purchase would earn a member if it were reported now, by the code that lets it earn.

    `details` are channel, store, brand and lines, as of a reported purchase. Raises UnknownMember, InvalidPurchase.
    """
    known = {programme.name: programme}
    member = _find(tx, profile_id=profile_id, programme=programme.name, programmes=known, now=now)
    purchase = PurchaseRecorded(
        purchase_id=0,
        profile_id=member.profile_id,
        system=rules.OWN_SYSTEM,
        stream="quote",
        external_id="quote",
        business_key="quote",
        occurred_at=occurred_at,
        amount_minor=amount_minor,
        currency=currency,
        details=details,
    )
    kinds = list_kinds(programme)
    versions = running.list_versions(programme)
    picked = pick_version(versions, rules.to_local_date(occurred_at, programme.spec.timezone))
    is_asked = running.needs_history(picked)
    member_ids = [member.member_id] if is_asked else []
    [earning] = running.plan_earnings(
        [purchase],
        {0: _place(tx, member, programme, picked, occurred_at) if running.looks_at_tiers(picked) else member},
        programme,
        purchase_counts=store.count_purchases(tx, member_ids=member_ids) if is_asked else {},
        counted=store.list_counted(tx, member_ids=member_ids) if is_asked else (),
        budgets=budgets.read(tx, programme=programme),
    )
    return PurchaseQuote(
        points=earning.points,
        kinds=tell_points(kinds.first, earning.points, earning.further_points) if kinds.further else {},
        outcome=earning.outcome,
        effective_on=earning.effective_on,
        lots=[
            QuotedLot(
                points=lot.points, kind=lot.currency, available_from=terms.available_from, expires_on=terms.expires_on
            )
            for lot in earning.lots
            for terms in [rules.to_ledger_terms(lot.terms, min(earning.effective_on, member.today))]
        ],
        tier=member.tier,
    )


def quote_redemption(
    tx: Tx,
    *,
    profile_id: UUID,
    programme: str,
    points: int,
    programmes: Mapping[str, Programme] | None = None,
    now: datetime,
    kind: str | None = None,
) -> RedemptionQuote:
    """Return whether a member could redeem so many points of a kind now.

    Raises UnknownMember, ProgrammeNotDefined, UnknownKind, KindNotSpendable.
    """
    member = _find(
        tx, profile_id=profile_id, programme=programme, programmes=programmes, kind=kind, is_spent=True, now=now
    )
    if not member.account_id:
        return RedemptionQuote(
            is_possible=False,
            points=points,
            spendable=0,
            points_missing=points,
            balance_after=None,
            pending=0,
            tier=member.tier,
        )
    [standing] = ledger.get_standings(tx, account_ids=[member.account_id], day=member.today)
    stand = to_stand(standing)
    return RedemptionQuote(
        is_possible=points <= standing.spendable,
        points=points,
        spendable=standing.spendable,
        points_missing=max(0, points - standing.spendable),
        balance_after=stand.points - points if points <= standing.spendable else None,
        pending=stand.pending,
        tier=member.tier,
    )


def _place(tx: Tx, member: LockedMember, programme: Programme, picked: Rules, moment: datetime) -> LockedMember:
    """Return the member at the levels of a day, on the ladders there were; all are told by name."""
    entries = store_tiers.list_qualifying(tx, member_id=member.member_id, further=list_kinds(programme).further)
    levels = ladders.find_levels(picked.ladders, entries, on=to_business_day(moment, picked.zone))
    return replace(member, tier=levels.get(picked.first_ladder), further_tiers=levels)


def _find(
    tx: Tx,
    *,
    profile_id: UUID,
    programme: str,
    programmes: Mapping[str, Programme] | None = None,
    now: datetime,
    kind: str | None = None,
    is_spent: bool = False,
) -> LockedMember:
    found = store.find_member(tx, profile_id=profile_id, programme=programme, now=now)
    if found is None:
        raise tell_stranger(tx, profile_id=profile_id, programme=programme)
    found = look(tx, {0: found}, programmes=programmes, now=now)[0]
    if kind is None and not is_spent:
        return found
    chosen = choose_kind(found, kind, is_spent=is_spent)
    if isinstance(chosen, ComityError):
        raise chosen
    return chosen
