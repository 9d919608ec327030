"""Everything that runs during the demo, from a fresh data folder to the end of the last process."""

import contextlib
import shutil
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from comity.interfaces.cli.demo.cast import CRMS, Crm
from comity.interfaces.cli.demo.hub import Hub
from comity.interfaces.cli.demo.people import CrmRecord, write_people
from comity.interfaces.cli.demo.processes import Child
from comity.interfaces.cli.demo.project_files import CREATE_NEVER, write_crm
from comity.interfaces.cli.demo.simulators import Simulator
from comity.kernel import embedded
from comity.kernel.egress import Egress
from comity.kernel.errors import Conflict, NotFound

MARK = ".comity-demo"
PORT_WISHED = 8080


class FolderTaken(Conflict):
    """The folder holds something else than an earlier demo; choose another one."""


class Stage:
    """The running hub and the running CRMs."""

    def __init__(self, *, data_dir: Path, hub: Hub, crms: dict[str, Simulator]) -> None:
        """Made by `open_stage`."""
        self.data_dir = data_dir
        self.hub = hub
        self._crms = crms

    @property
    def project_dir(self) -> Path:
        """Where the project's YAML lies."""
        return self.data_dir / "project"

    def crm(self, crm: Crm) -> Simulator:
        """Return the simulator of a CRM."""
        return self._crms[crm.system]

    def connect(self, crm: Crm, *, create: str = CREATE_NEVER) -> None:
        """Write a CRM into the project; `apply_project` puts it in force."""
        write_crm(self.project_dir, crm, self.crm(crm).wait_ready(), create=create)


@contextmanager
def open_stage(*, data_dir: Path, records: list[CrmRecord], port: int | None) -> Generator[Stage]:
    """Start everything in a fresh folder, and end it all however the demo ends."""
    logs, people = data_dir / "logs", data_dir / "people"
    for folder in (logs, people, data_dir / "project"):
        folder.mkdir()
    children: list[Child] = []
    with contextlib.ExitStack() as stack:
        egress = stack.enter_context(Egress())
        stack.callback(_end_all, children)
        hub = Hub(
            data_dir=data_dir,
            project_dir=data_dir / "project",
            port=choose_port(port),
            log=logs / "hub.log",
            egress=egress,
        )
        children.append(hub.child)
        stack.callback(hub.close)
        crms: dict[str, Simulator] = {}
        for crm in CRMS:
            path = people / f"{crm.system}.csv"
            write_people(path, [record for record in records if record.crm is crm])
            crms[crm.system] = Simulator(crm, people=path, log=logs / f"{crm.system}.log", egress=egress)
            children.append(crms[crm.system].child)
        for simulator in crms.values():
            simulator.wait_ready()
        hub.wait_ready()
        yield Stage(data_dir=data_dir, hub=hub, crms=crms)


def make_fresh(data_dir: Path) -> Path:
    """Return an empty folder; an earlier demo in it is removed. Raises FolderTaken, ServerInUse."""
    folder = data_dir.resolve()
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise FolderTaken(f"{folder} holds something else than an earlier demo; give another --data-dir.")
        remove_stage(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    return folder


def remove_stage(folder: Path) -> None:
    """Remove a demo's folder and its database. Raises ServerInUse while one is running in it."""
    with contextlib.suppress(NotFound):
        embedded.remove(data_dir=folder / "postgres", wait_seconds=30.0)
    shutil.rmtree(folder)


def choose_port(wished: int | None) -> int:
    """Return the port asked for; otherwise the usual one, or a free one when that is taken."""
    if wished:
        return wished
    for candidate in (PORT_WISHED, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", candidate))
            return int(probe.getsockname()[1])
    raise Conflict("There is no free port.")


def _end_all(children: list[Child]) -> None:
    for child in children:
        child.ask_to_end()
    for child in children:
        child.end()
