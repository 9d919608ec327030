"""Pure decisions around the compiled ones: batches in waves, canonical text."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

from comity.profile.types import ABSENT, Attribute, BatchInvalid, ObservationBatch, ProfileModel, UnknownAttribute

BATCH_MAX = 100_000


def check_batch(batch: ObservationBatch, attributes: Sequence[Attribute]) -> None:
    """Raise BatchInvalid or UnknownAttribute when the lists of a batch do not fit together or the model."""
    expected = len(batch.record_ids)
    if expected > BATCH_MAX:
        raise BatchInvalid(f"A batch holds at most {BATCH_MAX} entries; this one has {expected}.")
    unknown = sorted(batch.columns.keys() - {attribute.name for attribute in attributes})
    if unknown:
        raise UnknownAttribute(f"There is no attribute {unknown[0]!r} in the model.", details={"attributes": unknown})
    lists: dict[str, Sequence[Any]] = {
        "profile_ids": batch.profile_ids,
        "systems": batch.systems,
        "streams": batch.streams,
        "external_ids": batch.external_ids,
        "changed_ats": batch.changed_ats,
        **batch.columns,
    }
    for name, values in lists.items():
        if len(values) != expected:
            raise BatchInvalid(f"{name} has {len(values)} entries instead of {expected}.")


def attribute_of(model: ProfileModel, name: str) -> Attribute:
    """Return the attribute of that name. Raises UnknownAttribute."""
    for attribute in model.attributes:
        if attribute.name == name:
            return attribute
    raise UnknownAttribute(f"There is no attribute {name!r} in the model.", details={"attributes": [name]})


def plan_waves(record_ids: Sequence[int], changed_ats: Sequence[datetime]) -> list[int]:
    """Number the versions of each record by time and then by position, from 0.

    A wave holds each record once, and waves are applied one after the other: a batch ends like the same versions in
    batches of one.

    >>> plan_waves([7, 8, 7], [datetime(2026, 1, 2), datetime(2026, 1, 1), datetime(2026, 1, 1)])
    [1, 0, 0]
    """
    if len(set(record_ids)) == len(record_ids):
        return [0] * len(record_ids)
    waves = [0] * len(record_ids)
    versions: defaultdict[int, int] = defaultdict(int)
    for position in sorted(range(len(record_ids)), key=changed_ats.__getitem__):
        waves[position] = versions[record_ids[position]]
        versions[record_ids[position]] += 1
    return waves


def plan_masks(columns: Sequence[Sequence[Any] | None], *, row_count: int, bits_max: int) -> list[list[int]]:
    """Say which attributes each row contains: one list of bit masks for every `bits_max` columns.

    >>> plan_masks([["a", ABSENT], None, [None, 1]], row_count=2, bits_max=62)
    [[5, 4]]
    """
    masks: list[list[int]] = []
    for start in range(0, len(columns), bits_max):
        part = columns[start : start + bits_max]
        full = sum(1 << bit for bit, values in enumerate(part) if values is not None)
        mask = [full] * row_count
        for bit, values in enumerate(part):
            if values is not None and ABSENT in values:
                for row, value in enumerate(values):
                    if value is ABSENT:
                        mask[row] -= 1 << bit
        masks.append(mask)
    return masks


def without_absent(values: Sequence[Any]) -> Sequence[Any]:
    """Put None in the place of ABSENT; the mask tells them apart."""
    return [None if value is ABSENT else value for value in values] if ABSENT in values else values


def canonical_text(value: Any) -> str | None:
    r"""Write a canonical value so that PostgreSQL reads it back as the same value of its column.

    >>> canonical_text(["a", 'b"'])
    '{"a","b\\""}'
    """
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case list() | tuple():
            return "{" + ",".join(map(_array_element, cast("Sequence[str]", value))) + "}"
        case _:
            raise BatchInvalid(f"{type(value).__name__} is no canonical value.")


def _array_element(tag: str) -> str:
    return '"' + tag.replace("\\", "\\\\").replace('"', '\\"') + '"'


def combine_written(record_ids: Sequence[int], values: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, str | None]]:
    """Gather what was written by record, later values over earlier ones; values that are ABSENT were not written."""
    combined: defaultdict[int, dict[str, str | None]] = defaultdict(dict)
    for record_id, written in zip(record_ids, values, strict=True):
        combined[record_id] |= {name: canonical_text(value) for name, value in written.items() if value is not ABSENT}
    return dict(combined)


def unique(items: Iterable[Any]) -> list[Any]:
    """Return each item once, in order of first appearance."""
    return list(dict.fromkeys(items))
