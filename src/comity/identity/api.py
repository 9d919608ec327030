"""The door of the identity room."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from comity.definitions.types import AttributeSpec, MatchSpec
from comity.identity.match import CompiledMatch
from comity.identity.types import (
    Explanation,
    Record,
    RecordFacts,
    RecordKey,
    Resolution,
    Review,
)
from comity.kernel.database import Tx
from comity.kernel.ids import Ids

__all__ = [
    "CompiledMatch",
    "compile_match",
    "explain_link",
    "find_profile_by_record",
    "find_profiles_by_identifier",
    "forget_records",
    "get_record_ids",
    "list_records",
    "list_reviews",
    "merge_profiles",
    "merge_source_records",
    "resolve_alias",
    "resolve_records",
    "resolve_stale_records",
    "unmerge_profile",
]


def compile_match(spec: MatchSpec | None, *, attributes: Mapping[str, AttributeSpec]) -> CompiledMatch:
    """Compile match rules; None links nothing (every record is a person of its own).

    `CompiledMatch.attributes` names the features a record's facts must hold. Raises MatchInvalid.
    """
    raise NotImplementedError


def resolve_records(
    tx: Tx, *, records: Sequence[RecordFacts], match: CompiledMatch, now: datetime, ids: Ids
) -> Resolution:
    """Link records to profiles, minting Global IDs for people not seen before. At most RECORDS_MAX records.

    Records with known keys and unchanged features cost one look-up. Repeating a call changes nothing. A record that
    was forgotten comes back to life. A key given twice counts with its features merged, the later one winning.
    """
    raise NotImplementedError


def resolve_stale_records(tx: Tx, *, match: CompiledMatch, now: datetime, ids: Ids, limit: int) -> Resolution:
    """Resolve records again whose keys were made by other match rules. Empty when none is left."""
    raise NotImplementedError


def forget_records(tx: Tx, *, keys: Sequence[RecordKey], match: CompiledMatch, now: datetime, ids: Ids) -> Resolution:
    """Take note that records were deleted at the source: they link nobody new, but part nobody either.

    Unknown keys are ignored; the resolution is parallel to the keys that are known. Repetition changes nothing.
    """
    raise NotImplementedError


def get_record_ids(tx: Tx, *, keys: Sequence[RecordKey]) -> dict[RecordKey, int]:
    """Get the record ids of those keys that are known."""
    raise NotImplementedError


def find_profile_by_record(tx: Tx, *, key: RecordKey) -> UUID | None:
    """Find the living profile a record belongs to."""
    raise NotImplementedError


def find_profiles_by_records(tx: Tx, *, keys: Sequence[RecordKey]) -> dict[RecordKey, UUID]:
    """Find the living profiles of those keys that are known."""
    raise NotImplementedError


def find_profiles_by_identifier(tx: Tx, *, attribute: str, value: str, limit: int = 100) -> list[UUID]:
    """Find the living profiles one of whose records has this value; attributes of type e-mail and phone are indexed."""
    raise NotImplementedError


def list_records(tx: Tx, *, profile_ids: Sequence[UUID]) -> list[Record]:
    """List the records of profiles (aliases included), oldest first."""
    raise NotImplementedError


def resolve_alias(tx: Tx, *, profile_id: UUID) -> UUID:
    """Follow merges to the living profile. Raises ProfileUnknown."""
    raise NotImplementedError


def merge_source_records(
    tx: Tx, *, loser_key: RecordKey, survivor_key: RecordKey, match: CompiledMatch, now: datetime, ids: Ids
) -> Resolution:
    """Take note that a system merged two of its records: the same person from now on, the loser is gone there.

    Raises RecordUnknown when one of them is not known yet. Repetition changes nothing.
    """
    raise NotImplementedError


def merge_profiles(
    tx: Tx, *, profile_ids: Sequence[UUID], match: CompiledMatch, reason: str, now: datetime, ids: Ids
) -> Resolution:
    """Decide as a steward that these profiles are one person; the oldest survives. Raises ProfileUnknown."""
    raise NotImplementedError


def unmerge_profile(
    tx: Tx, *, profile_id: UUID, keys: Sequence[RecordKey], match: CompiledMatch, reason: str, now: datetime, ids: Ids
) -> Resolution:
    """Decide as a steward that these records of a profile are not the same person as its other records.

    They get back the Global ID they had before, if they had one. Raises ProfileUnknown, MergeRefused when `keys` are
    none or all of the profile's records or not its own.
    """
    raise NotImplementedError


def explain_link(tx: Tx, *, record_a: RecordKey, record_b: RecordKey, match: CompiledMatch) -> Explanation:
    """Explain why two records are, or are not, one person. Raises RecordUnknown."""
    raise NotImplementedError


def list_reviews(tx: Tx, *, limit: int = 100, after: int = 0) -> list[Review]:
    """List doubtful links that wait for a steward, oldest first, after a review id."""
    raise NotImplementedError
