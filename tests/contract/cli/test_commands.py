"""Every command: its help, its JSON, its exit codes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from comity.interfaces.cli.main import app
from comity.systems import api as systems
from comity.wiring import migrate
from tests.contract.cli.conftest import told


def walk(command, path=()):
    """Yield every command with its words."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from walk(each, (*path, name))


COMMANDS = dict(walk(typer.main.get_command(app)))
LEAVES = [path for path, command in COMMANDS.items() if not hasattr(command, "commands")]


class TestEveryCommand:
    @pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
    def test_helps(self, run, path):
        result = run(*path, "--help")
        assert result.exit_code == 0
        assert COMMANDS[path].help and "Usage:" in result.stdout

    @pytest.mark.parametrize("path", LEAVES, ids=" ".join)
    def test_tells_what_each_option_is_for(self, path):
        nameless = [
            parameter.name
            for parameter in COMMANDS[path].params
            if not getattr(parameter, "help", None) and parameter.name != "help"
        ]
        assert not nameless

    @pytest.mark.parametrize("path", LEAVES, ids=" ".join)
    def test_speaks_json(self, path):
        assert "json" in {parameter.name for parameter in COMMANDS[path].params}

    def test_of_an_unknown_name_is_a_usage_error(self, run):
        assert run("aply").exit_code == 2

    @pytest.mark.parametrize(
        ("words", "what", "usage"),
        [
            (("aply", "--json"), "'aply'", "comity"),
            (("plan", "--jason", "--json"), "--jason", "comity plan"),
            (("plan", "--json", "--project"), "--project", "comity"),
            (("why", "--json"), "'key'", "comity why"),
            (("up", "--json", "--port", "many"), "'--port'", "comity up"),
            (("ledger", "--json", "trail-balance"), "--json", "comity ledger"),
            (("ledger", "trail-balance", "--json"), "'trail-balance'", "comity ledger"),
            (("init", "a", "b", "--json"), "(b)", "comity init"),
            (("--json", "plan"), "--json", "comity"),
        ],
    )
    def test_tells_a_mistake_in_the_line_as_json(self, run, words, what, usage):
        result = run(*words)
        problem = told(result)
        assert (result.exit_code, problem["code"], result.stderr) == (2, "usage_wrong", "")
        assert what in problem["title"] and problem["details"].get("usage", usage).startswith(usage)
        assert f"`{usage} --help`" in problem["details"]["remedy"]
        is_misplaced = problem["title"].startswith("No such option: --json")
        assert ("behind" in problem["details"]["remedy"]) == is_misplaced

    def test_tells_a_mistake_in_words_otherwise(self, run):
        result = run("plan", "--jason")
        assert (result.exit_code, result.stdout) == (2, "") and "--jason" in result.stderr

    def test_leaves_with_its_own_code_either_way(self, run):
        assert (run("validate").exit_code, run("validate", "--json").exit_code) == (2, 2)
        assert (run("init", "--json").exit_code, run("init", "--json").exit_code) == (0, 4)

    def test_version(self, run):
        assert run("--version").stdout.startswith("comity ")


