"""Reading YAML: what is right becomes typed, what is wrong is told with its place and a remedy."""

import time

import pytest
from msgspec import inspect

from comity.definitions.loading import load_text
from comity.definitions.shape import FORMS
from comity.definitions.types import SPEC_TYPES, Direction, MatchSpec, PrefixTransform, PurchaseFields, SecretSpec
from comity.mapping.lenses.registry import LENSES

SYSTEM = """\
kind: system
name: crm
spec:
  connector: salesforce
  settings: {instance_url: "http://localhost"}
  secrets: {token: {env: CRM_TOKEN}}
  streams:
    Contact: {every: 5s, webhook: true}
    Lead: {every: "0 3 * * *"}
"""


def problems(text):
    return load_text(text, file="a.yaml").problems


def only(text):
    found = problems(text)
    assert len(found) == 1, [str(each) for each in found]
    return found[0]


class TestLoad:
    def test_reads_a_system(self):
        document = load_text(SYSTEM, file="a.yaml").documents[0]
        assert document.key == ("system", "crm")
        assert document.spec.secrets == {"token": SecretSpec(env="CRM_TOKEN")}
        assert document.spec.streams["Contact"].interval_seconds == 5
        assert document.spec.streams["Lead"].cron == "0 3 * * *"

    def test_reads_several_documents_and_keeps_their_text_and_place(self):
        text = "# people\n" + SYSTEM + "---\n# next\nkind: attribute\nname: email\nspec: {type: email}\n"
        first, second = load_text(text, file="a.yaml").documents
        assert first.text.startswith("# people\nkind: system")
        assert (first.line, second.line) == (1, 11)
        assert "# next" in second.text

    def test_reads_yaml_1_2(self):
        text = "kind: system\nname: crm\nspec: {connector: rest, settings: {a: NO, b: 012, c: on, d: 2020-01-01}}"
        assert load_text(text, file="").documents[0].spec.settings == {"a": "NO", "b": 12, "c": "on", "d": "2020-01-01"}

    def test_reads_json(self):
        text = '{"kind": "attribute", "name": "email", "spec": {"type": "email"}}'
        assert load_text(text, file="").documents[0].name == "email"

    def test_reads_short_and_long_forms_alike(self):
        text = """\
kind: match
name: default
spec:
  rules:
    - {name: one, key: [email, {attribute: given_name, transform: {prefix: 2}}, {attribute: born, transform: year}],
       agree: {at_least: 1, of: [{attribute: family_name, compare: {similar: 0.85}}, born]}, conflict: [born]}
"""
        spec = load_text(text, file="").documents[0].spec
        assert isinstance(spec, MatchSpec)
        rule = spec.rules[0]
        assert [part.attribute for part in rule.key_parts] == ["email", "given_name", "born"]
        assert rule.key_parts[1].transform == PrefixTransform(prefix=2)
        assert rule.agree.comparisons[0].similar_min == 0.85
        assert rule.conflict_guard.at_most == 0

    def test_reads_a_purchase_mapping(self):
        text = """\
kind: mapping
name: orders
spec:
  {system: crm, stream: Order, kind: purchase, external_id: Id, fields: {business_key: No, occurred_at: At,
   amount: {field: Total, lens: {money: {currency: EUR}}}, currency: {constant: EUR}, person: C,
   person_stream: Contact}}
"""
        fields = load_text(text, file="").documents[0].spec.fields
        assert isinstance(fields, PurchaseFields)
        assert fields.sources["occurred_at"].lens == "timestamp"
        assert fields.sources["currency"].constant == "EUR"

    def test_reads_empty_files(self):
        assert not load_text("", file="").documents
        assert not load_text("# nothing yet\n---\n", file="").problems

    def test_directions_say_which_way(self):
        assert Direction.BOTH.is_read
        assert Direction.BOTH.is_written
        assert not Direction.WRITE.is_read


def patterns_in(kind, seen):
    """Every pattern that a text of a type has to fit."""
    match kind:
        case inspect.StrType():
            yield from filter(None, [kind.pattern])
        case inspect.StructType() if kind.cls not in seen:
            seen.add(kind.cls)
            for each in kind.fields:
                yield from patterns_in(each.type, seen)
        case inspect.UnionType():
            for each in kind.types:
                yield from patterns_in(each, seen)
        case inspect.Metadata():
            yield from patterns_in(kind.type, seen)
        case inspect.VarTupleType() | inspect.ListType():
            yield from patterns_in(kind.item_type, seen)
        case inspect.DictType():
            yield from patterns_in(kind.key_type, seen)
            yield from patterns_in(kind.value_type, seen)
        case _:
            return


class TestForms:
    def test_every_pattern_is_told_in_words(self):
        seen = set()
        found = {each for spec in SPEC_TYPES.values() for each in patterns_in(inspect.type_info(spec), seen)}
        lenses = [inspect.type_info(lens.options_type) for lens in LENSES.values()]
        found |= {each for options in lenses for each in patterns_in(options, seen)}
        assert found == set(FORMS)

    def test_what_does_not_fit_is_told_without_the_pattern(self):
        found = only(
            "kind: programme\nname: p\nspec: {title: P, currency: euro, earning: {points_per_unit: 1, unit_minor: 1}}"
        )
        assert (found.field, found.message) == ("spec.currency", "'euro' does not have the right form.")
        assert "three capital letters" in found.remedy and "[" not in found.remedy


