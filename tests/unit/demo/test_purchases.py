from datetime import UTC, date, datetime

import msgspec
import pytest

from comity.interfaces.cli.demo import datasets
from comity.interfaces.cli.demo.cast import HUBSPOT, NORTH
from comity.interfaces.cli.demo.people import CrmRecord
from comity.interfaces.cli.demo.purchases import (
    assign,
    count_points,
    last_day_of,
    list_invoiced,
    read_orders,
    to_event,
    to_invoice,
    to_lines,
)

HISTORY = """ customer_id  date number_of_cds  dollar_value
 00001 19970101  1   11.77
 00002 19970112  1   12.00
 00002 19970112  5   77.00
 00003 19970103  2    0.5
"""
LAST_DAY = date(2026, 3, 1)


@pytest.fixture
def orders(tmp_path):
    path = tmp_path / "history.txt"
    path.write_text(HISTORY)
    return read_orders(path, last_day=LAST_DAY)


def record(crm, external_id, number):
    return CrmRecord(crm=crm, external_id=external_id, number=number, is_original=True, fields={})


class TestReadOrders:
    def test_moves_the_history_to_end_on_the_last_day(self, orders):
        assert max(order.sold_on for order in orders) == LAST_DAY
        assert orders[0].sold_on == date(2026, 2, 18)

    def test_two_orders_of_a_day_are_two(self, orders):
        assert [order.order_id for order in orders if order.customer == 2] == ["00002-19970112-1", "00002-19970112-2"]

    def test_reads_money_as_whole_cents(self, orders):
        assert sorted(order.amount_minor for order in orders) == [50, 1177, 1200, 7700]

    def test_reads_the_whole_data_set(self):
        orders = read_orders(datasets.find_dataset(datasets.CDNOW), last_day=LAST_DAY)
        assert len(orders) == len({order.order_id for order in orders}) == 69_659
        assert len({order.customer for order in orders}) == 23_570


class TestAssign:
    def test_a_customer_always_buys_as_the_same_record(self, orders):
        records = [record(NORTH, "n1", 10), record(HUBSPOT, "h1", 10), record(NORTH, "n2", 11)]
        sales = assign(orders, records)
        assert len({sale.external_id for sale in sales if sale.order.customer == 2}) == 1

    def test_there_may_be_more_customers_than_people(self, orders):
        sales = assign(orders, [record(NORTH, "n1", 10), record(NORTH, "n2", 11)])
        assert {sale.order.customer: sale.external_id for sale in sales} == {1: "n1", 2: "n2", 3: "n1"}


def test_points_are_counted_order_by_order(orders):
    assert count_points(orders, unit_minor=100) == 11 + 12 + 77 + 0


def test_shop_and_erp_speak_of_the_same_order(orders):
    sale = assign(orders, [record(HUBSPOT, "h1", 10)])[0]
    event, invoice = to_event(sale), to_invoice(sale.order)
    assert event["data"]["order"] == invoice["data"]["order"] == event["id"]
    assert invoice["id"] != event["id"]
    assert event["data"]["customer"] == "h1"
    assert "customer" not in invoice["data"]
    assert event["data"]["total"] == "11.77"


def test_lines_are_one_event_each(orders):
    events = [to_invoice(order) for order in orders]
    assert [msgspec.json.decode(line) for line in to_lines(events).splitlines()] == events


def test_a_fifth_is_invoiced():
    orders = read_orders(datasets.find_dataset(datasets.CDNOW), last_day=LAST_DAY, customers_max=3000)
    assert len(list_invoiced(orders)) == pytest.approx(len(orders) / 5, rel=0.1)


def test_the_history_ends_yesterday():
    assert last_day_of(datetime(2026, 3, 2, 0, 30, tzinfo=UTC)) == LAST_DAY
