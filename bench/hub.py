"""A hub for a benchmark: a migrated database with the benchmark's definitions in force."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from bench.server import Server
from comity import wiring
from comity.access import api as access
from comity.definitions import api as definitions
from comity.definitions.types import DefinitionsInvalid
from comity.settings import Settings
from comity.sync import api as sync

PROJECT = Path(__file__).with_name("project")
COMMON = ("attributes", "systems", "mappings", "rules")


@contextmanager
def open_hub(server: Server, *, match: str, database_url: str | None = None) -> Generator[wiring.Hub]:
    """Open a hub on the server, in its own database or another one, and put the project in force.

    `match` names the file of match rules: `guarded` or `keys`.
    """
    folder = server.folder / f"project-{match}"
    folder.mkdir(exist_ok=True)
    for name in (*COMMON, f"match-{match}"):
        shutil.copy(PROJECT / f"{name}.yaml", folder)
    settings = Settings(data_dir=server.data_dir, project_dir=folder, database_url=database_url)
    with wiring.open_hub(settings) as hub:
        _apply(hub)
        yield hub


def create_key(hub: wiring.Hub) -> str:
    """Make an API key that may send events and redeem."""
    now = hub.clock.now()
    with hub.database.transaction() as tx:
        return access.create_api_key(
            tx, name="bench", scopes=["intake", "redeem"], expires_at=now + timedelta(days=1), now=now, ids=hub.ids
        )


def _apply(hub: wiring.Hub) -> None:
    loaded = definitions.read_project(hub.settings.project_dir)
    problems = definitions.validate(loaded, checkers=wiring.CHECKERS)
    if problems:
        raise DefinitionsInvalid(problems)
    with hub.database.transaction() as tx:
        plan = sync.plan_documents(tx, documents=loaded.documents)
        sync.apply_documents(tx, plan=plan, author="bench", now=hub.clock.now(), checkers=wiring.CHECKERS)
