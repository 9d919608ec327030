"""Settings: what is wrong is said before anything starts."""

from pathlib import Path

import pytest

from comity.settings import SettingInvalid, describe, read_settings


def test_have_defaults():
    settings = read_settings({})
    assert (settings.port, settings.host, settings.database_url) == (8080, "127.0.0.1", None)
    assert settings.base_url == "http://127.0.0.1:8080"


def test_environment_comes_before_defaults_and_flags_before_both():
    environment = {"COMITY_PORT": "9000", "COMITY_DATA_DIR": "here", "PATH": "x", "COMITY_TEST_DSN": "y"}
    settings = read_settings(environment, data_dir=Path("there"), port=None)
    assert (settings.port, settings.data_dir) == (9000, Path("there"))
    told = {name: source for name, _, source in describe(settings, environment, data_dir=Path("there"))}
    assert (told["COMITY_PORT"], told["COMITY_DATA_DIR"], told["COMITY_HOST"]) == ("environment", "flag", "default")


def test_empty_counts_as_not_set():
    assert read_settings({"COMITY_PORT": "", "COMITY_DATABASE_URL": ""}) == read_settings({})


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"COMITY_PRT": "1"}, "Did you mean COMITY_PORT?"),
        ({"COMITY_DATABASE": "x"}, "Did you mean COMITY_DATABASE_URL?"),
        ({"COMITY_ZZZ": "x"}, "COMITY_ZZZ"),
        ({"COMITY_PORT": "many"}, "COMITY_PORT"),
        ({"COMITY_PORT": "0"}, "COMITY_PORT"),
        ({"COMITY_PORT": "70000"}, "COMITY_PORT"),
        ({"COMITY_UNIFY_BATCH_MAX": "0"}, "COMITY_UNIFY_BATCH_MAX"),
        ({"COMITY_LOG_LEVEL": "loud"}, "COMITY_LOG_LEVEL"),
        ({"COMITY_TLS_KEY": "x"}, "certificate"),
        ({"COMITY_TLS_CERTIFICATE": "none", "COMITY_TLS_KEY": "none"}, "no file"),
        ({"COMITY_DATABASE_OWNER_URL": "postgresql://owner@db/comity"}, "COMITY_DATABASE_URL"),
        ({"COMITY_PUBLIC_URL": "hub.example.com"}, "COMITY_PUBLIC_URL"),
        ({"COMITY_PUBLIC_URL": "https://hub.example.com/?x=1"}, "COMITY_PUBLIC_URL"),
    ],
)
def test_wrong_ones_are_named_with_a_remedy(environment, said):
    with pytest.raises(SettingInvalid) as caught:
        read_settings(environment)
    assert said in caught.value.message and caught.value.details["remedy"]


def test_secrets_are_masked():
    address = "postgresql://ada:geheim@db/comity"
    environment = {"COMITY_DATABASE_URL": address, "COMITY_DATABASE_OWNER_URL": address}
    assert "geheim" not in str(describe(read_settings(environment), environment))


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({"COMITY_PUBLIC_URL": "https://hub.example.com/"}, "https://hub.example.com"),
        ({"COMITY_HOST": "::1"}, "http://[::1]:8080"),
    ],
)
def test_say_where_the_hub_is_reached(environment, address):
    assert read_settings(environment).base_url == address
