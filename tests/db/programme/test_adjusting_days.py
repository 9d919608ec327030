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
