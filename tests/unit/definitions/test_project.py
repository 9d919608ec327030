"""Project folders, the starter project, JSON Schemas, and writing documents."""

import json
import posixpath
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.definitions import api, rules
from comity.definitions.loading import load_text
from comity.definitions.places import Place, read_document, split_documents
from comity.definitions.schemas import EDITOR_FILE, json_schemas
from comity.definitions.types import Definitions, Document, Kind, SystemSpec
from comity.mapping import api as mapping
from tests.unit.definitions.json_schema import fits

SCHEMAS = Path(__file__).parents[3] / "schemas"


@pytest.fixture
def starter(tmp_path):
    for name, text in api.starter_files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


class TestReadProject:
    def test_the_starter_project_is_valid(self, starter):
        checkers = {Kind.MAPPING: lambda each, project: mapping.check_mapping(each.spec, attributes=project.attributes)}
        loaded = api.read_project(starter)
        assert not api.validate(loaded, checkers=checkers)
        assert {document.kind for document in loaded.documents} == set(Kind)

    def test_hidden_files_and_others_are_left_out(self, starter):
        count = len(api.read_project(starter).documents)
        for name in (".hidden.yaml", ".git/x.yaml", "notes.txt"):
            (starter / name).parent.mkdir(exist_ok=True)
            (starter / name).write_text("broken: [", encoding="utf-8")
        assert len(api.read_project(starter).documents) == count

    def test_problems_of_all_files_are_told_at_once_in_order(self, starter):
        (starter / "a.yaml").write_text("kind: sistem\nname: x\nspec: {}\n", encoding="utf-8")
        (starter / "b.yaml").write_text("kind: [\n", encoding="utf-8")
        (starter / "c.yml").write_bytes(b"kind: a\nname: \xff\n")
        (starter / "d.yaml").write_text("kind: mapping\nname: m\nspec: {}\n", encoding="utf-8")
        found = api.validate(api.read_project(starter))
        assert [each.file for each in found][:3] == ["a.yaml", "b.yaml", "c.yml"]
        assert found[2].line == 2
        assert {each.file for each in found[3:]} == {"d.yaml"}

    def test_a_missing_folder_is_a_problem(self, tmp_path):
        assert "comity init" in api.read_project(tmp_path / "none").problems[0].remedy


class TestSchemas:
    def test_the_committed_schemas_are_current(self, tmp_path):
        written = api.write_json_schemas(tmp_path)
        assert {path.name for path in written} == {path.name for path in SCHEMAS.iterdir()}
        for path in written:
            assert path.read_text() == (SCHEMAS / path.name).read_text(), "run api.write_json_schemas('schemas')"

    def test_there_is_one_for_each_kind(self):
        assert set(json_schemas()) == {f"{kind}.schema.json" for kind in Kind} | {"comity.schema.json"}


def values_in(text):
    """The documents of a file as plain values."""
    places = [read_document(chunk) for chunk in split_documents(text)]
    assert all(isinstance(place, Place) for place in places)
    return [place.value for place in places]


class TestSchemaForEditors:
    def schema(self):
        return json.loads(api.editor_schema()[EDITOR_FILE])

    def test_takes_every_document_of_the_starter(self):
        found = [value for text in api.starter_files().values() for value in values_in(text)]
        assert {value["kind"] for value in found} == set(Kind)
        assert [value["name"] for value in found if not fits(value, self.schema())] == []

    @pytest.mark.parametrize(
        "text",
        [
            "kind: sistem\nname: crm\nspec: {connector: rest}\n",
            "kind: system\nname: CRM\nspec: {connector: rest}\n",
            "kind: system\nname: crm\nspec: {conector: rest}\n",
            "kind: attribute\nname: crm\nspec: {connector: rest}\n",
            "kind: attribute\nname: city\nspec: {type: tekst}\n",
            "kind: system\nname: crm\n",
        ],
    )
    def test_refuses_what_is_wrong(self, text):
        assert load_text(text, file="a.yaml").problems
        assert [fits(value, self.schema()) for value in values_in(text)] == [False]

    def test_every_document_names_it_by_a_path_from_its_file(self):
        files = api.name_schema(api.starter_files())
        for name, text in files.items():
            named = re.findall(r"^# yaml-language-server: \$schema=(.*)$", text, re.MULTILINE)
            assert len(named) == len(values_in(text))
            assert {posixpath.normpath(posixpath.join(posixpath.dirname(name), each)) for each in named} == {
                EDITOR_FILE
            }
        assert api.name_schema(files) == files

    def test_a_file_that_moved_gets_another_path_and_a_schema_of_ones_own_stays(self):
        line = "# yaml-language-server: $schema="
        text = f"# why\n{line}../{EDITOR_FILE}\nkind: a\n---\n{line}mine.json\nkind: b\n--- # c\nkind: c\n---\n# end\n"
        assert api.name_schema({"a.yaml": text})["a.yaml"] == (
            f"{line}{EDITOR_FILE}\n# why\nkind: a\n---\n{line}mine.json\nkind: b\n--- # c\n"
            f"{line}{EDITOR_FILE}\nkind: c\n---\n# end\n"
        )


