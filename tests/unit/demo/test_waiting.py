"""How long the demo waits for a hub that is slow."""

from comity.interfaces.cli.demo.waiting import Patience


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
