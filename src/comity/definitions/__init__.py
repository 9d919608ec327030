"""The room of the definitions: typed, versioned documents that say what the hub does.

Owns: the documents of kinds system, attribute, mapping, match, rules and programme, every version of them with author,
    time and source text, the checks between them, and the one language of conditions.
Invariants: a set of documents is applied whole or not at all; an unchanged document makes no new version; a plan made
    on an older revision is refused; the type of an applied attribute never changes; conditions let nothing outside the
    allow-list through; no secret is stored.
Tables: `definitions.revision` (one row), `definitions.apply`, `definitions.document` (every version).
Place in the flow: upstream of everything that is configured; downstream of the kernel alone. Others read
    `api.get_current` and poll `api.get_revision`.
"""
