"""Two people who have what people are found by in common, though no rule makes them one."""

from comity.identity import api
from tests.db.identity.test_resolve import facts, make_match


def test_finds_an_address_or_a_number_in_common_unless_somebody_said_they_are_two(tx, resolve):
    result = resolve(
        facts("a", "1", email="ann@example.com", given_name="Ann"),
        facts("a", "2", email="ANN@example.com ", given_name="Zoe"),
        facts("a", "3", phone="+4930123456", given_name="Bob"),
        facts("b", "3", phone="+4930123456", given_name="Cid"),
        facts("b", "4", given_name="Ann"),
        facts("a", "5", email="eve@example.com", given_name="Eve", birth_date="1990-01-01"),
        facts("b", "5", email="eve@example.com", given_name="Eve"),
    )
    ann, zoe, bob, cid, other, eve, same = result.profile_ids
    assert eve == same
    match = make_match()
    pairs = [(ann, zoe), (bob, cid), (ann, bob), (ann, other), (cid, bob), (eve, ann)]
    assert api.find_sharing(tx, pairs=pairs, match=match) == {(ann, zoe), (bob, cid), (cid, bob)}
    [record_a, record_b] = [record.record_id for record in api.list_records(tx, profile_ids=[ann, zoe])]
    tx.execute(
        "insert into identity.decision values (%s, %s, false, 'steward', 'two sisters', now())", (record_a, record_b)
    )
    assert api.find_sharing(tx, pairs=pairs[:2], match=match) == {(bob, cid)}
    assert api.find_sharing(tx, pairs=[], match=match) == set()
