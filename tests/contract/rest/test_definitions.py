"""Definitions over HTTP: all or nothing, every problem with its place."""

from uuid import uuid4

import pytest

SYSTEM = """
kind: system
name: {name}
spec:
  connector: rest
  settings: {{base_url: "http://127.0.0.1:9", streams: {{customer: {{}}}}}}
  streams: {{customer: {{}}}}
"""
ATTRIBUTE = "kind: attribute\nname: {name}\nspec: {{type: text}}\n"


def name(prefix="thing"):
    return f"{prefix}_{uuid4().hex[:8]}"


def files_in_force(desk):
    answer = desk.http.get("/v1/definitions")
    assert answer.status_code == 200
    return answer.json()


def post(desk, what, files, **more):
    return desk.http.post(f"/v1/definitions/{what}", json={"files": files} | more)


def revision(desk):
    return post(desk, "plan", files_in_force(desk)).json()["revision"]


class TestPlan:
    def test_of_what_is_in_force_changes_nothing(self, desk):
        told = post(desk, "plan", files_in_force(desk)).json()
        assert (told["added"], told["changed"], told["removed"]) == ([], [], [])
        assert told["unchanged_count"] > 10

    def test_says_what_would_change_and_changes_nothing(self, desk):
        files, new = files_in_force(desk), name()
        before = revision(desk)
        told = post(desk, "plan", files | {"new.yaml": ATTRIBUTE.format(name=new)}).json()
        assert [each["name"] for each in told["added"]] == [new]
        assert revision(desk) == before and new not in str(files_in_force(desk))


class TestApply:
    def test_puts_in_force_what_export_gives_back(self, desk):
        new = name()
        files = files_in_force(desk) | {f"{new}.yaml": f"# Why there is one.\n{ATTRIBUTE.format(name=new)}"}
        told = post(desk, "apply", files).json()
        assert [each["name"] for each in told["added"]] == [new] and told["new_attributes"] == [new]
        assert "# Why there is one." in files_in_force(desk)[f"{new}.yaml"]
        assert post(desk, "plan", files_in_force(desk)).json()["added"] == []

    def test_keeps_what_is_left_out_unless_removal_is_allowed(self, desk):
        new = name("shop")
        whole = files_in_force(desk)
        assert post(desk, "apply", whole | {f"{new}.yaml": SYSTEM.format(name=new)}).is_success
        assert [each["name"] for each in post(desk, "apply", whole).json()["kept"]] == [new]
        assert f"{new}.yaml" in files_in_force(desk)
        told = post(desk, "apply", whole, allow_removal=True).json()
        assert [each["name"] for each in told["removed"]] == [new]
        assert f"{new}.yaml" not in files_in_force(desk)

    def test_never_changes_the_type_of_an_attribute(self, desk):
        new = name()
        files = files_in_force(desk) | {f"{new}.yaml": ATTRIBUTE.format(name=new)}
        assert post(desk, "apply", files).is_success
        files[f"{new}.yaml"] = files[f"{new}.yaml"].replace("text", "date")
        answer = post(desk, "apply", files)
        assert (answer.status_code, answer.json()["code"]) == (409, "attribute_type_fixed")


BROKEN = {
    "no YAML": ("kind: [", 1),
    "unknown kind": ("kind: sistem\nname: x\nspec: {}\n", 1),
    "unknown field": ("kind: attribute\nname: x\nspec: {type: text, lable: X}\n", 3),
    "wrong type": ("kind: attribute\nname: x\nspec: {type: tekst}\n", 3),
    "bad name": ("kind: attribute\nname: Big Name\nspec: {type: text}\n", 2),
    "unknown connector": ("kind: system\nname: x\nspec: {connector: salesforc}\n", 3),
    "unknown lens": (
        (
            "kind: mapping\nname: x\nspec:\n  system: crm\n  stream: other\n  kind: person\n  external_id: id\n"
            "  fields:\n    - {attribute: city, field: c, lens: txt}\n"
        ),
        9,
    ),
    "unknown attribute": (
        (
            "kind: mapping\nname: x\nspec:\n  system: crm\n  stream: other\n  kind: person\n  external_id: id\n"
            "  fields:\n    - {attribute: citi, field: c, lens: text}\n"
        ),
        9,
    ),
    "condition": (
        (
            "kind: rules\nname: default\nspec:\n  attributes:\n"
            '    - {of: [city], rule: most_recent, when: "city = pg_sleep(9)"}\n'
        ),
        5,
    ),
}


