"""Decisions of programmes: whole numbers in, whole numbers out, each with its reason."""

from base64 import b32encode
from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from comity.definitions.types import Expiry, RewardSpec
from comity.kernel.errors import Refused
from comity.ledger.types import (
    AMOUNT_MAX,
    FREELY,
    TEXT_LENGTH_MAX,
    AccountKind,
    Book,
    Move,
    Piece,
    Posting,
    Takes,
    Terms,
    TrialBalanceRow,
)
from comity.programme.engine import facts
from comity.programme.engine.days import to_business_day
from comity.programme.engine.lifetimes import plan_terms
from comity.programme.engine.limits import Refusal, Verdict
from comity.programme.merge_types import MergePair
from comity.programme.types import (
    Earning,
    InsufficientPoints,
    LockedMember,
    Programme,
    ProgrammeTotals,
    Redemption,
)
from comity.programme.vouchers import RewardWish
from comity.programme.wishes import Adjustment, AdjustmentWish, TransferWish

EARN = "earn"
REDEEM = "redeem"
MERGE = "merge"
TRANSFER = "transfer"
ADJUST = "adjust"
UNMERGE = "unmerge"
REWARD = "reward"
REFER = "refer"
"""Kinds of transfers."""

REMEDIES = {
    Refusal.CHECKER_IS_MAKER: "Have it confirmed with a key of another name; this one may reject it.",
    Refusal.SAME_MEMBER: "Name two different people; these are one.",
    Refusal.TOO_LITTLE: "Ask for at least `points_min` points.",
    Refusal.CAP_REACHED: "Ask for no more than `most` less `used`, or wait until the period of the cap is over.",
}
"""What to do about refusals, where there is more to say than their reason."""

CODE_LENGTH = 16
_MISTYPED = str.maketrans("018", "OIB")

CALLER_TEXT_LENGTH_MAX = TEXT_LENGTH_MAX - 50
"""Longest key or reason of a caller; the ledger's own keys have a prefix."""

REFERENCE_LENGTH_MAX = 200
"""Longest accounting reference."""

OWN_SYSTEM = "comity"
"""The source of what no connected system caused."""


def to_local_date(moment: datetime, timezone: str) -> date:
    """Return the business day a moment falls on where the programme lives."""
    return to_business_day(moment, ZoneInfo(timezone))


def plan_earn_postings(earnings: Sequence[Earning], programme: str) -> list[Posting]:
    """Turn what is earned into postings, a lot each; the key is programme and purchase, whoever owns it now."""
    return [
        Posting(
            idempotency_key=f"earn:{programme}:{each.purchase.purchase_id}" + (f":{number}" if number else ""),
            request="purchase",
            debit_account_id=holder.programme_account_id,
            credit_account_id=holder.account_id,
            amount=lot.points,
            kind=EARN,
            effective_on=each.effective_on,
            system=each.purchase.system,
            external_id=each.purchase.external_id[:TEXT_LENGTH_MAX],
            terms=to_ledger_terms(lot.terms, min(each.effective_on, each.member.today)),
        )
        for each in earnings
        for number, lot in enumerate(each.lots)
        for holder in [each.member.of_kind(lot.currency)]
    ]


def find_purchase(key: str, *, programme: str) -> int | None:
    """Return the purchase that a transfer was earned by, told by its key.

    >>> find_purchase("earn:club:7:1", programme="club"), find_purchase("redeem:7", programme="club")
    (7, None)
    """
    match key.split(":"):
        case [kind, name, number, *_] if (kind, name) == (EARN, programme) and number.isdecimal():
            return int(number)
        case _:
            return None


def to_ledger_terms(terms: facts.Terms, day: date) -> Terms:
    """Say terms as the ledger does: what can be spent from a day on waits for nothing on that day.

    What is booked for a day to come (a purchase may be dated so) is known today, and waits for that day.
    """
    waits = terms.available_from is not None and terms.available_from > day
    return Terms(
        expires_on=terms.expires_on,
        available_from=terms.available_from if waits else None,
        is_pending=terms.awaits is not None,
    )