class TestProject:
    def test_from_nothing_to_no_change(self, hub, tmp_path):
        files = told(hub("init", "--json"))["files"]
        assert "attributes.yaml" in files and (tmp_path / "systems/salesforce-emea.yaml").is_file()
        assert told(hub("validate", "--json")) == {"documents": 16, "problems": []}
        planned = told(hub("plan", "--json"))
        assert len(planned["added"]) == 16 and planned["revision"] == 0
        applied = told(hub("apply", "--json", "--author", "Ada"))
        assert applied["result"]["revision"] == 1 and "email" in applied["new_attributes"]
        again = told(hub("plan", "--json"))
        assert (again["added"], again["changed"], again["removed"], again["unchanged_count"]) == ([], [], [], 16)
        assert "/var/" in (tmp_path / ".gitignore").read_text()
        assert sorted([".gitignore", *told(hub("export", "out", "--json"))["files"]]) == files
        assert (tmp_path / "out/match.yaml").read_text() == (tmp_path / "match.yaml").read_text()
        exported = told(hub("plan", "--project", "out", "--json"))
        assert (exported["added"], exported["changed"], exported["removed"]) == ([], [], [])

    def test_files_lead_editors_to_the_schema_beside_them(self, project, tmp_path):
        project("export", "out")
        for folder in (tmp_path, tmp_path / "out"):
            first = (folder / "systems/hubspot-us.yaml").read_text().partition("\n")[0]
            schema = (folder / "systems" / first.partition("$schema=")[2]).resolve()
            assert schema == folder / ".comity/comity.schema.json" and "oneOf" in json.loads(schema.read_text())
        old = tmp_path / "out/.comity/comity.schema.json"
        old.write_text("{}")
        written = project("init", "out", "--schema", "--json")
        assert (told(written)["files"], "oneOf" in old.read_text()) == ([".comity/comity.schema.json"], True)
        assert "yaml-language-server" in project("init", "out", "--schema").stdout

    def test_for_people(self, hub):
        assert "wrote" in hub("init").stdout
        assert "no problem" in hub("validate").stdout
        assert "attribute/email" in hub("plan").stdout
        assert "In force: revision 1" in hub("apply", "--yes").stdout
        assert "unchanged" in hub("plan").stdout
        assert "files written" in hub("export", "out").stdout

    def test_init_overwrites_nothing(self, run):
        assert run("init").exit_code == 0
        result = run("init", "--json")
        assert result.exit_code == 4
        assert told(result)["code"] == "files_exist"

    def test_apply_asks_and_needs_somebody_to_answer(self, hub):
        hub("init")
        result = hub("apply")
        assert result.exit_code == 2
        assert "--yes" in result.stderr
        assert told(hub("plan", "--json"))["revision"] == 0

    def test_apply_keeps_what_left_the_project_and_says_so(self, project, tmp_path):
        (tmp_path / "programme.yaml").unlink()
        assert "programme/points" in project("apply", "--yes").stdout
        removed = told(project("apply", "--json", "--allow-removal"))["result"]["removed"]
        assert [each["name"] for each in removed] == ["points"]

    def test_names_the_variables_that_a_running_hub_does_not_know(self, project, tmp_path):
        assert told(project("plan", "--json"))["new_variables"] == {}
        assert "restarted" not in project("plan").stdout
        system = tmp_path / "systems/hubspot-us.yaml"
        system.write_text(
            system.read_text().replace(
                "token: {env: HUBSPOT_US_TOKEN}",
                "token: {env: SALESFORCE_EMEA_TOKEN}\n    client_secret: {env: NEW_SECRET}",
            )
        )
        assert told(project("plan", "--json"))["new_variables"] == {"hubspot-us": ["NEW_SECRET"]}
        shown = project("plan").stdout
        assert "hubspot-us takes NEW_SECRET" in shown and "restarted" in shown
        assert "SALESFORCE_EMEA_TOKEN from" not in shown, "the hub that runs has it"
        applied = project("apply", "--yes").stdout
        assert "(re)started with NEW_SECRET set" in applied
        system.write_text(system.read_text().replace("{env: NEW_SECRET}", "{file: new.secret}"))
        assert told(project("apply", "--json"))["new_variables"] == {}

    def test_problems_are_printed_with_place_and_remedy(self, run, tmp_path):
        run("init")
        (tmp_path / "rules.yaml").write_text("kind: rules\nname: default\nspec:\n  defalt: {rule: most_recent}\n")
        result = run("validate")
        assert result.exit_code == 2
        assert "rules.yaml:4:3" in result.stderr and result.stderr.count("Did you mean") == 1
        problem = told(run("validate", "--json"))["details"]["problems"][0]
        assert (problem["file"], problem["line"], problem["column"]) == ("rules.yaml", 4, 3)
        assert problem["remedy"] and problem["field"]

    def test_problems_change_nothing(self, project, tmp_path):
        (tmp_path / "more.yaml").write_text("kind: attribute\nname: x\nspec: {type: tekst}\n")
        for command in ("plan", "apply"):
            result = project(command, "--json")
            assert (result.exit_code, told(result)["code"]) == (2, "definitions_invalid")
        (tmp_path / "more.yaml").unlink()
        assert told(project("plan", "--json"))["revision"] == 1

    def test_empty_directory_is_no_project(self, run):
        result = run("validate", "--json")
        assert (result.exit_code, told(result)["code"]) == (2, "project_empty")

    def test_missing_directory_is_named(self, run):
        result = run("validate", "--project", "nowhere", "--json")
        assert result.exit_code == 2 and "no such directory" in result.stdout

    def test_file_that_cannot_be_written_is_named(self, run, tmp_path):
        (tmp_path / "taken").write_text("")
        result = run("init", "taken")
        assert result.exit_code == 2 and "taken" in result.stderr and "Traceback" not in result.stderr


