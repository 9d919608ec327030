"""The laws of observations, one by one, on a real database."""

import threading
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from comity.definitions.types import AttributeSpec, RulesSpec
from comity.profile import api
from comity.profile.types import (
    ABSENT,
    AdoptedRecord,
    BatchInvalid,
    ColumnTypeChanged,
    Move,
    ObservationBatch,
    Reason,
    UnknownAttribute,
    UnknownProfile,
)
from tests.conftest import NOW

ANNA, BERT = UUID(int=1), UUID(int=2)
TYPES = {"email": "email", "name": "text", "street": "text", "city": "text", "tags": "tags"}


def at(hours):
    return NOW + timedelta(hours=hours)


def make_model(rules=(), types=TYPES, version=1):
    groups = {"street": "address", "city": "address"}
    attributes = [
        (name, msgspec.convert({"type": kind, "group": groups.get(name)}, AttributeSpec))
        for name, kind in types.items()
    ]
    return api.compile_model(
        attributes=attributes, rules=msgspec.convert({"attributes": list(rules)}, RulesSpec), rules_version=version
    )


def batch(*entries):
    """Entries are (record id, hour, values); records 1 to 9 are Anna's, the others Bert's; odd ones of system a."""
    names = {name for entry in entries for name in entry[2]}
    return ObservationBatch(
        record_ids=[entry[0] for entry in entries],
        profile_ids=[ANNA if entry[0] < 10 else BERT for entry in entries],
        systems=["a" if entry[0] % 2 else "b" for entry in entries],
        streams=["Contact"] * len(entries),
        external_ids=[str(entry[0]) for entry in entries],
        columns={name: [entry[2].get(name, ABSENT) for entry in entries] for name in names},
        changed_ats=[at(entry[1]) for entry in entries],
    )


@pytest.fixture
def model():
    return make_model()


@pytest.fixture
def say(tx, model):
    api.ensure_columns(tx, model=model)
    return lambda *entries: api.apply_observations(tx, batch=batch(*entries), model=model, now=NOW)


def golden(tx, profile_id=ANNA):
    rows = api.get_profiles(tx, profile_ids=[profile_id])
    return rows[0] if rows else None


class TestEnsureColumns:
    def test_adds_what_is_missing_and_repeats_without_effect(self, tx, model):
        assert api.ensure_columns(tx, model=model) == sorted(TYPES)
        assert api.ensure_columns(tx, model=model) == []
        more = make_model(types=TYPES | {"score": "integer"})
        assert api.ensure_columns(tx, model=more) == ["score"]

    def test_refuses_another_type(self, tx, model):
        api.ensure_columns(tx, model=model)
        with pytest.raises(ColumnTypeChanged, match=r"name is date now, but its column holds text"):
            api.ensure_columns(tx, model=make_model(types=TYPES | {"name": "date"}))

    def test_keeps_every_type_it_has_made(self, tx):
        kinds = ["text", "email", "phone", "date", "integer", "money", "boolean", "timestamp", "tags"]
        every = make_model(types={f"a_{kind}": kind for kind in kinds})
        api.ensure_columns(tx, model=every)
        assert api.ensure_columns(tx, model=every) == []

    def test_a_live_session_survives_new_columns(self, tx, say):
        say((1, 0, {"name": "Anna"}))
        for _ in range(8):
            golden(tx)
        api.ensure_columns(tx, model=make_model(types=TYPES | {"score": "integer"}))
        assert golden(tx)["score"] is None


