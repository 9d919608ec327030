"""A project directory: every YAML file under it, in the order of their paths, hidden ones left out."""

from collections.abc import Iterator
from pathlib import Path

from comity.definitions.loading import Loaded, load_text
from comity.definitions.types_document import Problem

FILES_MAX = 2_000
FILE_BYTES_MAX = 2_000_000
_SUFFIXES = frozenset({".yaml", ".yml"})


def read_project(folder: Path) -> Loaded:
    """Read all documents of a project; names of files are relative to the folder. Every problem is in the result."""
    if not folder.is_dir():
        return Loaded(problems=(_fault(str(folder), "There is no such directory.", "Run `comity init` to make one."),))
    loaded = Loaded()
    for count, path in enumerate(_list_files(folder), start=1):
        name = path.relative_to(folder).as_posix()
        if count > FILES_MAX:
            return loaded + Loaded(problems=(_fault(name, "There are too many files.", "Join some of them."),))
        loaded += _read_file(path, name)
    return loaded


def _list_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in _SUFFIXES and not is_hidden and path.is_file():
            yield path


def _read_file(path: Path, name: str) -> Loaded:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            return Loaded(problems=(_fault(name, f"The file is larger than {FILE_BYTES_MAX} bytes.", "Split it."),))
        return load_text(path.read_text(encoding="utf-8"), file=name)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return Loaded(problems=(_fault(name, "The file is not UTF-8.", "Save it as UTF-8.", line=line),))
    except OSError as error:
        return Loaded(problems=(_fault(name, f"The file cannot be read: {error.strerror}.", "Check its rights."),))


def _fault(file: str, message: str, remedy: str, *, line: int = 1) -> Problem:
    return Problem(file=file, line=line, column=1, document="", field="", message=message, remedy=remedy)
