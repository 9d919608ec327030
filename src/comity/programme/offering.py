"""What rewards a member can have, and why not others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from comity.definitions.types import AttributeType, RewardSpec, condition_function, reward_words
from comity.kernel.database import Tx
from comity.ledger import api as ledger
from comity.profile import api as profile
from comity.programme import ladders, rules, store, store_vouchers
from comity.programme.engine.limits import Verdict, decide_reward
from comity.programme.moving import find_stands
from comity.programme.strangers import tell_stranger
from comity.programme.tiers import look
from comity.programme.types import LockedMember, Programme
from comity.programme.vouchers import RewardOffer

AttributeTypes = Mapping[str, AttributeType]


class Asking(msgspec.Struct, kw_only=True):
    """What decides on rewards, as it stands while one wish after the other is granted."""

    spendable: dict[int, int]
    counts: dict[int, Mapping[tuple[str, str], int]]
    stock: dict[tuple[str, str], int]
    rows: dict[int, dict[str, Any]]


def list_rewards(
    tx: Tx, *, profile_id: UUID, programme: Programme, attributes: AttributeTypes, now: datetime
) -> list[RewardOffer]:
    """Return all rewards of a programme, whether a member could have each now, and why not. Raises UnknownMember."""
    member = store.find_member(tx, profile_id=profile_id, programme=programme.name, now=now)
    if member is None:
        raise tell_stranger(tx, profile_id=profile_id, programme=programme.name)
    member = look(tx, {0: member}, programmes={programme.name: programme}, now=now)[0]
    issued = store_vouchers.list_stock(tx, programme=programme.name)
    holders = {each.name: member.of_kind(each.points or member.first_kind) for each in programme.spec.rewards}
    asking = ask(
        tx,
        dict(enumerate([member, *holders.values()])),
        {(programme.name, each.name): issued.get(each.name, 0) for each in programme.spec.rewards},
        has_conditions=any(each.when is not None for each in programme.spec.rewards),
    )
    offers: list[RewardOffer] = []
    for spec in programme.spec.rewards:
        verdict = decide(spec, holders[spec.name], programme, asking, attributes)
        count = issued.get(spec.name, 0)
        offers.append(
            RewardOffer(
                name=spec.name,
                title=spec.title,
                price=spec.price,
                kind=holders[spec.name].kind_name,
                minor=spec.voucher.minor if spec.voucher else None,
                currency=programme.spec.currency,
                first_day=spec.first_day,
                last_day=spec.last_day,
                stock_left=None if spec.stock is None else max(0, spec.stock - count),
                is_available=verdict.is_granted,
                reason=verdict.refusal,
                details=dict(verdict.inputs),
            )
        )
    return offers


def ask(
    tx: Tx, members: Mapping[int, LockedMember], stock: dict[tuple[str, str], int], *, has_conditions: bool
) -> Asking:
    """Look up what decides on the rewards of these members."""
    spendable = {0: 0}  # Who has no account of a kind has nothing of it.
    for day in sorted({each.today for each in members.values()}):
        accounts = sorted({each.account_id for each in members.values() if each.today == day and each.account_id})
        for standing in ledger.get_standings(tx, account_ids=accounts, day=day):
            spendable[standing.account_id] = standing.spendable
    member_ids = sorted({each.member_id for each in members.values()})
    counts: dict[int, dict[tuple[str, str], int]] = {each: {} for each in member_ids}
    for each in store.list_counted(tx, member_ids=member_ids) if member_ids else ():
        counts[each.member_id][each.counter, each.period] = each.amount
    rows: dict[int, dict[str, Any]] = {}
    if has_conditions:
        rows = _list_rows(tx, members)
    return Asking(spendable=spendable, counts=dict(counts), stock=stock, rows=rows)


def _list_rows(tx: Tx, members: Mapping[int, LockedMember]) -> dict[int, dict[str, Any]]:
    """Return the values of the words that conditions of rewards may speak of, by member."""
    profile_ids = sorted({each.profile_id for each in members.values()})
    golden = {each["profile_id"]: each for each in profile.get_profiles(tx, profile_ids=profile_ids)}
    stands = {
        (each.profile_id, each.programme): each
        for _, each in store.list_members(tx, profile_ids=profile_ids, programme=None)
    }
    first = {each.member_id: stands[each.profile_id, each.programme].account_id for each in members.values()}
    points = find_stands(tx, [replace(each, account_id=first[each.member_id]) for each in members.values()])
    rows: dict[int, dict[str, Any]] = {}
    for member in members.values():
        stand = stands[member.profile_id, member.programme]
        rows[member.member_id] = {
            **golden.get(member.profile_id, {}),
            "loyalty.points": points[stand.account_id].points,
            "loyalty.programme": member.programme,
            "loyalty.enrolled_at": stand.enrolled_at,
            "loyalty.tier": member.tier,
        }
    return rows


def decide(
    spec: RewardSpec, member: LockedMember, programme: Programme, asking: Asking, attributes: AttributeTypes
) -> Verdict:
    """Decide whether a member may have a reward, as things stand."""
    is_met = True
    if spec.when is not None:
        row = asking.rows[member.member_id]
        row["loyalty.enrolled_on"] = rules.to_local_date(row["loyalty.enrolled_at"], programme.spec.timezone)
        row |= {f"tier.{name}": level for name, level in ladders.tell_levels(programme.spec, member).items()}
        condition = condition_function(spec.when, types=reward_words(programme.spec, attributes))
        is_met = condition.holds(row, today=member.today)
    return decide_reward(
        spec,
        on=member.today,
        balance=asking.spendable[member.account_id],
        levels=member.levels,
        counts=asking.counts[member.member_id],
        issued_count=asking.stock.get((programme.name, spec.name), 0),
        is_condition_met=is_met,
    )
