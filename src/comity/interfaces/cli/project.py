"""Commands on the project directory: init, validate, plan, apply, export, history, describe."""

import getpass
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from comity import wiring
from comity.definitions import api as definitions
from comity.definitions.types import Apply, Document, Plan
from comity.interfaces.cli.opening import DataDir, Project, get_settings, open_hub, read_hub
from comity.interfaces.cli.output import Json, confirm, print_json, print_table, say, translates_errors
from comity.interfaces.cli.programme import find_effects
from comity.interfaces.cli.simulation import show_effects
from comity.interfaces.shared.history import describe_runtime, list_history, tell_change, to_kind
from comity.interfaces.shared.projects import check_documents
from comity.kernel.errors import Conflict
from comity.sync import api as sync


class FilesExist(Conflict):
    """There are files already that init would write; choose an empty directory."""


IGNORED = """# The database that Comity starts here, with its password.
/var/
# Secrets that systems take from files.
/secrets/
*.token
*.secret
"""
"""What never belongs into version control."""


@translates_errors
def init(
    directory: Annotated[Path, typer.Argument(help="Where the project goes.")] = Path(),
    *,
    schema: Annotated[
        bool, typer.Option("--schema", help="Only the JSON Schema for editors, for a project that is there already.")
    ] = False,
    json: Json = False,
) -> None:
    """Write a starter project: two systems, attributes, mappings, match rules, orchestration rules, a programme.

    With it comes the JSON Schema that editors complete and check its files by.
    """
    files = {} if schema else definitions.name_schema(definitions.starter_files())
    taken = [name for name in files if (directory / name).exists()]
    if taken:
        raise FilesExist(details={"files": taken, "remedy": "`comity init --schema` writes the JSON Schema alone."})
    if not schema and not (directory / ".gitignore").exists():
        files |= {".gitignore": IGNORED}
    files |= definitions.editor_schema()
    _write_files(directory, files)
    if json:
        print_json({"directory": str(directory), "files": sorted(files)})
        return
    for name in sorted(files):
        say(f"  wrote {escape(str(directory / name))}")
    if schema:
        say("Editors take it for documents with the line [bold]# yaml-language-server: $schema=...[/] and this path.")
        return
    say("Next: look at the files, then [bold]comity validate[/], [bold]comity plan[/], [bold]comity apply[/].")


