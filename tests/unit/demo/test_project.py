from comity import wiring
from comity.definitions import api as definitions
from comity.interfaces.cli.demo.cast import CRMS, HUBSPOT, NORTH
from comity.interfaces.cli.demo.chapters_data import CREATE_CONDITION
from comity.interfaces.cli.demo.project_files import write_crm, write_shared
from comity.sandbox.types import SandboxReady


def ready(crm):
    return SandboxReady(
        kind=crm.kind,
        url="http://127.0.0.1:1",
        token=f"token-of-{crm.system}",
        ca_file=None,
        client_secret="shared" if crm.kind == "hubspot" else None,
        app_id=None,
        portal_id=None,
        people_count=0,
    )


def problems_of(folder):
    return [
        str(problem) for problem in definitions.validate(definitions.read_project(folder), checkers=wiring.CHECKERS)
    ]


def test_two_crms_and_then_three_are_valid_projects(tmp_path):
    write_shared(tmp_path)
    for crm in (NORTH, HUBSPOT):
        write_crm(tmp_path, crm, ready(crm))
    assert problems_of(tmp_path) == []
    for crm in CRMS:
        write_crm(tmp_path, crm, ready(crm), create=CREATE_CONDITION)
    assert problems_of(tmp_path) == []


def test_secrets_lie_beside_the_project_for_their_owner_alone(tmp_path):
    write_crm(tmp_path, HUBSPOT, ready(HUBSPOT))
    secrets = sorted((tmp_path / "secrets").iterdir())
    assert [path.name for path in secrets] == ["hubspot.client-secret", "hubspot.token"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)
    assert "token-of-hubspot" not in (tmp_path / "hubspot.yaml").read_text()


def test_a_programme_of_the_demo_says_what_the_story_says():
    from comity.interfaces.cli.demo import chapters_data, chapters_live
    from comity.interfaces.cli.demo.project_files import _read

    loaded = definitions.load_text(_read("programme.yaml"), file="programme.yaml")
    spec = loaded.documents[0].spec
    assert spec.earning.unit_minor == chapters_data.UNIT_MINOR
    assert {level.name: level.points_from for level in spec.tiers.levels}[
        chapters_live.GOLD
    ] == chapters_live.GOLD_POINTS
