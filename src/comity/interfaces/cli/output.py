"""How commands speak: tables for people, JSON for machines, errors that say what to do next."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ParamSpec, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from comity.interfaces.shared.problems import to_exit_code, to_problem
from comity.kernel.errors import ComityError

console = Console()
errors = Console(stderr=True)

P = ParamSpec("P")
R = TypeVar("R")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def print_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[int] = ()
) -> None:
    """Print a table; `numbers` are the columns that hold numbers."""
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="right" if index in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(to_cell(value) for value in row))
    console.print(table)


def to_cell(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return escape(str(value))


def translates_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print an error as a sentence with its details (JSON with --json) and leave with the exit code of its kind."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ComityError as error:
            if kwargs.get("json"):
                print_json(to_problem(error))
            else:
                _print_error(error)
            raise typer.Exit(to_exit_code(error)) from None

    return run


def _print_error(error: ComityError) -> None:
    errors.print(f"[bold red]{escape(error.message)}[/]", highlight=False)
    for name, value in error.details.items():
        if name == "problems":
            for problem in value:
                place = f"{problem['file']}:{problem['line']}:{problem['column']}"
                errors.print(f"  [bold]{escape(place)}[/] {escape(problem['message'])}", highlight=False)
                errors.print(f"      {escape(problem['remedy'])}", highlight=False, style="dim")
        else:
            errors.print(f"  {escape(name)}: {escape(str(value))}", highlight=False, style="dim")
