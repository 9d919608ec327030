"""Pure decisions about documents: what makes two the same, how they differ, how they are written."""

import difflib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from comity.definitions.loading import load_text
from comity.definitions.shape import name_path
from comity.definitions.types_change import FieldChange, PlanItem
from comity.definitions.types_document import Document, Kind, Spec
from comity.definitions.writing import write_yaml

_FILE = re.compile(r"^(?!.*(?:^|/)\.)[A-Za-z0-9._ -]+(?:/[A-Za-z0-9._ -]+)*\.ya?ml$")
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")
_PLURALS = {
    Kind.SYSTEM: "systems",
    Kind.ATTRIBUTE: "attributes",
    Kind.MAPPING: "mappings",
    Kind.MATCH: "match",
    Kind.RULES: "rules",
    Kind.PROGRAMME: "programmes",
}


def encode_spec(spec: Spec) -> bytes:
    """Encode a spec the same way whenever it means the same: fields sorted, defaults left out."""
    return msgspec.json.encode(spec, order="sorted")


def hash_spec(spec: Spec) -> bytes:
    """Give the SHA-256 of a spec's encoding; equal hashes mean equal documents."""
    return hashlib.sha256(encode_spec(spec)).digest()


def plain(spec: Spec) -> dict[str, Any]:
    """Turn a spec into maps, lists and scalars, fields in their declared order."""
    return msgspec.json.decode(msgspec.json.encode(spec), type=dict[str, Any])


def compare_specs(before: Spec, after: Spec) -> tuple[FieldChange, ...]:
    """List the fields that differ between two specs of one kind."""
    return tuple(_compare(plain(before), plain(after), ()))


def _compare(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[FieldChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        old: dict[str, Any] = msgspec.convert(before, dict[str, Any])
        new: dict[str, Any] = msgspec.convert(after, dict[str, Any])
        for name in dict.fromkeys((*old, *new)):
            yield from _compare(old.get(name), new.get(name), (*path, name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _compare_lists(msgspec.convert(before, list[Any]), msgspec.convert(after, list[Any]), path)
    else:
        yield FieldChange(field=name_path(path), before=before, after=after)


def _compare_lists(before: list[Any], after: list[Any], path: tuple[str | int, ...]) -> Iterator[FieldChange]:
    old = [msgspec.json.encode(item, order="sorted") for item in before]
    new = [msgspec.json.encode(item, order="sorted") for item in after]
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for _, low_a, high_a, low_b, high_b in (each for each in matcher.get_opcodes() if each[0] != "equal"):
        paired = min(high_a - low_a, high_b - low_b)
        for offset in range(paired):
            yield from _compare(before[low_a + offset], after[low_b + offset], (*path, low_b + offset))
        for index in range(low_a + paired, high_a):
            yield FieldChange(field=name_path((*path, index)), before=before[index], after=None)
        for index in range(low_b + paired, high_b):
            yield FieldChange(field=name_path((*path, index)), before=None, after=after[index])


def plan_items(
    current: Sequence[Document], wanted: Sequence[Document]
) -> tuple[tuple[PlanItem, ...], tuple[PlanItem, ...], tuple[PlanItem, ...], tuple[PlanItem, ...]]:
    """Say which documents are added, changed, removed and unchanged, each by kind and name."""
    old = {document.key: document for document in current}
    new = {document.key: document for document in wanted}
    added = [PlanItem(kind=key[0], name=key[1]) for key in sorted(new.keys() - old.keys())]
    removed = [PlanItem(kind=key[0], name=key[1]) for key in sorted(old.keys() - new.keys())]
    changed: list[PlanItem] = []
    unchanged: list[PlanItem] = []
    for key in sorted(new.keys() & old.keys()):
        if hash_spec(old[key].spec) == hash_spec(new[key].spec):
            unchanged.append(PlanItem(kind=key[0], name=key[1]))
        else:
            changes = compare_specs(old[key].spec, new[key].spec)
            changed.append(PlanItem(kind=key[0], name=key[1], changes=changes))
    return tuple(added), tuple(changed), tuple(removed), tuple(unchanged)


def unified_diff(before: Document, after: Document, *, labels: tuple[str, str]) -> str:
    """Write the difference of two documents as a unified diff of their YAML."""
    lines = difflib.unified_diff(
        write_document(before).splitlines(keepends=True),
        write_document(after).splitlines(keepends=True),
        fromfile=labels[0],
        tofile=labels[1],
    )
    return "".join(lines)


def write_document(document: Document) -> str:
    """Write a document as YAML: its own text where there is one that still says the same, else made anew."""
    text = _BLANK_LINES.sub("", document.text).rstrip() + "\n"
    found = load_text(text, file="").documents
    if len(found) == 1 and found[0].key == document.key and hash_spec(found[0].spec) == hash_spec(document.spec):
        return text
    return dump_document(document)


def dump_document(document: Document) -> str:
    """Write a document as YAML from its values alone."""
    return write_yaml({"kind": document.kind.value, "name": document.name, "spec": plain(document.spec)})


def export_files(documents: Sequence[Document]) -> dict[str, str]:
    """Write documents into the files they came from, in their order; those without one get a file of their own."""
    files: dict[str, list[Document]] = {}
    for document in documents:
        files.setdefault(_file_of(document), []).append(document)
    return {file: _join(held) for file, held in sorted(files.items())}


def _file_of(document: Document) -> str:
    if _FILE.match(document.file) and ".." not in document.file:
        return document.file
    return f"{_PLURALS[document.kind]}/{document.name}.yaml"


def _join(documents: Sequence[Document]) -> str:
    ordered = sorted(documents, key=lambda each: (each.line, each.kind, each.name))
    return "---\n".join(write_document(document) for document in ordered)


def refuse_type_changes(documents: Sequence[Document], types_ever: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """List attributes whose type differs from the one they had: name, type before, type wanted."""
    for document in documents:
        wanted = getattr(document.spec, "type", None)
        before = types_ever.get(document.name)
        if document.kind is Kind.ATTRIBUTE and wanted is not None and before is not None and wanted != before:
            yield document.name, before, str(wanted)
