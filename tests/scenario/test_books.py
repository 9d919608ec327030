"""The checker of the storm tests is checked itself: every planted fault is found, and nothing else."""

import copy
from collections import Counter

import pytest

from tests.scenario.books import Acknowledged, Books, Sale, find_faults

OWNERS = {"c1": "p1", "c2": "p2"}


def _points_of(amount_minor):
    return amount_minor // 100


def _told():
    sales = [Sale("n1", 250, "c1"), Sale("n2", 99, "c1"), Sale("n3", 700, "c2")]
    return Acknowledged(
        events={("shop", "order", sale.number, "e") for sale in sales} | {("shop", "order", "n3", "again")},
        sales={sale.number: sale for sale in sales},
    )


def _sound():
    return Books(
        inbox=Counter(dict.fromkeys(_told().events, 1)),
        purchases={"n1": (250, "p1"), "n2": (99, "p1"), "n3": (700, "p2")},
        earnings=[("n1", 2), ("n3", 7)],
        balances={"p1": 2, "p2": 7},
        transfer_sums={1: 0, 2: 0},
        trial_balance=0,
    )


def _check(books):
    return find_faults(_told(), books, points_of=_points_of, owners=OWNERS)


def test_sound_books_have_no_fault():
    assert _check(_sound()) == []


def _lose_event(books):
    del books.inbox["shop", "order", "n3", "again"]


def _double_event(books):
    books.inbox["shop", "order", "n1", "e"] += 1


def _lose_sale(books):
    del books.purchases["n2"]


def _invent_sale(books):
    books.purchases["n9"] = (100, "p1")


def _earn_twice(books):
    books.earnings.append(("n1", 2))


def _earn_never(books):
    books.earnings.remove(("n3", 7))


def _earn_for_nothing(books):
    books.earnings.append(("n2", 1))


def _go_astray(books):
    books.purchases["n1"] = (250, "p2")


def _change(books):
    books.purchases["n1"] = (251, "p1")


def _hold_too_much(books):
    books.balances["p1"] = 4


def _unbalance_one(books):
    books.transfer_sums[2] = 1


def _unbalance_all(books):
    books.trial_balance = -1


@pytest.mark.parametrize(
    ("plant", "word"),
    [
        (_lose_event, "lost: event"),
        (_double_event, "doubled: event"),
        (_lose_sale, "lost: sale n2"),
        (_invent_sale, "invented: sale n9"),
        (_earn_twice, "sale n1 earned [2, 2], 2 was due once"),
        (_earn_never, "sale n3 earned [], 7 was due once"),
        (_earn_for_nothing, "sale n2 earned [1], 0 was due once"),
        (_go_astray, "astray: sale n1"),
        (_change, "changed: sale n1"),
        (_hold_too_much, "balance: p1 holds 4, 2 is due"),
        (_unbalance_one, "unbalanced: transfer 2"),
        (_unbalance_all, "all entries sum to -1"),
    ],
)
def test_a_planted_fault_is_found(plant, word):
    books = copy.deepcopy(_sound())
    plant(books)
    found = _check(books)
    assert len(found) == 1
    assert word in found[0]
