"""CDNOW: what 23,570 customers of a shop bought in 1997 and 1998, told as if its last day were yesterday.

Customers of the shop are the people of the CRMs: customer n is person n of the other data set, and person n - 5,000
for the next 5,000, and so on, so that a person's purchases come in by several customer numbers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from pathlib import Path

import msgspec

from comity.interfaces.cli.demo.cast import ERP, INVOICES, SHOP, Crm
from comity.interfaces.cli.demo.people import CrmRecord

CURRENCY = "USD"
INVOICED_SHARE = 5
"""The ERP reports every fifth order again."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One purchase of the history."""

    order_id: str
    customer: int
    sold_on: date
    amount_minor: int


class Sale(msgspec.Struct, frozen=True, kw_only=True):
    """An order and the CRM record of who bought."""

    order: Order
    crm: Crm
    external_id: str


def read_orders(path: Path, *, last_day: date, customers_max: int | None = None) -> list[Order]:
    """Read the history, moved in time so that it ends on `last_day`; oldest first.

    The data set numbers no orders, so the order number is customer, day and running number of the day.
    """
    rows = [row for row in _read(path) if customers_max is None or row[0] <= customers_max]
    shift = last_day - max(sold_on for _, sold_on, _ in rows)
    seen: Counter[tuple[int, date]] = Counter()
    orders: list[Order] = []
    for customer, sold_on, amount_minor in rows:
        seen[customer, sold_on] += 1
        order_id = f"{customer:05d}-{sold_on:%Y%m%d}-{seen[customer, sold_on]}"
        orders.append(Order(order_id=order_id, customer=customer, sold_on=sold_on + shift, amount_minor=amount_minor))
    return sorted(orders, key=lambda order: (order.sold_on, order.order_id))


def assign(orders: Iterable[Order], records: Sequence[CrmRecord]) -> list[Sale]:
    """Give every order to a record of the person its customer is; the same customer always has the same record."""
    by_number: dict[int, list[CrmRecord]] = {}
    for record in records:
        by_number.setdefault(record.number, []).append(record)
    numbers = sorted(by_number)
    sales: list[Sale] = []
    for order in orders:
        candidates = by_number[numbers[(order.customer - 1) % len(numbers)]]
        record = candidates[_draw(order.customer) % len(candidates)]
        sales.append(Sale(order=order, crm=record.crm, external_id=record.external_id))
    return sales


def count_points(orders: Iterable[Order], *, unit_minor: int) -> int:
    """Return the points these orders earn: one for each whole unit of money, order by order."""
    return sum(max(0, order.amount_minor) // unit_minor for order in orders)


def to_event(sale: Sale) -> dict[str, object]:
    """Return a sale as the shop reports it."""
    order = sale.order
    return {
        "system": SHOP,
        "stream": sale.crm.orders,
        "id": order.order_id,
        "data": {**_to_data(order), "customer": sale.external_id},
    }


def to_invoice(order: Order) -> dict[str, object]:
    """Return an order as the ERP reports it: by its own document number, and without the customer."""
    return {"system": ERP, "stream": INVOICES, "id": f"INV-{order.order_id}", "data": _to_data(order)}


def list_invoiced(orders: Iterable[Order]) -> list[Order]:
    """Return the orders that the ERP reports as well."""
    return [order for order in orders if _draw(order.order_id) % INVOICED_SHARE == 0]


def to_lines(events: Iterable[Mapping[str, object]]) -> bytes:
    """Return events as NDJSON."""
    return b"\n".join(msgspec.json.encode(event) for event in events)


def _to_data(order: Order) -> dict[str, object]:
    whole, cents = divmod(order.amount_minor, 100)
    return {
        "order": order.order_id,
        "sold_at": datetime.combine(order.sold_on, time(12), UTC).isoformat(),
        "total": f"{whole}.{cents:02d}",
        "currency": CURRENCY,
    }


def _read(path: Path) -> Iterator[tuple[int, date, int]]:
    for line in path.read_text(encoding="ascii").splitlines():
        cells = line.split()
        if len(cells) == 4 and cells[0].isdigit():
            customer, day, _, dollars = cells
            whole, _, cents = dollars.partition(".")
            amount_minor = int(whole) * 100 + int(f"{cents:0<2}"[:2])
            yield int(customer), date(int(day[:4]), int(day[4:6]), int(day[6:])), amount_minor


def _draw(what: object) -> int:
    return int.from_bytes(blake2b(repr(what).encode(), digest_size=8).digest())


def last_day_of(now: datetime) -> date:
    """Return the day the history is made to end on: yesterday."""
    return now.astimezone(UTC).date() - timedelta(days=1)
