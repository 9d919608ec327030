"""Checks between documents."""

import time
from typing import Literal

import msgspec
import pytest

from comity.definitions.checks import check_project, read_path
from comity.definitions.loading import load_text
from comity.definitions.shape import find_faults
from comity.definitions.types import Kind, MappingSpec

BASE = """\
kind: system
name: crm
spec: {connector: rest, streams: {Contact: {}, Order: {}}, secrets: {token: {env: T}}}
---
{kind: attribute, name: email, spec: {type: email}}
---
{kind: attribute, name: points, spec: {type: integer}}
---
{kind: attribute, name: interests, spec: {type: tags}}
---
{kind: attribute, name: city, spec: {type: text, group: address}}
---
{kind: attribute, name: birth_date, spec: {type: date}}
---
"""
PERSON = """\
kind: mapping
name: crm-contact
spec:
  system: crm
  stream: Contact
  kind: person
  external_id: Id
  fields:
    - {attribute: email, field: Email, lens: email}
"""


def check(text, **options):
    loaded = load_text(BASE + text, file="a.yaml")
    assert not loaded.problems, [str(each) for each in loaded.problems]
    return check_project(loaded.documents, **options)


def only(text, **options):
    found = check(text, **options)
    assert len(found) == 1, [str(each) for each in found]
    return found[0]


def rules(entry):
    return f"kind: rules\nname: default\nspec:\n  attributes:\n    - {entry}\n"


def match(rule):
    return f"kind: match\nname: default\nspec:\n  rules:\n    - {rule}\n"


def programme(**changes):
    parts = {"title": "P", "currency": "EUR", "earning": "{points_per_unit: 1, unit_minor: 100}"} | changes
    return "kind: programme\nname: p\nspec: {" + ", ".join(f"{k}: {v}" for k, v in parts.items()) + "}"


def test_a_sound_project_has_no_problems():
    assert not check(PERSON)


class TestWriteCadence:
    FIELD = "    - {attribute: city, field: City, lens: text, direction: both, every: %s}\n"

    @pytest.mark.parametrize("every", ["5s", "2m", "1h", "1d", "'0 3 * * *'", "at_once"])
    def test_a_written_field_may_have_one(self, every):
        assert not check(PERSON + self.FIELD % every)
        assert not check(PERSON.replace("  fields:", f"  write_every: {every}\n  fields:") + self.FIELD % "1h")

    @pytest.mark.parametrize(
        "every", ["0h", "hourly", "1 h", "-1h", "1h30m", "'* * *'", "'0 0 30 2 *'", "'61 * * * *'"]
    )
    def test_nonsense_has_its_place_and_a_remedy(self, every):
        found = only(PERSON + self.FIELD % every)
        assert (found.file, found.line, found.field) == ("a.yaml", 24, "spec.fields[1].every")
        assert "is no interval" in found.message and "cron line" in found.remedy
        default = PERSON.replace("  fields:", f"  write_every: {every}\n  fields:") + self.FIELD % "1h"
        assert (only(default).field, only(default).line) == ("spec.write_every", 22)

    def test_what_is_only_read_has_none(self):
        found = only(PERSON + (self.FIELD % "1h").replace("both", "read"))
        assert (found.field, "only read" in found.message) == ("spec.fields[1].every", True)
        found = only(PERSON.replace("  fields:", "  write_every: 1h\n  fields:"))
        assert (found.field, "is written" in found.message) == ("spec.write_every", True)

    def test_parts_of_one_field_go_together(self):
        found = only(PERSON + self.FIELD % "1h" + (self.FIELD % "1d").replace("attribute: city", "attribute: email"))
        assert (found.field, "same `every`" in found.remedy) == ("spec.fields[2].every", True)


class TestSystems:
    @pytest.mark.parametrize("every", ["5x", "0s", "* * *", "soon", "99 * * * *", "0 0 30 2 *"])
    def test_an_interval_has_a_form(self, every):
        system = f"kind: system\nname: b\nspec: {{connector: rest, streams: {{A: {{every: '{every}'}}}}}}"
        assert only(system).field == "spec.streams.A.every"

    def test_a_secret_has_one_source(self):
        assert "exactly one" in only("kind: system\nname: b\nspec: {connector: r, secrets: {t: {}}}").message

    def test_a_secret_among_the_settings_is_refused(self):
        found = only("kind: system\nname: b\nspec: {connector: r, settings: {auth: {password: hunter2}}}")
        assert found.field == "spec.settings.auth.password"
        assert "hunter2" not in str(found)

    def test_settings_may_name_a_secret(self):
        assert not check(
            "kind: system\nname: b\nspec: {connector: r, settings: {auth: {secret: t}}, secrets: {t: {env: T}}}"
        )

    def test_the_condition_for_creation_compiles(self):
        system = 'kind: system\nname: b\nspec: {connector: rest, deliver: {create: "%s"}}'
        assert not check(system % "loyalty.points > 0 and email is not null")
        assert "Did you mean 'email'?" in only(system % "emial is null").remedy

    def test_checks_of_other_rooms_are_asked(self):
        class Said:
            field, message, remedy = "settings.page", "Too large.", "Smaller."

        found = only("", checkers={Kind.SYSTEM: lambda _, project: [Said] if project.systems else []})
        assert (found.field, found.line) == ("spec.settings.page", 3)


