"""YAML text to typed documents. Every problem of every document is found and named; nothing raises."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from comity.definitions.places import TEXT_LENGTH_MAX, Chunk, Fault, Place, read_document, split_documents
from comity.definitions.salvage import Rest, salvage
from comity.definitions.shape import Misfit, find_misfits, name_path, suggest
from comity.definitions.types_attribute import ATTRIBUTE_NAME, ATTRIBUTE_NAME_LENGTH_MAX
from comity.definitions.types_document import DOCUMENT_NAME, SPEC_TYPES, Document, Kind, Problem, Spec

DOCUMENTS_MAX = 5_000
_ENVELOPE = ("kind", "name", "spec")


class Partial(msgspec.Struct, frozen=True, kw_only=True):
    """A document with mistakes of shape: what could be read of it, and what is known of the rest."""

    document: Document
    rest: Rest


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: the documents that are well formed, the problems of the others, and the names of those.

    `partials` are what could be read of the others.
    """

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    partials: tuple[Partial, ...] = ()

    def __add__(self, other: "Loaded") -> "Loaded":
        """Join what two files held."""
        return Loaded(
            documents=self.documents + other.documents,
            problems=self.problems + other.problems,
            broken=self.broken + other.broken,
            partials=self.partials + other.partials,
        )


def load_text(text: str, *, file: str) -> Loaded:
    """Read all documents of one file. `file` is only the name that problems and documents carry."""
    if len(text) > TEXT_LENGTH_MAX:
        message = f"The file is longer than {TEXT_LENGTH_MAX} characters."
        return Loaded(problems=(_problem(file, 1, 1, message=message, remedy="Split it."),))
    loaded = Loaded()
    for chunk in split_documents(text):
        if len(loaded.documents) + len(loaded.problems) > DOCUMENTS_MAX:
            too_many = _problem(file, chunk.line, 1, message="Too many documents.", remedy="Split the file.")
            return loaded + Loaded(problems=(too_many,))
        loaded += _load_one(chunk, file)
    return loaded


class Locator:
    """Finds the places of a document's fields; its text is read again once, and only when there is a problem."""

    def __init__(self, document: Document) -> None:
        """Take the document; nothing is read yet."""
        self._document = document
        self._place: Place | Fault | None = None

    def problem(self, path: tuple[str | int, ...], message: str, remedy: str) -> Problem:
        """Make a problem of a field of the spec, at its place in the file."""
        document = self._document
        line, column = self._find(path)
        return _problem(
            document.file,
            line,
            column,
            document=f"{document.kind}/{document.name}",
            field=name_path(("spec", *path)),
            message=message,
            remedy=remedy,
        )

    def _find(self, path: tuple[str | int, ...]) -> tuple[int, int]:
        line = max(self._document.line, 1)
        if not self._document.text:
            return line, 1
        if self._place is None:
            self._place = read_document(Chunk(text=self._document.text, line=line))
        place = self._place
        return (place.line, place.column) if isinstance(place, Fault) else place.find(("spec", *path))


def _problem(
    file: str, line: int, column: int, *, message: str, remedy: str, document: str = "", field: str = ""
) -> Problem:
    return Problem(file=file, line=line, column=column, document=document, field=field, message=message, remedy=remedy)


