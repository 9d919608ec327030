from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.activity import rules
from comity.activity.types import PURCHASES_MAX, ProfileMove, TooManyPurchases


def move(loser, survivor):
    return ProfileMove(loser_profile_id=UUID(int=loser), survivor_profile_id=UUID(int=survivor))


class TestCollapseMoves:
    def test_follows_a_chain_to_its_end(self):
        assert rules.collapse_moves([move(1, 2), move(2, 3), move(4, 3)]) == [move(1, 3), move(2, 3), move(4, 3)]

    def test_drops_who_comes_back(self):
        assert rules.collapse_moves([move(1, 2), move(2, 1)]) == [move(2, 1)]

    @given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
    def test_equals_one_move_after_the_other(self, pairs):
        home = {each: each for each in range(6)}
        for loser, survivor in pairs:
            home = {who: survivor if at == loser else at for who, at in home.items()}
        collapsed = {
            each.loser_profile_id.int: each.survivor_profile_id.int
            for each in rules.collapse_moves([move(*pair) for pair in pairs])
        }
        assert {who: collapsed.get(who, who) for who in range(6)} == home


def test_a_batch_has_a_limit():
    with pytest.raises(TooManyPurchases):
        rules.check_batch([None] * (PURCHASES_MAX + 1), [])
