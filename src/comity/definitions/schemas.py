"""JSON Schemas of the documents, so that editors complete and check them while they are written."""

from pathlib import Path
from typing import Any

import msgspec

from comity.definitions.types_attribute import ATTRIBUTE_NAME, ATTRIBUTE_NAME_LENGTH_MAX
from comity.definitions.types_document import DOCUMENT_NAME, SPEC_TYPES, Kind

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
ANY_NAME = "comity.schema.json"


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
        path.write_bytes(msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2) + b"\n")
        written.append(path)
    return written


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