class TestApplyObservations:
    def test_the_latest_value_wins(self, tx, say):
        say((1, 5, {"name": "Anna"}), (2, 3, {"name": "Ann", "email": "a@x.org"}))
        assert golden(tx)["name"] == "Anna"
        assert golden(tx)["email"] == "a@x.org"

    def test_the_time_of_an_unchanged_value_stays(self, tx, say):
        say((1, 1, {"name": "Anna"}), (2, 2, {"name": "Ann"}))
        result = say((1, 9, {"name": "Anna", "email": "a@x.org"}))
        assert golden(tx)["name"] == "Ann"
        assert result.changed_profile_ids == [ANNA]
        assert result.applied_count == 1

    def test_absent_says_nothing_and_none_clears(self, tx, say):
        say((1, 1, {"name": "Anna", "email": "a@x.org"}))
        say((1, 2, {"name": ABSENT, "email": None}))
        assert (golden(tx)["name"], golden(tx)["email"]) == ("Anna", None)

    def test_a_record_that_was_always_empty_clears_nothing(self, tx, say):
        say((1, 1, {"name": "Anna"}))
        result = say((2, 9, {"name": None}))
        assert golden(tx)["name"] == "Anna"
        assert result.changed_profile_ids == []

    def test_a_late_version_is_ignored_and_counted(self, tx, say):
        say((1, 5, {"name": "new"}))
        result = say((1, 4, {"name": "old"}))
        assert golden(tx)["name"] == "new"
        assert (result.late_count, result.unchanged_count) == (1, 1)

    def test_a_late_version_is_judged_by_when_the_value_was_last_seen(self, tx, say):
        say((1, 1, {"name": "A"}))
        say((1, 5, {"name": "A"}))
        assert say((1, 3, {"name": "B"})).late_count == 1
        assert golden(tx)["name"] == "A"

    def test_a_late_version_still_brings_what_newer_ones_left_out(self, tx, say):
        say((1, 5, {"name": "A"}))
        say((1, 3, {"email": "a@x.org"}))
        assert golden(tx)["email"] == "a@x.org"

    def test_an_echo_is_no_opinion(self, tx, say):
        say((1, 1, {"name": "A"}), (2, 2, {"name": "B", "tags": ["x"]}))
        api.note_written(tx, record_ids=[1], values=[{"name": "B", "tags": ['q"', "z"]}], now=at(3))
        result = say((1, 4, {"name": "B", "tags": ['q"', "z"]}))
        assert (result.echo_count, result.unchanged_count, result.changed_profile_ids) == (1, 1, [])
        say((2, 5, {"name": "C"}))
        assert golden(tx)["name"] == "C"
        assert golden(tx)["tags"] == ["x"]

    def test_undoing_what_was_written_is_an_opinion(self, tx, say):
        say((1, 1, {"name": "A"}), (2, 2, {"name": "B"}))
        api.note_written(tx, record_ids=[1], values=[{"name": "B"}], now=at(3))
        assert say((1, 4, {"name": "A"})).changed_profile_ids == [ANNA]
        assert golden(tx)["name"] == "A"

    def test_a_version_from_before_the_writing_undoes_nothing(self, tx, say):
        say((1, 1, {"name": "A"}), (2, 2, {"name": "B"}))
        api.note_written(tx, record_ids=[1], values=[{"name": "B"}], now=at(5))
        say((1, 4, {"name": "A", "email": "a@x.org"}))
        assert golden(tx)["name"] == "B"

    def test_an_edit_from_before_the_writing_leaves_the_echo_an_echo(self, tx, say):
        say((1, 1, {"name": "A"}), (2, 2, {"name": "B"}))
        api.note_written(tx, record_ids=[1], values=[{"name": "B"}], now=at(5))
        say((1, 4, {"name": "E"}))
        assert golden(tx)["name"] == "E"
        assert say((1, 6, {"name": "B"})).echo_count == 1
        assert golden(tx)["name"] == "E"
        say((1, 7, {"name": "E"}))
        assert say((1, 8, {"name": "B"})).echo_count == 0
        assert golden(tx)["name"] == "B"

    def test_emptying_what_was_written_into_an_empty_field_clears(self, tx, say):
        say((1, 1, {"name": None}), (2, 2, {"name": "B"}))
        api.note_written(tx, record_ids=[1], values=[{"name": "B"}], now=at(3))
        say((1, 4, {"name": None}))
        assert golden(tx)["name"] is None

    def test_emptying_what_was_written_at_creation_clears(self, tx, say):
        say((2, 2, {"name": "B"}))
        created = AdoptedRecord(record_id=1, profile_id=ANNA, system="a", stream="Contact", external_id="1")
        api.adopt_records(tx, records=[created])
        api.note_written(tx, record_ids=[1], values=[{"name": "B"}], now=at(3))
        assert say((1, 3, {"name": "B"})).echo_count == 1
        say((1, 4, {"name": None}))
        assert golden(tx)["name"] is None

    def test_what_is_forgotten_counts_as_the_records_own(self, tx, say):
        say((1, 1, {"name": "A"}))
        api.note_written(tx, record_ids=[1, 99], values=[{"name": "B"}, {"name": "B"}], now=at(3))
        api.forget_written(tx, attributes={1: ["name"]})
        assert say((1, 4, {"name": "B"})).echo_count == 0
        assert golden(tx)["name"] == "B"

    def test_a_group_moves_as_one(self, tx, say):
        say((1, 1, {"street": "Oak 1", "city": "Ulm"}), (2, 2, {"street": "Elm 2"}))
        assert (golden(tx)["street"], golden(tx)["city"]) == ("Elm 2", None)

    def test_of_two_versions_in_a_batch_the_later_counts(self, tx, say):
        say((1, 2, {"name": "second"}), (1, 1, {"name": "first", "email": "a@x.org"}))
        assert (golden(tx)["name"], golden(tx)["email"]) == ("second", "a@x.org")

    def test_a_record_that_comes_with_another_profile_leaves_the_first(self, tx, say, model):
        say((1, 1, {"name": "A"}))
        moved = msgspec.structs.replace(batch((1, 1, {"name": "A"})), profile_ids=[BERT])
        result = api.apply_observations(tx, batch=moved, model=model, now=NOW)
        assert (result.changed_profile_ids, result.removed_profile_ids) == ([BERT], [ANNA])

    def test_works_with_more_attributes_than_a_mask_has_bits(self, tx):
        wide = make_model(types={f"a{number}": "text" for number in range(130)})
        api.ensure_columns(tx, model=wide)
        values = {f"a{number}": str(number) for number in range(0, 130, 3)}
        api.apply_observations(tx, batch=batch((1, 1, values)), model=wide, now=NOW)
        row = golden(tx)
        assert {name: row[name] for name in row if name.startswith("a") and row[name]} == values

    def test_refuses_what_does_not_fit(self, tx, say, model):
        assert say() == api.apply_observations(tx, batch=batch(), model=model, now=NOW)
        with pytest.raises(UnknownAttribute):
            say((1, 1, {"shoe_size": 43}))
        uneven = msgspec.structs.replace(batch((1, 1, {})), systems=[])
        with pytest.raises(BatchInvalid, match=r"systems has 0 entries instead of 1"):
            api.apply_observations(tx, batch=uneven, model=model, now=NOW)


