"""Documents with mistakes of shape: what is wrong besides is told, and nothing that only follows from them."""

import copy

from comity import wiring
from comity.definitions import api
from comity.definitions.places import Place, read_document, split_documents
from comity.definitions.writing import write_yaml

BASE = """\
kind: system
name: crm
spec: {connector: rest, streams: {Contact: {}}, settings: {base_url: "https://x.example"}, secrets: {token: {env: T}}}
---
{kind: attribute, name: email, spec: {type: email}}
---
"""
EVERY = 13
"""Of all mistakes that can be made in the starter one in so many is made: all take a minute."""


def fields_of(text):
    found = api.validate(api.load_text(BASE + text, file="a.yaml"))
    return [(each.line - 6, each.field) for each in found]


class TestTells:
    def test_of_rows_of_a_mapping_the_wrong_shape_of_one_and_the_wrong_meaning_of_others(self):
        assert fields_of(
            "kind: mapping\n"
            "name: m\n"
            "spec:\n"
            "  system: crm\n"
            "  stream: Contact\n"
            "  kind: person\n"
            "  external_id: Id\n"
            "  fields:\n"
            "    - {attribute: email, feild: Email, lens: email}\n"
            "    - {attribute: emial, field: Mail, lens: email}\n"
            "    - {attribute: email, field: 7, lens: email}\n"
            "    - {attribute: phone, field: Phone, lens: phone}\n"
        ) == [
            (9, "spec.fields[0]"),
            (9, "spec.fields[0].feild"),
            (10, "spec.fields[1].attribute"),
            (11, "spec.fields[2].field"),
            (12, "spec.fields[3].attribute"),
        ]

    def test_of_a_system_a_secret_in_the_open_beside_a_wrong_number(self):
        assert fields_of(
            "kind: system\n"
            "name: b\n"
            "spec:\n"
            "  connector: rest\n"
            "  settings: {auth: {password: hunter2}}\n"
            "  deliver: {rate_per_second: many}\n"
        ) == [(5, "spec.settings.auth.password"), (6, "spec.deliver.rate_per_second")]

    def test_of_a_programme_an_unknown_tier_beside_an_unknown_field(self):
        assert fields_of(
            "kind: programme\n"
            "name: p\n"
            "spec:\n"
            "  title: P\n"
            "  currency: EUR\n"
            "  titel: Q\n"
            "  earning: {points_per_unit: 1, unit_minor: 100}\n"
            "  tiers: {levels: [{name: Blue, from: 5}]}\n"
        ) == [(6, "spec.titel"), (8, "spec.tiers.levels[0].from")]


class TestKeepsQuiet:
    def test_where_too_much_is_missing(self):
        assert fields_of("kind: programme\nname: p\nspec: {tiers: {levels: [{name: Blue, from: 5}]}}\n") == [
            (3, "spec"),
            (3, "spec"),
        ]

    def test_of_names_that_stand_in_what_cannot_be_read(self):
        assert fields_of(
            "kind: programme\n"
            "name: p\n"
            "spec:\n"
            "  title: P\n"
            "  currency: EUR\n"
            "  tires: {levels: [{name: Blue, from: 0}, {name: Gold, from: 5}]}\n"
            "  earning: {points_per_unit: 1, unit_minor: 100}\n"
            "  earning_rules: [{name: gold, multiplier_percent: 200, tiers: [Gold]}]\n"
        ) == [(6, "spec.tires")]

    def test_of_what_follows_from_a_mistake(self):
        """The starter is right, so whatever is told of a document with one mistake of shape, besides it, follows."""
        texts = api.starter_files().values()
        places = [read_document(chunk) for text in texts for chunk in split_documents(text)]
        documents = [place.value for place in places if isinstance(place, Place)]
        loaded = [api.load_text(write_yaml(each), file="right.yaml") for each in documents]
        tried = 0
        for number, (index, what, wrong) in enumerate(mistakes_in(documents)):
            if number % EVERY:
                continue
            found = api.load_text(write_yaml(wrong), file="wrong.yaml")
            project = sum((each for place, each in enumerate(loaded) if place != index), start=found)
            told = [each for each in api.validate(project, checkers=wiring.CHECKERS) if each.file == "wrong.yaml"]
            if found.problems:
                tried += bool(found.partials)
                assert set(told) == set(found.problems), what
        assert tried > 50


def mistakes_in(documents):
    """Every field of another type, under another name, and left out."""
    for index, document in enumerate(documents):
        for path in paths_in(document["spec"], ("spec",)):
            for wrong in ({"zz": 1}, ["zz"], "~~ zz", -7.5, None, "typo", "gone"):
                changed = copy.deepcopy(document)
                parent = changed
                for step in path[:-1]:
                    parent = parent[step]
                value = parent.pop(path[-1])
                if wrong == "typo" and isinstance(parent, dict):
                    parent[f"{path[-1]}zz"] = value
                elif wrong not in ("typo", "gone") and isinstance(parent, dict):
                    parent[path[-1]] = wrong
                elif wrong not in ("typo", "gone"):
                    parent.insert(path[-1], wrong)
                yield index, (document["kind"], path, wrong), changed


def paths_in(value, path):
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        yield (*path, step)
        yield from paths_in(each, (*path, step))
