"""The books of a hub after a storm, and what is wrong with them. The check knows only what callers were told."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from comity.kernel.database import Database

EventKey = tuple[str, str, str, str]
"""System, stream, external id, event id."""


@dataclass
class Sale:
    """A purchase as its till knows it; several events may report it."""

    number: str
    amount_minor: int
    customer: str


@dataclass
class Acknowledged:
    """What callers got a 2xx for."""

    events: set[EventKey] = field(default_factory=set)
    sales: dict[str, Sale] = field(default_factory=dict)


@dataclass
class Books:
    """What the database holds."""

    inbox: Counter[EventKey]
    purchases: dict[str, tuple[int, str | None]]
    """Amount and profile by business key."""
    earnings: list[tuple[str, int]]
    """Business key and points of every transfer that a purchase caused."""
    balances: dict[str, int]
    """Points a member holds, by profile."""
    transfer_sums: dict[int, int]
    """Sum of the entries of each transfer."""
    trial_balance: int


def read_books(database: Database) -> Books:
    """Read everything that the check looks at."""
    with database.transaction() as tx:
        return Books(
            inbox=Counter(
                {
                    (row[0], row[1], row[2], row[3]): row[4]
                    for row in tx.execute(
                        "select system, stream, external_id, version, count(*) from inbox.change group by 1, 2, 3, 4"
                    )
                }
            ),
            purchases={
                row[0]: (row[1], row[2])
                for row in tx.execute("select business_key, amount_minor, profile_id::text from activity.purchase")
            },
            earnings=[
                (row[0], row[1])
                for row in tx.execute(
                    "select p.business_key, t.amount from ledger.transfer t "
                    "join activity.purchase p on t.idempotency_key = 'earn:points:' || p.purchase_id"
                )
            ],
            balances={row[0]: row[1] for row in tx.execute("select profile_id::text, points from programme.v_member")},
            transfer_sums={
                row[0]: row[1]
                for row in tx.execute("select transfer_id, sum(amount)::bigint from ledger.v_entry group by 1")
            },
            trial_balance=tx.execute("select coalesce(sum(amount), 0)::bigint from ledger.v_entry").fetchone()[0],
        )


def find_faults(
    acknowledged: Acknowledged, books: Books, *, points_of: Callable[[int], int], owners: Mapping[str, str]
) -> list[str]:
    """List what is lost, doubled or out of balance; `owners` are the profiles of customers."""
    faults = [f"lost: event {key}" for key in sorted(acknowledged.events) if not books.inbox[key]]
    faults += [f"doubled: event {key} is in the inbox {n} times" for key, n in sorted(books.inbox.items()) if n > 1]
    earned: dict[str, list[int]] = defaultdict(list)
    for number, points in books.earnings:
        earned[number].append(points)
    due: Counter[str] = Counter()
    for number, sale in sorted(acknowledged.sales.items()):
        if number not in books.purchases:
            faults.append(f"lost: sale {number}")
            continue
        amount_minor, profile_id = books.purchases[number]
        if amount_minor != sale.amount_minor:
            faults.append(f"changed: sale {number} has {amount_minor} instead of {sale.amount_minor}")
        owner = owners[sale.customer]
        if profile_id != owner:
            faults.append(f"astray: sale {number} is with {profile_id} instead of {owner}")
        points = points_of(sale.amount_minor)
        due[owner] += points
        if earned[number] != ([points] if points else []):
            faults.append(f"earned wrongly: sale {number} earned {earned[number]}, {points} was due once")
    faults += [f"invented: sale {number}" for number in sorted(set(books.purchases) - set(acknowledged.sales))]
    for owner in sorted(set(owners.values())):
        if books.balances.get(owner, 0) != due[owner]:
            faults.append(f"balance: {owner} holds {books.balances.get(owner, 0)}, {due[owner]} is due")
    faults += [f"unbalanced: transfer {each} sums to {total}" for each, total in books.transfer_sums.items() if total]
    if books.trial_balance:
        faults.append(f"unbalanced: all entries sum to {books.trial_balance}")
    return faults
