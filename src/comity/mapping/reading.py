"""Reading: payloads to canonical values, column by column."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

import msgspec

from comity.definitions.types import MappingKind
from comity.mapping.compiled import CompiledField, CompiledMapping
from comity.mapping.lenses.base import Rejection, plain_text
from comity.mapping.lenses.times import number_of
from comity.mapping.paths import Columns, look_up, parse_path
from comity.mapping.problems import problem_of
from comity.mapping.purchases import read_purchases
from comity.mapping.types import ABSENT, MappedBatch, Problem, RecordKey

EPOCH_MILLISECONDS_FROM: Final = 10**11
"""A bare number from here on is milliseconds since 1970, below it seconds."""

ID_CHARS_MAX: Final = 300
"""A longer id is stored cut short, so it does not equal itself any more."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encoder: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def read_records(
    mapping: CompiledMapping,
    *,
    payloads: Sequence[bytes | Mapping[str, Any]],
    external_ids: Sequence[str] | None = None,
    is_shown: bool = False,
) -> MappedBatch:
    """Read a batch of payloads, as received or already decoded.

    `external_ids` are the records' ids where the envelope tells them; then the payload need not hold them. With
    `is_shown` the fingerprints of the written fields come along.

    A value that cannot be read is a problem of its record and ABSENT there; a record that cannot be read at all, or
    a purchase that lacks a value, is a fatal problem and not in the batch. Nothing is raised for bad data.
    """
    columns, positions, faults = mapping.extractor.extract(payloads)
    problems = [_unreadable(position, message, payloads[position]) for position, message in faults.items()]
    at = mapping.external_id_column
    if external_ids is not None:
        told = [external_ids[position] for position in positions]
        twofold = [row for row, name in enumerate(told) if _contradicts(columns[at][row], name)]
        problems.extend(_twofold(mapping, positions[row], columns[at][row], told[row]) for row in twofold)
        columns[at] = told
        if twofold:
            columns, positions, _ = _without(twofold, columns, positions, told)
    names, bad_rows = _external_ids(columns[at])
    if bad_rows:
        problems.extend(_nameless(mapping, positions[row], columns[at][row]) for row in bad_rows)
        columns, positions, names = _without(bad_rows, columns, positions, names)
    system, stream = mapping.system, mapping.stream
    records = [RecordKey(system, stream, name) for name in names]
    changed_at = _changed_at(mapping, columns, positions, problems)
    if mapping.kind is MappingKind.PURCHASE:
        return read_purchases(
            mapping, columns=columns, records=records, positions=positions, changed_at=changed_at, problems=problems
        )
    values = {
        field.attribute: read_field(field, columns=columns, positions=positions, problems=problems)
        for field in mapping.read_fields
    }
    return MappedBatch(
        kind=mapping.kind,
        records=records,
        positions=positions,
        columns=values,
        changed_at=changed_at,
        problems=problems,
        shown=_fingerprints(mapping, columns, len(records)) if is_shown else [],
    )


def fingerprint_of(mapping: CompiledMapping, *, fields: Mapping[str, Any]) -> int:
    """Return a number that tells what the written fields of a record show, in the system's own form, from all else.

    `fields` as for `canonical_of_stored`. It is what `read_records` says of the same payload.
    """
    return _fingerprint(
        [
            fields[path] if path in fields else look_up(fields, parse_path(path))
            for path in (mapping.extractor.paths[at] for at in mapping.written_columns)
        ]
    )


def _fingerprints(mapping: CompiledMapping, columns: Columns, count: int) -> list[int]:
    if not mapping.written_columns:
        return [_fingerprint([])] * count
    return list(map(_fingerprint, zip(*(columns[at] for at in mapping.written_columns), strict=True)))


