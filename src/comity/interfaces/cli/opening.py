"""Opening the hub for a command."""

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from comity import wiring
from comity.kernel.telemetry import configure
from comity.settings import Settings, read_settings
from comity.wiring import Schema

Project = Annotated[
    Path | None, typer.Option("--project", "-p", help="Project directory (COMITY_PROJECT_DIR); here by default.")
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where the embedded database lives (COMITY_DATA_DIR).")
]


def get_settings(*, project: Path | None = None, data_dir: Path | None = None, **flags: object) -> Settings:
    """Return settings: environment, flags over it."""
    return read_settings(os.environ, project_dir=project, data_dir=data_dir, **flags)


@contextmanager
def open_hub(
    *, project: Path | None = None, data_dir: Path | None = None, schema: Schema = Schema.MIGRATE
) -> Generator[wiring.Hub]:
    """Open the hub for one command; logs only warnings, so that the output stays the command's own."""
    configure(level="warning")
    settings = get_settings(project=project, data_dir=data_dir)
    with wiring.open_hub(settings, pool_size_max=4, schema=schema) as hub:
        yield hub


def read_hub(*, data_dir: Path | None = None) -> AbstractContextManager[wiring.Hub]:
    """Open the hub for a command that only reads. Raises SchemaMissing, SchemaOutdated: the schema is left as it is."""
    return open_hub(data_dir=data_dir, schema=Schema.REQUIRE)
