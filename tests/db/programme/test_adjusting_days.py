"""Points given or taken by hand as of a day: the books of that day have to be open, or nothing is posted."""

from datetime import timedelta

import msgspec
import pytest

from comity.ledger import api as ledger
from comity.programme import api
from comity.programme.wishes import AdjustmentState, AdjustmentWish, PeriodLocked, WishInvalid
from tests.db.programme.test_api import ADA, check_books
from tests.db.programme.test_kinds import CLUB

DAY = timedelta(days=1)


@pytest.fixture
def now(tx, clock):
    api.enrol(tx, profile_ids=[ADA], programme=CLUB, now=clock.now())
    yield clock.now() + 30 * DAY
    check_books(tx)


def adjust(tx, now, key, day, points=40, **more):
    wish = AdjustmentWish(
        profile_id=ADA, programme="club", points=points, reason="Ticket", idempotency_key=key, maker="Mara",
        effective_on=day, **more,
    )  # fmt: skip
    return api.adjust(tx, wish=wish, programme=CLUB, now=now)


def counted(tx, unit="club"):
    """Points given by hand, by the day they count from."""
    return tx.execute(
        "select t.effective_on, t.amount "
        "from ledger.transfer t join ledger.account a on a.account_id = t.debit_account_id "
        "where t.kind = 'adjust' and a.unit = %s order by 1, 2",
        (unit,),
    ).fetchall()


def close(tx, unit, through, now):
    ledger.lock_period(tx, unit=unit, through=through, by="ada", reason="month", now=now)


def test_counts_from_the_day_it_names(tx, now):
    today = now.date()
    assert adjust(tx, now, "a", today - 9 * DAY).balance == 40
    assert adjust(tx, now, "b", None).balance == 80
    assert adjust(tx, now, "a", today - 9 * DAY).is_duplicate
    with pytest.raises(api.KeyReused):
        adjust(tx, now, "a", today - 8 * DAY)
    assert counted(tx) == [(today - 9 * DAY, 40), (today, 40)]


def test_a_day_to_come_is_refused(tx, now):
    with pytest.raises(WishInvalid, match="still to come"):
        adjust(tx, now, "a", now.date() + DAY)
    assert counted(tx) == []


def test_a_closed_day_is_refused_and_nothing_posted(tx, now):
    through = now.date() - 5 * DAY
    close(tx, "club", through, now)
    with pytest.raises(PeriodLocked) as error:
        adjust(tx, now, "a", through)
    assert error.value.details == {"effective_on": through, "locked_through": through}
    assert "comity ledger reopen" in str(error.value)
    assert counted(tx) == []
    assert adjust(tx, now, "a", through + DAY).balance == 40
    assert adjust(tx, now, "k", through, kind="status").balance == 40, "the books of each kind are closed by themselves"
    assert counted(tx) == [(through + DAY, 40)]
    assert counted(tx, "club.status") == [(through, 40)]


def test_days_may_be_closed_while_it_waits(tx, now):
    day = now.date() - 5 * DAY
    waiting = adjust(tx, now, "a", day, points=1001)
    assert (waiting.state, waiting.effective_on) == (AdjustmentState.WAITING, day)
    close(tx, "club", day, now)
    with pytest.raises(PeriodLocked):
        api.confirm(tx, adjustment_id=waiting.adjustment_id, checker="Chen", programme=CLUB, now=now)
    found = api.get_adjustment(tx, adjustment_id=waiting.adjustment_id)
    assert msgspec.structs.replace(found, balance=None, tier=None) == waiting
    assert counted(tx) == []
    ledger.reopen_period(
        tx, unit="club", through=day - DAY, by="ada", confirmed_by="bob", reason="a ticket came late", now=now
    )
    told = api.confirm(tx, adjustment_id=waiting.adjustment_id, checker="Chen", programme=CLUB, now=now)
    assert (told.state, told.balance) == (AdjustmentState.POSTED, 1001)
    assert counted(tx) == [(day, 1001)]


def lowest(tx, days):
    account_id = api.find_members(tx, profile_ids=[ADA])[ADA][0].account_id
    return [ledger.get_balances_on(tx, account_ids=[account_id], day=each)[0] for each in days]


def test_takes_no_points_before_they_were_there(tx, now):
    """No balance of any day falls below zero, and what has gone since is not taken a second time."""
    today = now.date()
    days = [today - n * DAY for n in range(12, -1, -1)]
    adjust(tx, now, "a", today - 9 * DAY, points=100)
    adjust(tx, now, "b", today - 6 * DAY, points=-70)
    adjust(tx, now, "c", today - 3 * DAY, points=50)
    for key, ago, points, lasting in (("x", 10, 1, 0), ("y", 8, 31, 30), ("z", 4, 31, 30), ("w", 3, 81, 80)):
        with pytest.raises(api.InsufficientPoints, match="on that day, or on a day since") as error:
            adjust(tx, now, key, today - ago * DAY, points=-points)
        assert error.value.details == {"points": -points, "effective_on": today - ago * DAY, "balance": lasting}
    assert adjust(tx, now, "y", today - 8 * DAY, points=-30).balance == 50
    with pytest.raises(api.InsufficientPoints):
        adjust(tx, now, "z", today - 4 * DAY, points=-1)
    assert adjust(tx, now, "w", today - 3 * DAY, points=-50).balance == 0
    found = lowest(tx, days)
    assert (min(found), found[-1], found[4]) == (0, 0, 70)


def test_takes_from_lots_that_were_good_on_the_day(tx, now):
    """A lot that came later is left alone, however many points there were in all."""
    today = now.date()
    account_id = api.find_members(tx, profile_ids=[ADA])[ADA][0].account_id
    adjust(tx, now, "a", today - 9 * DAY, points=100)
    adjust(tx, now, "b", today - 7 * DAY, points=100)
    adjust(tx, now, "c", today - 5 * DAY, points=-60)
    with pytest.raises(api.InsufficientPoints) as error:
        adjust(tx, now, "x", today - 8 * DAY, points=-41)
    assert error.value.details["balance"] == 40
    assert adjust(tx, now, "x", today - 8 * DAY, points=-40).balance == 100
    assert [each.rest for each in ledger.list_holdings(tx, account_ids=[account_id])[account_id]] == [100]


def test_what_waits_is_looked_at_again(tx, now):
    """Points may go while the second key is out."""
    day = now.date() - 5 * DAY
    adjust(tx, now, "a", day, points=900)
    adjust(tx, now, "b", day, points=900)
    waiting = adjust(tx, now, "c", day, points=-1001)
    assert waiting.state is AdjustmentState.WAITING
    adjust(tx, now, "d", None, points=-900)
    with pytest.raises(api.InsufficientPoints):
        api.confirm(tx, adjustment_id=waiting.adjustment_id, checker="Chen", programme=CLUB, now=now)
    assert api.get_adjustment(tx, adjustment_id=waiting.adjustment_id).state is AdjustmentState.WAITING