class TestKeys:
    def test_create_list_revoke(self, hub):
        made = told(hub("keys", "create", "till", "--scope", "intake", "--scope", "read", "--days", "7", "--json"))
        prefix = made["key"].split("_")[1]
        [listed] = told(hub("keys", "list", "--json"))
        assert (listed["prefix"], listed["name"], listed["scopes"]) == (prefix, "till", ["intake", "read"])
        assert listed["state"] == "valid" and made["key"].split("_", 2)[2] not in json.dumps(listed)
        assert told(hub("keys", "revoke", prefix, "--json")) == {"prefix": prefix, "revoked": True}
        assert told(hub("keys", "revoke", prefix, "--json"))["revoked"] is True
        assert told(hub("keys", "list", "--json"))[0]["state"] == "revoked"

    def test_for_people(self, hub):
        shown = hub("keys", "create", "till", "--scope", "intake").stdout
        assert shown.startswith("cmty_") and "not shown again" in shown
        assert "till" in hub("keys", "list").stdout

    def test_unknown_scope_names_the_known_ones(self, hub):
        result = hub("keys", "create", "till", "--scope", "everything", "--json")
        known = ["adjust", "configure", "intake", "read", "redeem", "steward"]
        assert (result.exit_code, told(result)["details"]["known"]) == (2, known)

    def test_unknown_prefix(self, hub):
        result = hub("keys", "revoke", "nobody", "--json")
        assert (result.exit_code, told(result)["code"]) == (3, "key_not_found")


class TestHub:
    def test_status_before_and_after_apply(self, hub):
        assert "comity apply" in hub("status").stdout
        assert told(hub("status", "--json"))["is_ready"] is False
        hub("init")
        hub("apply", "--yes")
        shown = told(hub("status", "--json"))
        assert shown["is_ready"] and {each["system"] for each in shown["systems"]} == {"salesforce-emea", "hubspot-us"}
        assert "hubspot-us" in hub("status").stdout

    def test_status_tells_of_webhooks_that_were_refused(self, project, database):
        with database.transaction() as tx:
            systems.note_refused_hooks(
                tx,
                system="hubspot-us",
                refused_count=3,
                reason="The header X is missing.",
                refused_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
            )
        shown = project("status").stdout
        assert "hubspot-us: 3 webhooks refused, the last at 2026-01-02 03:04: The header X is missing." in shown
        assert "salesforce-emea:" not in shown

    def test_status_tells_of_what_waits_for_a_tick(self, project, database):
        with database.transaction() as tx:
            tx.execute(
                "insert into outbox.stale (system, profile_id, lane, due_at, waiting_since) "
                "values ('hubspot-us', gen_random_uuid(), 5, '2999-01-01', '2999-01-01')"
            )
        assert "hubspot-us: 1 to be written at the next tick of a cadence" in project("status").stdout

    def test_status_warns_where_the_hub_owns_the_ledger(self, hub, clean, empty_database):
        assert told(hub("status", "--json"))["is_ledger_guarded"] is True
        assert "COMITY_DATABASE_OWNER_URL" not in hub("status").stdout
        clean.setenv("COMITY_DATABASE_URL", empty_database.dsn)
        migrate(empty_database)
        assert told(hub("status", "--json"))["is_ledger_guarded"] is False
        assert "COMITY_DATABASE_OWNER_URL" in hub("status").stdout

    def test_parked_of_nothing(self, project):
        assert told(project("parked", "list", "--json")) == {"changes": [], "deliveries": [], "waiting": []}
        assert told(project("parked", "replay", "5", "--json")) == {"replayed": 0, "not_open": [5]}
        assert told(project("parked", "replay", "--deliveries", "--json")) == {"replayed": 0, "not_open": []}
        assert told(project("parked", "discard", "7", "--json")) == {"discarded": 0, "not_open": [7]}
        nobody = "019cb391-eaa0-7c7f-ac99-108ddb5b5fab"
        given_up = project("parked", "discard", nobody, "--deliveries", "--system", "crm", "--json")
        assert told(given_up) == {"discarded": 0, "not_open": []}
        assert project("parked", "discard", nobody).exit_code == 2
        assert project("parked", "discard", nobody, "--deliveries").exit_code == 2
        assert project("parked", "list").stdout.strip() == "Nothing is parked, and nothing waits."
        assert project("parked", "list", "--closed").stdout.strip() == "Nothing was closed."

    @pytest.mark.parametrize(
        "words",
        [
            ("profile", "show", "nobody@nowhere.example"),
            ("why", "x@y.example", "email"),
            ("profile", "merges", "nobody@nowhere.example"),
            ("profile", "merge", "x@y.example", "a/b/c", "--reason", "twins", "--by", "Grace"),
            ("profile", "unmerge", "x@y.example", "--record", "a/b/c", "--reason", "twins", "--by", "Grace"),
        ],
    )
    def test_person_nobody_knows(self, project, words):
        result = project(*words, "--json")
        assert (result.exit_code, told(result)["code"]) == (3, "person_not_found")
        assert "Global ID" in project(*words).stderr

    @pytest.mark.parametrize("words", [("profile", "show", "x@y.example"), ("why", "x@y.example", "email")])
    def test_before_the_first_apply_is_not_ready(self, hub, words):
        result = hub(*words, "--json")
        assert (result.exit_code, told(result)["code"]) == (7, "not_ready")


