"""Members have rewards for points: what they can have, and a voucher for what they have had."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import asdict

from comity.definitions.types import RewardSpec
from comity.kernel.database import Tx
from comity.kernel.errors import Broken, ComityError
from comity.kernel.events import publish
from comity.kernel.ids import Ids
from comity.ledger import api as ledger
from comity.ledger.types import PostingStatus, PostingVerdict
from comity.programme import rules, store, store_vouchers
from comity.programme.engine.limits import Verdict, sum_counts
from comity.programme.kind_accounts import provide
from comity.programme.moving import find_stands, publish_redeemed, tell_balance
from comity.programme.offering import AttributeTypes, ask, decide
from comity.programme.strangers import tell_strangers, tell_undefined
from comity.programme.tiers import lock_members
from comity.programme.types import (
    Counted,
    InsufficientPoints,
    KeyReused,
    LockedMember,
    PointsRedeemed,
    Programme,
)
from comity.programme.vouchers import (
    REWARD_ISSUED,
    KnownVoucher,
    RewardRefused,
    RewardWish,
    UnknownReward,
    VoucherMoved,
    VoucherState,
    VoucherTold,
)
from comity.programme.wishes import WishInvalid

TOKEN_BYTES = 16


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """A wish that may be booked."""

    wish: RewardWish
    spec: RewardSpec
    member: LockedMember
    verdict: Verdict
    currency: str


def issue_rewards(
    tx: Tx,
    *,
    wishes: Sequence[RewardWish],
    programmes: Mapping[str, Programme],
    attributes: AttributeTypes,
    ids: Ids,
    now: datetime,
) -> list[VoucherTold | ComityError]:
    """Spend points on rewards, in order, each wish on its own merits; return for each the voucher or why there is none.

    Stock and what a member may have are counted exactly, whoever asks at the same time. The same wish again answers
    with the first voucher, as it stands now. Errors: WishInvalid, ProgrammeNotDefined, UnknownReward, UnknownMember,
    RewardRefused, InsufficientPoints, KeyReused. Publishes `programme.reward_issued` and what redemptions publish.
    """
    answers: dict[int, VoucherTold | ComityError] = {}
    specs: dict[int, RewardSpec] = {}
    for place, wish in enumerate(wishes):
        found = _find_spec(wish, programmes)
        if isinstance(found, ComityError):
            answers[place] = found
        else:
            specs[place] = found
    places = list(specs)
    asked = [(wishes[place].profile_id, wishes[place].programme) for place in places]
    locked = lock_members(tx, wishes=asked, programmes=programmes, now=now) if places else {}
    members = _look_up(
        tx,
        wishes,
        specs,
        {place: locked[index] for index, place in enumerate(places) if index in locked},
        programmes=programmes,
        now=now,
    )
    strangers = sorted(specs.keys() - members.keys())
    told = tell_strangers(tx, asked=[(wishes[place].profile_id, wishes[place].programme) for place in strangers])
    answers.update(zip(strangers, told, strict=True))
    granted = _grant(tx, wishes, specs, members, answers, programmes=programmes, attributes=attributes)
    issued = _book(tx, granted, answers, programmes=programmes, ids=ids, now=now)
    _answer(tx, wishes, members, answers, issued)
    return [answers[place] for place in range(len(wishes))]


def _look_up(
    tx: Tx,
    wishes: Sequence[RewardWish],
    specs: Mapping[int, RewardSpec],
    members: Mapping[int, LockedMember],
    *,
    programmes: Mapping[str, Programme],
    now: datetime,
) -> dict[int, LockedMember]:
    """Return members as holders of the points that the rewards are paid with."""
    found = dict(members)
    for name in sorted({wishes[place].programme for place in members if specs[place].points is not None}):
        mine = {place: each for place, each in members.items() if wishes[place].programme == name}
        for place, each in provide(tx, mine, programme=programmes[name], now=now).items():
            found[place] = each.of_kind(specs[place].points or each.first_kind)
    return found


def _find_spec(wish: RewardWish, programmes: Mapping[str, Programme]) -> RewardSpec | ComityError:
    if not rules.can_post_wish(wish.idempotency_key, reference=wish.reference):
        return WishInvalid()
    programme = programmes.get(wish.programme)
    if programme is None:
        return tell_undefined(wish.programme, known=programmes)
    known = {each.name: each for each in programme.spec.rewards}
    if wish.reward not in known:
        return UnknownReward(details={"programme": wish.programme, "reward": wish.reward, "known": sorted(known)[:20]})
    return known[wish.reward]


def _grant(
    tx: Tx,
    wishes: Sequence[RewardWish],
    specs: Mapping[int, RewardSpec],
    members: Mapping[int, LockedMember],
    answers: dict[int, VoucherTold | ComityError],
    *,
    programmes: Mapping[str, Programme],
    attributes: AttributeTypes,
) -> dict[int, Granted]:
    """Decide on wishes in order, each with what the ones before have taken; what is known or refused is answered."""
    keys = sorted({wishes[place].idempotency_key for place in members})
    taken = {each.idempotency_key: each for each in store_vouchers.find_vouchers(tx, keys=keys)} if keys else {}
    fresh = {place: each for place, each in members.items() if wishes[place].idempotency_key not in taken}
    stock = store_vouchers.lock_stock(
        tx, rewards=[(each.programme, specs[place].name) for place, each in fresh.items()]
    )
    asking = ask(tx, fresh, stock, has_conditions=any(specs[place].when is not None for place in fresh))
    granted: dict[int, Granted] = {}
    first: dict[str, int] = {}
    for place, member in sorted(members.items()):
        wish, spec = wishes[place], specs[place]
        if place not in fresh:
            answers[place] = _repeat(wish, taken[wish.idempotency_key])
            continue
        if wish.idempotency_key in first:
            if wishes[first[wish.idempotency_key]] != wish:
                answers[place] = KeyReused(details={"idempotency_key": wish.idempotency_key})
            continue
        programme = programmes[wish.programme]
        verdict = decide(spec, member, programme, asking, attributes)
        try:
            rules.require_granted(verdict, RewardRefused)
        except ComityError as error:
            answers[place] = error
            continue
        first[wish.idempotency_key] = place
        asking.spendable[member.account_id] -= spec.price
        asking.counts[member.member_id] = sum_counts(asking.counts[member.member_id], verdict.counts)
        asking.stock[programme.name, spec.name] += 1
        granted[place] = Granted(wish=wish, spec=spec, member=member, verdict=verdict, currency=programme.spec.currency)
    return granted


def _repeat(wish: RewardWish, known: KnownVoucher) -> VoucherTold | ComityError:
    voucher = known.voucher
    former = RewardWish(
        profile_id=known.asked_profile_id,
        programme=voucher.programme,
        reward=voucher.reward,
        idempotency_key=wish.idempotency_key,
        reference=known.reference,
    )
    if former != wish:
        return KeyReused(details={"idempotency_key": wish.idempotency_key})
    return VoucherTold(voucher=voucher, is_duplicate=True)


def _book(
    tx: Tx,
    granted: Mapping[int, Granted],
    answers: dict[int, VoucherTold | ComityError],
    *,
    programmes: Mapping[str, Programme],
    ids: Ids,
    now: datetime,
) -> dict[int, PostingVerdict]:
    """Post the prices, and note what was paid: vouchers, stock, caps, events."""
    postings = [rules.plan_reward(each.wish, each.spec, each.member) for each in granted.values()]
    booked = dict(zip(granted, ledger.post(tx, postings=postings, now=now), strict=True))
    issued = {place: each for place, each in booked.items() if each.status is PostingStatus.POSTED}
    for place in booked.keys() - issued.keys():
        answers[place] = _tell_unbooked(granted[place], booked[place])
    made = {place: granted[place] for place in issued}
    numbers = store_vouchers.insert_vouchers(
        tx, vouchers=[_to_row(each, issued[place], ids) for place, each in made.items()], now=now
    )
    stock: dict[tuple[str, str], int] = {}
    for each in made.values():
        name = (each.wish.programme, each.spec.name)
        stock[name] = stock.get(name, 0) + 1
    store_vouchers.count_stock(tx, counted=stock)
    store.add_counted(tx, counted=[one for each in made.values() for one in _to_counted(each)])
    store.note_asked(
        tx,
        asked=[
            (issued[place].transfer_id or 0, each.wish.profile_id, each.wish.programme)
            for place, each in made.items()
            if each.wish.profile_id != each.member.profile_id
        ],
    )
    _tell(tx, made, issued, numbers, programmes=programmes, now=now)
    return issued


def _tell_unbooked(granted: Granted, verdict: PostingVerdict) -> ComityError:
    if verdict.status is PostingStatus.INSUFFICIENT:
        return InsufficientPoints(details={"price": granted.spec.price, "balance": 0})
    if verdict.status is PostingStatus.KEY_REUSED:
        return KeyReused(details={"idempotency_key": granted.wish.idempotency_key})
    raise Broken("A reward could not be paid for.", details={"status": verdict.status})


def _to_row(granted: Granted, verdict: PostingVerdict, ids: Ids) -> dict[str, Any]:
    spec = granted.spec
    return {
        "code": rules.to_code(ids.token(TOKEN_BYTES)),
        "idempotency_key": granted.wish.idempotency_key,
        "programme": granted.wish.programme,
        "reward": spec.name,
        "title": spec.title,
        "asked_profile_id": granted.wish.profile_id,
        "member_id": granted.member.member_id,
        "points": spec.price,
        "kind": granted.member.kind_name,
        "transfer_id": verdict.transfer_id,
        "reference": granted.wish.reference,
        "counted": [(*each.counter, each.amount) for each in granted.verdict.counts],
        "minor": spec.voucher.minor if spec.voucher else None,
        "currency": granted.currency,
        "expires_on": granted.verdict.expires_on,
    }


def _to_counted(granted: Granted) -> list[Counted]:
    return [
        Counted(member_id=granted.member.member_id, counter=each.counter[0], period=each.counter[1], amount=each.amount)
        for each in granted.verdict.counts
    ]


def _tell(
    tx: Tx,
    made: Mapping[int, Granted],
    issued: Mapping[int, PostingVerdict],
    numbers: Mapping[str, int],
    *,
    programmes: Mapping[str, Programme],
    now: datetime,
) -> None:
    stands = find_stands(tx, [each.member for each in made.values()])
    publish_redeemed(
        tx,
        member_ids=[each.member.member_id for each in made.values()],
        redeemed=[
            PointsRedeemed(
                profile_id=each.member.profile_id,
                programme=each.member.programme,
                points=each.spec.price,
                balance=tell_balance(
                    issued[place].status, issued[place].debit_balance_after, stands[each.member.account_id]
                ),
                transfer_id=issued[place].transfer_id,
                kind=each.member.kind_name,
            )
            for place, each in made.items()
        ],
        programmes=programmes,
        now=now,
    )
    told = [
        VoucherMoved(
            profile_id=each.member.profile_id,
            programme=each.member.programme,
            voucher_id=numbers[each.wish.idempotency_key],
            reward=each.spec.name,
            points=each.spec.price,
            state=VoucherState.ISSUED,
        )
        for each in made.values()
    ]
    publish(tx, kind=REWARD_ISSUED, payloads=[asdict(each) for each in told], now=now)


def _answer(
    tx: Tx,
    wishes: Sequence[RewardWish],
    members: Mapping[int, LockedMember],
    answers: dict[int, VoucherTold | ComityError],
    issued: Mapping[int, PostingVerdict],
) -> None:
    """Answer those that are left with their vouchers, and all with what their members can spend now."""
    keys = sorted({wishes[place].idempotency_key for place in issued})
    made = {each.idempotency_key: each.voucher for each in store_vouchers.find_vouchers(tx, keys=keys)} if keys else {}
    failed = {wishes[place].idempotency_key: each for place, each in answers.items() if place in members}
    for place in members.keys() - answers.keys():
        key = wishes[place].idempotency_key
        if key in made:
            answers[place] = VoucherTold(voucher=made[key], is_duplicate=place not in issued)
        else:
            answers[place] = failed[key]
    stands = find_stands(tx, members.values())
    for place, member in members.items():
        told = answers[place]
        if isinstance(told, VoucherTold):
            stand = stands[member.account_id]
            answers[place] = msgspec.structs.replace(
                told, balance=stand.points, pending=stand.pending, tier=member.tier
            )
