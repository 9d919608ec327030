"""Loading records by the million: columns of a frame go in by binary COPY, golden rows are decided as one set.

The same compiled decision as for batches runs over the fresh observations, so there is one set of rules, not two.
Values travel as the numbers PostgreSQL keeps inside (days and microseconds since 2000), which spares an object a cell.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from comity.definitions.types import AttributeType
from comity.kernel.database import Tx
from comity.profile import store
from comity.profile.types import Attribute, BatchInvalid, BulkResult, ProfileModel, UnknownAttribute

if TYPE_CHECKING:
    from polars import DataFrame, Expr

KEYS = ("record_id", "profile_id", "system", "stream", "external_id")
CHANGED_AT = "changed_at"
ABSENT_MARK = "__absent"
"""A column called like an attribute with this behind tells which records say nothing of it."""
EPOCH_DAYS = 10_957
"""Days from 1970 to 2000, where PostgreSQL starts to count."""
EPOCH_MICROSECONDS = EPOCH_DAYS * 86_400 * 1_000_000
REFRESH_MAX = 10_000

_WIRE_TYPES = {
    AttributeType.DATE: "int4",
    AttributeType.INTEGER: "int8",
    AttributeType.MONEY: "int8",
    AttributeType.BOOLEAN: "bool",
    AttributeType.TIMESTAMP: "int8",
    AttributeType.TAGS: "text[]",
}


def load(
    tx: Tx, *, frame: "DataFrame", model: ProfileModel, now: datetime, meanwhile: Callable[[], None] | None = None
) -> BulkResult:
    """Copy the observations in and decide the golden rows; see the door."""
    attributes = _attributes_of(frame, model)
    prepared = _prepared(frame, attributes)
    with store.bulk_load(tx, attributes=model.attributes) as is_first:
        types = ["int8", "uuid", "text", "text", "text", *_types(prepared, attributes)]
        record_count = store.copy_observations(tx, observations=prepared, types=types)
        with ThreadPoolExecutor(max_workers=1) as thread:
            beside = thread.submit(meanwhile or _nothing)
            if is_first:
                profile_count = store.insert_golden(tx, model=model, now=now)
            else:
                profile_count = _refresh(tx, prepared, model, now)
            beside.result()
    return BulkResult(record_count=record_count, profile_count=profile_count)


def _nothing() -> None:
    """Nobody has anything to do meanwhile."""


def _refresh(tx: Tx, prepared: "DataFrame", model: ProfileModel, now: datetime) -> int:
    profile_ids = [UUID(bytes=each) for each in prepared["profile_id"].unique(maintain_order=True)]
    for start in range(0, len(profile_ids), REFRESH_MAX):
        store.refresh(tx, profile_ids=profile_ids[start : start + REFRESH_MAX], model=model, now=now)
    return len(profile_ids)


def _attributes_of(frame: "DataFrame", model: ProfileModel) -> list[Attribute]:
    missing = sorted({*KEYS, CHANGED_AT} - set(frame.columns))
    if missing:
        raise BatchInvalid(f"The frame has no column {missing[0]!r}.", details={"columns": missing})
    known = {attribute.name: attribute for attribute in model.attributes}
    given = [name for name in frame.columns if name not in {*KEYS, CHANGED_AT} and not name.endswith(ABSENT_MARK)]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise UnknownAttribute(f"There is no attribute {unknown[0]!r} in the model.", details={"attributes": unknown})
    return [known[name] for name in given]


def _prepared(frame: "DataFrame", attributes: list[Attribute]) -> "DataFrame":
    """Lay out the columns of the observation table: value, time and, where some are empty, time seen empty.

    The records of a profile lie together, which later batches profit from, in the order that breaks ties: rows that are
    sorted already are sorted at a fraction of the cost.
    """
    import polars as pl

    changed_at = _microseconds(pl.col(CHANGED_AT))
    keys: list[Expr] = [pl.col(name) for name in KEYS]
    if frame.schema["profile_id"] == pl.String:
        keys[1] = pl.col("profile_id").str.replace_all("-", "", literal=True).str.decode("hex")
    cells: list[Expr] = []
    for attribute in attributes:
        value = pl.col(attribute.name)
        cells += [
            _wire(value, attribute.type).alias(attribute.name),
            pl.when(value.is_not_null()).then(changed_at).alias(f"{attribute.name}__at"),
        ]
        if frame[attribute.name].null_count():
            is_empty = value.is_null()
            if attribute.name + ABSENT_MARK in frame.columns:
                is_empty &= ~pl.col(attribute.name + ABSENT_MARK)
            cells.append(pl.when(is_empty).then(changed_at).alias(f"{attribute.name}__seen"))
    return frame.sort("profile_id", "system", "stream", "external_id").select(*keys, *cells)


def _wire(value: "Expr", kind: AttributeType) -> "Expr":
    import polars as pl

    if kind is AttributeType.DATE:
        return value.cast(pl.Date).cast(pl.Int32) - EPOCH_DAYS
    if kind is AttributeType.TIMESTAMP:
        return _microseconds(value)
    return value


def _microseconds(value: "Expr") -> "Expr":
    return value.dt.epoch("us") - EPOCH_MICROSECONDS


def _types(prepared: "DataFrame", attributes: list[Attribute]) -> list[str]:
    values = {attribute.name: _WIRE_TYPES.get(attribute.type, "text") for attribute in attributes}
    return [values.get(column, "int8") for column in prepared.columns[len(KEYS) :]]