def _fingerprint(values: Sequence[Any]) -> int:
    digest = blake2b(_encoder.encode(values), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def canonical_of_stored(mapping: CompiledMapping, *, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Say what the written fields of a system mean, to compare with golden values.

    `fields` is keyed by path, as `write_records` gives it, or is the system's own payload. An empty field is None; one
    that is not there or cannot be read is ABSENT.
    """
    values: dict[str, Any] = {}
    for field in mapping.written_fields:
        found = list[Any](fields[path] if path in fields else look_up(fields, parse_path(path)) for path in field.paths)
        value = field.read_stored(tuple(found) if len(found) > 1 else found[0])
        values[field.attribute] = ABSENT if isinstance(value, Rejection) else value
    return values


def flatten(mapping: CompiledMapping, *, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a payload with the written fields keyed by path too, also those that lie nested, as writing names them."""
    paths = [path for field in mapping.written_fields for path in field.paths if path not in payload]
    found = {path: look_up(payload, parse_path(path)) for path in paths}
    return {**payload, **{path: value for path, value in found.items() if value is not ABSENT}}


def read_field(
    field: CompiledField,
    *,
    columns: Columns,
    positions: list[int],
    problems: list[Problem],
) -> list[Any]:
    """Read the column of one row of the mapping; note the problems and leave ABSENT in their places."""
    at = field.columns
    raw: list[Any] = columns[at[0]] if len(at) == 1 else list(zip(*(columns[each] for each in at), strict=True))
    values = field.read_column(raw)
    if Rejection in set(map(type, values)):
        for row, value in enumerate(values):
            if value.__class__ is Rejection:
                problems.append(problem_of(value, position=positions[row], field=field.path, found=raw[row]))
                values[row] = ABSENT
    return values


def _contradicts(found: Any, told: str) -> bool:
    """True when a payload names itself otherwise than its envelope does. What could not be stored as it is does not."""
    if found == told:
        return False
    own = (plain_text(found) or "").strip()
    return bool(own) and own != told and len(own) <= ID_CHARS_MAX and own.isprintable()


def _external_ids(found: list[Any]) -> tuple[list[str], list[int]]:
    names: list[str] = []
    bad_rows: list[int] = []
    for row, each in enumerate(found):
        name = each if each.__class__ is str else plain_text(each) or ""
        if not name or name != name.strip() or "\x00" in name:
            name = (plain_text(name) or "").strip()
            if not name:
                bad_rows.append(row)
        names.append(name)
    return names, bad_rows


def _without(
    bad_rows: list[int], columns: Columns, positions: list[int], names: list[str]
) -> tuple[Columns, list[int], list[str]]:
    bad = set(bad_rows)
    rows = [row for row in range(len(names)) if row not in bad]
    return (
        [[column[row] for row in rows] for column in columns],
        [positions[row] for row in rows],
        [names[row] for row in rows],
    )


def _changed_at(
    mapping: CompiledMapping, columns: Columns, positions: list[int], problems: list[Problem]
) -> list[datetime | None]:
    if mapping.changed_at_column is None:
        return [None] * len(positions)
    found = columns[mapping.changed_at_column]
    moments: list[datetime | None] = []
    for row, each in enumerate(found):
        try:
            moments.append(_moment(each))
        except (ValueError, OverflowError, ArithmeticError):
            moments.append(None)
            rejection = Rejection(
                "not_a_timestamp",
                "ISO 8601 or seconds since 1970",
                "Correct the value, or `changed_at` of the mapping.",
            )
            problems.append(
                problem_of(rejection, position=positions[row], field=mapping.spec.changed_at or "", found=each)
            )
    return moments


def _moment(found: Any) -> datetime | None:
    if found is None or found is ABSENT or found == "":
        return None
    number = None if found.__class__ is str and found[4:5] == "-" else number_of(found)
    if number is None:
        if found.__class__ is not str:
            raise ValueError
        moment = datetime.fromisoformat(found)
        if moment.tzinfo is UTC:
            return moment
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    scale = 1_000 if abs(number) >= EPOCH_MILLISECONDS_FROM else 1_000_000
    return _EPOCH + timedelta(microseconds=int(number * scale))


def _unreadable(position: int, message: str, payload: Any) -> Problem:
    rejection = Rejection(
        "unreadable_payload",
        f"a JSON object with the mapped fields ({message})",
        "Correct it where it comes from, then send or load it again.",
    )
    return problem_of(rejection, position=position, field="", found=payload, is_fatal=True)


def _twofold(mapping: CompiledMapping, position: int, found: Any, told: str) -> Problem:
    rejection = Rejection(
        "id_differs",
        f"{told!r}, the id it was sent with",
        "Send the record under its own id, or correct `external_id`.",
    )
    return problem_of(rejection, position=position, field=mapping.spec.external_id, found=found, is_fatal=True)


def _nameless(mapping: CompiledMapping, position: int, found: Any) -> Problem:
    rejection = Rejection("no_external_id", "the record's id", "Correct `external_id` of the mapping, or the record.")
    return problem_of(
        rejection,
        position=position,
        field=mapping.spec.external_id,
        found=found,
        is_fatal=True,
    )
