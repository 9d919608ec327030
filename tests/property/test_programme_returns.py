"""Returns: whole points, pro rata, and never a point more or less than was earned."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions.types import ReturnPolicy, Rounding
from comity.programme.engine.evaluating import evaluate
from comity.programme.engine.facts import Member
from comity.programme.engine.returning import (
    InvalidReturn,
    LotRest,
    count_returned,
    settle,
    take_back,
)
from tests.property.test_programme_earning import PURCHASES, SPECS, compiled

FEW = settings(max_examples=80, deadline=None)
ROUNDINGS = st.sampled_from(list(Rounding))


@st.composite
def returns(draw):
    """An earning and what is returned of it, step by step, each step what has come back by then in all."""
    earning = evaluate(draw(PURCHASES), Member(), compiled(draw(SPECS)))
    steps, now = [], {}
    for _ in range(draw(st.integers(1, 5))):
        now = {line: draw(st.integers(now.get(line, 0), bought)) for line, bought in earning.line_minor.items()}
        steps.append(now)
    return earning, steps


def by_currency(earning, by_lot):
    found = Counter()
    for lot, points in zip(earning.lots, by_lot, strict=True):
        found[lot.currency] += points
    return found


class TestCountReturned:
    @FEW
    @given(returns(), ROUNDINGS)
    def test_is_pro_rata_by_line(self, case, rounding):
        earning, steps = case
        taken = count_returned(earning, steps[-1], rounding=rounding)
        assert sum(taken.by_share) == sum(taken.by_lot) == taken.points
        for lot, points in zip(earning.lots, taken.by_lot, strict=True):
            assert 0 <= points <= lot.points
        whole = (sum(earning.line_minor.values()), sum(steps[-1].values()))
        for line, bought in earning.line_minor.items():
            paid, back = (bought, steps[-1][line]) if bought else whole
            returned = Fraction(back, paid) if paid else Fraction(0)
            for currency in earning.points:
                places = [
                    place
                    for place, share in enumerate(earning.shares)
                    if share.line_id == line and earning.lots[share.lot].currency == currency
                ]
                exact = sum(earning.shares[place].points for place in places) * returned
                assert abs(sum(taken.by_share[place] for place in places) - exact) < 1

    @FEW
    @given(returns(), ROUNDINGS)
    def test_all_gives_back_all(self, case, rounding):
        earning, _ = case
        taken = count_returned(earning, earning.line_minor, rounding=rounding)
        assert taken.by_lot == tuple(lot.points for lot in earning.lots)

    @FEW
    @given(returns())
    def test_what_was_not_bought_cannot_come_back(self, case):
        earning, steps = case
        for wrong in ({"?": 1}, {line: bought + 1 for line, bought in earning.line_minor.items()} or {"?": 1}):
            with pytest.raises(InvalidReturn):
                count_returned(earning, wrong)
        with pytest.raises(InvalidReturn):
            count_returned(earning, {"": -1})
        assert steps


class TestTakeBack:
    @FEW
    @given(returns(), ROUNDINGS)
    def test_the_sum_never_drifts_however_many_steps_there_are(self, case, rounding):
        earning, steps = case
        before, taken = {}, [0] * len(earning.lots)
        for now in [*steps, earning.line_minor]:
            part = take_back(earning, returned_before=before, returned_now=now, taken_by_lot=taken, rounding=rounding)
            assert all(points >= 0 for points in part)
            taken = [old + new for old, new in zip(taken, part, strict=True)]
            assert all(points <= lot.points for points, lot in zip(taken, earning.lots, strict=True))
            expected = count_returned(earning, now, rounding=rounding)
            assert by_currency(earning, taken) == by_currency(earning, expected.by_lot)
            before = now
        assert taken == [lot.points for lot in earning.lots]

    @FEW
    @given(returns(), ROUNDINGS)
    def test_a_first_return_takes_from_each_lot_what_it_gave(self, case, rounding):
        earning, steps = case
        nothing = [0] * len(earning.lots)
        found = take_back(earning, returned_before={}, returned_now=steps[0], taken_by_lot=nothing, rounding=rounding)
        assert found == count_returned(earning, steps[0], rounding=rounding).by_lot

    @FEW
    @given(returns())
    def test_returns_only_grow(self, case):
        earning, steps = case
        if any(steps[-1].values()):
            with pytest.raises(InvalidReturn):
                take_back(earning, returned_before=steps[-1], returned_now={}, taken_by_lot=[0] * len(earning.lots))


RESTS = st.builds(LotRest, points=st.integers(0, 50), is_pending=st.booleans())


class TestSettle:
    @FEW
    @given(
        st.lists(st.tuples(st.integers(0, 60), RESTS), max_size=4),
        st.sampled_from(list(ReturnPolicy)),
        st.integers(-20, 100),
    )
    def test_every_point_has_a_place(self, lots, policy, balance):
        wanted, rests = [each[0] for each in lots], [each[1] for each in lots]
        found = settle(wanted, rests, policy=policy, balance=balance)
        assert sum(found.from_lots) + found.from_balance + found.owed + found.forgiven == sum(wanted)
        assert all(part <= rest.points for part, rest in zip(found.from_lots, rests, strict=True))
        assert 0 <= found.from_balance <= max(balance, 0)
        if policy is ReturnPolicy.ONLY_PENDING:
            assert not found.from_balance and not found.owed
            assert all(rest.is_pending or not part for part, rest in zip(found.from_lots, rests, strict=True))
        if policy is ReturnPolicy.WITHIN_BALANCE:
            assert not found.owed
        if policy is ReturnPolicy.ALLOW_NEGATIVE:
            assert not found.forgiven
