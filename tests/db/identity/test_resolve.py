"""Resolving records on a real database."""

import msgspec
import pytest

from comity.definitions.types import AttributeType, MatchSpec
from comity.identity import api
from comity.identity.types import MergeRefused, ProfileUnknown, RecordFacts, RecordKey, RecordUnknown

TYPES = {
    "email": AttributeType.EMAIL,
    "phone": AttributeType.PHONE,
    "given_name": AttributeType.TEXT,
    "family_name": AttributeType.TEXT,
    "birth_date": AttributeType.DATE,
}
RULES = {
    "rules": [
        {
            "name": "email_and_name",
            "key": ["email", {"attribute": "given_name", "transform": {"prefix": 2}}],
            "conflict": ["birth_date"],
            "records_max": 4,
        },
        {
            "name": "phone_and_name",
            "key": ["phone", {"attribute": "given_name", "transform": {"prefix": 2}}],
            "records_max": 4,
        },
    ],
    "per_system_max": 1,
}


def make_match(**changes):
    return api.compile_match(msgspec.convert({**RULES, **changes}, MatchSpec), attributes=TYPES)


def facts(system, external_id, **features):
    return RecordFacts(key=RecordKey(system, "contact", external_id), features=features)


class TestResolve:
    def test_links_records_that_share_a_key(self, resolve):
        result = resolve(
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "7", email="ANN@example.com", given_name="Anna"),
            facts("b", "8", email="bob@example.com", given_name="Bob"),
        )
        assert result.is_new == [True, True, True]
        assert result.profile_ids[0] == result.profile_ids[1] != result.profile_ids[2]
        assert len(result.created_profile_ids) == 2
        assert set(result.affected_profile_ids) == set(result.profile_ids)

    def test_says_the_same_when_repeated(self, resolve):
        batch = (
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "2", email=None, given_name="Bob"),
        )
        first = resolve(*batch)
        again = resolve(*batch)
        assert again.profile_ids == first.profile_ids
        assert again.record_ids == first.record_ids
        assert again.is_new == [False, False]
        assert not (again.created_profile_ids or again.moved or again.merged or again.affected_profile_ids)

    def test_takes_a_key_given_twice_once(self, resolve):
        result = resolve(facts("a", "1", email="ann@example.com"), facts("a", "1", given_name="Ann"))
        assert result.record_ids[0] == result.record_ids[1]
        other = resolve(facts("b", "1", email="ann@example.com", given_name="Ann"))
        assert other.profile_ids == [result.profile_ids[0]]

    def test_keeps_a_person_together_when_a_key_is_edited_later(self, resolve):
        first = resolve(
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "7", email="ann@example.com", given_name="Ann"),
        )
        edited = resolve(facts("b", "7", email="new@example.com"))
        assert edited.profile_ids == first.profile_ids[:1]
        assert not edited.moved

    def test_merges_profiles_into_the_oldest_when_a_record_joins_them(self, tx, resolve, clock):
        old = resolve(facts("a", "1", email="ann@example.com", given_name="Ann"))
        clock.advance(seconds=1)
        young = resolve(facts("b", "1", phone="+4930123456", given_name="Ann"))
        clock.advance(seconds=1)
        result = resolve(facts("c", "1", email="ann@example.com", phone="+4930123456", given_name="Ann"))
        assert [(each.loser, each.survivor) for each in result.merged] == [(young.profile_ids[0], old.profile_ids[0])]
        assert result.profile_ids == old.profile_ids
        assert [(each.source, each.target) for each in result.moved] == [(young.profile_ids[0], old.profile_ids[0])]
        assert result.affected_profile_ids == old.profile_ids
        assert api.resolve_alias(tx, profile_id=young.profile_ids[0]) == old.profile_ids[0]
        assert len(api.list_records(tx, profile_ids=young.profile_ids)) == 3

    def test_refuses_a_link_against_conflicting_evidence(self, tx, resolve):
        result = resolve(
            facts("a", "1", email="x@example.com", given_name="Ann", birth_date="1980-01-01"),
            facts("b", "1", email="x@example.com", given_name="Ann", birth_date="2010-01-01"),
        )
        assert len(set(result.profile_ids)) == 2
        assert [each.kind for each in api.list_reviews(tx)] == ["conflict"]

    def test_allows_one_record_of_a_system_in_a_profile(self, tx, resolve):
        result = resolve(
            facts("a", "1", email="x@example.com", given_name="Ann"),
            facts("a", "2", email="x@example.com", given_name="Ann"),
            facts("b", "1", email="x@example.com", given_name="Ann"),
        )
        assert result.profile_ids[0] == result.profile_ids[2] != result.profile_ids[1]
        assert {each.kind for each in api.list_reviews(tx)} == {"cardinality"}

    def test_does_not_believe_a_value_too_many_share(self, tx, resolve):
        first = resolve(*(facts(f"s{n}", "1", email="info@example.com", given_name="Ann") for n in range(4)))
        assert len(set(first.profile_ids)) == 1
        fifth = resolve(facts("s5", "1", email="info@example.com", given_name="Ann"))
        assert len(fifth.created_profile_ids) == 4
        assert len(fifth.moved) == 3
        assert [each.kind for each in api.list_reviews(tx)] == ["shared_value"]
        left = resolve(facts("s5", "1", email="own@example.com"))
        assert len(left.moved) == 3
        assert not api.list_reviews(tx)
        known = api.find_profiles_by_records(tx, keys=[RecordKey(f"s{n}", "contact", "1") for n in range(4)])
        assert len(set(known.values())) == 1

    def test_gives_back_its_own_id_to_who_is_separated_again(self, tx, resolve, clock):
        ids_before = resolve(
            *(facts(f"s{n}", "1", email=f"{n}@example.com", given_name="Ann") for n in range(2))
        ).profile_ids
        clock.advance(seconds=1)
        joined = resolve(facts("s2", "1", email="0@example.com", phone="+4930123456", given_name="Ann"))
        resolve(facts("s1", "1", phone="+4930123456"))
        assert api.resolve_alias(tx, profile_id=ids_before[1]) == ids_before[0] == joined.profile_ids[0]
        for n in range(3, 6):
            resolve(facts(f"s{n}", "1", phone="+4930123456", given_name="An"))
        known = api.find_profile_by_record(tx, key=RecordKey("s1", "contact", "1"))
        assert known == ids_before[1] == api.resolve_alias(tx, profile_id=ids_before[1])

    def test_works_without_rules(self, tx, clock, ids):
        match = api.compile_match(None, attributes=TYPES)
        result = api.resolve_records(
            tx,
            records=[facts("a", "1", email="x@example.com"), facts("b", "1", email="x@example.com")],
            match=match,
            now=clock.now(),
            ids=ids,
        )
        assert len(set(result.profile_ids)) == 2
        found = api.find_profiles_by_identifier(tx, attribute="email", value="X@example.com")
        assert set(found) == set(result.profile_ids)


