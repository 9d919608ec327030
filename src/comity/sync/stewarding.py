"""A steward's decisions that one person is two, or two are one; all that hangs on records follows at once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from comity.identity import api as identity
from comity.identity.types import RecordKey, Resolution
from comity.kernel.database import Tx
from comity.kernel.ids import Ids
from comity.outbox import api as outbox
from comity.sync.runtime import Runtime
from comity.sync.types import Merged, Unmerged
from comity.sync.unify import follow_identity


def unmerge_person(
    tx: Tx,
    *,
    profile_id: UUID,
    keys: Sequence[RecordKey],
    reason: str,
    actor: str,
    runtime: Runtime,
    now: datetime,
    ids: Ids,
) -> Unmerged:
    """Decide that records are somebody else's; raises what `identity.unmerge_profile` does."""
    staying = [each.key for each in identity.list_records(tx, profile_ids=[profile_id]) if each.key not in set(keys)]
    resolution = identity.unmerge_profile(
        tx, profile_id=profile_id, keys=keys, match=runtime.match, reason=reason, actor=actor, now=now, ids=ids
    )
    _follow(tx, resolution, runtime=runtime, now=now)
    # The Global ID goes with the record that founded it, which may be one of those that leave.
    owners = identity.find_profiles_by_records(tx, keys=[*keys, *staying[:1]])
    return Unmerged(
        global_id=owners[staying[0]] if staying else identity.resolve_alias(tx, profile_id=profile_id),
        parted_global_id=owners[keys[0]],
        records=[f"{each.system}/{each.stream}/{each.external_id}" for each in keys],
        decided_by=actor,
        reason=reason,
        is_duplicate=not resolution.moved,
    )


def merge_people(
    tx: Tx, *, profile_ids: Sequence[UUID], reason: str, actor: str, runtime: Runtime, now: datetime, ids: Ids
) -> Merged:
    """Decide that profiles are one person; the oldest Global ID stays, the others find it. Raises ProfileUnknown."""
    resolution = identity.merge_profiles(
        tx, profile_ids=profile_ids, match=runtime.match, reason=reason, actor=actor, now=now, ids=ids
    )
    _follow(tx, resolution, runtime=runtime, now=now)
    survivor = identity.resolve_alias(tx, profile_id=profile_ids[0])
    return Merged(
        global_id=survivor,
        merged_global_ids=sorted({merge.loser for merge in resolution.merged if merge.survivor == survivor}),
        decided_by=actor,
        reason=reason,
        is_duplicate=not resolution.moved,
    )


def _follow(tx: Tx, resolution: Resolution, *, runtime: Runtime, now: datetime) -> None:
    changed: set[UUID] = set()
    follow_identity(tx, resolution, runtime=runtime, now=now, changed=changed)
    if runtime.written_systems:
        outbox.note_changes(tx, profile_ids=changed)
