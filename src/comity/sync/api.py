"""The door of sync."""

from comity.sync.deliver import Deliverer
from comity.sync.pull import HINTS_CHANNEL, Puller, receive_hook
from comity.sync.reactions import (
    EVENTS_MAX,
    Reaction,
    enrol_strangers,
    keep_memberships,
    mark_loyalty_stale,
    recompute_tiers,
    run_reaction,
)
from comity.sync.runtime import Runtime, RuntimeSource, StreamMapping, compile_runtime
from comity.sync.setup import (
    ApplyEffects,
    apply_documents,
    check_mapping_document,
    check_rules_document,
    plan_documents,
)
from comity.sync.store import sum_runs
from comity.sync.unify import READER, Prepared, prepare
from comity.sync.unify import apply as apply_batch

__all__ = [
    "EVENTS_MAX",
    "HINTS_CHANNEL",
    "READER",
    "ApplyEffects",
    "Deliverer",
    "Prepared",
    "Puller",
    "Reaction",
    "Runtime",
    "RuntimeSource",
    "StreamMapping",
    "apply_batch",
    "apply_documents",
    "check_mapping_document",
    "check_rules_document",
    "compile_runtime",
    "enrol_strangers",
    "keep_memberships",
    "mark_loyalty_stale",
    "plan_documents",
    "prepare",
    "receive_hook",
    "recompute_tiers",
    "run_reaction",
    "sum_runs",
]
