"""Joining systems: checked, prepared and subscribed over HTTP, without a database."""

import pytest

from comity.sandbox.api import SandboxOptions, serve
from tests.contract.cli.conftest import told

SALESFORCE = """kind: system
name: salesforce-emea
spec:
  connector: salesforce
  settings: {{instance_url: "{url}"}}
  secrets: {{token: {{file: crm.token}}}}
  streams: {{Contact: {{every: 1m}}}}
"""
HUBSPOT = """kind: system
name: hubspot-us
spec:
  connector: hubspot
  settings: {{base_url: "{url}", app_id: {app_id}}}
  secrets: {{token: {{file: crm.token}}, client_secret: {{file: crm.secret}}}}
  streams: {{contacts: {{every: 1m, webhook: true}}, purchase: {{}}}}
"""


@pytest.fixture(params=["salesforce", "hubspot"])
def bare(request, run, tmp_path):
    """The starter's project with one system that has none of our fields; its name, and its simulation."""
    with serve(kind=request.param, seed=4, options=SandboxOptions(has_loyalty_fields=False)) as sandbox:
        yield write(run, tmp_path, sandbox), sandbox


@pytest.fixture
def hubspot(run, tmp_path):
    """The starter's project with a HubSpot that has our fields."""
    with serve(kind="hubspot", seed=4) as sandbox:
        yield write(run, tmp_path, sandbox), sandbox


def write(run, folder, sandbox):
    """Write the starter's project, one of its systems being this one; return the system's name."""
    run("init")
    kind = sandbox.ready.kind
    name, template = ("salesforce-emea", SALESFORCE) if kind == "salesforce" else ("hubspot-us", HUBSPOT)
    text = template.format(url=sandbox.url, app_id=sandbox.ready.app_id or 0)
    (folder / f"systems/{name}.yaml").write_text(text)
    (folder / "crm.token").write_text(sandbox.token)
    (folder / "crm.secret").write_text(sandbox.ready.client_secret or "none")
    return name


def troubles(result):
    [view] = told(result)
    return [each for each in view["findings"] if each["remedy"]]


class TestCheckAndProvision:
    def test_from_bare_to_all_right(self, run, bare):
        name, sandbox = bare
        checked = run("systems", "check", name, "--json")
        assert checked.exit_code == 1
        missing = {each["what"].split()[0] for each in troubles(checked)}
        stream, key = ("Contact", "Global_Id__c") if "salesforce" in name else ("contacts", "global_id")
        assert f"{stream}.{key}" in missing and len(missing) == len(troubles(checked)) >= 3

        planned = told(run("systems", "provision", name, "--json"))
        assert {f"{each['stream']}.{each['name']}" for each in planned["planned"]} == missing
        assert planned["made"] == [] and troubles(run("systems", "check", name, "--json")), "it was only shown"
        assert {each["name"]: each["is_unique"] for each in planned["planned"]}[key]

        shown = run("systems", "provision", name)
        assert shown.exit_code == 2 and key in shown.stdout and "--yes" in shown.stderr
        done = run("systems", "provision", name, "--yes")
        assert done.exit_code == 0 and done.stdout.count("│ created") == len(missing), done.output
        assert ("field-level security" in done.stdout) == (sandbox.ready.kind == "salesforce")

        again = run("systems", "provision", name, "--yes")
        assert (again.exit_code, told(run("systems", "provision", name, "--yes", "--json"))["planned"]) == (0, [])
        assert "has every field" in again.stdout
        checked = run("systems", "check", name)
        assert checked.exit_code == 0 and "missing" not in checked.stdout
        every = run("systems", "check", "--json")
        assert every.exit_code == 1, "the other one has no credentials"
        assert {each["system"]: each["is_ok"] for each in told(every)}[name] and len(told(every)) == 2

    def test_names_what_is_wrong(self, run, hubspot, tmp_path):
        name, _ = hubspot
        mapping = tmp_path / f"mappings/{name}.yaml"
        mapping.write_text(
            mapping.read_text()
            .replace("field: firstname, lens: text, direction: both", "field: fristname, lens: text, direction: read")
            .replace("field: loyalty_tier", "field: hs_object_id")
            .replace("field: global_id", "field: company")
        )
        found = {each["what"]: each["remedy"] for each in troubles(run("systems", "check", name, "--json"))}
        assert set(found) == {
            "contacts.fristname is missing, or hidden from us",
            "contacts.hs_object_id cannot be written",
            "contacts.company is not unique",
        }
        assert "provision" not in found["contacts.fristname is missing, or hidden from us"], "it is only read"
        assert told(run("systems", "provision", name, "--json"))["planned"] == []

    def test_says_which_credentials_are_not_good(self, run, hubspot, tmp_path):
        name, _ = hubspot
        (tmp_path / "crm.token").write_text("guess")
        [trouble] = troubles(run("systems", "check", name, "--json"))
        assert trouble["area"] == "access" and "token" in trouble["remedy"]
        refused = run("systems", "provision", name, "--json", "--yes")
        assert "comity systems check" in told(refused)["details"]["remedy"] and refused.exit_code == 7
        (tmp_path / "crm.token").unlink()
        [trouble] = troubles(run("systems", "check", name, "--json"))
        assert trouble["area"] == "secrets" and "crm.token" in trouble["what"]

    def test_says_that_webhooks_lack_their_secret(self, run, hubspot, tmp_path):
        name, _ = hubspot
        system = tmp_path / f"systems/{name}.yaml"
        system.write_text(system.read_text().replace(", client_secret: {file: crm.secret}", ""))
        [trouble] = troubles(run("systems", "check", name, "--json"))
        assert trouble["area"] == "webhooks" and "client_secret" in trouble["what"]

    def test_a_refusal_stops_no_other_field(self, run, tmp_path):
        with serve(kind="salesforce", seed=4, options=SandboxOptions(has_loyalty_fields=False)) as sandbox:
            name = write(run, tmp_path, sandbox)
            mapping = tmp_path / f"mappings/{name}.yaml"
            mapping.write_text(mapping.read_text().replace("Points_Balance__c", "Points Balance"))
            result = run("systems", "provision", name, "--yes", "--json")
        made = {each["name"]: each for each in told(result)["made"]}
        assert result.exit_code == 1
        assert made["Points Balance"]["outcome"] == "refused" and "integer" in made["Points Balance"]["remedy"]
        assert {each["outcome"] for name, each in made.items() if name != "Points Balance"} == {"created"}

    def test_knows_only_systems_of_the_project(self, run):
        run("init")
        result = run("systems", "check", "crm", "--json")
        assert (result.exit_code, told(result)["code"]) == (3, "system_unknown")
        assert told(result)["details"]["known"] == ["hubspot-us", "salesforce-emea"]


