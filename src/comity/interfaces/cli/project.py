"""Commands on the project directory: init, validate, plan, apply, export."""

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.prompt import Confirm

from comity import wiring
from comity.definitions import api as definitions
from comity.definitions.types import DefinitionsInvalid, Document, Plan
from comity.interfaces.cli.opening import DataDir, Project, get_settings, open_hub
from comity.interfaces.cli.output import Json, console, print_json, print_table, translates_errors
from comity.kernel.errors import Conflict
from comity.sync import api as sync


class FilesExist(Conflict):
    """There are files already that init would write; choose an empty directory."""


@translates_errors
def init(
    directory: Annotated[Path, typer.Argument(help="Where the project goes.")] = Path(), *, json: Json = False
) -> None:
    """Write a starter project: two systems, attributes, mappings, match rules, orchestration rules, a programme."""
    files = definitions.starter_files()
    taken = [name for name in files if (directory / name).exists()]
    if taken:
        raise FilesExist(details={"files": taken})
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if json:
        print_json({"directory": str(directory), "files": sorted(files)})
        return
    for name in sorted(files):
        console.print(f"  wrote {directory / name}", highlight=False)
    console.print(
        "Next: look at systems.yaml, then [bold]comity validate[/], [bold]comity plan[/], [bold]comity apply[/]."
    )


@translates_errors
def validate(*, project: Project = None, json: Json = False) -> None:
    """Check every file of the project; each problem names file, line, field and remedy."""
    documents = load_project(get_settings(project=project).project_dir)
    if json:
        print_json({"documents": len(documents), "problems": []})
    else:
        console.print(f"[green]{len(documents)} documents, no problem.[/]")


@translates_errors
def plan(*, project: Project = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Show what applying the project would change; changes nothing."""
    with open_hub(project=project, data_dir=data_dir) as hub:
        documents = load_project(hub.settings.project_dir)
        with hub.database.transaction() as tx:
            found = sync.plan_documents(tx, documents=documents)
    if json:
        print_json(_to_view(found))
    else:
        show_plan(found)


@translates_errors
def apply(
    *,
    project: Project = None,
    data_dir: DataDir = None,
    author: Annotated[str | None, typer.Option(help="Who is applying; your login name by default.")] = None,
    allow_removal: Annotated[bool, typer.Option(help="Let documents go that are no longer in the project.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Put the project in force, all or nothing; a running hub follows at once."""
    with open_hub(project=project, data_dir=data_dir) as hub:
        documents = load_project(hub.settings.project_dir)
        with hub.database.transaction() as tx:
            found = sync.plan_documents(tx, documents=documents)
        if not json:
            show_plan(found)
        if not (yes or json) and not found.is_empty and not Confirm.ask("Apply this?", default=False):
            raise typer.Exit(1)
        with hub.database.transaction() as tx:
            effects = sync.apply_documents(
                tx,
                plan=found,
                author=author or getpass.getuser(),
                now=hub.clock.now(),
                checkers=wiring.CHECKERS,
                is_removal_allowed=allow_removal,
            )
    if json:
        print_json(effects)
    else:
        console.print(f"[green]In force: revision {effects.result.revision}.[/]")
        if effects.new_attributes:
            console.print(f"  new attributes: {', '.join(effects.new_attributes)}", highlight=False)
        if effects.stale_systems:
            console.print(f"  systems to be brought up to date: {', '.join(effects.stale_systems)}", highlight=False)


@translates_errors
def export(
    directory: Annotated[Path, typer.Argument(help="Where the files go.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Write the definitions in force as files, comments kept."""
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        files = definitions.export(tx)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if json:
        print_json({"directory": str(directory), "files": sorted(files)})
    else:
        console.print(f"{len(files)} files written to {directory}.", highlight=False)


def load_project(directory: Path) -> tuple[Document, ...]:
    """Read and check a project. Raises DefinitionsInvalid with every problem found."""
    loaded = definitions.read_project(directory)
    problems = definitions.validate(loaded, checkers=wiring.CHECKERS)
    if problems:
        raise DefinitionsInvalid(problems)
    if not loaded.documents:
        raise DefinitionsInvalid(())
    return loaded.documents


def show_plan(found: Plan) -> None:
    """Print a plan for people."""
    rows: list[tuple[str, str, str]] = []
    for sign, items in (("+ add", found.added), ("~ change", found.changed), ("- only in force", found.removed)):
        for item in items:
            changes = "; ".join(f"{c.field}: {c.before!r} → {c.after!r}" for c in item.changes[:4])
            more = f" and {len(item.changes) - 4} more" if len(item.changes) > 4 else ""
            rows.append((sign, f"{item.kind}/{item.name}", changes + more if sign == "~ change" else ""))
    if rows:
        print_table("", ("", "document", "what changes"), rows)
    console.print(f"{len(found.unchanged)} unchanged.", highlight=False)


def _to_view(found: Plan) -> dict[str, object]:
    return {
        "revision": found.revision,
        "added": found.added,
        "changed": found.changed,
        "removed": found.removed,
        "unchanged_count": len(found.unchanged),
    }
