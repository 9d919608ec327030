"""The compiled decision equals plain Python, whatever the order of arrival, the batches and the repetitions."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import msgspec
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.definitions.types import AttributeSpec, RulesSpec
from comity.profile import api
from comity.profile.types import ABSENT, Move, ObservationBatch
from tests.unit.profile.oracle import World

TYPES = {
    "born": "date",
    "city": "text",
    "country": "text",
    "email": "email",
    "name": "text",
    "points": "integer",
    "seen": "timestamp",
    "street": "text",
    "tags": "tags",
    "vip": "boolean",
}
GROUPS = {"address": ["city", "street"]}
DAY = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2027, 1, 1, tzinfo=UTC)
PROFILES = [UUID(int=number) for number in (1, 2, 3)]
KEYS = {1: ("a", "P", "1"), 2: ("a", "P", "2"), 3: ("b", "P", "1"), 4: ("b", "Q", "1"), 5: ("c-c", "P", "é")}
CONDITIONS = {
    "country = 'DE'": lambda g: g["country"] == "DE",
    "points > 1 or vip": lambda g: (g["points"] is not None and g["points"] > 1) or g["vip"] is True,
    "country is null": lambda g: g["country"] is None,
    "born >= '2000-01-01'": lambda g: g["born"] is not None and g["born"] >= date(2000, 1, 1),
}
MERGES = {
    "born": ["max", "min"],
    "email": ["longest"],
    "name": ["longest"],
    "points": ["max", "min"],
    "seen": ["max", "min"],
    "tags": ["union"],
    "vip": ["all", "any"],
}
VALUES = {
    "born": st.sampled_from([date(1999, 5, 5), date(2000, 1, 1)]),
    "country": st.sampled_from(["DE", "FR"]),
    "points": st.integers(-1, 3),
    "seen": st.sampled_from([DAY, NOW]),
    "tags": st.lists(st.sampled_from(["a", "B", 'q"', "x,y", "\\", "{}", "null", ""]), unique=True).map(sorted),
    "vip": st.booleans(),
}
TEXTS = st.sampled_from(["", "x", "Y", "zz", "é", "it's %"])
SETTINGS = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])

systems = st.lists(st.sampled_from(["a", "b", "c-c", "unused"]), unique=True, max_size=3)
moments = st.integers(0, 6).map(lambda days: DAY + timedelta(days=days))


def said(name):
    return st.one_of(st.just(ABSENT), st.none(), VALUES.get(name, TEXTS), VALUES.get(name, TEXTS))


everything = st.fixed_dictionaries({name: said(name) for name in TYPES})
versions = st.tuples(st.sampled_from(list(KEYS)), moments, everything)


@st.composite
def rule_sets(draw):
    """Draw rules; what conditions ask for has none itself."""
    entries = []
    for name in ["born", "country", "points", "vip", "email", "name", "seen", "tags", "address"]:
        for _ in range(draw(st.integers(0, 2))):
            kinds = ["most_recent", "system_of_record"] + ["merge"] * (name in MERGES)
            kind = draw(st.sampled_from(kinds))
            when = None if name in {"born", "country", "points", "vip"} else draw(st.sampled_from([None, *CONDITIONS]))
            chosen = draw(systems) or (["b"] if kind == "system_of_record" else [])
            merge = draw(st.sampled_from(MERGES[name])) if kind == "merge" else None
            entries.append({"of": [name], "rule": kind, "systems": chosen, "when": when, "merge": merge})
            if when is None:
                break
    default = draw(st.sampled_from([("most_recent", []), ("most_recent", ["b", "a"]), ("system_of_record", ["b"])]))
    return entries, {"rule": default[0], "systems": default[1]}


def compiled(rules):
    entries, default = rules
    groups = {member: group for group, members in GROUPS.items() for member in members}
    attributes = [
        (name, msgspec.convert({"type": kind, "group": groups.get(name)}, AttributeSpec))
        for name, kind in TYPES.items()
    ]
    spec = msgspec.convert({"attributes": entries, "default": default}, RulesSpec)
    return api.compile_model(attributes=attributes, rules=spec, rules_version=7)


def expected(world, rules):
    entries, default = rules
    plain = [(e["of"], e["rule"], e["systems"], e["merge"], CONDITIONS.get(e["when"])) for e in entries]
    fallback = ([], default["rule"], default["systems"], None, None)
    return {profile: world.golden(profile, plain, fallback) for profile in world.profiles()}


def stored(tx):
    rows = api.get_profiles(tx, profile_ids=PROFILES)
    return {row["profile_id"]: {name: row[name] for name in TYPES} for row in rows}


def observed(tx):
    return tx.execute("select to_jsonb(o)::text from profile.observation o order by record_id").fetchall()


def batch_of(entries, homes):
    ids = [entry[0] for entry in entries]
    return ObservationBatch(
        record_ids=ids,
        profile_ids=[homes[record_id] for record_id in ids],
        systems=[KEYS[record_id][0] for record_id in ids],
        streams=[KEYS[record_id][1] for record_id in ids],
        external_ids=[KEYS[record_id][2] for record_id in ids],
        columns={name: [entry[2][name] for entry in entries] for name in TYPES},
        changed_ats=[entry[1] for entry in entries],
    )


def empty(tx, model):
    tx.execute("truncate profile.observation, profile.golden")
    api.ensure_columns(tx, model=model)


def apply(tx, model, entries, homes):
    return api.apply_observations(tx, batch=batch_of(entries, homes), model=model, now=NOW)


def cut(entries, sizes):
    """Cut into batches of these sizes, the rest in one."""
    batches = []
    for size in sizes:
        batches.append(entries[:size])
        entries = entries[size:]
    return [batch for batch in [*batches, entries] if batch]


homes_of = st.fixed_dictionaries({record_id: st.sampled_from(PROFILES) for record_id in KEYS})
sizes_of = st.lists(st.integers(1, 4), max_size=4)
written_values = everything.map(lambda values: {name: value for name, value in values.items() if value is not ABSENT})
actions = st.one_of(
    st.tuples(st.just("say"), st.lists(versions, min_size=1, max_size=4)),
    st.tuples(st.just("say"), st.lists(versions, min_size=1, max_size=4)),
    st.tuples(st.just("write"), st.sampled_from(list(KEYS)), written_values, moments),
    st.tuples(st.just("move"), st.sampled_from(list(KEYS)), st.sampled_from(PROFILES)),
    st.tuples(st.just("drop"), st.sampled_from(list(KEYS))),
)


@SETTINGS
@given(rules=rule_sets(), homes=homes_of, story=st.lists(actions, min_size=1, max_size=8))
def test_sql_equals_plain_python(database, rules, homes, story):
    """Versions in any order, late ones too, echoes, moves and deletions: golden rows are what the oracle says."""
    model, world, homes = compiled(rules), World(list(TYPES), GROUPS), dict(homes)
    with database.transaction() as tx:
        empty(tx, model)
        for action, *given_values in story:
            before = stored(tx)
            if action == "say":
                (entries,) = given_values
                for record_id, at, values in sorted(entries, key=lambda entry: entry[1]):
                    world.say(record_id, homes[record_id], KEYS[record_id], at, values)
                result = apply(tx, model, entries, homes)
                assert result.applied_count + result.unchanged_count == len(entries)
                changed = result.changed_profile_ids
            elif action == "write":
                record_id, values, at = given_values
                world.write(record_id, values, at)
                api.note_written(tx, record_ids=[record_id], values=[values], now=at)
                changed = []
            else:
                record_id = given_values[0]
                if action == "move":
                    homes[record_id] = given_values[1]
                    if record_id in world.records:
                        world.records[record_id].profile = homes[record_id]
                    touched = api.move_records(tx, moves=[Move(record_id=record_id, profile_id=homes[record_id])])
                else:
                    world.records.pop(record_id, None)
                    touched = api.drop_observations(tx, record_ids=[record_id])
                changed = api.refresh_profiles(tx, profile_ids=touched, model=model, now=NOW).changed_profile_ids
            after = stored(tx)
            assert after == expected(world, rules)
            assert set(changed) == {profile for profile in after if after[profile] != before.get(profile)}
        assert api.rebuild_all(tx, model=model, now=NOW).changed_count == 0


@SETTINGS
@given(
    rules=rule_sets(),
    homes=homes_of,
    entries=st.lists(versions, min_size=1, max_size=12, unique_by=lambda entry: entry[:2]),
    shuffled=st.randoms(use_true_random=False),
    sizes=st.tuples(sizes_of, sizes_of),
)
def test_order_of_arrival_and_batches_make_no_difference(database, rules, homes, entries, shuffled, sizes):
    """Records interleave as they like and batches are cut anywhere; replaying everything changes no byte."""
    model = compiled(rules)
    results = []
    for batch_sizes in sizes:
        order = list(entries)
        shuffled.shuffle(order)
        steps = {
            record_id: iter(sorted((e for e in order if e[0] == record_id), key=lambda e: e[1])) for record_id in KEYS
        }
        order = [next(steps[entry[0]]) for entry in order]
        with database.transaction() as tx:
            empty(tx, model)
            for batch in cut(order, batch_sizes):
                apply(tx, model, batch, homes)
            results.append((stored(tx), observed(tx)))
            golden = tx.execute("select g::text from profile.golden g order by 1").fetchall()
            for batch in cut(order, batch_sizes[::-1]):
                assert not apply(tx, model, batch, homes).changed_profile_ids
            assert (stored(tx), observed(tx)) == results[-1]
            assert tx.execute("select g::text from profile.golden g order by 1").fetchall() == golden
    assert results[0] == results[1]


@SETTINGS
@given(
    rules=rule_sets(),
    homes=homes_of,
    entries=st.lists(versions, min_size=1, max_size=5, unique_by=lambda entry: entry[0]),
)
def test_bulk_load_ends_like_batches(database, rules, homes, entries):
    """The same records by bulk load and by batch give the same observations and golden rows."""
    model = compiled(rules)
    entries = [(key, at, {n: None if v is ABSENT else v for n, v in values.items()}) for key, at, values in entries]
    dtypes = {"born": pl.Date, "points": pl.Int64, "seen": pl.Datetime("us", "UTC"), "vip": pl.Boolean}
    frame = pl.DataFrame(
        {
            "record_id": [entry[0] for entry in entries],
            "profile_id": [str(homes[entry[0]]) for entry in entries],
            "system": [KEYS[entry[0]][0] for entry in entries],
            "stream": [KEYS[entry[0]][1] for entry in entries],
            "external_id": [KEYS[entry[0]][2] for entry in entries],
            "changed_at": pl.Series([entry[1] for entry in entries], dtype=pl.Datetime("us", "UTC")),
            **{
                name: pl.Series(
                    [entry[2][name] for entry in entries],
                    dtype=dtypes.get(name, pl.List(pl.String) if name == "tags" else pl.String),
                )
                for name in TYPES
            },
        }
    )
    results = []
    with database.transaction() as tx:
        empty(tx, model)
        apply(tx, model, entries, homes)
        results.append((stored(tx), observed(tx)))
    for first in (0, 1):
        with database.transaction() as tx:
            empty(tx, model)
            apply(tx, model, entries[:first], homes)
            if frame[first:].height:
                api.load_bulk(tx, frame=frame[first:], model=model, now=NOW)
            results.append((stored(tx), observed(tx)))
    assert results[0] == results[1] == results[2]


@SETTINGS
@given(rules=rule_sets(), homes=homes_of, entries=st.lists(versions, min_size=1, max_size=8))
def test_explanation_is_the_decision(database, rules, homes, entries):
    """Every golden value is explained by its value, and every record is either a part of it or a loser."""
    model = compiled(rules)
    with database.transaction() as tx:
        empty(tx, model)
        apply(tx, model, entries, homes)
        for profile_id, golden in stored(tx).items():
            records = {entry[0] for entry in entries if homes[entry[0]] == profile_id}
            for name in TYPES:
                why = api.explain(tx, profile_id=profile_id, attribute=name, model=model)
                assert why.value == golden[name]
                assert why.is_current
                assert {each.record_id for each in why.contributors + why.losers} == records
                assert why.winner is None or why.winner.value == golden[name]
                assert why.contributors or golden[name] is None