def _load_one(chunk: Chunk, file: str) -> Loaded:
    place = read_document(chunk)
    if isinstance(place, Fault):
        return Loaded(problems=(_problem(file, place.line, place.column, message=place.message, remedy=place.remedy),))
    misfits, kind = _check_envelope(place)
    name = place.get("name")
    title = f"{kind or '?'}/{name if isinstance(name, str) else '?'}"
    if kind is not None and "spec" in place.fields:
        misfits += find_misfits(place.fields["spec"].place, SPEC_TYPES[kind], path=("spec",))
    if misfits or kind is None:
        misfits.sort(key=lambda each: (each.line, each.column))
        return Loaded(
            problems=tuple(_from_misfit(misfit, file, title) for misfit in misfits),
            broken=((kind.value, name),) if kind is not None and isinstance(name, str) else (),
            partials=_salvage(place, chunk, file, kind, misfits),
        )
    try:
        spec: Spec = msgspec.convert(place.get("spec"), SPEC_TYPES[kind])
    except msgspec.ValidationError as error:
        line, column = place.find(("spec",))
        message, remedy = f"{error}.", "Compare with the JSON Schema of this kind."
        problem = _problem(file, line, column, document=title, field="spec", message=message, remedy=remedy)
        return Loaded(problems=(problem,), broken=((kind.value, str(name)),))
    return Loaded(
        documents=(Document(kind=kind, name=str(name), spec=spec, file=file, line=chunk.line, text=chunk.text),)
    )


def _salvage(
    place: Place, chunk: Chunk, file: str, kind: Kind | None, misfits: Sequence[Misfit]
) -> tuple[Partial, ...]:
    """Return what can be checked of a document besides its misfits; nothing where kind or name cannot be relied on."""
    name = place.get("name")
    paths = [each.path for each in misfits]
    if kind is None or not isinstance(name, str) or any(path[:1] != ("spec",) for path in paths):
        return ()
    rest = salvage(place.fields["spec"].place, kind=kind, misfits=[path[1:] for path in paths])
    if rest is None:
        return ()
    document = Document(kind=kind, name=name, spec=rest.spec, file=file, line=chunk.line, text=chunk.text)
    return (Partial(document=document, rest=rest),)


def _from_misfit(misfit: Misfit, file: str, title: str) -> Problem:
    return _problem(
        file,
        misfit.line,
        misfit.column,
        document=title,
        field=name_path(misfit.path),
        message=misfit.message,
        remedy=misfit.remedy,
    )


def _check_envelope(place: Place) -> tuple[list[Misfit], Kind | None]:
    def misfit(path: tuple[str, ...], message: str, remedy: str) -> Misfit:
        line, column = place.find(path)
        return Misfit(path=path, line=line, column=column, message=message, remedy=remedy)

    if not isinstance(place.value, dict):
        return [misfit((), "The document is not a map.", "Write `kind:`, `name:` and `spec:`.")], None
    misfits = [
        misfit((name,), f"Unknown field '{name[:60]}'.", suggest(name, _ENVELOPE, what="Allowed fields"))
        for name in place.fields
        if name not in _ENVELOPE
    ]
    misfits += [
        misfit((), f"The field '{name}' is missing.", f"Add `{name}:`.")
        for name in _ENVELOPE
        if name not in place.fields
    ]
    kind = _read_kind(place.get("kind"))
    if "kind" in place.fields and kind is None:
        said = str(place.get("kind"))[:60]
        misfits.append(misfit(("kind",), f"There is no kind '{said}'.", suggest(said, list(Kind), what="Kinds")))
    if "name" in place.fields:
        name = place.get("name")
        remedy = _check_name(name, kind)
        if remedy:
            misfits.append(misfit(("name",), f"The name '{str(name)[:60]}' cannot be used.", remedy))
    return misfits, kind


def _read_kind(value: Any) -> Kind | None:
    return Kind(value) if isinstance(value, str) and value in list(Kind) else None


def _check_name(name: Any, kind: Kind | None) -> str | None:
    if not isinstance(name, str):
        return "Write a text; put it in quotes if it looks like a number."
    if kind is Kind.ATTRIBUTE:
        if not re.fullmatch(ATTRIBUTE_NAME, name) or len(name) > ATTRIBUTE_NAME_LENGTH_MAX:
            return (
                f"Names of attributes are lower-case letters, digits and single underscores, begin with a letter, "
                f"and have at most {ATTRIBUTE_NAME_LENGTH_MAX} characters."
            )
        return None
    if not re.fullmatch(DOCUMENT_NAME, name):
        return "Names are lower-case letters, digits, - and _, begin with a letter, and have at most 63 characters."
    return None
