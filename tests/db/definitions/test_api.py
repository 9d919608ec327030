"""Versions, plans and applies on a real database."""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from comity.definitions import api
from comity.definitions.types import (
    AttributeTypeFixed,
    DefinitionsInvalid,
    DocumentUnknown,
    Kind,
    PlanStale,
)

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
PROJECT = """\
# the one CRM
kind: system
name: crm
spec:
  connector: rest   # in-house
  streams: {Contact: {every: 5s}}
---
kind: attribute
name: email
spec: {type: email}
---
kind: attribute
name: city
spec: {type: text, label: City}
"""


def read(text=PROJECT, file="main.yaml"):
    loaded = api.load_text(text, file=file)
    assert not loaded.problems
    return loaded.documents


def apply(tx, text=PROJECT, **options):
    plan = api.plan(tx, documents=read(text))
    return api.apply(tx, plan=plan, author="ada", now=options.pop("now", NOW), **options)


def labels(items):
    return [f"{item.kind}/{item.name}" for item in items]


class TestApply:
    def test_puts_documents_in_force(self, tx):
        before = api.get_revision(tx)
        result = apply(tx)
        assert labels(result.added) == ["attribute/city", "attribute/email", "system/crm"]
        assert result.revision == api.get_revision(tx) == before + 1
        definitions = api.get_definitions(tx)
        assert definitions.revision == result.revision
        assert definitions.systems["crm"].streams["Contact"].interval_seconds == 5
        assert [document.version for document in definitions.documents] == [1, 1, 1]
        assert api.list_applies(tx)[0].summary["added"] == labels(result.added)

    def test_makes_versions_only_of_what_changed(self, tx):
        apply(tx)
        result = apply(tx, PROJECT.replace("label: City", "label: Town"), now=NOW + timedelta(days=1))
        assert labels(result.changed) == ["attribute/city"]
        assert [(c.field, c.before, c.after) for c in result.changed[0].changes] == [("label", "City", "Town")]
        versions = api.list_versions(tx, kind=Kind.ATTRIBUTE, name="city")
        assert [(each.version, each.author, each.applied_at) for each in versions] == [
            (2, "ada", NOW + timedelta(days=1)),
            (1, "ada", NOW),
        ]
        assert len(api.list_versions(tx, kind=Kind.SYSTEM, name="crm")) == 1

    def test_nothing_changed_is_no_revision(self, tx):
        revision = apply(tx).revision
        again = apply(tx, PROJECT.replace("email}", "'email'}"))
        assert again.apply_id is None
        assert api.get_revision(tx) == revision

    def test_keeps_new_comments_without_a_version(self, tx):
        apply(tx)
        apply(tx, PROJECT.replace("# in-house", "# home-made"))
        assert "# home-made" in api.export(tx)["main.yaml"]
        assert api.get_document(tx, kind=Kind.SYSTEM, name="crm").version == 1

    def test_a_plan_is_good_for_its_revision_only(self, tx):
        plan = api.plan(tx, documents=read())
        api.apply(tx, plan=plan, author="ada", now=NOW)
        with pytest.raises(PlanStale):
            api.apply(tx, plan=plan, author="ada", now=NOW)

    def test_removes_only_when_told_to(self, tx):
        apply(tx)
        less = "---\n".join(PROJECT.split("---\n")[:2])
        result = apply(tx, less)
        assert labels(result.kept) == ["attribute/city"]
        assert api.get_definitions(tx).find(Kind.ATTRIBUTE, "city") is not None
        result = apply(tx, less, is_removal_allowed=True)
        assert labels(result.removed) == ["attribute/city"]
        assert api.get_definitions(tx).find(Kind.ATTRIBUTE, "city") is None
        assert api.get_document(tx, kind=Kind.ATTRIBUTE, name="city").is_retired
        result = apply(tx)
        assert labels(result.added) == ["attribute/city"]
        assert api.get_document(tx, kind=Kind.ATTRIBUTE, name="city").version == 3

    def test_the_project_that_would_result_is_checked(self, tx):
        apply(tx)
        revision = api.get_revision(tx)
        mapping = """\
kind: mapping
name: crm-contact
spec: {system: crm, stream: Contact, kind: person, external_id: id, fields: [{attribute: %s, field: a, lens: text}]}
"""
        with pytest.raises(DefinitionsInvalid) as caught:
            apply(tx, mapping % "town")
        assert caught.value.details["problems"][0]["field"] == "spec.fields[0].attribute"
        assert api.get_revision(tx) == revision
        apply(tx, mapping % "city")
        with pytest.raises(DefinitionsInvalid):
            apply(tx, "---\n".join(PROJECT.split("---\n")[:2]) + "---\n" + mapping % "city", is_removal_allowed=True)

    def test_checks_of_other_rooms_are_asked(self, tx):
        class Said:
            field, message, remedy = "settings", "Wrong.", "Mend it."

        with pytest.raises(DefinitionsInvalid):
            apply(tx, checkers={Kind.SYSTEM: lambda _document, _project: [Said]})

    def test_the_type_of_an_attribute_stays(self, tx):
        apply(tx)
        with pytest.raises(AttributeTypeFixed):
            apply(tx, PROJECT.replace("type: text", "type: integer"))
        apply(tx, "---\n".join(PROJECT.split("---\n")[:2]), is_removal_allowed=True)
        with pytest.raises(AttributeTypeFixed):
            apply(tx, PROJECT.replace("type: text", "type: integer"))

    def test_an_unknown_document_is_said_to_be_unknown(self, tx):
        with pytest.raises(DocumentUnknown):
            api.get_document(tx, kind=Kind.SYSTEM, name="none")
        with pytest.raises(DocumentUnknown):
            api.list_versions(tx, kind=Kind.SYSTEM, name="none")


