"""The door of the identity room."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from comity.definitions.types import AttributeSpec, MatchSpec
from comity.identity import decide, explain, history, resolve, store
from comity.identity import match as matching
from comity.identity.match import CompiledMatch, fold, hash_key, lookup_salt
from comity.identity.places import count_moves, hold_places, lock_places
from comity.identity.recall import Recalled, recall_records
from comity.identity.sharing import find_sharing
from comity.identity.types import (
    RECORDS_MAX,
    BulkLoad,
    Explanation,
    MergeNote,
    ProfileUnknown,
    Record,
    RecordFacts,
    RecordKey,
    Resolution,
    Review,
    Touched,
)
from comity.kernel.database import Tx
from comity.kernel.ids import Ids

if TYPE_CHECKING:
    from polars import DataFrame

__all__ = [
    "CompiledMatch",
    "Recalled",
    "adopt_records",
    "compile_match",
    "count_moves",
    "explain_link",
    "find_profile_by_record",
    "find_profiles_by_identifier",
    "find_profiles_by_records",
    "find_sharing",
    "forget_records",
    "get_record_ids",
    "has_records",
    "hold_places",
    "hold_profiles",
    "hold_records",
    "list_merges",
    "list_records",
    "list_reviews",
    "load_bulk",
    "lock_places",
    "merge_profiles",
    "merge_source_records",
    "recall_records",
    "resolve_alias",
    "resolve_aliases",
    "resolve_records",
    "resolve_stale_records",
    "unmerge_profile",
]


def compile_match(spec: MatchSpec | None, *, attributes: Mapping[str, AttributeSpec]) -> CompiledMatch:
    """Compile match rules; None links nothing (every record is a person of its own).

    `CompiledMatch.attributes` names the features a record's facts must hold. Raises MatchInvalid.
    """
    return matching.compile_match(spec, attributes=attributes)


def resolve_records(
    tx: Tx,
    *,
    records: Sequence[RecordFacts],
    match: CompiledMatch,
    now: datetime,
    ids: Ids,
    recalled: Recalled | None = None,
    trail: Sequence[Touched] = (),
) -> Resolution:
    """Link records to profiles, minting Global IDs for people not seen before. At most RECORDS_MAX records.

    Records with known keys and unchanged features cost one look-up. Repeating a call changes nothing. A record that
    was forgotten comes back to life. A key given twice counts with its features merged, the later one winning.
    `recalled` is what `recall_records` told of these very records by these rules before; it saves the look-up where the
    trail tells of all turns in between.
    """
    return resolve.resolve_records(tx, records=records, match=match, now=now, ids=ids, recalled=recalled, trail=trail)


def has_records(tx: Tx) -> bool:
    """True when the hub knows any record."""
    return store.has_records(tx)


@contextmanager
def load_bulk(tx: Tx, *, frame: "DataFrame", match: CompiledMatch, now: datetime, ids: Ids) -> Generator[BulkLoad]:
    """Take a whole population into a hub that knows no record yet, decided as if its records came one by one.

    Columns of the frame: system, stream, external_id (unique together), the features of `match.attributes` as text,
    null for empty, and for a feature F optionally F__absent, true where a record says nothing of it. Publishes who is
    new. Waits for other resolutions, and they for this one. Raises RecordsKnown.

    Records and people are stored when the block begins, what they are found by when it ends: the block may have that
    made ready (`make_ready`) while the database works on what depends on people.
    """
    from comity.identity import bulk_load

    with bulk_load.load(tx, frame=frame, match=match, now=now, ids=ids) as loaded:
        yield loaded


def resolve_stale_records(
    tx: Tx, *, match: CompiledMatch, now: datetime, ids: Ids, limit: int, after: int = 0
) -> Resolution:
    """Resolve records again whose keys were made by other match rules, after a record id.

    Go on after the greatest of `record_ids`; an empty resolution means that none is left.
    """
    keys = store.list_stale_records(tx, match_hash=match.match_hash, after=after, limit=min(limit, RECORDS_MAX))
    if keys and not after:
        store.sweep_identifiers(tx, match=match)
    records = [RecordFacts(key=key, features={}) for key in keys]
    return resolve.resolve_records(tx, records=records, match=match, now=now, ids=ids)


def forget_records(tx: Tx, *, keys: Sequence[RecordKey], match: CompiledMatch, now: datetime, ids: Ids) -> Resolution:
    """Take note that records were deleted at the source: they link nobody new, but part nobody either.

    Unknown keys are ignored; the resolution is parallel to the keys that are known. Repetition changes nothing.
    """
    return decide.forget_records(tx, keys=keys, match=match, now=now, ids=ids)


def get_record_ids(tx: Tx, *, keys: Sequence[RecordKey]) -> dict[RecordKey, int]:
    """Get the record ids of those keys that are known."""
    return {keys[position - 1]: record_id for position, record_id, _ in store.find_record_ids(tx, keys=keys)}


def find_profile_by_record(tx: Tx, *, key: RecordKey) -> UUID | None:
    """Find the living profile a record belongs to."""
    return find_profiles_by_records(tx, keys=[key]).get(key)


def find_profiles_by_records(tx: Tx, *, keys: Sequence[RecordKey]) -> dict[RecordKey, UUID]:
    """Find the living profiles of those keys that are known."""
    return {keys[position - 1]: profile_id for position, _, profile_id in store.find_record_ids(tx, keys=keys)}


def find_profiles_by_identifier(tx: Tx, *, attribute: str, value: str, limit: int = 100) -> list[UUID]:
    """Find the living profiles one of whose records has this value; attributes of type e-mail and phone are indexed."""
    wanted = fold(value)
    rows = store.find_profiles_by_identifier(tx, key_hash=hash_key(lookup_salt(attribute), wanted), limit=limit)
    return sorted({profile_id for profile_id, features in rows if fold(features.get(attribute)) == wanted})


def adopt_records(
    tx: Tx, *, records: Sequence[tuple[RecordKey, UUID]], match: CompiledMatch, now: datetime
) -> list[Record]:
    """Store records that Comity made in systems for people, linked to them for good, before their echo comes in.

    A record that is known already stays where it is. Returns the records that exist, in the order asked.
    """
    return decide.adopt_records(tx, records=records, match=match, now=now) if records else []


def list_records(tx: Tx, *, profile_ids: Sequence[UUID]) -> list[Record]:
    """List the records of profiles (aliases included), oldest first."""
    living = store.list_living(tx, profile_ids=profile_ids)
    return store.list_records(tx, profile_ids=sorted(set(living.values())))


def resolve_alias(tx: Tx, *, profile_id: UUID) -> UUID:
    """Follow merges to the living profile. Raises ProfileUnknown."""
    living = store.find_living(tx, profile_id=profile_id)
    if living is None:
        raise ProfileUnknown(details={"profile_id": str(profile_id)})
    return living


def resolve_aliases(tx: Tx, *, profile_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Follow the merges of several profiles to the living ones; who is unknown is left out."""
    return store.list_living(tx, profile_ids=profile_ids) if profile_ids else {}


