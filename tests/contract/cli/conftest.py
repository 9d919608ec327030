"""The command line in this process, on a database of its own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from comity.interfaces.cli.main import app
from comity.kernel.database import Database

Run = Callable[..., Result]


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No setting of Comity in the environment, and an empty directory to stand in."""
    import os

    for name in os.environ:
        if name.startswith("COMITY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return monkeypatch


@pytest.fixture
def run(clean: pytest.MonkeyPatch) -> Run:
    """Run a command: `run("validate", "--json")`."""
    del clean

    def call(*words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    return call


@pytest.fixture
def hub(clean: pytest.MonkeyPatch, run: Run, database: Database) -> Run:
    """Run commands against an empty database."""
    clean.setenv("COMITY_DATABASE_URL", database.dsn)
    return run


@pytest.fixture
def project(hub: Run) -> Run:
    """The same, in a project directory with the starter's files, in force."""
    assert hub("init").exit_code == 0
    assert hub("apply", "--yes").exit_code == 0
    return hub


def told(result: Result):
    """What a command said as JSON; fails when it is anything else."""
    return json.loads(result.stdout)