def _write_files(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@translates_errors
def validate(*, project: Project = None, json: Json = False) -> None:
    """Check every file of the project; each problem names file, line, field and remedy."""
    documents = load_project(get_settings(project=project).project_dir)
    if json:
        print_json({"documents": len(documents), "problems": []})
    else:
        say(f"[green]{len(documents)} documents, no problem.[/]")


@translates_errors
def plan(
    *,
    project: Project = None,
    data_dir: DataDir = None,
    simulation: Annotated[
        bool, typer.Option(help="Also try programmes that change on the stored purchases, or a sample of them.")
    ] = True,
    json: Json = False,
) -> None:
    """Show what applying the project would change, and what that would do to points and tiers; changes nothing."""
    with open_hub(project=project, data_dir=data_dir, schema=wiring.Schema.BEGIN) as hub:
        documents = load_project(hub.settings.project_dir)
        with hub.database.transaction() as tx:
            found = sync.plan_documents(tx, documents=documents)
            new_variables = sync.find_new_variables(tx, documents=documents)
        effects = find_effects(hub, found) if simulation else []
    if json:
        print_json({**_to_view(found), "new_variables": new_variables, "simulations": effects})
    else:
        show_plan(found)
        _show_new_variables(new_variables)
        show_effects(effects)


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
            new_variables = sync.find_new_variables(tx, documents=documents)
        if not json:
            show_plan(found)
            _show_new_variables(new_variables)
        if not (yes or json) and not found.is_empty:
            confirm("Apply this?", remedy="Look at `comity plan`, then run `comity apply --yes`.")
        effects = hub.database.run(
            lambda tx: sync.apply_documents(
                tx,
                plan=found,
                author=author or _login_name(),
                now=hub.clock.now(),
                checkers=wiring.CHECKERS,
                is_removal_allowed=allow_removal,
            )
        )
    if json:
        print_json(effects)
    else:
        say(f"[green]In force: revision {effects.result.revision}.[/]")
        if effects.new_variables:
            names = ", ".join(dict.fromkeys(name for each in effects.new_variables.values() for name in each))
            say(f"  needed before these systems can be worked with: the hub (re)started with {escape(names)} set")
        if effects.new_attributes:
            say(f"  new attributes: {', '.join(effects.new_attributes)}")
        if effects.stale_systems:
            say(f"  systems to be brought up to date: {', '.join(effects.stale_systems)}")
        if effects.result.kept:
            kept = ", ".join(f"{item.kind}/{item.name}" for item in effects.result.kept)
            say(f"  still in force, though not in the project: {kept} (--allow-removal lets them go)")


@translates_errors
def export(
    directory: Annotated[Path, typer.Argument(help="Where the files go.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Write the definitions in force as files, comments kept, with their JSON Schema for editors."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        files = definitions.name_schema(definitions.export(tx)) | definitions.editor_schema()
    _write_files(directory, files)
    if json:
        print_json({"directory": str(directory), "files": sorted(files)})
    else:
        say(f"{len(files)} files written to {escape(str(directory))}.")


@translates_errors
def history(
    document: Annotated[str | None, typer.Argument(help="kind/name, such as rules/default; without: all.")] = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show who put which definitions in force and when; of one document, what each version changed."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        if document is None:
            _show_applies(definitions.list_applies(tx), json=json)
            return
        kind, _, name = document.partition("/")
        versions = list_history(tx, kind=to_kind(kind), name=name)
    if json:
        print_json(versions)
        return
    print_table(
        document,
        ("version", "when", "by", "what changed"),
        [
            (
                each.version,
                each.applied_at.isoformat(timespec="seconds"),
                each.author,
                "let go" if each.is_retired else "\n".join(map(tell_change, each.changes)) or "new",
            )
            for each in versions
        ],
        numbers=(0,),
    )


def _show_applies(applies: Sequence[Apply], *, json: bool) -> None:
    if json:
        print_json(applies)
        return
    print_table(
        "Applies",
        ("revision", "when", "by", "documents"),
        [
            (
                each.revision,
                each.applied_at.isoformat(timespec="seconds"),
                each.author,
                "\n".join(f"{what}: {', '.join(names)}" for what, names in each.summary.items() if names),
            )
            for each in applies
        ],
        numbers=(0,),
    )


@translates_errors
def describe(
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file for it.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Write what is in force for people to read: the mapping specification, and who leads where (Markdown)."""
    with read_hub(data_dir=data_dir) as hub:
        text = describe_runtime(hub.get_runtime())
    if output is not None:
        output.write_text(text, encoding="utf-8")
    if json:
        print_json({"text": text, "file": output})
    elif output is None:
        typer.echo(text, nl=False)
    else:
        say(f"Written to {escape(str(output))}.")


def load_project(directory: Path) -> tuple[Document, ...]:
    """Read and check a project. Raises DefinitionsInvalid with every problem found, or ProjectEmpty."""
    return check_documents(definitions.read_project(directory))


def show_plan(found: Plan) -> None:
    """Print a plan for people."""
    rows: list[tuple[str, str, str]] = []
    for sign, items in (("+ add", found.added), ("~ change", found.changed), ("- only in force", found.removed)):
        for item in items:
            changes = "\n".join(map(tell_change, item.changes)) if sign == "~ change" else ""
            rows.append((sign, f"{item.kind}/{item.name}", changes))
    if rows:
        print_table("", ("", "document", "what changes"), rows)
    say(f"{len(found.unchanged)} unchanged.")


def _show_new_variables(new_variables: Mapping[str, list[str]]) -> None:
    """Say which systems a running hub cannot work with before it was started anew."""
    for system, names in new_variables.items():
        say(
            f"{escape(system)} takes {escape(', '.join(names))} from the environment: a hub that runs without it must "
            "be restarted with it set. (A secret in a file needs no restart.)",
            style="yellow",
        )


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A user id without a name, as containers have it.
        return f"user {os.getuid()}"


def _to_view(found: Plan) -> dict[str, object]:
    return {
        "revision": found.revision,
        "added": found.added,
        "changed": found.changed,
        "removed": found.removed,
        "unchanged_count": len(found.unchanged),
    }
