"""The clusters of identity are a function of the records alone: arrival, batches and engine change nothing."""

from itertools import pairwise

import msgspec
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.definitions.types import AttributeType, MatchSpec
from comity.identity import api
from comity.identity.bulk import resolve_bulk
from comity.identity.types import RecordFacts, RecordKey

TYPES = {
    "email": AttributeType.EMAIL,
    "phone": AttributeType.PHONE,
    "given_name": AttributeType.TEXT,
    "family_name": AttributeType.TEXT,
    "birth_date": AttributeType.DATE,
}
SPEC = {
    "rules": [
        {
            "name": "email_and_name",
            "key": ["email", {"attribute": "given_name", "transform": {"prefix": 2}}],
            "conflict": ["birth_date"],
            "records_max": 3,
        },
        {
            "name": "phone",
            "key": ["phone"],
            "agree": {
                "at_least": 1,
                "of": [{"attribute": "family_name", "compare": {"similar": 0.85}}, "birth_date"],
            },
            "records_max": 3,
        },
        {
            "name": "name_and_year",
            "key": [
                {"attribute": "family_name", "transform": "soundex"},
                {"attribute": "given_name", "transform": "alnum"},
                {"attribute": "birth_date", "transform": "year"},
            ],
            "records_max": 4,
        },
    ],
}
RECORDS = st.lists(
    st.builds(
        lambda system, number, features: RecordFacts(key=RecordKey(system, "contact", str(number)), features=features),
        st.sampled_from("abc"),
        st.integers(1, 6),
        st.fixed_dictionaries(
            {
                "email": st.sampled_from([None, "x@example.com", "y@example.com", "Y@EXAMPLE.com"]),
                "phone": st.sampled_from([None, "+4930111111", "+4930222222"]),
                "given_name": st.sampled_from([None, "Ann", "Änne", "Bo b", "Anna"]),
                "family_name": st.sampled_from([None, "Muller", "Müller", "Mueller", "Lee", "İnce"]),
                "birth_date": st.sampled_from([None, "1980-01-01", "1980-01-02", "1999-09-09"]),
            }
        ),
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda record: record.key,
)
LIMITS = st.sampled_from([None, 1, 2])


def compile_rules(limit):
    return api.compile_match(msgspec.convert({**SPEC, "per_system_max": limit}, MatchSpec), attributes=TYPES)


def clusters_of(keys, labels):
    found = {}
    for key, label in zip(keys, labels, strict=True):
        found.setdefault(label, set()).add(key)
    return {frozenset(cluster) for cluster in found.values()}


def resolve_in_batches(tx, batches, match, clock, ids):
    with tx.transaction(force_rollback=True):
        for batch in batches:
            clock.advance(seconds=1)
            api.resolve_records(tx, records=batch, match=match, now=clock.now(), ids=ids)
        keys = [record.key for batch in batches for record in batch]
        known = api.find_profiles_by_records(tx, keys=keys)
        for profile_id in set(known.values()):
            assert api.resolve_alias(tx, profile_id=profile_id) == profile_id
        edges = tx.execute(
            "select a.system, a.external_id, b.system, b.external_id, e.rule from identity.edge e"
            " join identity.record a on a.record_id = e.record_a join identity.record b on b.record_id = e.record_b"
        ).fetchall()
        return clusters_of(keys, [known[key] for key in keys]), {
            (rule, *sorted([(a, x), (b, y)])) for a, x, b, y, rule in edges
        }


def resolve_at_once(records, match):
    frame = pl.DataFrame(
        [
            {"system": r.key.system, "stream": r.key.stream, "external_id": r.key.external_id, **r.features}
            for r in records
        ],
        schema=dict.fromkeys(["system", "stream", "external_id", *TYPES], pl.String),
    )
    result = resolve_bulk(frame, match=match)
    places = [(record.key.system, record.key.external_id) for record in records]
    edges = {
        (rule, *sorted([places[a], places[b]]))
        for a, b, rule in result.edges.select("record_a", "record_b", "rule").rows()
    }
    return clusters_of([record.key for record in records], result.clusters.to_list()), edges


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, limit=LIMITS, data=st.data())
def test_arrival_batches_and_engine_change_nothing(tx, clock, ids, records, limit, data):
    match = compile_rules(limit)
    shuffled = data.draw(st.permutations(records))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(records)), max_size=4)) | {0, len(records)})
    batches = [shuffled[start:end] for start, end in pairwise(cuts)]
    at_once = resolve_at_once(records, match)
    assert resolve_in_batches(tx, [records], match, clock, ids) == at_once
    assert resolve_in_batches(tx, batches, match, clock, ids) == at_once
    assert resolve_in_batches(tx, [[record] for record in shuffled], match, clock, ids) == at_once


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, more=RECORDS, limit=LIMITS)
def test_a_global_id_stays_resolvable_and_repetition_changes_nothing(tx, clock, ids, records, more, limit):
    match = compile_rules(limit)
    with tx.transaction(force_rollback=True):
        first = api.resolve_records(tx, records=records, match=match, now=clock.now(), ids=ids)
        clock.advance(seconds=1)
        api.resolve_records(tx, records=more, match=match, now=clock.now(), ids=ids)
        again = api.resolve_records(tx, records=more, match=match, now=clock.now(), ids=ids)
        assert not (again.moved or again.merged or again.created_profile_ids or again.affected_profile_ids)
        living = {each.profile_id for each in api.list_records(tx, profile_ids=first.profile_ids)}
        for profile_id in first.profile_ids:
            assert api.resolve_alias(tx, profile_id=profile_id) in living
