"""Vouchers are used, cancelled, returned, or expire."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from msgspec.structs import asdict, replace

from comity.kernel.database import Tx
from comity.kernel.errors import Broken, ComityError
from comity.kernel.events import publish
from comity.ledger import api as ledger
from comity.ledger.types import FREELY, Posting, PostingStatus, Reversal, Terms
from comity.programme import rules, store, store_vouchers
from comity.programme.engine.lifetimes import plan_terms
from comity.programme.moving import find_stands, publish_moved
from comity.programme.offering import tell_stranger
from comity.programme.tiers import lock_members
from comity.programme.types import Counted, KeyReused, LockedMember, Programme
from comity.programme.vouchers import (
    VOUCHER_CANCELLED,
    VOUCHER_EXPIRED,
    VOUCHER_USED,
    HeldVoucher,
    UnknownVoucher,
    Voucher,
    VoucherEnded,
    VoucherMoved,
    VoucherNotUsed,
    VoucherState,
    VoucherTold,
    VoucherVerb,
    VoucherWish,
)
from comity.programme.wishes import PointsMoved, WishInvalid

BATCH_COUNT = 5_000
VOUCHER = "voucher"
REASON = "A voucher was given back."

ENDS = {VoucherVerb.CANCEL: VoucherState.CANCELLED, VoucherVerb.RETURN: VoucherState.RETURNED}


def use_vouchers(tx: Tx, *, wishes: Sequence[VoucherWish], now: datetime) -> list[VoucherTold | ComityError]:
    """Use vouchers, in order, each wish on its own merits; return for each how it stands, or what is wrong.

    A voucher is used once; who sends the same key again is told the same. Errors: WishInvalid, UnknownVoucher,
    VoucherEnded, KeyReused. Publishes `programme.voucher_used`.
    """
    answers, found = _find(tx, wishes)
    held = store_vouchers.lock_vouchers(tx, voucher_ids=sorted({each.voucher_id for each in found.values()}))
    days = _list_days(tx, held.values(), now=now)
    sent = _list_sent(tx, wishes, found)
    used: dict[int, str] = {}
    for place, voucher in found.items():
        each, key = held[voucher.voucher_id], wishes[place].idempotency_key
        refusal = _judge_key(sent, key, each.voucher_id, is_use=True)
        refusal = refusal or _judge_use(each, key, used.get(each.voucher_id), days[each.programme])
        if refusal is not None:
            answers[place] = refusal
            continue
        is_duplicate = each.used_key == key or each.voucher_id in used
        answers[place] = VoucherTold(voucher=voucher, is_duplicate=is_duplicate)
        if not is_duplicate:
            used[each.voucher_id] = key
            sent.add((key, each.voucher_id, True))
    store_vouchers.use_vouchers(tx, used=used, now=now)
    _publish(tx, VOUCHER_USED, [each for each in found.values() if each.voucher_id in used], VoucherState.USED, now=now)
    return _tell_now(tx, answers, found)


def end_vouchers(
    tx: Tx, *, wishes: Sequence[VoucherWish], verb: VoucherVerb, programmes: Mapping[str, Programme], now: datetime
) -> list[VoucherTold | ComityError]:
    """Cancel vouchers that have not been used, or take back (return) those that have; the points come back.

    They go back into the lots they came from, with the days of those: what has expired meanwhile expires at once. The
    piece is on the shelf again, and caps count it no more. The same key again is told the same. Errors: WishInvalid,
    UnknownVoucher, VoucherEnded, VoucherNotUsed, KeyReused. Publishes `programme.voucher_cancelled` and
    `programme.points_moved`.
    """
    answers, found = _find(tx, wishes)
    asked = [(each.profile_id, each.programme) for each in found.values()]
    locked = lock_members(tx, wishes=asked, programmes=programmes, now=now) if asked else {}
    members = {place: locked[index].of_kind(voucher.kind) for index, (place, voucher) in enumerate(found.items())}
    held = store_vouchers.lock_vouchers(tx, voucher_ids=sorted({each.voucher_id for each in found.values()}))
    sent = _list_sent(tx, wishes, found)
    ended: dict[int, int] = {}
    for place, voucher in found.items():
        each, key = held[voucher.voucher_id], wishes[place].idempotency_key
        first = ended.get(each.voucher_id)
        former = each.ended_key if first is None else wishes[first].idempotency_key
        refusal = _judge_key(sent, key, each.voucher_id, is_use=False)
        refusal = refusal or _judge_end(each, key, former, verb, today=members[place].today)
        if refusal is not None:
            answers[place] = refusal
            continue
        answers[place] = VoucherTold(voucher=voucher, is_duplicate=former == key)
        if former is None:
            ended[each.voucher_id] = place
            sent.add((key, each.voucher_id, False))
    pieces = {place: held[voucher_id] for voucher_id, place in ended.items()}
    reasons = {place: wishes[place].reason or REASON for place in pieces}
    _give_back(tx, pieces, members, reasons, programmes=programmes, now=now)
    store_vouchers.end_vouchers(
        tx,
        ended={each.voucher_id: (wishes[place].idempotency_key, ENDS[verb]) for place, each in pieces.items()},
        now=now,
    )
    _publish(tx, VOUCHER_CANCELLED, [found[place] for place in pieces], ENDS[verb], now=now)
    return _tell_now(tx, answers, found, members)


def expire_vouchers(tx: Tx, *, programme: Programme, now: datetime) -> int:
    """Let the next vouchers expire whose last day is over; return how many, 0 at the end. Repeatable.

    Publishes `programme.voucher_expired`.
    """
    expired = store_vouchers.expire_vouchers(
        tx,
        programme=programme.name,
        today=rules.to_local_date(now, programme.spec.timezone),
        limit_max=BATCH_COUNT,
        now=now,
    )
    told = [
        VoucherMoved(
            profile_id=profile_id,
            programme=programme.name,
            voucher_id=voucher_id,
            reward=reward,
            points=0,
            state=VoucherState.EXPIRED,
        )
        for voucher_id, reward, profile_id in expired
    ]
    publish(tx, kind=VOUCHER_EXPIRED, payloads=[asdict(each) for each in told], now=now)
    return len(expired)


def list_vouchers(tx: Tx, *, profile_id: UUID, programme: str, limit_max: int, now: datetime) -> list[Voucher]:
    """Return a member's vouchers, newest first; one whose last day is over is expired.

    Raises UnknownMember, ProgrammeNotDefined.
    """
    member = store.find_member(tx, profile_id=profile_id, programme=programme, now=now)
    if member is None:
        raise tell_stranger(tx, profile_id=profile_id, programme=programme)
    found = store_vouchers.list_vouchers(tx, profile_id=profile_id, programme=programme, limit_max=limit_max)
    return [
        replace(each, state=VoucherState.EXPIRED)
        if each.state is VoucherState.ISSUED and each.expires_on is not None and each.expires_on <= member.today
        else each
        for each in found
    ]


def _find(tx: Tx, wishes: Sequence[VoucherWish]) -> tuple[dict[int, VoucherTold | ComityError], dict[int, Voucher]]:
    """Return errors for wishes without a voucher, and the vouchers of the others, whose keys nobody else sends now."""
    answers: dict[int, VoucherTold | ComityError] = {}
    codes: dict[int, str] = {}
    for place, wish in enumerate(wishes):
        if rules.can_post_wish(wish.idempotency_key, wish.reason):
            codes[place] = rules.read_code(wish.code)
        else:
            answers[place] = WishInvalid()
    known = {each.voucher.code: each.voucher for each in store_vouchers.find_vouchers(tx, codes=sorted(codes.values()))}
    for place, code in codes.items():
        if code not in known:
            answers[place] = UnknownVoucher(details={"code": wishes[place].code[:40]})
    found = {place: known[code] for place, code in codes.items() if code in known}
    if found:
        store_vouchers.hold_keys(tx, keys=_list_keys(wishes, found))
    return answers, found


def _list_keys(wishes: Sequence[VoucherWish], found: Mapping[int, Voucher]) -> list[str]:
    return sorted({wishes[place].idempotency_key for place in found})


def _list_sent(tx: Tx, wishes: Sequence[VoucherWish], found: Mapping[int, Voucher]) -> set[tuple[str, int, bool]]:
    return store_vouchers.list_used_keys(tx, keys=_list_keys(wishes, found)) if found else set()


def _judge_key(sent: set[tuple[str, int, bool]], key: str, voucher_id: int, *, is_use: bool) -> ComityError | None:
    """A key stands for one wish."""
    others = {each for each in sent if each[0] == key} - {(key, voucher_id, is_use)}
    return KeyReused(details={"idempotency_key": key}) if others else None


def _judge_use(held: HeldVoucher, key: str, former: str | None, today: date) -> ComityError | None:
    used_key = held.used_key or former
    if used_key == key:
        return None
    if held.state is VoucherState.ISSUED and used_key is None and not _is_over(held, today):
        return None
    return _tell_ended(held, today, state=VoucherState.USED if former else None)


def _judge_end(
    held: HeldVoucher, key: str, former: str | None, verb: VoucherVerb, *, today: date
) -> ComityError | None:
    if former == key and held.state in {VoucherState.ISSUED, VoucherState.USED, ENDS[verb]}:
        return None
    is_open = former is None and held.ended_at is None and not _is_over(held, today)
    if is_open and verb is VoucherVerb.RETURN and held.state is VoucherState.ISSUED:
        return VoucherNotUsed(details={"voucher_id": held.voucher_id, "state": held.state})
    if is_open and (held.state is VoucherState.USED) == (verb is VoucherVerb.RETURN):
        return None
    return _tell_ended(held, today, state=ENDS[verb] if former and held.ended_at is None else None)


def _is_over(held: HeldVoucher, today: date) -> bool:
    return held.state is VoucherState.ISSUED and held.expires_on is not None and held.expires_on <= today


def _tell_ended(held: HeldVoucher, today: date, *, state: VoucherState | None) -> VoucherEnded:
    told = state or (VoucherState.EXPIRED if _is_over(held, today) else held.state)
    details = {"voucher_id": held.voucher_id, "state": told, "expires_on": held.expires_on}
    return VoucherEnded(details=details | {"used_at": held.used_at, "ended_at": held.ended_at})


def _list_days(tx: Tx, held: Iterable[HeldVoucher], *, now: datetime) -> dict[str, date]:
    """Return the day it is in each programme."""
    days: dict[str, date] = {}
    for name in {each.programme for each in held}:
        known = store.find_programme(tx, programme=name)
        if known is None:
            raise Broken("There is a voucher of a programme that was never opened.", details={"programme": name})
        days[name] = rules.to_local_date(now, known.timezone)
    return days


def _give_back(
    tx: Tx,
    pieces: Mapping[int, HeldVoucher],
    members: Mapping[int, LockedMember],
    reasons: Mapping[int, str],
    *,
    programmes: Mapping[str, Programme],
    now: datetime,
) -> None:
    """Let points come back, put pieces on the shelf, and let caps forget them."""
    stock: Counter[tuple[str, str]] = Counter((each.programme, each.reward) for each in pieces.values())
    store_vouchers.lock_stock(tx, rewards=list(stock))
    verdicts = ledger.reverse(
        tx,
        reversals=[
            Reversal(
                transfer_id=each.transfer_id,
                idempotency_key=f"{VOUCHER}:{each.voucher_id}",
                account_id=members[place].account_id,
                effective_on=members[place].today,
                reason=reasons[place],
                system=rules.OWN_SYSTEM,
                external_id=each.code,
            )
            for place, each in pieces.items()
        ],
        now=now,
    )
    moved = {place: each for place, each in zip(pieces, verdicts, strict=True) if each.amount}
    for place, each in zip(pieces, verdicts, strict=True):
        if not each.is_booked and each.status is not PostingStatus.ALREADY_REVERSED:
            raise Broken(
                "The points of a voucher did not come back.",
                details={"voucher_id": pieces[place].voucher_id, "status": each.status},
            )
    _make_good(tx, pieces, members, {place: each.amount for place, each in moved.items()}, programmes, now=now)
    store_vouchers.count_stock(tx, counted={each: -count for each, count in stock.items()})
    store_vouchers.take_counted(
        tx,
        counted=[
            Counted(member_id=members[place].member_id, counter=counter, period=period, amount=amount)
            for place, each in pieces.items()
            for counter, period, amount in each.counted
        ],
    )
    stands = find_stands(tx, [members[place] for place in pieces])
    publish_moved(
        tx,
        moved=[
            PointsMoved(
                profile_id=members[place].profile_id,
                programme=each.programme,
                cause=VOUCHER,
                points=each.points,
                balance=stands[members[place].account_id].points,
                transfer_id=moved[place].transfer_id if place in moved else None,
                kind=members[place].kind_name,
            )
            for place, each in pieces.items()
        ],
        now=now,
    )


def _make_good(
    tx: Tx,
    pieces: Mapping[int, HeldVoucher],
    members: Mapping[int, LockedMember],
    came_back: Mapping[int, int],
    programmes: Mapping[str, Programme],
    *,
    now: datetime,
) -> None:
    """Give members what did not come back into lots: when two were parted, its owner got it, and who spent it paid."""
    postings = [
        Posting(
            idempotency_key=f"{VOUCHER}-rest:{each.voucher_id}",
            debit_account_id=members[place].programme_account_id,
            credit_account_id=members[place].account_id,
            amount=each.points - came_back.get(place, 0),
            kind=rules.ADJUST,
            reason=REASON,
            effective_on=members[place].today,
            system=rules.OWN_SYSTEM,
            external_id=each.code,
            terms=_get_terms(programmes.get(each.programme), members[place]),
        )
        for place, each in pieces.items()
        if came_back.get(place, 0) < each.points
    ]
    for posting, verdict in zip(postings, ledger.post(tx, postings=postings, now=now), strict=True):
        if not verdict.is_booked:
            raise Broken(
                "The points of a voucher could not be made good.",
                details={"idempotency_key": posting.idempotency_key, "status": verdict.status},
            )


def _get_terms(programme: Programme | None, member: LockedMember) -> Terms:
    if programme is None:
        return FREELY
    return rules.to_ledger_terms(plan_terms(None, rules.get_expiry(programme, member), member.today), member.today)


def _publish(tx: Tx, kind: str, vouchers: Sequence[Voucher], state: VoucherState, *, now: datetime) -> None:
    told = [
        VoucherMoved(
            profile_id=each.profile_id,
            programme=each.programme,
            voucher_id=each.voucher_id,
            reward=each.reward,
            points=each.points if kind == VOUCHER_CANCELLED else 0,
            state=state,
        )
        for each in {each.voucher_id: each for each in vouchers}.values()
    ]
    publish(tx, kind=kind, payloads=[asdict(each) for each in told], now=now)


def _tell_now(
    tx: Tx,
    answers: Mapping[int, VoucherTold | ComityError],
    found: Mapping[int, Voucher],
    members: Mapping[int, LockedMember] | None = None,
) -> list[VoucherTold | ComityError]:
    """Return the answers in order, each voucher as it stands now; where members are known, with what they can spend."""
    codes = sorted({each.code for each in found.values()})
    known = store_vouchers.find_vouchers(tx, codes=codes) if codes else []
    vouchers = {each.voucher.voucher_id: each.voucher for each in known}
    stands = find_stands(tx, (members or {}).values())
    told: list[VoucherTold | ComityError] = []
    for place in range(len(answers)):
        answer = answers[place]
        if isinstance(answer, VoucherTold):
            answer = replace(answer, voucher=vouchers[answer.voucher.voucher_id])
            if members is not None:
                stand = stands[members[place].account_id]
                answer = replace(answer, balance=stand.points, pending=stand.pending, tier=members[place].tier)
        told.append(answer)
    return told
