"""The door of the mapping room; everything here is pure."""

from comity.mapping.compiled import CompiledMapping
from comity.mapping.compiler import check_mapping, compile_mapping
from comity.mapping.document import document
from comity.mapping.lenses.numbers import exponent_of
from comity.mapping.lenses.registry import lens_infos, lens_names, read_text
from comity.mapping.reading import canonical_of_stored, fingerprint_of, flatten, read_records
from comity.mapping.writing import write_records

__all__ = [
    "CompiledMapping",
    "canonical_of_stored",
    "check_mapping",
    "compile_mapping",
    "document",
    "exponent_of",
    "fingerprint_of",
    "flatten",
    "lens_infos",
    "lens_names",
    "read_records",
    "read_text",
    "write_records",
]