class TestRulesChange:
    def test_links_again_under_other_rules(self, tx, resolve, clock, ids):
        pair = (
            facts("a", "1", email="x@example.com", given_name="Ann", family_name="Lee"),
            facts("b", "1", email="x@example.com", given_name="Ben", family_name="Lee"),
        )
        resolve(*pair)
        loose = make_match(rules=[{"name": "email", "key": ["email"]}])
        result = api.resolve_stale_records(tx, match=loose, now=clock.now(), ids=ids, limit=100)
        assert len(result.record_ids) == 2
        assert len(set(result.profile_ids)) == 1
        assert not api.resolve_stale_records(tx, match=loose, now=clock.now(), ids=ids, limit=100).record_ids
        strict = make_match(rules=[{"name": "email", "key": ["email"], "conflict": ["given_name"]}])
        result = api.resolve_stale_records(tx, match=strict, now=clock.now(), ids=ids, limit=100)
        assert len(set(result.profile_ids)) == 2


class TestForget:
    def test_parts_nobody_and_links_nobody_new(self, tx, resolve, clock, ids):
        first = resolve(
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "1", email="ann@example.com", phone="+4930123456", given_name="Ann"),
            facts("c", "1", phone="+4930123456", given_name="Ann"),
        )
        assert len(set(first.profile_ids)) == 1
        gone = api.forget_records(
            tx, keys=[RecordKey("b", "contact", "1")], match=make_match(), now=clock.now(), ids=ids
        )
        assert gone.profile_ids == first.profile_ids[1:2]
        assert not gone.moved
        other = resolve(facts("d", "1", email="zoe@example.com", given_name="Zoe"))
        assert other.profile_ids[0] != first.profile_ids[0]
        assert [each.is_deleted for each in api.list_records(tx, profile_ids=first.profile_ids[:1])] == [
            False,
            True,
            False,
        ]

    def test_makes_room_for_another_record_of_the_system(self, tx, resolve, clock, ids):
        first = resolve(
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "2", email="ann@example.com", given_name="Ann"),
        )
        assert first.profile_ids[2] != first.profile_ids[0]
        key = RecordKey("b", "contact", "1")
        result = api.forget_records(tx, keys=[key], match=make_match(), now=clock.now(), ids=ids)
        assert [each.target for each in result.moved] == [first.profile_ids[0]]
        back = resolve(facts("b", "1", email="ann@example.com"))
        assert back.is_new == [False]

    def test_ignores_unknown_records(self, tx, clock, ids):
        result = api.forget_records(tx, keys=[RecordKey("x", "y", "z")], match=make_match(), now=clock.now(), ids=ids)
        assert result.record_ids == []


