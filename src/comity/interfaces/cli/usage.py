"""Mistakes in the command line itself: words for people, and JSON where `--json` stands anywhere in it."""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from comity.interfaces.cli.output import print_json
from comity.interfaces.shared.problems import to_exit_code, to_problem
from comity.kernel.errors import Invalid

JSON_WORD = "--json"


class UsageWrong(Invalid):
    """The command line is not one that Comity knows: an unknown command or option, or something is missing."""


class Commands(TyperGroup):
    """All commands."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - as the class above has it.
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002
        **extra: Any,
    ) -> Any:
        """Run a command; leave with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        is_told_as_json = standalone_mode and JSON_WORD in words
        try:
            code = super().main(
                words, prog_name, complete_var, standalone_mode and not is_told_as_json, windows_expand_args, **extra
            )
        except TyperException as error:
            if not is_told_as_json:
                raise
            wrong = _to_wrong(error)
            print_json(to_problem(wrong))
            sys.exit(to_exit_code(wrong))
        except typer.Abort:
            if not is_told_as_json:
                raise
            sys.exit(1)
        return sys.exit(code) if is_told_as_json else code


def _to_wrong(error: TyperException) -> UsageWrong:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "comity"
    details = {"usage": context.get_usage().removeprefix("Usage: ")} if context else {}
    remedy = f"`{command} --help` shows what it takes."
    if getattr(error, "option_name", None) == JSON_WORD:
        remedy = f"{JSON_WORD} goes behind the whole command. {remedy}"
    return UsageWrong(error.format_message(), details=details | {"remedy": remedy})
