"""How long the demo waits for a hub that is slow."""

from io import StringIO

import pytest
from rich.console import Console

from comity.interfaces.cli.demo.screen import Screen
from comity.interfaces.cli.demo.waiting import Patience, TookTooLong, wait_while_moving


class TestPatience:
    def test_what_moves_is_waited_for_until_the_bound(self):
        patience = Patience(still_seconds_max=150.0, seconds_max=900.0, began=0.0)
        assert [patience.find_end(900 - at, at=float(at)) for at in range(0, 901, 100)] == [None] * 10
        assert patience.find_end(-1, at=901.0) == "it was not done within 900 s"

    def test_what_stands_still_is_given_up(self):
        patience = Patience(still_seconds_max=150.0, seconds_max=900.0, began=0.0)
        assert patience.find_end(7, at=140.0) is None
        assert patience.find_end(7, at=290.0) is None
        assert patience.find_end(7, at=291.0) == "nothing moved for 150 s"


class TestWaitWhileMoving:
    def test_waits_as_long_as_the_count_grows(self):
        counts = iter([0, 3, 3, 7, 9])
        took = wait_while_moving(
            lambda: next(counts),
            wanted=9,
            what="Steps",
            still_seconds_max=60.0,
            seconds_max=60.0,
            every_seconds=0.0,
        )
        assert took >= 0 and next(counts, None) is None

    def test_says_how_far_it_came(self):
        with pytest.raises(TookTooLong, match=r"^Steps: 1,500 of 2,000, then nothing moved for 0 s\.$"):
            wait_while_moving(
                lambda: 1500,
                wanted=2000,
                what="Steps",
                still_seconds_max=0.0,
                seconds_max=60.0,
                every_seconds=0.001,
            )


def test_a_failure_is_told_without_breaking_its_lines():
    said = StringIO()
    line = '{"event": "delivery_failed", "system": "north", "error": "the remote system did not answer in time"}'
    Screen(Console(file=said, width=40)).fail(f"It ended.\n  last lines: {line}")
    assert line in said.getvalue()
