"""Where secrets of systems may be: what names them decides where they are sent, so not everything can be named."""

import pytest

from comity.connect.types import SettingsInvalid
from comity.definitions.types import SecretSpec
from comity.wiring import read_secret


@pytest.fixture
def places(tmp_path):
    project, secrets = tmp_path / "project", tmp_path / "secrets"
    for place in (project, secrets):
        place.mkdir()
        (place / "token").write_text(f"{place.name}-token\n")
    (tmp_path / "token").write_text("somebody else's")
    return {"base": project, "secrets_dir": secrets}


def read(places, **where):
    return read_secret("crm-a", "token", SecretSpec(**where), **places)


def test_a_file_of_the_project_or_of_the_folder_of_secrets(places):
    assert read(places, file="token") == "project-token"
    assert read(places, file=str(places["secrets_dir"] / "token")) == "secrets-token"


@pytest.mark.parametrize("file", ["../token", "/etc/hostname", "link"])
def test_no_other_file(places, file):
    (places["base"] / "link").symlink_to(places["base"].parent / "token")
    with pytest.raises(SettingsInvalid, match="outside the project") as raised:
        read(places, file=file)
    assert str(places["secrets_dir"]) in raised.value.details["remedy"]


def test_a_variable(places, monkeypatch):
    monkeypatch.setenv("CRM_TOKEN", "from-outside")
    assert read(places, env="CRM_TOKEN") == "from-outside"


def test_no_setting_of_the_hub(places, monkeypatch):
    monkeypatch.setenv("COMITY_DATABASE_URL", "postgresql://me:secret@db/hub")
    with pytest.raises(SettingsInvalid, match="a setting of the hub itself") as raised:
        read(places, env="COMITY_DATABASE_URL")
    assert "secret@db" not in str(raised.value)