class TestSettings:
    """Settings are held against the struct of their connector, which this room does not know."""

    class Bearer(msgspec.Struct, tag="bearer", tag_field="kind", frozen=True, forbid_unknown_fields=True):
        secret: str = "token"

    class Nothing(msgspec.Struct, tag="none", tag_field="kind", frozen=True, forbid_unknown_fields=True):
        pass

    @pytest.mark.parametrize(
        ("settings", "field", "said"),
        [
            ({}, "settings", "'url' is missing"),
            ({"url": "x", "ulr": "y"}, "settings.ulr", "Unknown field"),
            ({"url": "x", "mode": "fats"}, "settings.mode", "'fats'"),
            ({"url": "x", "pages": [1, "2"]}, "settings.pages[1]", "whole number"),
            ({"url": "x", "auth": {"kind": "beare"}}, "settings.auth.kind", "'beare'"),
            ({"url": "x", "auth": {}}, "settings.auth.kind", "missing"),
            ({"url": "x", "auth": {"kind": "bearer", "secrt": "t"}}, "settings.auth.secrt", "Unknown"),
        ],
    )
    def test_every_fault_has_its_place(self, settings, field, said):
        wanted = msgspec.defstruct(
            "Settings",
            [
                ("url", str),
                ("mode", Literal["fast", "slow"], "fast"),
                ("pages", list[int], []),
                ("auth", self.Bearer | self.Nothing, self.Nothing()),
            ],
            forbid_unknown_fields=True,
        )
        found = find_faults(settings, wanted, under="settings")
        assert [each.field for each in found] == [field]
        assert said in found[0].message
        assert found[0].remedy

    def test_what_fits_passes(self):
        assert not find_faults({"secret": "t"}, self.Bearer, under="settings")


class TestAttributes:
    @pytest.mark.parametrize("name", ["profile_id", "today", "case", "distinct"])
    def test_reserved_words_are_refused(self, name):
        assert "reserved" in only(f"{{kind: attribute, name: {name}, spec: {{type: text}}}}").message

    @pytest.mark.parametrize("name", ["order", "group", "user", "name", "date", "language", "title"])
    def test_ordinary_words_are_fine(self, name):
        assert not check(f"{{kind: attribute, name: {name}, spec: {{type: text}}}}")

    def test_a_group_is_no_attribute(self):
        assert only("{kind: attribute, name: street, spec: {type: text, group: email}}").field == "spec.group"

    def test_names_are_unique(self):
        found = only("{kind: attribute, name: email, spec: {type: email}}")
        assert "exists already, in a.yaml" in found.message


class TestMappings:
    @pytest.mark.parametrize(
        ("old", "new", "field", "remedy"),
        [
            ("system: crm", "system: crn", "spec.system", "Did you mean 'crm'?"),
            ("stream: Contact", "stream: Contacts", "spec.stream", "Did you mean 'Contact'?"),
            ("attribute: email", "attribute: emial", "spec.fields[0].attribute", "Did you mean 'email'?"),
            ("attribute: email", "attribute: global_id", "spec.fields[0].direction", "direction: write"),
            ("lens: email", "lens: {a: {}, b: {}}", "spec.fields[0].lens", "{name: {option: value}}"),
            ("kind: person", "kind: purchase", "spec.fields", "business_key"),
        ],
    )
    def test_names_what_does_not_fit(self, old, new, field, remedy):
        found = only(PERSON.replace(old, new))
        assert found.field == field
        assert remedy in found.remedy
        assert found.line > 13

    def test_a_stream_has_one_mapping(self):
        found = only(PERSON + "---\n" + PERSON.replace("crm-contact", "crm-other"))
        assert "crm-contact" in found.message

    def test_a_purchase_belongs_to_people_who_are_mapped(self):
        purchase = """
kind: mapping
name: crm-order
spec: {system: crm, stream: Order, kind: purchase, external_id: Id, fields: {business_key: a, occurred_at: b,
  amount: c, currency: {constant: EUR}, person: d, person_stream: Contact}}
"""
        assert not check(PERSON + "---" + purchase)
        assert only(purchase).field == "spec.fields.person_stream"
        found = only(PERSON + "---" + purchase.replace("constant: EUR", "constant: EUR, field: x"))
        assert found.field == "spec.fields.currency"

    def test_one_mistake_is_told_once(self):
        """What could not be read counts as there, and two rooms that find the same say it once."""

        class Said:
            field, message, remedy = "fields[0].attribute", "Unknown.", "Say another."

        broken = PERSON.replace("attribute: email", "attribute: nickname")
        assert not check(broken, broken=[("attribute", "nickname")])
        found = only(broken, checkers={Kind.MAPPING: lambda d, _: [Said] if isinstance(d.spec, MappingSpec) else []})
        assert found.message.startswith("There is no attribute")


