"""The page of errors: by what the caller must do, by code, and the reasons of parked items."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import comity
from comity.interfaces.shared.problems import FRAMEWORK_CODES, TREATMENTS, find_treatment
from comity.kernel import errors as kinds
from comity.kernel.errors import ComityError
from tools.reference.shapes import code, first_paragraph, table

LEFT_OUT = ("comity.sandbox", "comity.interfaces.cli.demo")
"""What simulates others or tells a story; its errors reach nobody who runs a hub."""

SOURCE = Path(comity.__file__).parent


def errors_page() -> list[str]:
    """Return the page's lines."""
    return [
        "# Errors",
        "",
        "Over HTTP an error is a problem (RFC 9457): `status`, `code`, `title`, and `details` with the place and",
        "always a `remedy`. On the command line it is a sentence, its details, and an exit code; with `--json` the",
        "same problem. The code is stable; sentences may change.",
        "",
        "## Kinds",
        "",
        *table(
            ("kind", "meaning", "HTTP", "exit", "what to do when the error does not say"),
            [
                (kind.__name__, first_paragraph(kind), str(each.status), str(each.exit_code), each.remedy)
                for kind, each in TREATMENTS
                if kind.__module__ == kinds.__name__ and kind is not ComityError
            ],
        ),
        "## Codes",
        "",
        *table(("code", "HTTP", "kind", "meaning", "room"), sorted([*_classes(), *_raised_codes()])),
        "Before any code of ours sees a request:",
        "",
        *table(("code", "HTTP"), [(code(each), str(status)) for status, each in sorted(FRAMEWORK_CODES.items())]),
        "## Why a change is parked",
        "",
        "`comity parked list` shows code, field, what was found, what is expected, and the remedy.",
        "",
        *table(("code", "expected", "remedy"), sorted(_rejections())),
    ]


def list_error_classes() -> list[type[ComityError]]:
    """Return every class of error that somebody who runs a hub can meet, kinds left out."""
    for module in pkgutil.walk_packages(comity.__path__, "comity."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: set[type[ComityError]] = set()
    waiting = [ComityError]
    while waiting:
        below = waiting.pop().__subclasses__()
        waiting += below
        found |= set(below)
    return sorted(
        (
            each
            for each in found
            if each.__module__.startswith("comity.")
            and each.__module__ != kinds.__name__
            and not each.__module__.startswith(LEFT_OUT)
        ),
        key=lambda each: (each.__name__, each.__module__),
    )


def code_of(error: type[ComityError]) -> str:
    """Return the code that errors of a class have unless one is given."""
    return kinds._snake_case(error.__name__)  # noqa: SLF001 - the one place that makes codes.


def _classes() -> Iterator[tuple[str, str, str, str, str]]:
    for each in list_error_classes():
        kind = next(base for base in inspect.getmro(each) if base.__module__ == kinds.__name__)
        status = str(find_treatment(each).status)
        yield code(code_of(each)), status, kind.__name__, first_paragraph(each), _room(each.__module__)


def _room(module: str) -> str:
    return ".".join(module.split(".")[1 : 3 if ".interfaces." in module else 2])


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        module = "comity." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        if not module.startswith(LEFT_OUT):
            yield module, ast.parse(path.read_text(encoding="utf-8"))


def _raised_codes() -> Iterator[tuple[str, str, str, str, str]]:
    """Codes that are given where an error is raised: `raise NotFound("...", code="profile_not_found")`."""
    classes = {each.__name__: each for each in (*list_error_classes(), *(kind for kind, _ in TREATMENTS))}
    seen: set[str] = set()
    for module, tree in _trees():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in classes):
                continue
            given = next((word.value for word in node.keywords if word.arg == "code"), None)
            if not (isinstance(given, ast.Constant) and isinstance(given.value, str)) or given.value in seen:
                continue
            seen.add(given.value)
            error = classes[node.func.id]
            kind = next(base for base in inspect.getmro(error) if base.__module__ == kinds.__name__)
            message = _text(node.args[0]) if node.args else first_paragraph(error)
            yield code(given.value), str(find_treatment(error).status), kind.__name__, message, _room(module)


def _rejections() -> Iterator[tuple[str, str, str]]:
    """Reasons that lenses and the flow give: `Rejection(code, expected, remedy)`, `ParkedChange(code=..., ...)`."""
    seen: set[str] = set()
    for _, tree in _trees():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            words = {word.arg: word.value for word in node.keywords}
            if node.func.id == "Rejection" and len(node.args) == 3:
                reason, expected, remedy = (_text(each) for each in node.args)
            elif node.func.id in {"ParkedChange", "Problem"} and isinstance(words.get("code"), ast.Constant):
                reason = _text(words["code"])
                expected = _text(words.get("expected") or words.get("message"))
                remedy = _text(words.get("remedy"))
            else:
                continue
            if reason and reason not in seen:
                seen.add(reason)
                yield code(reason), expected, remedy


def _text(node: ast.expr | None) -> str:
    """Return what a literal says; places that are filled in later as `...`."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(each.value if isinstance(each, ast.Constant) else "..." for each in node.values)
    return ""
