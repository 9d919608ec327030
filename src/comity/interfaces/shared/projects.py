"""A project as it comes in, from a directory or over the network: well formed as a whole, or refused as a whole."""

import re
from collections.abc import Mapping

from comity import wiring
from comity.definitions import api as definitions
from comity.definitions.api import Loaded
from comity.definitions.types import DefinitionsInvalid, Document
from comity.kernel.errors import Invalid

FILE_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/){0,8}[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.ya?ml")


class ProjectEmpty(Invalid):
    """The project holds no document."""


class FileNameInvalid(Invalid):
    """A file of a project has a relative path of letters, digits, dots, dashes and underscores, ending in .yaml."""


def check_documents(loaded: Loaded) -> tuple[Document, ...]:
    """Return the documents of what was read. Raises DefinitionsInvalid with every problem, or ProjectEmpty."""
    problems = definitions.validate(loaded, checkers=wiring.CHECKERS)
    if problems:
        raise DefinitionsInvalid(problems)
    if not loaded.documents:
        raise ProjectEmpty(details={"remedy": "`comity init DIRECTORY` writes a project to start from."})
    return loaded.documents


def load_files(files: Mapping[str, str]) -> tuple[Document, ...]:
    """Return the documents of files given by name; what `comity export` writes one day stays inside its directory.

    Raises FileNameInvalid, DefinitionsInvalid, ProjectEmpty.
    """
    bad = [name for name in files if not FILE_NAME.fullmatch(name)]
    if bad:
        raise FileNameInvalid(details={"files": [name[:200] for name in bad[:20]]})
    loaded = Loaded()
    for name in sorted(files):
        loaded += definitions.load_text(files[name], file=name)
    return check_documents(loaded)
