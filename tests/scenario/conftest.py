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


def connect(
    hub: Rehearsal, kind: str, name: str, sandbox: Sandbox, *, create: str = "never", every: str = "1s"
) -> None:
    """Write a simulated system into the project, its secrets beside it."""
    hub.write(**system_files(kind, name, sandbox, create=create, every=every))
    (hub.folder / f"{name}.token").write_text(sandbox.token)
    (hub.folder / f"{name}.secret").write_text(sandbox.ready.client_secret or "none")


def connect_three(
    hub: Rehearsal, a: Simulated, b: Simulated, c: Simulated, *, create: str = "never", every: str = "1s"
) -> None:
    """Connect two Salesforce-like systems (crm-a, crm-b) and a HubSpot-like one (crm-c), and put all in force."""
    # The starter's rules name systems of the starter.
    rules = (hub.folder / "rules.yaml").read_text()
    hub.write(rules=rules.replace("salesforce-emea", "crm-a").replace("hubspot-us", "crm-c"))
    for kind, name, system in (("salesforce", "crm-a", a), ("salesforce", "crm-b", b), ("hubspot", "crm-c", c)):
        connect(hub, kind, name, system.sandbox, create=create, every=every)
    hub.apply()


def subscribe(hub: Rehearsal, name: str) -> None:
    """Let a system push its changes to the hub, by the vendor's own interface for that."""
    runtime = hub.hub.get_runtime()
    connector = hub.hub.get_connector(name, runtime.systems[name])
    fields = {stream: mapping.vendor_fields for (system, stream), mapping in runtime.streams.items() if system == name}
    connector.subscribe(f"{hub.url}/hooks/{name}", fields=fields)