class TestWhoChangedWhat:
    def test_is_shown_of_all_and_of_one_document(self, project):
        applies = told(project("history", "--json"))
        assert len(applies) == 1 and applies[0]["author"]
        versions = told(project("history", "rules/default", "--json"))
        assert [each["version"] for each in versions] == [1]
        assert "new" in project("history", "rules/default").stdout
        assert project("history", "rules").exit_code == 3
        assert project("history", "rule/default").exit_code == 2

    def test_and_what_is_in_force_can_be_read(self, project):
        text = project("describe").stdout
        assert text.startswith("# Mapping specification") and "# Who leads where" in text
        assert project("describe", "--output", "about.md").exit_code == 0
        assert Path("about.md").read_text() == text


def test_nothing_waits_for_a_steward_on_an_empty_hub(project):
    assert told(project("profile", "reviews", "--json")) == []
    assert "Nothing waits." in project("profile", "reviews").stdout
    assert told(project("profile", "link", "a/b/c", "a/b/d", "--json"))["code"] == "record_unknown"


class TestSettings:
    def test_are_listed_with_their_source_and_secrets_masked(self, run, clean):
        clean.setenv("COMITY_PORT", "9999")
        clean.setenv("COMITY_DATABASE_URL", "postgresql://ada:geheim@db/comity")
        rows = {each["name"]: each for each in told(run("settings", "--json"))}
        assert rows["COMITY_PORT"] == {"name": "COMITY_PORT", "value": "9999", "source": "environment"}
        assert rows["COMITY_HOST"]["source"] == "default"
        assert "geheim" not in run("settings").stdout and rows["COMITY_DATABASE_URL"]["value"] == "****"

    @pytest.mark.parametrize("words", [("settings",), ("validate",), ("status",), ("up",), ("keys", "list")])
    def test_misspelt_is_an_error_everywhere(self, run, clean, words):
        clean.setenv("COMITY_DATABSE_URL", "x")
        result = run(*words)
        assert result.exit_code == 2
        assert "Did you mean COMITY_DATABASE_URL?" in result.stderr

    @pytest.mark.parametrize(
        ("name", "value"),
        [("PORT", "many"), ("PORT", "0"), ("LOG_LEVEL", "loud"), ("TLS_KEY", "k"), ("PUBLIC_URL", "hub")],
    )
    def test_of_a_wrong_value_is_an_error(self, run, clean, name, value):
        clean.setenv(f"COMITY_{name}", value)
        result = run("settings", "--json")
        assert (result.exit_code, told(result)["code"]) == (2, "setting_invalid")
        assert told(result)["details"]["remedy"]


class TestSandbox:
    def test_of_an_unknown_kind(self, run):
        result = run("sandbox", "serve", "odoo")
        assert result.exit_code == 2 and "salesforce" in result.stderr

    def test_with_people_that_cannot_be_read(self, run, tmp_path):
        assert run("sandbox", "serve", "hubspot", "--people", str(tmp_path / "none.csv")).exit_code == 2

    def test_on_a_port_that_is_taken(self, run):
        import socket

        with socket.create_server(("127.0.0.1", 0)) as taken:
            result = run("sandbox", "serve", "hubspot", "--port", str(taken.getsockname()[1]))
        assert result.exit_code == 4 and "--port" in result.stderr


class TestBench:
    def test_of_an_unknown_name(self, run):
        assert run("bench", "everything").exit_code == 2
