"""Checks between documents: what one names must exist in another, and must fit. Pure; finds everything at once."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from comity.definitions.checks_people import check_attribute, check_mapping, check_match, check_rules
from comity.definitions.checks_programme import check_programme
from comity.definitions.checks_shared import Found, Project, check_cadence, check_condition
from comity.definitions.loading import Locator, Partial
from comity.definitions.types_document import Checker, Definitions, Document, Kind, Problem
from comity.definitions.types_system import SystemSpec

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_SINGLE_KINDS = (Kind.MATCH, Kind.RULES)
_SECRET_NAMES = frozenset(
    {
        "access_token",
        "api_key",
        "client_secret",
        "password",
        "private_key",
        "refresh_token",
        "secret",
        "security_token",
        "token",
    }
)


def check_project(
    documents: Sequence[Document],
    *,
    checkers: Mapping[Kind, Checker] | None = None,
    broken: Iterable[tuple[str, str]] = (),
    partials: Sequence[Partial] = (),
) -> tuple[Problem, ...]:
    """Find what does not fit between documents, ordered by place.

    `checkers` are the checks of other rooms, by kind of document. `broken` names documents (kind, name) that could not
    be read: they are taken to exist, so that one mistake is not told many times. `partials` are what could be read of
    those: what is wrong in it is told, too, where it cannot come of what could not be read.
    """
    names = frozenset(broken)
    problems = list(_check_duplicates(documents))
    project = Project(definitions=Definitions(revision=0, documents=tuple(documents)), broken=names)
    for document in documents:
        locator = Locator(document)
        found = _check(document, project, checkers or {})
        problems += [locator.problem(each.path, each.message, each.remedy) for each in found]
    for partial in partials:
        document, rest = partial.document, partial.rest
        project = Project(definitions=Definitions(revision=0, documents=(*documents, document)), broken=names)
        locator = Locator(document)
        for each in _check(document, project, checkers or {}):
            path = rest.to_whole(each.path)
            if not rest.may_concern_gone(path, each.message):
                problems.append(locator.problem(path, each.message, each.remedy))
    return tuple(sorted(problems, key=lambda each: (each.file, each.line, each.column)))


def _check(document: Document, project: Project, checkers: Mapping[Kind, Checker]) -> list[Found]:
    """List what is wrong with a document in its project, by its own checks and those of another room."""
    found = list(_CHECKS[document.kind](document.name, document.spec, project))
    told = {each.path for each in found}
    checker = checkers.get(document.kind)
    for each in checker(document, project.definitions) if checker is not None else ():
        path = read_path(each.field)
        if path not in told:  # Two rooms may find the same; it is told once.
            found.append(Found(path=path, message=each.message, remedy=each.remedy))
    return found


def read_path(text: str) -> tuple[str | int, ...]:
    """Read a path as people write it: `fields[2].lens` is ("fields", 2, "lens")."""
    return tuple(name or int(index) for name, index in _STEP.findall(text))


def _check_duplicates(documents: Sequence[Document]) -> Iterator[Problem]:
    by_key: dict[tuple[Kind, str], Document] = {}
    by_kind: dict[Kind, Document] = {}
    for document in documents:
        same = by_key.setdefault(document.key, document)
        only = by_kind.setdefault(document.kind, document)
        if same is not document:
            message = f"The {document.kind} '{document.name}' exists already, in {same.file}."
            yield Locator(document).problem((), message, "Give it another name or remove one of them.")
        elif only is not document and document.kind in _SINGLE_KINDS:
            message = f"There is a document of kind {document.kind} already: '{only.name}', in {only.file}."
            yield Locator(document).problem((), message, "Join them in one.")


def _check_system(name: str, spec: SystemSpec, project: Project) -> Iterator[Found]:
    del name
    for secret_name, secret in spec.secrets.items():
        if (secret.env is None) == (secret.file is None):
            yield Found(
                path=("secrets", secret_name),
                message="It needs exactly one of env and file.",
                remedy="Write {env: NAME}.",
            )
    for stream_name, stream in spec.streams.items():
        if stream.every is not None:
            yield from check_cadence(stream.every, path=("streams", stream_name, "every"))
    yield from _check_clear_secrets(spec)
    if spec.deliver.create_condition is not None:
        yield from check_condition(spec.deliver.create_condition, project, path=("deliver", "create"), has_loyalty=True)


def _check_clear_secrets(spec: SystemSpec) -> Iterator[Found]:
    """A setting may name a secret of the system; it may not be one."""

    def walk(value: object, path: tuple[str | int, ...]) -> Iterator[Found]:
        if isinstance(value, dict):
            entries: dict[str, object] = msgspec.convert(value, dict[str, object])
            for name, inner in entries.items():
                if name.lower() in _SECRET_NAMES and isinstance(inner, str) and inner not in spec.secrets:
                    yield Found(
                        path=(*path, name),
                        message="A secret is written in the settings.",
                        remedy="Put it under `secrets` as {env: NAME}, and replace it, since the file has been seen.",
                    )
                else:
                    yield from walk(inner, (*path, name))
        elif isinstance(value, list):
            items: list[object] = msgspec.convert(value, list[object])
            for index, inner in enumerate(items):
                yield from walk(inner, (*path, index))

    yield from walk(spec.settings, ("settings",))


_CHECKS: Mapping[Kind, Callable[..., Iterator[Found]]] = {
    Kind.SYSTEM: _check_system,
    Kind.ATTRIBUTE: check_attribute,
    Kind.MAPPING: check_mapping,
    Kind.MATCH: check_match,
    Kind.RULES: check_rules,
    Kind.PROGRAMME: check_programme,
}
