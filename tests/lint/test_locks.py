"""Lock files fit the project, carry hashes, and name no place."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LINE = re.compile(r"[\w.-]+==[\w.]+( ; .*)? \\$|    --hash=sha256:[0-9a-f]{64}( \\)?$|    # [^/]*$")
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def names(wanted):
    return {re.split(r"[\[<>=~!; ]", each, maxsplit=1)[0].replace(".", "-").lower() for each in wanted}


def pinned(file):
    return dict(re.findall(r"^([\w.-]+)==([^ ;]+)", (ROOT / file).read_text(), re.MULTILINE))


@pytest.mark.parametrize("path", LOCKS, ids=[path.name for path in LOCKS])
def test_a_lock_holds_pins_hashes_and_comments_only(path):
    for line in path.read_text().splitlines():
        assert LINE.match(line), line


def test_what_the_project_needs_is_locked():
    groups = PROJECT["dependency-groups"]
    runtime = names(PROJECT["project"]["dependencies"])
    assert runtime <= pinned("requirements.lock").keys(), "run `make lock`"
    assert runtime | names(groups["dev"]) <= pinned("requirements-dev.lock").keys(), "run `make lock`"
    assert names(groups["setup"]) == pinned("requirements-setup.lock").keys()
    assert names(groups["data"]) == pinned("requirements-data.lock").keys()


def test_tests_run_on_the_versions_that_run():
    assert pinned("requirements.lock").items() <= pinned("requirements-dev.lock").items()


def test_every_dependency_is_explained():
    page = (ROOT / "docs/dependencies.md").read_text()
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    explained = names(re.findall(r"`([\w.-]+)`", page))
    assert names(wanted) <= explained