class TestMatch:
    @pytest.mark.parametrize(
        ("rule", "field"),
        [
            ("{name: a, key: [emial]}", "spec.rules[0].key[0]"),
            ("{name: a, key: [interests]}", "spec.rules[0].key[0]"),
            ("{name: a, key: [{attribute: email, transform: year}]}", "spec.rules[0].key[0]"),
            ("{name: a, key: [{attribute: birth_date, transform: soundex}]}", "spec.rules[0].key[0]"),
            ("{name: a, key: [email], agree: {at_least: 2, of: [city]}}", "spec.rules[0].agree.at_least"),
            ("{name: a, key: [email], agree: {at_least: 1, of: [town]}}", "spec.rules[0].agree.of[0]"),
            (
                "{name: a, key: [email], agree: {at_least: 1, of: [{attribute: points, compare: {similar: 0.9}}]}}",
                "spec.rules[0].agree.of[0]",
            ),
            ("{name: a, key: [email], conflict: [town]}", "spec.rules[0].conflict[0]"),
            ("{name: a, key: [email], conflict: {at_most: 1, of: [town]}}", "spec.rules[0].conflict.of[0]"),
        ],
    )
    def test_names_what_does_not_fit(self, rule, field):
        assert only(match(rule)).field == field

    def test_rules_have_names_of_their_own(self):
        twice = match("{name: a, key: [email]}") + "    - {name: a, key: [city]}\n"
        assert only(twice).field == "spec.rules[1].name"

    def test_there_is_one_document(self):
        text = match("{name: a, key: [email]}")
        assert len(check(text + "---\n" + text.replace("default", "other"))) == 1


class TestRules:
    @pytest.mark.parametrize(
        ("entry", "field"),
        [
            ("{of: [emial], rule: most_recent}", "spec.attributes[0].of[0]"),
            ("{of: [city], rule: most_recent}", "spec.attributes[0].of[0]"),
            ("{of: [email], rule: system_of_record}", "spec.attributes[0]"),
            ("{of: [email], rule: system_of_record, systems: [crn]}", "spec.attributes[0].systems[0]"),
            ("{of: [email], rule: system_of_record, systems: [crm, crm]}", "spec.attributes[0].systems[1]"),
            ("{of: [interests], rule: merge}", "spec.attributes[0]"),
            ("{of: [interests], rule: merge, merge: max}", "spec.attributes[0].of[0]"),
            ("{of: [address], rule: merge, merge: longest}", "spec.attributes[0].of[0]"),
            ("{of: [email], rule: most_recent, merge: longest}", "spec.attributes[0].merge"),
            ("{of: [email], rule: most_recent, when: points = 'x'}", "spec.attributes[0].when"),
        ],
    )
    def test_names_what_does_not_fit(self, entry, field):
        assert only(rules(entry)).field == field

    def test_an_entry_that_is_never_reached_is_told(self):
        text = rules("{of: [email], rule: most_recent}")
        again = "    - {of: [email], rule: merge, merge: longest, when: points > 3}\n"
        assert only(text + again).field == "spec.attributes[1].of[0]"

    def test_groups_merges_and_conditions_fit(self):
        text = rules("{of: [address], rule: most_recent, when: \"city = 'Köln'\", systems: [crm]}")
        assert not check(text + "    - {of: [interests], rule: merge, merge: union}\n")


class TestProgrammes:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"timezone": "Europe/Berlinn"}, "spec.timezone"),
            ({"enrol": "{automatic: true, when: 'poins > 3'}"}, "spec.enrol.when"),
            ({"tiers": "{levels: [{name: A, from: 5}]}"}, "spec.tiers.levels[0].from"),
            ({"tiers": "{levels: [{name: A, from: 0}, {name: B, from: 0}]}"}, "spec.tiers.levels[1].from"),
            ({"tiers": "{levels: [{name: A, from: 0}, {name: a, from: 5}]}"}, "spec.tiers.levels[1].name"),
            (
                {"tiers": "{levels: [{name: A, from: 0}, {name: B, from: 15}, {name: C, from: 10}]}"},
                "spec.tiers.levels[2].from",
            ),
            (
                {"earning_rules": '[{name: r, fixed: 5, when: "purchase.chanel = 1"}]'},
                "spec.earning_rules[0].when",
            ),
        ],
    )
    def test_names_what_does_not_fit(self, changes, field):
        found = only(programme(**changes))
        assert found.field == field
        assert found.remedy and not found.message.endswith("..")


def test_a_path_is_read_as_it_is_written():
    assert read_path("fields[2].lens.date") == ("fields", 2, "lens", "date")


def test_hundreds_of_mistakes_in_one_document_are_told_quickly():
    rows = "".join(f"    - {{attribute: none_{index}, field: f, lens: text}}\n" for index in range(300))
    begun = time.process_time()
    assert len(check(PERSON + rows)) == 300
    assert time.process_time() - begun < 10
