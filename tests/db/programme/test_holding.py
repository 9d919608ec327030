"""Holds of members: by their deadline, by whoever is the member now, and each key for one wish."""

from datetime import timedelta

import pytest

from comity.activity.types import ProfileMove
from comity.programme import api
from comity.programme.types import POINTS_REDEEMED, InsufficientPoints, KeyReused
from comity.programme.wishes import (
    POINTS_MOVED,
    EndWish,
    Held,
    HoldEnded,
    HoldOverdue,
    HoldWish,
    UnknownHold,
    WishInvalid,
)
from tests.db.programme.test_api import ADA, BOB, POINTS, check_books, published, purchase


@pytest.fixture
def now(tx, clock):
    api.enrol(tx, profile_ids=[ADA, BOB], programme=POINTS, now=clock.now())
    bought = [purchase(1, ADA, 60_000, occurred_at=clock.now()), purchase(2, BOB, 5_000, occurred_at=clock.now())]
    api.earn_for_purchases(tx, purchases=bought, programmes=[POINTS], now=clock.now())
    yield clock.now()
    check_books(tx)


def hold(tx, now, points, key="h", **changes):
    wish = {"profile_id": ADA, "programme": "points", "points": points, "idempotency_key": key} | changes
    [told] = api.hold_many(tx, holds=[HoldWish(deadline_at=now + timedelta(hours=1), **wish)], now=now)
    return told


def end(tx, now, hold_id, points=None, key="e"):
    [told] = api.end_holds(tx, ends=[EndWish(hold_id=hold_id, points=points, idempotency_key=key)], now=now)
    return told


def test_in_one_batch_each_is_judged_alone(tx, now):
    wishes = [(500, "a", ADA), (200, "b", ADA), (500, "a", ADA), (7, "a", ADA), (50, "c", BOB), (1, "", ADA)]
    told = api.hold_many(
        tx,
        holds=[
            HoldWish(profile_id=who, programme="points", points=points, deadline_at=now, idempotency_key=key)
            for points, key, who in wishes
        ],
        now=now,
    )
    assert [type(each) for each in told] == [Held, InsufficientPoints, Held, KeyReused, Held, WishInvalid]
    assert told[1].details == {"points": 200, "balance": 100}
    assert (told[2].is_duplicate, told[2].hold_id) == (True, told[0].hold_id)
    assert [each["points"] for each in published(tx, POINTS_MOVED)] == [-500, -50]


def test_after_the_deadline_it_is_released_and_not_captured(tx, now):
    held, late = hold(tx, now, 100), now + timedelta(hours=1)
    assert isinstance(end(tx, late, held.hold_id), HoldOverdue)
    told = end(tx, late, held.hold_id, points=0)
    assert isinstance(told, HoldEnded) and (told.released, told.balance) == (100, 600)


def test_what_is_captured_is_redeemed(tx, now):
    held = hold(tx, now, 100)
    assert isinstance(end(tx, now, 2**60), UnknownHold)
    told = end(tx, now, held.hold_id, points=30)
    assert (told.captured, told.released, told.balance) == (30, 70, 570)
    [event] = published(tx, POINTS_REDEEMED)
    assert (event["points"], event["balance"]) == (30, 570)
    assert api.get_member(tx, profile_id=ADA, programme="points").last_redemption_at == now
    other = hold(tx, now, 10, key="other")
    assert isinstance(end(tx, now, other.hold_id), KeyReused)


def test_of_somebody_who_was_merged_is_ended_for_the_survivor(tx, now):
    held = hold(tx, now, 100)
    moves = [ProfileMove(loser_profile_id=ADA, survivor_profile_id=BOB)]
    api.merge_members(tx, moves=moves, programmes=[POINTS], now=now)
    told = end(tx, now, held.hold_id)
    assert isinstance(told, HoldEnded) and told.captured == 100
    assert api.get_member(tx, profile_id=BOB, programme="points").points == told.balance