def to_key(key: str) -> str:
    """Return what a caller's key is in the books: one namespace for all that moves points, whatever the verb."""
    return f"wish:{key}"


def is_valid_redemption(redemption: Redemption) -> bool:
    """True when points, key and reason can be posted."""
    is_postable = can_post_wish(redemption.idempotency_key, redemption.reason, redemption.reference)
    return 0 < redemption.points <= AMOUNT_MAX and is_postable


def can_post_wish(key: str, reason: str = "", reference: str = "") -> bool:
    """True when a caller's key (a prefix comes on top), reason and accounting reference can be posted."""
    longest = CALLER_TEXT_LENGTH_MAX
    is_short = 0 < len(key) <= longest and len(reason) <= longest and len(reference) <= REFERENCE_LENGTH_MAX
    return is_short and key.isprintable() and reason.isprintable() and reference.isprintable()


def to_request(*parts: str, kind: str | None = None, reference: str = "") -> str:
    """Return the text that a wish's key stands for; what was not said is no part of it."""
    told = (*parts, *((kind,) if kind else ()), *((f"reference\n{reference}",) if reference else ()))
    return "\n".join(told)


def to_code(token: str) -> str:
    """Turn a random token into the code of a voucher: 80 bits in letters and digits that are not mixed up.

    >>> to_code("unguessable")
    'ON5Q-NICJ-QN46-ZP73'
    """
    text = b32encode(sha256(token.encode()).digest()).decode()[:CODE_LENGTH]
    return "-".join(text[at : at + 4] for at in range(0, CODE_LENGTH, 4))


def read_code(text: str) -> str:
    """Return a code as it is kept, however somebody typed it; what is no code stays none.

    >>> read_code("  on5qnicj qn46-zp73 ") == read_code("0N5QN1CJQN46ZP73") == to_code("unguessable")
    True
    """
    typed = "".join(each for each in text.upper() if each.isalnum()).translate(_MISTYPED)
    return "-".join(typed[at : at + 4] for at in range(0, len(typed), 4))


def plan_reward(wish: RewardWish, spec: RewardSpec, member: LockedMember) -> Posting:
    """Turn a reward into a posting of its price."""
    return Posting(
        idempotency_key=to_key(wish.idempotency_key),
        request=to_request(REWARD, str(wish.profile_id), wish.programme, wish.reward, reference=wish.reference),
        debit_account_id=member.account_id,
        credit_account_id=member.programme_account_id,
        amount=spec.price,
        kind=REDEEM,
        reason=spec.title,
        reference=wish.reference,
        effective_on=member.today,
        system=OWN_SYSTEM,
        external_id=wish.idempotency_key,
    )


def plan_redemption(redemption: Redemption, member: LockedMember) -> Posting:
    """Turn a redemption into a posting; the key stands for what the caller asked, not for where the account is now.

    `member` is the holder of the kind that is spent; so it is of all that follows.
    """
    return Posting(
        idempotency_key=to_key(redemption.idempotency_key),
        request=to_request(
            REDEEM,
            str(redemption.profile_id),
            redemption.programme,
            str(redemption.points),
            redemption.reason,
            kind=member.kind,
            reference=redemption.reference,
        ),
        debit_account_id=member.account_id,
        credit_account_id=member.programme_account_id,
        amount=redemption.points,
        kind=REDEEM,
        reason=redemption.reason,
        reference=redemption.reference,
        effective_on=member.today,
        system=OWN_SYSTEM,
        external_id=redemption.idempotency_key,
    )


def plan_merge(
    pair: MergePair, *, kind: str | None = None, programme: Programme, since: int, now: datetime
) -> Move | None:
    """Move all that a loser has of a kind to the survivor; the source key names the member it came from."""
    if pair.loser_account_id is None or pair.survivor_account_id is None:
        return None
    beside = f":{kind}" if kind else ""
    return Move(
        source_account_id=pair.loser_account_id,
        target_account_id=pair.survivor_account_id,
        idempotency_key=f"merge:{pair.loser_member_id}:{pair.survivor_member_id}:{since}{beside}",
        kind=MERGE,
        reason="Two profiles became one.",
        effective_on=to_local_date(now, programme.spec.timezone),
        system=OWN_SYSTEM,
        external_id=f"member:{pair.loser_member_id}",
    )