def hold_profiles(tx: Tx, *, profile_ids: Sequence[UUID]) -> set[UUID]:
    """Keep profiles from being merged or parted until the transaction ends; return those that live once they are held.

    An alias that is held goes on to stand for whoever it stood for.
    """
    return store.hold_profiles(tx, profile_ids=profile_ids) if profile_ids else set()


def hold_records(tx: Tx, *, keys: Sequence[RecordKey]) -> dict[RecordKey, UUID]:
    """Keep records from changing their profile until the transaction ends; return the profiles of those that are known.

    Hold the profiles before: whoever changes both does it in this order.
    """
    return {keys[position - 1]: profile_id for position, profile_id in store.hold_records(tx, keys=keys)}


def merge_source_records(
    tx: Tx, *, loser_key: RecordKey, survivor_key: RecordKey, match: CompiledMatch, now: datetime, ids: Ids
) -> Resolution:
    """Take note that a system merged two of its records: the same person from now on, the loser is gone there.

    Raises RecordUnknown when one of them is not known yet. Repetition changes nothing.
    """
    return decide.merge_source_records(
        tx, loser_key=loser_key, survivor_key=survivor_key, match=match, now=now, ids=ids
    )


def merge_profiles(
    tx: Tx,
    *,
    profile_ids: Sequence[UUID],
    match: CompiledMatch,
    reason: str,
    now: datetime,
    ids: Ids,
    actor: str = "",
) -> Resolution:
    """Decide as a steward that these profiles are one person; the oldest survives. Raises ProfileUnknown."""
    return decide.merge_profiles(tx, profile_ids=profile_ids, match=match, reason=reason, actor=actor, now=now, ids=ids)


def unmerge_profile(
    tx: Tx,
    *,
    profile_id: UUID,
    keys: Sequence[RecordKey],
    match: CompiledMatch,
    reason: str,
    now: datetime,
    ids: Ids,
    actor: str = "",
) -> Resolution:
    """Decide as a steward that these records of a profile are not the same person as its other records.

    They get back the Global ID they had before, if they had one. Repetition changes nothing. Raises ProfileUnknown,
    RecordUnknown, NothingToUnmerge, and MergeRefused when `keys` are all of the profile's records or not its own.
    """
    return decide.unmerge_profile(
        tx, profile_id=profile_id, keys=keys, match=match, reason=reason, actor=actor, now=now, ids=ids
    )


def list_merges(tx: Tx, *, profile_id: UUID, after: int = 0, limit: int = 100) -> list[MergeNote]:
    """List who was merged into a person, or parted from them, oldest first, after a history id.

    Raises ProfileUnknown.
    """
    return history.list_notes(tx, profile_id=resolve_alias(tx, profile_id=profile_id), after=after, limit=limit)


def explain_link(tx: Tx, *, record_a: RecordKey, record_b: RecordKey, match: CompiledMatch) -> Explanation:
    """Explain why two records are, or are not, one person. Raises RecordUnknown."""
    return explain.explain_link(tx, record_a=record_a, record_b=record_b, match=match)


def list_reviews(tx: Tx, *, limit: int = 100, after: int = 0) -> list[Review]:
    """List doubtful links that wait for a steward, oldest first, after a review id."""
    return explain.list_reviews(tx, after=after, limit=limit)