class TestSubscribe:
    def test_shows_then_subscribes_to_what_is_read(self, run, hubspot, clean):
        name, _ = hubspot
        clean.setenv("COMITY_PUBLIC_URL", "https://hub.example.com")
        planned = told(run("systems", "subscribe", name, "--json"))
        assert planned["target_url"] == "https://hub.example.com/hooks/hubspot-us"
        assert planned["subscription"] is None and list(planned["fields"]) == ["contacts"]
        assert "email" in planned["fields"]["contacts"] and "points_balance" not in planned["fields"]["contacts"]
        shown = run("systems", "subscribe", name)
        assert shown.exit_code == 2 and "https://hub.example.com/hooks/hubspot-us" in shown.stdout
        done = run("systems", "subscribe", name, "--yes", "--json")
        assert told(done)["subscription"]["is_new"] and done.exit_code == 0
        assert "already" in run("systems", "subscribe", name, "--yes").stdout

    def test_says_how_else_where_the_system_cannot_be_asked(self, run):
        run("init")
        result = run("systems", "subscribe", "salesforce-emea", "--json")
        assert (result.exit_code, told(result)["code"]) == (6, "capability_missing")
        assert "/hooks/salesforce-emea" in told(result)["details"]["remedy"]
        result = run("systems", "subscribe", "hubspot-us", "--json")
        assert (result.exit_code, told(result)["code"]) == (2, "nothing_to_push")


class TestPause:
    def state_of(self, project, name):
        [shown] = [each for each in told(project("status", "--json"))["systems"] if each["system"] == name]
        return shown["state"]

    def test_pauses_and_resumes_a_system_and_repeats_without_effect(self, project):
        for _ in range(2):
            assert told(project("systems", "pause", "hubspot-us", "--json")) == {
                "system": "hubspot-us", "state": "paused",
            }  # fmt: skip
        assert (self.state_of(project, "hubspot-us"), self.state_of(project, "salesforce-emea")) == (
            "paused", "running",
        )  # fmt: skip
        assert "paused" in project("systems", "pause", "hubspot-us").stdout
        assert "goes on" in project("systems", "resume", "hubspot-us").stdout
        assert self.state_of(project, "hubspot-us") == "running"

    def test_of_a_system_that_there_is_not_says_so(self, project):
        assert told(project("systems", "pause", "nowhere", "--json"))["code"] == "system_unknown"


def test_a_system_that_no_call_has_reached_is_not_shown_as_healthy(project):
    assert not any(each["is_reached"] for each in told(project("status", "--json"))["systems"])
    assert "not reached yet" in project("status").stdout
