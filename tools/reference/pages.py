"""The pages of the reference."""

import json
from collections.abc import Sequence

import typer
from msgspec import inspect as shapes

from comity.definitions.types import SPEC_TYPES, Kind
from comity.interfaces.cli.main import app
from comity.interfaces.shared.problems import TREATMENTS
from comity.kernel.errors import ComityError
from comity.mapping.lenses.registry import LENSES
from comity.settings import PREFIX, TEST_NAMES, Settings
from comity.wiring import CONNECTORS
from tools.reference.api import api_page
from tools.reference.errors import errors_page
from tools.reference.shapes import (
    anchor,
    code,
    default_of,
    field_rows,
    first_paragraph,
    in_words,
    name_of,
    structs_in,
    table,
    told_of,
    whole_docstring,
)

NOTE = "<!-- Written by `make schemas` from the code; edit the code instead. -->"
FIELD_HEADINGS = ("field", "value", "default", "meaning")

__all__ = ["write_pages"]


def write_pages() -> dict[str, str]:
    """Return every page: file name -> text."""
    pages = {
        "README.md": index_page(),
        "settings.md": settings_page(),
        "cli.md": cli_page(),
        "definitions.md": definitions_page(),
        "mapping-lenses.md": lenses_page(),
        "connectors.md": connectors_page(),
        "errors.md": errors_page(),
        "api.md": api_page(),
    }
    return {name: "\n".join([NOTE, "", *lines]).rstrip() + "\n" for name, lines in pages.items()}


def index_page() -> list[str]:
    """What there is."""
    return [
        "# Reference",
        "",
        "Written from the code, so that it is complete and true.",
        "",
        *table(
            ("page", "holds"),
            [
                ("[settings](settings.md)", "the environment of a hub"),
                ("[cli](cli.md)", "every command, its options and exit codes"),
                ("[definitions](definitions.md)", "every kind of document and its fields"),
                ("[mapping lenses](mapping-lenses.md)", "how values are read and written"),
                ("[connectors](connectors.md)", "settings, secrets and abilities of each connector"),
                ("[api](api.md)", "every route of the REST API"),
                ("[errors](errors.md)", "every code, what it means and what to do"),
            ],
        ),
    ]


def settings_page() -> list[str]:
    """The environment variables."""
    rows = [
        [code(f"{PREFIX}{field.encode_name.upper()}"), in_words(field.type), default_of(field), told_of(field.type)]
        for field in shapes.type_info(Settings).fields
    ]
    return [
        "# Settings",
        "",
        "A hub is told by environment variables; flags of a command come before them. An empty variable counts as not",
        "set. A variable that begins with `COMITY_` and is not listed here is an error, so that a misspelt one never",
        "passes in silence. `comity settings` shows what is in force and where it comes from, secrets masked.",
        "",
        *table(("variable", "value", "default", "meaning"), rows),
        f"The tests of Comity itself know {', '.join(code(PREFIX + name.upper()) for name in sorted(TEST_NAMES))}.",
    ]


def cli_page() -> list[str]:
    """Every command."""
    exits: dict[int, list[str]] = {}
    for kind, treatment in TREATMENTS:
        if kind is ComityError:
            continue
        exits.setdefault(treatment.exit_code, []).append(first_paragraph(kind))
    lines = [
        "# Command line",
        "",
        "Every command takes `--json`: then it prints one JSON document, errors and mistakes in the command line",
        "included (`comity up`: a line of JSON for all that happens).",
        "",
        *_commands(typer.main.get_command(app), ("comity",)),
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | not confirmed, or a check did not hold |",
    ]
    lines += [f"| {number} | {'<br>'.join(meanings)} |" for number, meanings in sorted(exits.items())]
    return [*lines, "| 130 | interrupted |", ""]


