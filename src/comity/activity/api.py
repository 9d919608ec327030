"""The door of the room `activity`."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from comity.activity import rules, store
from comity.activity.rules import collapse_moves, to_zone
from comity.activity.types import (
    PURCHASE_CHANGED,
    PURCHASE_DIFFERS,
    PURCHASE_RECORDED,
    AcceptedPurchase,
    Fact,
    KnownReturn,
    LinkedRecord,
    ProfileMove,
    Purchase,
    PurchaseChanged,
    PurchaseFact,
    RecordReference,
    ReturnFact,
    Rfv,
    Unplaced,
    Visit,
    VisitFact,
)
from comity.kernel.database import Tx
from comity.kernel.events import publish

__all__ = [
    "accept_purchases",
    "accept_returns",
    "accept_visits",
    "attach_waiting",
    "collapse_moves",
    "find_facts",
    "find_purchases",
    "find_returns",
    "find_rfv",
    "find_visits",
    "follow_records",
    "hold_facts",
    "list_purchases",
    "list_unplaced",
    "list_waiting",
    "read_rfv",
    "reassign_profiles",
    "to_zone",
]

PAGE_MAX = 1_000


def accept_purchases(
    tx: Tx, *, purchases: Sequence[PurchaseFact], profile_ids: Sequence[UUID | None], now: datetime
) -> list[AcceptedPurchase]:
    """Take reports of purchases in and say for each whether the fact is new; `profile_ids` go with `purchases`.

    Another report with the same business key joins the fact. The report that came first decides what the fact says:
    when it says something else later (another amount, cancelled), the fact is corrected. Events count as of the
    earliest time that any report says. A report of somebody else with another amount or currency is kept as differing
    and published as such, whenever that changes. A purchase without profile waits for `attach_waiting`. Publishes
    `activity.purchase_recorded` once per fact, when it has a profile, and `activity.purchase_changed` when it says
    something else from then on. Raises TooManyPurchases.
    """
    if not purchases:
        return []
    rules.check_batch(purchases, profile_ids)
    taken = store.accept_purchases(tx, purchases=purchases, profile_ids=profile_ids, now=now)
    publish(tx, kind=PURCHASE_RECORDED, payloads=rules.plan_recorded(taken), now=now)
    recorded = [each.purchase_id for each in taken if each.is_recorded]
    events = rules.list_events(purchases, taken)
    changed = [*rules.plan_changed(taken), *(store.accept_events(tx, events=events, now=now) if events else ())]
    _publish_changed(tx, [*_list_followed(tx, recorded), *rules.leave_out(changed, recorded)], now=now)
    publish(tx, kind=PURCHASE_DIFFERS, payloads=rules.plan_differing(purchases, taken), now=now)
    return [
        AcceptedPurchase(
            purchase_id=each.purchase_id,
            is_new=each.is_new,
            is_conflicting=each.is_differing,
            profile_id=each.profile_id,
        )
        for each in taken
    ]


def accept_returns(tx: Tx, *, returns: Sequence[ReturnFact], now: datetime) -> int:
    """Take reports of returns in and return how many purchases they change; repeatable.

    A return counts once, whoever tells of it; the report that came first decides, also later. One whose purchase is not
    known yet waits for it. Publishes `activity.purchase_changed`. Raises TooManyPurchases.
    """
    if not returns:
        return 0
    rules.check_batch(returns, returns)
    changed = store.accept_returns(tx, returns=returns, now=now)
    _publish_changed(tx, changed, now=now)
    return len(changed)


def accept_visits(tx: Tx, *, visits: Sequence[VisitFact], now: datetime) -> set[str]:
    """Take visits in and return the keys of those that are new; repeatable. Raises TooManyPurchases.

    What is known of a key stays as it was; nothing is published.
    """
    rules.check_batch(visits, visits)
    return store.accept_visits(tx, visits=visits, now=now) if visits else set()


def find_visits(tx: Tx, *, business_keys: Sequence[str]) -> dict[str, Visit]:
    """Return visits by their keys."""
    found = store.find_visits(tx, business_keys=business_keys) if business_keys else []
    return {each.business_key: each for each in found}


def attach_waiting(tx: Tx, *, records: Sequence[LinkedRecord], now: datetime) -> int:
    """Give waiting purchases of these records their profile, publish them, and return how many; repeatable."""
    if not records:
        return 0
    recorded = store.attach_waiting(tx, records=records)
    publish(tx, kind=PURCHASE_RECORDED, payloads=[rules.to_payload(each) for each in recorded], now=now)
    _publish_changed(tx, _list_followed(tx, [each.purchase_id for each in recorded]), now=now)
    return len(recorded)


def reassign_profiles(tx: Tx, *, moves: Sequence[ProfileMove]) -> int:
    """Let purchases and visits follow merged profiles; return how many purchases moved. Repeatable.

    Nothing is published again.
    """
    return store.reassign_profiles(tx, moves=rules.collapse_moves(moves)) if moves else 0


def follow_records(tx: Tx, *, record_ids: Sequence[int]) -> int:
    """Let purchases and visits go where the records went that they name, and return how many purchases. Repeatable.

    Those that name a Global ID go with that one, where it stands for who has these records now. So a merge that is
    undone gives each its own, also what was bought meanwhile. Nothing is published again.
    """
    return store.follow_records(tx, record_ids=record_ids) if record_ids else 0


def list_purchases(
    tx: Tx, *, profile_id: UUID, before_purchase_id: int | None = None, limit_max: int = 100
) -> list[Purchase]:
    """Page through a profile's purchases, last recorded first."""
    return store.list_purchases(
        tx, profile_id=profile_id, before_purchase_id=before_purchase_id, limit_max=min(limit_max, PAGE_MAX)
    )