class TestProblems:
    @pytest.mark.parametrize("what", ["plan", "apply"])
    @pytest.mark.parametrize(("text", "line"), BROKEN.values(), ids=BROKEN)
    def test_name_file_line_field_and_remedy_and_nothing_is_applied(self, desk, what, text, line):
        before, new = revision(desk), name()
        files = files_in_force(desk)
        if "kind: rules" in text:
            files = {file: each for file, each in files.items() if "kind: rules" not in each}
        answer = post(desk, what, files | {"broken.yaml": text, "good.yaml": ATTRIBUTE.format(name=new)})
        assert answer.status_code == 422, answer.text
        problem = answer.json()
        assert problem["code"] == "definitions_invalid"
        mine = [each for each in problem["details"]["problems"] if each["file"] == "broken.yaml"]
        assert line in {each["line"] for each in mine}, mine
        assert all(each["column"] >= 1 and each["message"] and each["remedy"] for each in mine)
        assert revision(desk) == before and new not in str(files_in_force(desk))

    def test_all_come_at_once(self, desk):
        broken = {f"broken{n}.yaml": "kind: attribute\nname: x\nspec: {type: tekst}\n" for n in range(3)}
        problems = post(desk, "plan", files_in_force(desk) | broken).json()["details"]["problems"]
        assert {each["file"] for each in problems} >= set(broken)


class TestMalformed:
    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b'{"files": 3}', b'{"files": {"a": 3}}', b'{"file": {}}', b'{"files": {}, "x": 1}']
    )
    def test_request_is_refused_with_a_remedy(self, desk, body):
        for what in ("plan", "apply"):
            answer = desk.http.post(f"/v1/definitions/{what}", content=body)
            assert answer.status_code in {400, 422}, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["details"]["remedy"]

    @pytest.mark.parametrize("file", ["", "../outside.yaml", "/abs.yaml", "a\u0000.yaml", "x" * 300])
    def test_file_names_stay_inside_the_project(self, desk, file):
        """What comes over the network is written to disk by `comity export` one day."""
        new = name()
        answer = post(desk, "apply", files_in_force(desk) | {file: ATTRIBUTE.format(name=new)})
        assert answer.status_code == 422, answer.text
        assert new not in str(files_in_force(desk))

    def test_text_with_a_zero_byte_is_refused(self, desk):
        answer = post(desk, "apply", files_in_force(desk) | {"zero.yaml": "# \u0000\n" + ATTRIBUTE.format(name=name())})
        assert answer.status_code == 422

    def test_empty_project_is_refused(self, desk):
        assert post(desk, "apply", {}).status_code == 422
        assert post(desk, "apply", {"a.yaml": "# nothing\n"}).status_code == 422


class TestHistory:
    def test_of_a_document_says_who_changed_what(self, desk):
        new = name()
        text = ATTRIBUTE.format(name=new)
        assert post(desk, "apply", files_in_force(desk) | {f"{new}.yaml": text}).status_code == 200
        changed = text.replace("{type: text}", "{type: text, label: Why}")
        assert post(desk, "apply", files_in_force(desk) | {f"{new}.yaml": changed}).status_code == 200
        told = desk.http.get(f"/v1/definitions/history/attribute/{new}").json()
        assert [each["version"] for each in told] == sorted((each["version"] for each in told), reverse=True)
        assert [(each["field"], each["after"]) for each in told[0]["changes"]] == [("label", "Why")]
        assert told[0]["author"] and told[-1]["changes"] == []
        applies = desk.http.get("/v1/definitions/history").json()
        assert applies[0]["author"] == told[0]["author"] and new in str(applies[0]["summary"])

    def test_names_a_document_and_a_kind_that_are_none(self, desk):
        answer = desk.http.get("/v1/definitions/history/rules/nothing")
        assert (answer.status_code, answer.json()["code"]) == (404, "document_unknown")
        answer = desk.http.get("/v1/definitions/history/rule/default")
        assert (answer.status_code, answer.json()["code"]) == (422, "document_name_malformed")


def test_description_is_for_people_to_read(desk):
    answer = desk.http.get("/v1/definitions/description")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "# Mapping specification" in answer.text and "# Who leads where" in answer.text
    assert "| `email` |" in answer.text