class TestLinks:
    def test_moving_and_dropping_records_moves_values(self, tx, say, model):
        say((1, 1, {"name": "A"}), (2, 2, {"name": "B"}), (11, 1, {"name": "C"}))
        touched = api.move_records(tx, moves=[Move(record_id=2, profile_id=BERT), Move(record_id=99, profile_id=BERT)])
        assert set(touched) == {ANNA, BERT}
        result = api.refresh_profiles(tx, profile_ids=touched, model=model, now=NOW)
        assert set(result.changed_profile_ids) == {ANNA, BERT}
        assert (golden(tx)["name"], golden(tx, BERT)["name"]) == ("A", "B")
        lost = api.drop_observations(tx, record_ids=[1])
        assert api.refresh_profiles(tx, profile_ids=lost, model=model, now=NOW).removed_profile_ids == [ANNA]
        assert golden(tx) is None

    def test_new_rules_take_over_by_rebuild(self, tx, say):
        say((1, 1, {"name": "A"}), (2, 2, {"name": "B"}))
        rule = {"of": ["name"], "rule": "system_of_record", "systems": ["a"]}
        other = make_model([rule], version=2)
        assert api.rebuild_all(tx, model=other, now=NOW).changed_count == 1
        assert (golden(tx)["name"], golden(tx)["rules_version"]) == ("A", 2)


class TestLookUp:
    def test_finds_by_value(self, tx, say, model):
        say((1, 1, {"email": "a@x.org", "tags": ["a", "b"]}))
        assert api.find_profiles(tx, attribute="email", value="a@x.org", model=model) == [ANNA]
        assert api.find_profiles(tx, attribute="tags", value=["a", "b"], model=model) == [ANNA]
        assert api.find_profiles(tx, attribute="email", value="other", model=model) == []


class TestExplain:
    def test_names_winner_losers_rule_and_condition(self, tx):
        rules = [
            {"of": ["name"], "rule": "system_of_record", "systems": ["b"], "when": "email = 'a@x.org'"},
            {"of": ["name"], "rule": "merge", "merge": "longest"},
        ]
        model = make_model(rules, version=4)
        api.ensure_columns(tx, model=model)
        said = batch(
            (1, 9, {"name": "Annabella", "email": "a@x.org"}), (2, 2, {"name": "Anna"}), (3, 1, {"name": None})
        )
        api.apply_observations(tx, batch=said, model=model, now=NOW)
        why = api.explain(tx, profile_id=ANNA, attribute="name", model=model)
        assert (why.value, why.winner.record_id, why.rule_index, why.rules_version) == ("Anna", 2, 0, 4)
        assert why.rule_text == "system_of_record of b when email = 'a@x.org'"
        assert [each.is_true for each in why.conditions] == [True]
        assert {each.record_id: each.reason for each in why.losers} == {1: Reason.LOWER_SYSTEM, 3: Reason.NEVER_SAID}
        with pytest.raises(UnknownProfile):
            api.explain(tx, profile_id=BERT, attribute="name", model=model)