def _commands(command: typer.core.TyperGroup, words: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for name, each in command.commands.items():
        path = (*words, name)
        if hasattr(each, "commands"):
            lines += [f"## {' '.join(path)}", "", (each.help or "").strip(), ""]
            lines += _commands(each, path)
            continue
        lines += [f"{'##' if len(path) == 2 else '###'} {' '.join(path)}", "", " ".join((each.help or "").split()), ""]
        lines += [
            "```",
            each.get_usage(typer.Context(each, info_name=" ".join(path))).removeprefix("Usage: "),
            "```",
            "",
        ]
        rows = [_parameter(parameter) for parameter in each.params if parameter.name != "help"]
        lines += table(("option", "meaning", "default"), rows)
    return lines


def _parameter(parameter: typer.core.TyperOption) -> tuple[str, str, str]:
    is_option = parameter.param_type_name == "option"
    words = parameter.opts if is_option else [str(parameter.name).upper()]
    words = [*words, *(parameter.secondary_opts if parameter.default is True else [])]
    default = parameter.opts[0] if parameter.default is True else parameter.default
    is_told = default not in (None, False, [], ()) and not callable(default)
    shown = code(default) if is_told else "required" if parameter.required else ""
    return ", ".join(code(each) for each in words), getattr(parameter, "help", None) or "", shown


def definitions_page() -> list[str]:
    """Every kind of document."""
    lines = [
        "# Definitions",
        "",
        "A document is a map of `kind`, `name` and `spec`. A file may hold several, parted by `---`. Files are YAML",
        "1.2: `no` is a text, not false. Unknown fields are errors. JSON Schemas for editors are in `schemas/`; the",
        "guide is [guides/definitions.md](../guides/definitions.md).",
        "",
        *table(("kind", "is"), [(f"[{kind}](#{kind})", first_paragraph(SPEC_TYPES[kind])) for kind in Kind]),
    ]
    for kind in Kind:
        structs = list(structs_in(SPEC_TYPES[kind]))
        titles = {each: f"{kind}: {name_of(each)}" for each in structs[1:]}
        links = {each: anchor(title) for each, title in titles.items()} | {structs[0]: str(kind)}
        lines += [f"## {kind}", "", whole_docstring(structs[0]), ""]
        lines += table(FIELD_HEADINGS, field_rows(structs[0], links))
        for each in structs[1:]:
            lines += [f"### {titles[each]}", "", whole_docstring(each), ""]
            lines += table(FIELD_HEADINGS, field_rows(each, links))
    return lines


def lenses_page() -> list[str]:
    """Every lens."""
    lines = [
        "# Mapping lenses",
        "",
        "A lens reads a system's value into a canonical one and writes it back; what it wrote it reads as that value.",
        'In a mapping: `lens: email`, or with options `lens: {date: {format: "%d.%m.%Y"}}`.',
        "",
        *table(
            ("lens", "reads into", "is"),
            [
                (f"[{name}](#{name})", ", ".join(code(each) for each in LENSES[name].types), LENSES[name].summary)
                for name in sorted(LENSES)
            ],
        ),
    ]
    for name in sorted(LENSES):
        lens = LENSES[name]
        lines += [f"## {name}", "", lens.summary, ""]
        types = ", ".join(code(each) for each in lens.types)
        more = ", ".join(code(each) for each in lens.written_types)
        lines += [f"Attribute types: {types}" + (f"; when only written also {more}." if more else "."), ""]
        rows = [row[:3] for row in field_rows(lens.options_type)]
        lines += table(("option", "value", "default"), rows) or ["It takes no options.", ""]
    return lines


def connectors_page() -> list[str]:
    """Every connector."""
    lines = ["# Connectors", "", "What stands under `settings` and `secrets` of a system.", ""]
    for name, spec in sorted(CONNECTORS.items()):
        structs = list(structs_in(spec.settings))
        titles = {each: f"{name}: {name_of(each)}" for each in structs[1:]}
        links = {each: anchor(title) for each, title in titles.items()}
        lines += [f"## {name}", "", f"{spec.title}. {whole_docstring(spec.settings)}", ""]
        lines += table(FIELD_HEADINGS[:3], [row[:3] for row in field_rows(structs[0], links)])
        lines += [f"Secrets: {_secrets(spec)}.", "", "Abilities:", ""]
        abilities = {field: getattr(spec.capabilities, field) for field in spec.capabilities.__struct_fields__}
        lines += table(
            ("ability", ""), [(each.replace("_", " "), _ability(value)) for each, value in abilities.items()]
        )
        for each in structs[1:]:
            lines += [f"### {titles[each]}", "", whole_docstring(each), ""]
            lines += table(FIELD_HEADINGS[:3], [row[:3] for row in field_rows(each, links)])
    return lines


def _secrets(spec: object) -> str:
    required = [code(each) for each in getattr(spec, "secrets", ())]
    optional = [code(each) for each in getattr(spec, "secrets_optional", ())]
    parts = [", ".join(required)] if required else []
    parts += [f"by need {', '.join(optional)}"] if optional else []
    return "; ".join(parts).replace(code("*"), "any name that the settings refer to") or "none"


def _ability(value: object) -> str:
    return (
        {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else json.dumps(value, default=str)
    )