class TestPlan:
    def test_says_what_would_change_and_changes_nothing(self, tx):
        apply(tx)
        text = PROJECT.replace("every: 5s", "every: 9s").replace("name: city", "name: town")
        plan = api.plan(tx, documents=read(text))
        assert (labels(plan.added), labels(plan.removed)) == (["attribute/town"], ["attribute/city"])
        assert [change.field for change in plan.changed[0].changes] == ["streams.Contact.every"]
        assert labels(plan.unchanged) == ["attribute/email"]
        assert api.plan(tx, documents=read()).is_empty


class TestDiff:
    def test_tells_people_and_programs(self, tx):
        apply(tx)
        apply(tx, PROJECT.replace("label: City", "label: Town"))
        found = api.diff(tx, kind=Kind.ATTRIBUTE, name="city", version_a=1, version_b=2)
        assert "-spec: {type: text, label: City}\n+spec: {type: text, label: Town}" in found.text
        assert [change.field for change in found.changes] == ["label"]


class TestExport:
    def test_comes_back_as_it_was_written(self, tx):
        apply(tx)
        assert api.export(tx) == {"main.yaml": PROJECT}

    def test_export_then_plan_changes_nothing(self, tx):
        loaded = api.Loaded()
        for name, text in api.starter_files().items():
            loaded += api.load_text(text, file=name)
        api.apply(tx, plan=api.plan(tx, documents=loaded.documents), author="ada", now=NOW)
        exported = api.export(tx)
        assert exported == api.starter_files()
        again = api.Loaded()
        for name, text in exported.items():
            again += api.load_text(text, file=name)
        assert not api.validate(again)
        assert api.plan(tx, documents=again.documents).is_empty

    def test_documents_without_a_text_are_written_from_their_values(self, tx):
        apply(tx)
        tx.execute("update definitions.document set source = '', file = ''")
        exported = api.export(tx)
        assert set(exported) == {"attributes/city.yaml", "attributes/email.yaml", "systems/crm.yaml"}
        again = [document for name, text in exported.items() for document in read(text, name)]
        assert api.plan(tx, documents=again).is_empty


class TestTogether:
    def test_listeners_hear_of_a_new_revision_after_the_commit(self, database):
        with psycopg.connect(database.dsn, autocommit=True) as listener:
            listener.execute(f"listen {api.CHANNEL}")
            with database.transaction() as tx:
                revision = apply(tx).revision
            heard = next(iter(listener.notifies(timeout=60, stop_after=1)))
            assert heard.payload == str(revision)

    def test_of_two_who_apply_at_once_one_is_told_to_look_again(self, database):
        with database.transaction() as tx:
            plans = [
                api.plan(tx, documents=read(PROJECT.replace("label: City", f"label: {name}"))) for name in ("A", "B")
            ]
        outcomes = []
        barrier = threading.Barrier(2)

        def work(plan):
            barrier.wait()
            try:
                with database.transaction() as tx:
                    outcomes.append(api.apply(tx, plan=plan, author="ada", now=NOW).revision)
            except PlanStale as stale:
                outcomes.append(stale)

        threads = [threading.Thread(target=work, args=(plan,)) for plan in plans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(type(each).__name__ for each in outcomes) == ["PlanStale", "int"]
        with database.transaction() as tx:
            assert len(api.list_applies(tx)) == 1

    def test_a_failed_apply_leaves_nothing(self, database):
        def fail():
            with database.transaction() as tx:
                apply(tx)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with database.transaction() as tx:
            assert api.get_revision(tx) == 0
            assert not api.list_current(tx)