SETTINGS_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.text(max_size=20).filter(lambda t: "\0" not in t),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abé -:#", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


class TestWrite:
    def test_a_document_keeps_its_comments(self):
        text = "# why\nkind: attribute   # what\nname: email\nspec: {type: email}\n"
        document = load_text(text, file="a.yaml").documents[0]
        assert rules.write_document(document) == text

    def test_a_text_that_says_something_else_is_not_used(self):
        document = load_text("kind: attribute\nname: email\nspec: {type: email}\n", file="").documents[0]
        changed = msgspec.structs.replace(document, spec=msgspec.structs.replace(document.spec, label="Mail"))
        assert "label: Mail" in rules.write_document(changed)

    @settings(max_examples=100, deadline=None)
    @given(values=st.dictionaries(st.text("abcé _-:#", min_size=1, max_size=6), SETTINGS_VALUES, max_size=4))
    def test_what_is_dumped_reads_back_the_same(self, values):
        document = Document(kind=Kind.SYSTEM, name="crm", spec=SystemSpec(connector="rest", settings=values))
        loaded = load_text(rules.dump_document(document), file="")
        assert not loaded.problems
        assert rules.hash_spec(loaded.documents[0].spec) == rules.hash_spec(document.spec)

    def test_documents_go_back_to_their_files(self, starter):
        loaded = api.read_project(starter)
        files = rules.export_files(loaded.documents)
        assert set(files) == set(api.starter_files())
        again = [document for name, text in files.items() for document in load_text(text, file=name).documents]
        assert [(d.key, rules.hash_spec(d.spec)) for d in again] == [
            (d.key, rules.hash_spec(d.spec)) for d in loaded.documents
        ]

    @pytest.mark.parametrize("file", ["../x.yaml", "/etc/x.yaml", "a/../../x.yaml", ".x/y.yaml", "x.txt", ""])
    def test_no_path_leads_out_of_the_project(self, file):
        document = load_text("kind: attribute\nname: email\nspec: {type: email}\n", file=file).documents[0]
        assert list(rules.export_files([document])) == ["attributes/email.yaml"]


def test_differences_are_told_by_field():
    before, after = (
        load_text(
            f"kind: programme\nname: p\nspec: {{title: {title}, currency: EUR, earning: {{points_per_unit: 1, "
            f"unit_minor: 100}}, tiers: {{levels: [{levels}]}}}}",
            file="",
        )
        .documents[0]
        .spec
        for title, levels in (
            ("A", "{name: Blue, from: 0}, {name: Gold, from: 9}"),
            ("B", "{name: Blue, from: 0}, {name: Silver, from: 5}, {name: Gold, from: 10}"),
        )
    )
    found = {change.field: (change.before, change.after) for change in rules.compare_specs(before, after)}
    assert found["title"] == ("A", "B")
    assert found["tiers.levels[2]"] == (None, {"name": "Gold", "from": 10})


def test_definitions_answer_by_kind(starter):
    definitions = Definitions(revision=1, documents=api.read_project(starter).documents)
    assert definitions.groups == {"address": ("city", "postcode", "street")}
    assert definitions.match_spec is not None
    assert list(definitions.programmes) == ["points"]
    assert definitions.find(Kind.SYSTEM, "hubspot-us") is not None
