"""JSON Schemas of the documents, so that editors complete and check them while they are written."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from comity.definitions.types_attribute import ATTRIBUTE_NAME, ATTRIBUTE_NAME_LENGTH_MAX
from comity.definitions.types_document import DOCUMENT_NAME, SPEC_TYPES, Kind

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
ANY_NAME = "comity.schema.json"
EDITOR_FILE = f".comity/{ANY_NAME}"
"""Where a project holds the schema of all kinds: a hidden folder, which is not read as part of the project."""

_SEPARATOR = re.compile(r"^(---(?:[ \t].*)?\n)", re.MULTILINE)
_OWN_LINE = re.compile(rf"^# yaml-language-server: \$schema=(?:\.\./)*{re.escape(EDITOR_FILE)}[ \t]*\n", re.MULTILINE)
_ANY_LINE = re.compile(r"^#\s+(?:yaml-language-server\s*:|\$schema:)", re.MULTILINE)


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas, file name to schema: one for each kind, and one for a document of any kind."""
    found = {f"{kind}.schema.json": _document_schema(kind) for kind in Kind}
    _, definitions = msgspec.json.schema_components(list(SPEC_TYPES.values()), ref_template="#/$defs/{name}")
    found[ANY_NAME] = {
        "$schema": _DIALECT,
        "title": "A document of Comity",
        "oneOf": [_envelope(kind) for kind in Kind],
        "$defs": definitions,
    }
    return found


def write_json_schemas(folder: Path) -> list[Path]:
    """Write the schemas into a folder, which is made if need be. Repeatable; returns the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, schema in sorted(json_schemas().items()):
        path = folder / name
        path.write_text(_to_text(schema), encoding="utf-8")
        written.append(path)
    return written


def editor_schema() -> dict[str, str]:
    """Return the file that editors check a project's files by: its path in the project, and its text."""
    return {EDITOR_FILE: _to_text(json_schemas()[ANY_NAME])}


def name_schema(files: Mapping[str, str]) -> dict[str, str]:
    """Return the files of a project with the line that tells editors their schema, which lies in `EDITOR_FILE`.

    Every document has one, for editors look for it document by document. A document that names another schema keeps it.
    """
    return {name: _name_schema(text, "../" * name.count("/") + EDITOR_FILE) for name, text in files.items()}


def _name_schema(text: str, place: str) -> str:
    parts = _SEPARATOR.split(_OWN_LINE.sub("", text))
    for index in range(0, len(parts), 2):  # Between them are the separators.
        has_content = any(line.strip() and not line.lstrip().startswith("#") for line in parts[index].splitlines())
        if has_content and not _ANY_LINE.search(parts[index]):
            parts[index] = f"# yaml-language-server: $schema={place}\n{parts[index]}"
    return "".join(parts)


def _to_text(schema: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2).decode() + "\n"


def _document_schema(kind: Kind) -> dict[str, Any]:
    _, definitions = msgspec.json.schema_components([SPEC_TYPES[kind]], ref_template="#/$defs/{name}")
    return {"$schema": _DIALECT, "title": f"A {kind} of Comity", **_envelope(kind), "$defs": definitions}


def _envelope(kind: Kind) -> dict[str, Any]:
    name: dict[str, Any] = {"type": "string", "pattern": DOCUMENT_NAME}
    if kind is Kind.ATTRIBUTE:
        name = {"type": "string", "pattern": ATTRIBUTE_NAME, "maxLength": ATTRIBUTE_NAME_LENGTH_MAX}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind", "name", "spec"],
        "properties": {
            "kind": {"const": kind.value},
            "name": name,
            "spec": {"$ref": f"#/$defs/{SPEC_TYPES[kind].__name__}"},
        },
    }
