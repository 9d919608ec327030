"""Clusters and Global IDs as pure functions."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from comity.definitions.types import AttributeType, MatchSpec
from comity.identity.api import compile_match
from comity.identity.rules import Decision, Edge, Place, Profile, assign, partition
from comity.mapping.types import RecordKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make_match(limit=None):
    spec = {"rules": [{"name": "strong", "key": ["a"]}, {"name": "weak", "key": ["b"]}], "per_system_max": limit}
    types = {"a": AttributeType.TEXT, "b": AttributeType.TEXT}
    return compile_match(msgspec.convert(spec, MatchSpec), attributes=types)


def places(systems):
    return {at: Place(RecordKey(system, "contact", str(at))) for at, system in enumerate(systems, start=1)}


def link(a, b, rule="strong"):
    return Edge(min(a, b), max(a, b), rule, "v")


class TestPartition:
    def test_follows_links(self):
        result = partition(places("abcd"), edges=[link(1, 2), link(2, 3)], decisions=[], match=make_match())
        assert result.clusters == [[1, 2, 3], [4]]
        assert len(result.joining) == 2

    def test_prefers_the_stronger_rule_where_only_one_may_hold(self):
        edges = [link(1, 3, "weak"), link(2, 3, "strong")]
        result = partition(places("aab"), edges=edges, decisions=[], match=make_match(1))
        assert result.clusters == [[1], [2, 3]]
        assert result.refused == [link(1, 3, "weak")]

    def test_lets_decisions_override_limits_and_links(self):
        match = make_match(1)
        same = partition(places("aa"), edges=[], decisions=[Decision(1, 2, is_same=True)], match=match)
        assert same.clusters == [[1, 2]]
        edges = [link(1, 3), link(2, 3)]
        apart = partition(places("abc"), edges=edges, decisions=[Decision(1, 2, is_same=False)], match=match)
        assert apart.clusters == [[1, 3], [2]]

    def test_does_not_count_deleted_records(self):
        nodes = places("aab")
        nodes[1] = Place(nodes[1].key, is_deleted=True)
        edges = [link(1, 3), link(2, 3)]
        assert partition(nodes, edges=edges, decisions=[], match=make_match(1)).clusters == [[1, 2, 3]]

    @given(
        pairs=st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)).filter(lambda p: p[0] != p[1]), max_size=20),
        apart=st.sets(st.tuples(st.integers(1, 4), st.integers(5, 8)), max_size=4),
        limit=st.sampled_from([None, 1, 2]),
        data=st.data(),
    )
    def test_is_free_of_order_and_keeps_every_limit(self, pairs, apart, limit, data):
        nodes = places("aabbccdd")
        edges = list({link(a, b, "strong" if (a + b) % 2 else "weak") for a, b in pairs})
        decisions = [Decision(a, b, is_same=False) for a, b in apart]
        match = make_match(limit)
        one = partition(nodes, edges=edges, decisions=decisions, match=match)
        other = partition(
            nodes,
            edges=data.draw(st.permutations(edges)),
            decisions=data.draw(st.permutations(decisions)),
            match=match,
        )
        assert one == other
        for cluster in one.clusters:
            systems = [nodes[each].key.system for each in cluster]
            assert limit is None or max(map(systems.count, systems)) <= limit
            assert not any(a in cluster and b in cluster for a, b in apart)
        # The joining links alone give the same people: that is what is remembered.
        again = partition(nodes, edges=one.joining, decisions=decisions, match=match)
        assert again.clusters == one.clusters


class TestAssign:
    def profile(self, number, founder, merged_into=None):
        return Profile(UUID(int=number), founder, merged_into, NOW)

    def test_lets_the_oldest_survive(self):
        result = assign([[1, 2]], profiles=[self.profile(2, 2), self.profile(1, 1)])
        assert result.profile_of_cluster == [UUID(int=1)]
        assert result.merged_into == {UUID(int=2): UUID(int=1)}

    def test_gives_an_alias_back_to_its_founder(self):
        result = assign([[1], [2], [3]], profiles=[self.profile(1, 1), self.profile(2, 2, UUID(int=1))])
        assert result.profile_of_cluster == [UUID(int=1), UUID(int=2), None]
        assert result.merged_into == {UUID(int=2): None}
