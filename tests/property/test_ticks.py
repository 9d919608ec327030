"""Ticks of a cadence: the same for whoever asks, none left out, and in UTC."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.kernel.schedules import CadenceInvalid, next_tick

TIMES = st.integers(-(10**15), 4 * 10**15).map(
    lambda count: datetime(1999, 1, 1, tzinfo=UTC) + timedelta(microseconds=count)
)
INTERVALS = st.tuples(st.integers(1, 90), st.sampled_from("smhd")).map(lambda pair: f"{pair[0]}{pair[1]}")
LINES = st.sampled_from(["* * * * *", "*/7 * * * *", "30 12 * * *", "0 3 * * 1", "15 4 1 * *", "0 0 29 2 *"])


@given(cadence=st.one_of(INTERVALS, LINES), times=st.lists(TIMES, min_size=2, max_size=5))
def test_ticks_are_steps_that_everybody_climbs_alike(cadence, times):
    for early, late in pairwise(sorted(times)):
        tick = next_tick(cadence, at=early)
        assert tick >= early
        assert next_tick(cadence, at=tick) == tick, "a tick is its own"
        assert next_tick(cadence, at=tick + timedelta(microseconds=1)) > tick
        assert next_tick(cadence, at=late) == tick or late > tick, "no tick lies between a time and its tick"


@given(cadence=INTERVALS, at=TIMES, hours=st.integers(-12, 14))
def test_ticks_of_intervals_are_even_and_know_no_zone(cadence, at, hours):
    seconds = int(cadence[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[cadence[-1]]
    tick = next_tick(cadence, at=at)
    assert tick - at < timedelta(seconds=seconds)
    assert next_tick(cadence, at=tick + timedelta(microseconds=1)) - tick == timedelta(seconds=seconds)
    assert next_tick(cadence, at=at.astimezone(timezone(timedelta(hours=hours)))) == tick


@pytest.mark.parametrize(
    ("cadence", "tick"),
    [
        ("5s", "10:20:35"), ("2m", "10:22:00"), ("1h", "11:00:00"), ("6h", "12:00:00"), ("30 12 * * *", "12:30:00"),
        ("20 10 * * *", "10:20:00+1"), ("1d", "00:00:00+1"), ("0 0 * * *", "00:00:00+1"),
    ],
)  # fmt: skip
def test_ticks_are_where_the_clock_says(cadence, tick):
    clock, _, days = tick.partition("+")
    expected = datetime.fromisoformat(f"2026-03-03T{clock}+00:00") + timedelta(days=int(days or 0))
    assert next_tick(cadence, at=datetime(2026, 3, 3, 10, 20, 31, 500, tzinfo=UTC)) == expected


def test_nonsense_is_refused():
    with pytest.raises(CadenceInvalid):
        next_tick("soon", at=datetime(2026, 1, 1, tzinfo=UTC))
