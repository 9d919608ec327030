"""The rehearsal as fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.kernel.database import Database
from comity.sandbox.api import Sandbox, SandboxKind, serve
from tests.scenario.project import starter, system_files
from tests.scenario.rehearsal import Rehearsal, Simulated


@pytest.fixture
def rehearsal(database: Database, tmp_path: Path) -> Iterator[Rehearsal]:
    """A hub with the starter's definitions and no system yet; not started."""
    hub = Rehearsal(database=database, folder=tmp_path)
    hub.write(**starter())
    yield hub
    hub.stop()


def _simulate(kind: SandboxKind, *, seed: int) -> Iterator[Simulated]:
    with serve(kind=kind, seed=seed) as sandbox:
        simulated = Simulated(sandbox)
        yield simulated
        simulated.close()


@pytest.fixture
def salesforce() -> Iterator[Simulated]:
    yield from _simulate("salesforce", seed=1)


@pytest.fixture
def salesforce_b() -> Iterator[Simulated]:
    yield from _simulate("salesforce", seed=2)


@pytest.fixture
def hubspot() -> Iterator[Simulated]:
    yield from _simulate("hubspot", seed=3)


def connect(hub: Rehearsal, kind: str, name: str, sandbox: Sandbox, *, create: str = "never") -> None:
    """Write a simulated system into the project, its secrets beside it."""
    hub.write(**system_files(kind, name, sandbox, create=create))
    (hub.folder / f"{name}.token").write_text(sandbox.token)
    (hub.folder / f"{name}.secret").write_text(sandbox.ready.client_secret or "none")