def test_batches_that_share_a_profile_see_each_other(database):
    """Two transactions decide the same profile at once; the second one counts with what the first one said."""
    model = make_model()
    with database.transaction() as tx:
        api.ensure_columns(tx, model=model)
        api.apply_observations(tx, batch=batch((1, 1, {"name": "A"}), (2, 2, {"name": "B"})), model=model, now=NOW)
    results = []

    def other():
        with database.transaction() as tx:
            cleared = batch((2, 4, {"name": "", "email": "b@x.org"}))
            results.append(api.apply_observations(tx, batch=cleared, model=model, now=NOW))

    thread = threading.Thread(target=other)
    with database.transaction() as tx:
        api.apply_observations(tx, batch=batch((1, 5, {"name": "C"})), model=model, now=NOW)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(60)
    with database.transaction() as tx:
        assert (golden(tx)["name"], golden(tx)["email"]) == ("C", "b@x.org")
        assert api.rebuild_all(tx, model=model, now=NOW).changed_count == 0


def test_a_record_noted_as_written_meanwhile_is_judged_anew(database):
    """What delivery notes while a batch is on its way is neither lost nor overlooked."""
    model = make_model()
    with database.transaction() as tx:
        api.ensure_columns(tx, model=model)
        api.apply_observations(tx, batch=batch((1, 1, {"name": "A"})), model=model, now=NOW)
    results = []

    def other():
        with database.transaction() as tx:
            echo = batch((1, 4, {"name": "B"}))
            results.append(api.apply_observations(tx, batch=echo, model=model, now=NOW))

    thread = threading.Thread(target=other)
    with database.transaction() as tx:
        api.note_written(tx, record_ids=[1], values=[{"name": "B"}], now=at(3))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(60)
    assert (results[0].applied_count, results[0].changed_profile_ids) == (0, [])
    with database.transaction() as tx:
        assert golden(tx)["name"] == "A"


class TestOrderOfLocks:
    """Records are locked in the order of their ids by everybody, whatever order they lie in on the disk."""

    @pytest.fixture
    def reversed_database(self, database):
        with database.transaction() as tx:
            api.ensure_columns(tx, model=make_model())
        for record_id in (3, 2, 1):
            with database.transaction() as tx:
                api.apply_observations(tx, batch=batch((record_id, 1, {"name": "A"})), model=make_model(), now=NOW)
        return database

    def _observe(self, tx, *entries):
        api.apply_observations(tx, batch=batch(*entries), model=make_model(), now=NOW)

    def _note(self, tx, *record_ids):
        api.note_written(tx, record_ids=record_ids, values=[{"name": "B"}] * len(record_ids), now=at(2))

    @pytest.mark.parametrize(
        "entries",
        [
            [(3, 4, {"name": "C"}), (1, 4, {"name": "C"})],
            # Of record 1 only the second version says something new.
            [(1, 4, {}), (3, 4, {"name": "C"}), (1, 5, {"name": "C"})],
        ],
    )
    def test_a_batch_waits_for_the_first_with_nothing_in_hand(self, reversed_database, entries):
        self._takes_turns(reversed_database, lambda tx: self._observe(tx, *entries), self._note)

    @pytest.mark.parametrize("order", [(1, 3), (3, 1)])
    def test_a_note_waits_for_the_first_with_nothing_in_hand(self, reversed_database, order):
        self._takes_turns(reversed_database, lambda tx: self._note(tx, *order), self._note)

    def _takes_turns(self, database, second, first):
        def work():
            with database.transaction() as tx:
                second(tx)

        thread = threading.Thread(target=work)
        with database.transaction() as tx:
            first(tx, 1)
            thread.start()
            thread.join(0.3)
            assert thread.is_alive()
            first(tx, 3)
        thread.join(60)
        assert not thread.is_alive()