def find_rfv(tx: Tx, *, profile_ids: Sequence[UUID], on: date, zone: ZoneInfo) -> dict[UUID, Rfv]:
    """Return recency, frequency and value of people as of the end of a day; `zone` says where days begin and end.

    By what is known now of all that happened through that day. Purchases are those of the profile as it stands, after
    merges and unmerges. Who has bought nothing is left out.
    """
    found = store.sum_turnover(tx, profile_ids=profile_ids, until=rules.to_end(on, zone)) if profile_ids else []
    return {each.profile_id: rules.to_rfv(each, zone) for each in found}


def read_rfv(tx: Tx, *, on: date, zone: ZoneInfo) -> Iterator[Rfv]:
    """Yield recency, frequency and value of everybody who has bought, as `find_rfv` tells them; in no order."""
    for each in store.stream_turnover(tx, until=rules.to_end(on, zone)):
        yield rules.to_rfv(each, zone)


def find_purchases(tx: Tx, *, system: str, external_id: str, stream: str | None = None) -> list[int]:
    """Return the purchases a system reported under this id: one, unless several streams use the same id."""
    return store.find_purchases(tx, system=system, stream=stream, external_id=external_id)


def find_facts(tx: Tx, *, business_keys: Sequence[str], system: str, stream: str) -> dict[str, Fact]:
    """Return purchases by their number, each with what that stream has reported under it."""
    found = store.find_facts(tx, business_keys=business_keys, system=system, stream=stream) if business_keys else []
    return {each.business_key: each for each in found}


def hold_facts(tx: Tx, *, business_keys: Sequence[str]) -> None:
    """Keep others from correcting purchases until the transaction ends, and from holding them."""
    if business_keys:
        store.hold_facts(tx, business_keys=business_keys)


def find_returns(tx: Tx, *, business_keys: Sequence[str]) -> dict[str, KnownReturn]:
    """Return returns by their number."""
    found = store.find_returns(tx, business_keys=business_keys) if business_keys else []
    return {each.business_key: each for each in found}


def list_waiting(tx: Tx, *, limit_max: int = PAGE_MAX) -> list[RecordReference]:
    """List the persons' records that purchases wait for, longest waiting first."""
    return store.list_waiting(tx, limit_max=min(limit_max, PAGE_MAX))


def list_unplaced(tx: Tx, *, system: str | None = None, limit_max: int = PAGE_MAX) -> list[Unplaced]:
    """List what waits for something that has not come, longest waiting first: nothing is lost, nothing earns yet.

    Purchases wait for the record of the person they name, returns for their purchase.
    """
    return store.list_unplaced(tx, system=system, limit_max=min(limit_max, PAGE_MAX))


def _list_followed(tx: Tx, purchase_ids: Sequence[int]) -> list[PurchaseChanged]:
    """Return those that something was told of before: whoever hears of the purchase has to hear of that too."""
    return store.list_followed(tx, purchase_ids=purchase_ids) if purchase_ids else []


def _publish_changed(tx: Tx, changed: Sequence[PurchaseChanged], *, now: datetime) -> None:
    publish(tx, kind=PURCHASE_CHANGED, payloads=[rules.to_payload(each) for each in changed], now=now)
