"""How commands speak: tables for people, JSON for machines, errors that say what to do next."""

import functools
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, ParamSpec, TypeVar, cast

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.prompt import Confirm
from rich.table import Table

from comity.interfaces.shared.problems import to_exit_code, to_problem
from comity.kernel.errors import Broken, ComityError, Invalid

WIDTH_PIPED = 160
"""Columns of what nobody sees on a terminal."""


def _open_console(*, is_error: bool) -> Console:
    is_terminal = (sys.stderr if is_error else sys.stdout).isatty()
    return Console(stderr=is_error, width=None if is_terminal else WIDTH_PIPED)


console = _open_console(is_error=False)
errors = _open_console(is_error=True)


class FileUnusable(Invalid):
    """A file or directory cannot be used."""


class ConfirmationMissing(Invalid):
    """Nobody is at the terminal to be asked."""


P = ParamSpec("P")
R = TypeVar("R")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def print_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_json_line(value: Any) -> None:
    """Print one JSON document on a line of its own, at once."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def say(text: str, *, style: str | None = None) -> None:
    """Print a line as it is, however long; markup is read, so escape what comes from outside."""
    console.print(text, style=style, highlight=False, soft_wrap=True)


def print_table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[int] = ()
) -> None:
    """Print a table; `numbers` are the columns that hold numbers."""
    if title:  # Above it, since a title in a narrow table is broken.
        say(escape(title), style="italic")
    table = Table(header_style="bold")
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


def confirm(question: str, *, remedy: str) -> None:
    """Ask; leave with 1 when the answer is no. Raises ConfirmationMissing where nobody can be asked."""
    if not sys.stdin.isatty():
        raise ConfirmationMissing(details={"remedy": remedy})
    if not Confirm.ask(question, default=False):
        raise typer.Exit(1)


def translates_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print an error as a sentence with its details (JSON with --json) and leave with the exit code of its kind."""
    return _translate(command, print_json)


def translates_errors_in_lines(command: Callable[P, R]) -> Callable[P, R]:
    """Do the same for a command that tells line by line: the JSON of an error is one line, too."""
    return _translate(command, print_json_line)


def _translate(command: Callable[P, R], tell: Callable[[Any], None]) -> Callable[P, R]:
    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:  # noqa: BLE001 - the edge of the program: every error becomes an exit code.
            known = _to_known(error)
            if kwargs.get("json"):
                tell(to_problem(known))
            else:
                _print_error(known)
            raise typer.Exit(to_exit_code(known)) from None

    return run


def _to_known(error: Exception) -> ComityError:
    """Return the error as one of ours; what nobody foresaw is printed whole first."""
    if isinstance(error, ComityError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return FileUnusable(
            f"{error.filename}: {error.strerror}.", details={"remedy": "Check the path and its rights, then try again."}
        )
    errors.print("".join(traceback.format_exception(error)), highlight=False, markup=False, soft_wrap=True)
    return Broken(f"Something went wrong inside Comity: {type(error).__name__}.")


def _print_error(error: ComityError) -> None:
    details = to_problem(error).details
    problems = details.pop("problems", [])
    sentence = error.message.partition(" First: ")[0] if problems else error.message
    errors.print(f"[bold red]{escape(sentence)}[/]", highlight=False, soft_wrap=True)
    for problem in problems:
        place = f"{problem['file']}:{problem['line']}:{problem['column']}"
        field = f" {problem['field']}:" if problem["field"] else ""
        told = f"  [bold]{escape(place)}[/]{escape(field)} {escape(problem['message'])}"
        errors.print(told, highlight=False, soft_wrap=True)
        errors.print(f"      {escape(problem['remedy'])}", highlight=False, style="dim", soft_wrap=True)
    remedy = details.pop("remedy", None)
    for name, value in details.items():
        errors.print(f"  {escape(name)}: {escape(_listed(value))}", highlight=False, style="dim", soft_wrap=True)
    if remedy and not problems:  # Each of those has one of its own.
        errors.print(f"  {escape(str(remedy))}", highlight=False, soft_wrap=True)


def _listed(value: Any) -> str:
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(each) for each in cast("Iterable[Any]", value))
    return str(value)
