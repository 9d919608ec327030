"""`comity`."""

from typing import Annotated

import typer

from comity import __version__
from comity.interfaces.cli import (
    keys,
    ledger,
    loading,
    parked,
    people,
    programme,
    project,
    running,
    stewarding,
    systems,
)
from comity.interfaces.cli.demo.command import demo
from comity.interfaces.cli.output import console
from comity.interfaces.cli.usage import Commands

app = typer.Typer(
    name="comity",
    cls=Commands,
    help="The hub between loyalty programmes and the systems that know the customers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)

app.command()(project.init)
app.command()(project.validate)
app.command()(project.plan)
app.command()(project.apply)
app.command()(project.export)
app.command()(project.history)
app.command()(project.describe)
app.command()(loading.load)
app.command()(running.up)
app.command()(running.status)
app.add_typer(systems.systems, name="systems")
app.add_typer(stewarding.profiles, name="profile")
app.command()(people.why)
app.add_typer(parked.parked, name="parked")
app.add_typer(keys.keys, name="keys")
app.add_typer(ledger.ledger, name="ledger")
app.add_typer(programme.programmes, name="programme")
app.command()(keys.settings)
app.add_typer(running.sandbox, name="sandbox")
app.command()(running.bench)
app.command()(demo)


def _show_version(value: bool) -> None:  # noqa: FBT001 - Typer calls it with the option's value.
    if value:
        console.print(f"comity {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Take options of every command."""
    del version


def main() -> None:
    """Run the command line."""
    app()
