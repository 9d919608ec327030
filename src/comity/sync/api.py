"""The door of sync."""

from collections.abc import Callable, Sequence
from datetime import datetime

from comity.kernel.database import Database
from comity.kernel.ids import Ids
from comity.sync.deliver import Deliverer
from comity.sync.first_read import list_unsettled
from comity.sync.history import list_history
from comity.sync.joining import check_system, create_fields, plan_fields, plan_subscription
from comity.sync.prepare import Prepared, give_up, prepare, recall
from comity.sync.pull import HINTS_CHANNEL, Puller, receive_hook
from comity.sync.reactions import (
    EVENTS_MAX,
    Reaction,
    choose_by,
    collect_in_pools,
    enrol_strangers,
    expire_points,
    expire_vouchers,
    is_behind,
    keep_memberships,
    lapse_points,
    mark_loyalty_stale,
    mature_referrals,
    recompute_tiers,
    release_points,
    run_reaction,
    share_by,
    time_out_holds,
    warn_of_expiry,
)
from comity.sync.runtime import Runtime, RuntimeSource, StreamMapping, compile_runtime
from comity.sync.setup import (
    ApplyEffects,
    apply_documents,
    check_mapping_document,
    check_rules_document,
    find_new_variables,
    plan_documents,
)
from comity.sync.stewarding import merge_people, unmerge_person
from comity.sync.types import LoadReport, Merged, PersonHistory, RecordFile, Unmerged
from comity.sync.unify import READER, Identified, apply_values, can_part, identify, match_again
from comity.sync.unify import apply as apply_batch

__all__ = [
    "EVENTS_MAX",
    "HINTS_CHANNEL",
    "READER",
    "ApplyEffects",
    "Deliverer",
    "Identified",
    "Merged",
    "PersonHistory",
    "Prepared",
    "Puller",
    "Reaction",
    "Runtime",
    "RuntimeSource",
    "StreamMapping",
    "Unmerged",
    "apply_batch",
    "apply_documents",
    "apply_values",
    "can_part",
    "check_mapping_document",
    "check_rules_document",
    "check_system",
    "choose_by",
    "collect_in_pools",
    "compile_runtime",
    "create_fields",
    "enrol_strangers",
    "expire_points",
    "expire_vouchers",
    "find_new_variables",
    "give_up",
    "identify",
    "is_behind",
    "keep_memberships",
    "lapse_points",
    "list_history",
    "list_unsettled",
    "load_records",
    "mark_loyalty_stale",
    "match_again",
    "mature_referrals",
    "merge_people",
    "plan_documents",
    "plan_fields",
    "plan_subscription",
    "prepare",
    "recall",
    "receive_hook",
    "recompute_tiers",
    "release_points",
    "run_reaction",
    "share_by",
    "time_out_holds",
    "unmerge_person",
    "warn_of_expiry",
]


def load_records(
    database: Database,
    *,
    files: Sequence[RecordFile],
    runtime: Runtime,
    ids: Ids,
    now: datetime,
    progress: Callable[[str, int], None] | None = None,
) -> LoadReport:
    """Take files of records in: one JSON object a line, as the system's own API gives them.

    On a hub without records all at once and all or nothing, decided as if they came one by one; a record that is in
    the files again, or has a value that cannot be read, goes into the inbox behind. On any other hub every line goes
    through the inbox, repeatable. `progress` hears of each stage. Raises StreamUnmapped, FileUnreadable.
    """
    from comity.sync import bulk

    return bulk.load_records(database, files=files, runtime=runtime, ids=ids, now=now, progress=progress)