def sum_totals(rows: Sequence[TrialBalanceRow], *, member_count: int) -> ProgrammeTotals:
    """Sum a trial balance up; units that miss zero in opposite directions do not hide each other."""
    units: dict[tuple[Book, str], int] = {}
    for row in rows:
        units[row.book, row.unit] = units.get((row.book, row.unit), 0) + row.balance
    return ProgrammeTotals(
        member_count=member_count,
        points_outstanding=sum(
            row.balance
            for row in rows
            if row.book is Book.POINTS and row.kind in {AccountKind.MEMBER, AccountKind.POOL}
        ),
        trial_balance=sum(map(abs, units.values())),
    )


def plan_transfer(wish: TransferWish, giver: LockedMember, receiver: LockedMember) -> Posting:
    """Turn a transfer between members into a posting; the lots move as they are."""
    return Posting(
        idempotency_key=to_key(wish.idempotency_key),
        request=to_request(
            TRANSFER,
            str(wish.profile_id),
            str(wish.to_profile_id),
            wish.programme,
            str(wish.points),
            wish.reason,
            kind=giver.kind,
            reference=wish.reference,
        ),
        debit_account_id=giver.account_id,
        credit_account_id=receiver.account_id,
        amount=wish.points,
        kind=TRANSFER,
        reason=wish.reason,
        reference=wish.reference,
        effective_on=giver.today,
        system=OWN_SYSTEM,
        external_id=wish.idempotency_key,
    )


def plan_adjustment(
    wish: AdjustmentWish, member: LockedMember, programme: Programme, *, pieces: Sequence[Piece] | None = None
) -> Posting:
    """Turn an adjustment into a posting; what is given lives as long as points that are earned today.

    Where pieces are named, nothing else is taken.
    """
    is_gift = wish.points > 0
    lifetime = plan_terms(None, get_expiry(programme, member), member.today)
    return Posting(
        idempotency_key=to_key(wish.idempotency_key),
        debit_account_id=member.programme_account_id if is_gift else member.account_id,
        credit_account_id=member.account_id if is_gift else member.programme_account_id,
        amount=abs(wish.points),
        kind=ADJUST,
        reason=wish.reason,
        reference=wish.reference,
        effective_on=wish.effective_on or member.today,
        system=OWN_SYSTEM,
        external_id=wish.idempotency_key,
        terms=to_ledger_terms(lifetime, member.today) if is_gift else FREELY,
        pieces=tuple(pieces or ()),
        takes=Takes.SPENDABLE if pieces is None else Takes.NAMED,
    )


def get_expiry(programme: Programme, member: LockedMember) -> Expiry:
    """Return when points expire of the kind that a member is looked at as the holder of."""
    specs = {each.name: each for each in programme.spec.points_specs}
    return specs.get(member.kind_name, programme.spec.points_specs[0]).expiry


def to_person(name: str) -> str:
    """Return a key's name as makers and checkers are told apart: spaces around it and case make no other person."""
    return name.strip().casefold()


def is_same_adjustment(former: Adjustment, wish: AdjustmentWish) -> bool:
    """True when a key stands for this very wish."""
    return to_adjustment_wish(former) == wish


def to_adjustment_wish(made: Adjustment) -> AdjustmentWish:
    """Return the wish an adjustment came from."""
    return AdjustmentWish(**{name: getattr(made, name) for name in AdjustmentWish.__struct_fields__})


def require_granted(verdict: Verdict, error: type[Refused]) -> None:
    """Raise the error, with the reason and the numbers that decided, unless the verdict grants it."""
    if verdict.refusal is Refusal.INSUFFICIENT_POINTS:
        raise InsufficientPoints(details=dict(verdict.inputs))
    if verdict.refusal is not None:
        remedy = {"remedy": REMEDIES[verdict.refusal]} if verdict.refusal in REMEDIES else {}
        raise error(details={"reason": verdict.refusal, **verdict.inputs, **remedy})
