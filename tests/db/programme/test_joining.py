"""Who asks to join a programme is a member from then on, once."""

from uuid import UUID

import pytest

from comity.programme import api
from comity.programme.types import MEMBER_ENROLLED
from tests.db.programme.test_api import ADA, BOB, published
from tests.db.programme.test_recording import NOW, club, make_people, wish


def nobody(*_):
    return []


@pytest.fixture
def join(tx):
    make_people(tx, ADA, BOB)

    def joined(programme, *, who=ADA, choose=nobody):
        return api.join(tx, profile_id=who, programme=programme, now=NOW, choose=choose)

    return joined


def test_makes_a_member_once_and_purchases_earn_from_then_on(tx, join):
    explicit = club(automatic=False)
    [before] = api.record_purchases(tx, wishes=[wish()], programmes=[explicit], now=NOW)
    first, second = join(explicit), join(explicit)
    assert (first.tier, first.balance, first.is_duplicate, second.is_duplicate) == ("Blue", 0, False, True)
    assert (second.enrolled_at, len(published(tx, MEMBER_ENROLLED))) == (first.enrolled_at, 1)
    [after] = api.record_purchases(tx, wishes=[wish("R-2")], programmes=[explicit], now=NOW)
    assert (before.programmes, after.programmes[0].points) == ([], 100)
    assert join(explicit).spendable == 100


def test_who_was_merged_joins_as_who_they_are(tx, join):
    tx.execute("update identity.profile set merged_into = %s where profile_id = %s", [BOB, ADA])
    assert join(club(automatic=False)).global_id == BOB


def test_a_condition_is_not_walked_past(join):
    fitting = club(when="country = 'DE'")
    with pytest.raises(api.EnrolmentRefused) as refused:
        join(fitting)
    assert refused.value.details["condition"] == "country = 'DE'"
    assert not join(fitting, choose=lambda _tx, _programme, people: people).is_duplicate
    assert join(fitting).is_duplicate


def test_nobody_joins_whom_nobody_knows(join):
    with pytest.raises(api.UnknownMember):
        join(club(), who=UUID(int=99))