class TestBrokenYaml:
    @pytest.mark.parametrize(
        ("text", "line", "column", "said", "remedy"),
        [
            ("kind: system\n\tname: x", 2, 1, "tab", "spaces"),
            ("kind: a: b", 1, 8, "colon", "quotes"),
            ("kind: 'system", 1, 14, "not closed", "quote"),
            ("kind: [a, b", 1, 7, "not closed", "Close it with ]."),
            ("kind: a\nspec:\n  fields: [{{a", 3, 13, "not closed", "put a text that holds {{ in quotes"),
            ("kind: a\nspec:\n  fields: [{{a\n  b: 1\n", 4, 4, "line 3 is not closed", "close the bracket with }"),
            ("kind: {a: 1\nname: x\n", 2, 5, "comma is missing before this", "commas"),
            ("kind: [{a: 1} {b: 2}]", 1, 15, "comma is missing before this", "commas"),
            ("kind: [a}", 1, 9, "a } stands here", "with ]"),
            ("kind: }", 1, 7, "not opened", "quotes"),
            ("kind: {{ x }}", 1, 8, "name of a field", "put a text that holds {{ in quotes"),
            ("- a\nkind: b", 2, 1, "indentation", "alike"),
            ("kind: @x", 1, 7, "reserves", "quotes"),
            ("kind: *x", 1, 7, "alias", "&name"),
            ("kind: system\nkind: system", 2, 1, "twice (first on line 1)", "Remove one"),
            ("a: {b: 1, b: 2}", 1, 11, "twice", "Remove one"),
            ("%YAML 1.1\n---\nkind: a", 1, 1, "directives", "Remove"),
            ("kind: !!python/object:os.system x", 1, 7, "tag", "Remove"),
            ("kind: a\x00b", 1, 8, "character", "UTF-8"),
            ('kind: "a\\0b"', 1, 7, "character", "escape"),
            ("kind: .nan", 1, 7, "number", "digits"),
            ("- a\n- b", 1, 1, "not a map", "kind"),
        ],
    )
    def test_names_the_place_and_what_to_do(self, text, line, column, said, remedy):
        found = problems(text)[0]
        assert (found.line, found.column) == (line, column)
        assert said in found.message
        assert remedy in found.remedy

    def test_lines_count_in_the_file_and_other_documents_are_still_read(self):
        loaded = load_text(f"{SYSTEM}---\nkind: 'x\n---\n{SYSTEM}", file="a.yaml")
        assert len(loaded.documents) == 2
        assert loaded.problems[0].line == 12

    @pytest.mark.parametrize(
        "text",
        [
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{c}: &{c} [{','.join(['*' + chr(ord(c) - 1)] * 9)}]\n" for c in "bcdefghi"),
            "a: &a [*a]",
            "[" * 100_000,
            "- " * 100_000,
            "{a: " * 5_000,
        ],
    )
    def test_bombs_are_refused_quickly(self, text):
        begun = time.process_time()
        assert problems(text)
        assert time.process_time() - begun < 5


class TestWrongShape:
    def test_an_unknown_field_is_named_with_the_one_meant(self):
        found = problems(SYSTEM.replace("connector", "connecter"))
        assert [each.message for each in found] == ["Unknown field 'connecter'.", "The field 'connector' is missing."]
        assert found[0].remedy.startswith("Did you mean 'connector'?")
        assert (found[0].line, found[0].column, found[0].field) == (4, 3, "spec.connecter")

    def test_a_wrong_type_says_what_was_expected_and_found(self):
        found = only(SYSTEM + "  deliver: {rate_per_second: fast}\n")
        assert found.message == "Expected a number, found the text 'fast'."
        assert (found.file, found.line, found.column) == ("a.yaml", 10, 30)
        assert found.document == "system/crm"

    def test_every_problem_is_told(self):
        found = problems(SYSTEM + "  deliver: {rate_per_second: fast, concurrency: 0, batch: 3}\n  title: 7\n")
        assert [each.field for each in found] == [
            "spec.deliver.rate_per_second",
            "spec.deliver.concurrency",
            "spec.deliver.batch",
            "spec.title",
        ]

    def test_numbers_and_texts_are_told_apart(self):
        assert "without quotes" in only(SYSTEM + "  deliver: {concurrency: '2'}\n").remedy
        assert "in quotes" in only(SYSTEM.replace("5s", "5")).remedy
        assert "whole number" in only(SYSTEM + "  deliver: {concurrency: true}\n").message

    def test_an_enum_lists_its_values(self):
        found = only("kind: attribute\nname: email\nspec: {type: emial}")
        assert found.remedy.startswith("Did you mean 'email'?")
        assert "timestamp" in found.remedy

    def test_a_kind_is_suggested(self):
        found = only("kind: sistem\nname: x\nspec: {}")
        assert "Did you mean 'system'?" in found.remedy

    @pytest.mark.parametrize("name", ["Email", "e__mail", "_email", "1st", "e-mail", "e" * 49])
    def test_names_of_attributes_become_columns(self, name):
        assert only(f"kind: attribute\nname: {name}\nspec: {{type: text}}").field == "name"

    def test_an_empty_spec_stands_at_its_name(self):
        found = only("kind: rules\nname: default\nspec:\n\n")
        assert (found.line, found.field) == (3, "spec")

    @pytest.mark.parametrize("secret", ["hunter2", "{value: hunter2}", "12345"])
    def test_a_secret_in_the_file_is_refused_and_never_repeated(self, secret):
        found = only(SYSTEM.replace("{env: CRM_TOKEN}", secret))
        assert "{env: NAME}" in found.remedy
        assert "hunter2" not in str(found)
        assert "12345" not in str(found)
