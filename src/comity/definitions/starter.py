"""The project that `comity init` writes: two sandbox systems, mapped, matched, with rules and a programme."""

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable


def starter_files() -> dict[str, str]:
    """Return the files of a starter project, relative path to text. The project validates as it is."""
    return dict(_walk(files("comity.definitions") / "templates", ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield f"{prefix}{entry.name}", entry.read_text(encoding="utf-8")