class TestDecisions:
    def test_merge_then_unmerge_is_identity(self, tx, resolve, clock, ids):
        match = make_match()
        one = resolve(facts("a", "1", given_name="Ann"), facts("b", "1", given_name="Bob"))
        merged = api.merge_profiles(
            tx, profile_ids=one.profile_ids, match=match, reason="same passport", now=clock.now(), ids=ids
        )
        survivor = one.profile_ids[0]
        assert set(merged.profile_ids) == {survivor}
        again = api.merge_profiles(
            tx, profile_ids=one.profile_ids, match=match, reason="same passport", now=clock.now(), ids=ids
        )
        assert not again.moved
        parted = api.unmerge_profile(
            tx,
            profile_id=survivor,
            keys=[RecordKey("b", "contact", "1")],
            match=match,
            reason="twins",
            actor="Grace",
            now=clock.now(),
            ids=ids,
        )
        assert parted.profile_ids == one.profile_ids
        notes = api.list_merges(tx, profile_id=survivor)
        assert [(each.is_merge, each.profile_id, each.actor, each.reason) for each in notes] == [
            (True, one.profile_ids[1], "", "same passport"),
            (False, one.profile_ids[1], "Grace", "twins"),
        ]
        assert api.resolve_alias(tx, profile_id=one.profile_ids[1]) == one.profile_ids[1]
        told = tx.execute("select kind, payload ->> 'profile_id' from kernel.event order by event_id").fetchall()
        assert told.count(("identity.profile_created", str(one.profile_ids[1]))) == 2, "who lives again is told of"

    def test_unmerge_outlives_new_evidence_and_holds_the_rest_together(self, tx, resolve, clock, ids):
        match = make_match()
        first = resolve(
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "1", email="ann@example.com", phone="+4930123456", given_name="Ann"),
            facts("c", "1", phone="+4930123456", given_name="Ann"),
        )
        api.unmerge_profile(
            tx,
            profile_id=first.profile_ids[0],
            keys=[RecordKey("b", "contact", "1")],
            match=match,
            reason="mother and daughter",
            now=clock.now(),
            ids=ids,
        )
        known = api.find_profiles_by_records(tx, keys=[RecordKey(s, "contact", "1") for s in "abc"])
        a, b, c = (known[RecordKey(s, "contact", "1")] for s in "abc")
        assert a == c != b
        resolve(facts("b", "1", given_name="Ann", birth_date="1980-01-01"))
        assert api.find_profile_by_record(tx, key=RecordKey("b", "contact", "1")) == b

    def test_refuses_to_part_all_or_none(self, tx, resolve, clock, ids):
        one = resolve(facts("a", "1", given_name="Ann"))
        with pytest.raises(MergeRefused):
            api.unmerge_profile(
                tx,
                profile_id=one.profile_ids[0],
                keys=[RecordKey("a", "contact", "1")],
                match=make_match(),
                reason="",
                now=clock.now(),
                ids=ids,
            )

    def test_follows_a_merge_at_the_source(self, tx, resolve, clock, ids):
        first = resolve(
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("a", "2", email="ann2@example.com", given_name="Ann"),
        )
        result = api.merge_source_records(
            tx,
            loser_key=RecordKey("a", "contact", "2"),
            survivor_key=RecordKey("a", "contact", "1"),
            match=make_match(),
            now=clock.now(),
            ids=ids,
        )
        assert result.profile_ids == [first.profile_ids[0]] * 2
        with pytest.raises(RecordUnknown):
            api.merge_source_records(
                tx,
                loser_key=RecordKey("a", "contact", "9"),
                survivor_key=RecordKey("a", "contact", "1"),
                match=make_match(),
                now=clock.now(),
                ids=ids,
            )

    def test_knows_no_unknown_profile(self, tx, ids, clock):
        with pytest.raises(ProfileUnknown):
            api.resolve_alias(tx, profile_id=ids.uuid7(clock.now()))


class TestExplain:
    def test_names_the_rule_the_guard_and_the_path(self, tx, resolve):
        resolve(
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "1", email="ann@example.com", phone="+4930123456", given_name="Ann"),
            facts("c", "1", phone="+4930123456", given_name="Ann", birth_date="1980-01-01"),
            facts("d", "1", email="ann@example.com", given_name="Ann", birth_date="1999-01-01"),
            facts("e", "1", email="eve@example.com", given_name="Eve"),
        )
        match = make_match()

        def explain(a, b):
            return api.explain_link(
                tx, record_a=RecordKey(a, "contact", "1"), record_b=RecordKey(b, "contact", "1"), match=match
            )

        direct = explain("a", "b")
        assert direct.is_same
        assert direct.summary == "One person: linked by email_and_name."
        assert direct.rules[0].shared_by == 3
        indirect = explain("a", "c")
        assert [step[2] for step in indirect.path] == ["email_and_name", "phone_and_name"]
        assert indirect.summary.startswith("One person by way of 1 other record")
        assert not explain("a", "e").is_same
        assert explain("a", "e").summary == "Different people: no rule finds a common key."

    def test_tells_what_was_remembered(self, tx, resolve):
        resolve(
            facts("a", "1", email="ann@example.com", given_name="Ann"),
            facts("b", "1", email="ann@example.com", given_name="Ann"),
        )
        resolve(facts("b", "1", email="new@example.com"))
        told = api.explain_link(
            tx,
            record_a=RecordKey("a", "contact", "1"),
            record_b=RecordKey("b", "contact", "1"),
            match=make_match(),
        )
        assert told.summary == (
            "One person: linked earlier by email_and_name: ann@example.com + an; the values have changed since."
        )
