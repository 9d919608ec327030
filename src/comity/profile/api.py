"""The door of the profile room."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from comity.definitions.api import compile_condition
from comity.definitions.types import Column
from comity.kernel.database import Tx
from comity.profile import bulk, explanation, names, rules, store
from comity.profile.decide_sql import explain as explain_text
from comity.profile.document import document
from comity.profile.golden_sql import OF_PROFILES
from comity.profile.model import compile_model
from comity.profile.replay import Replay, open_replay
from comity.profile.types import (
    AdoptedRecord,
    ApplyResult,
    BulkResult,
    ColumnTypeChanged,
    Explanation,
    Move,
    ObservationBatch,
    ProfileModel,
    RebuildResult,
    RefreshResult,
    UnknownProfile,
)

if TYPE_CHECKING:
    from polars import DataFrame

__all__ = [
    "Replay",
    "adopt_records",
    "apply_observations",
    "compile_model",
    "count_profiles",
    "document",
    "drop_observations",
    "ensure_columns",
    "explain",
    "filter_profiles",
    "find_profiles",
    "forget_written",
    "get_profiles",
    "load_bulk",
    "move_records",
    "note_written",
    "open_replay",
    "rebuild_all",
    "refresh_profiles",
]


FOUND_MAX = 100


def ensure_columns(tx: Tx, *, model: ProfileModel) -> list[str]:
    """Give both tables a column for each attribute and return the attributes that are new. Repeatable.

    Columns of attributes that are defined no longer stay. Raises ColumnTypeChanged.
    """
    present = store.list_columns(tx)
    added = [attribute for attribute in model.attributes if ("golden", attribute.name) not in present]
    for attribute in model.attributes:
        found = present.get(("golden", attribute.name))
        if found is not None and not store.is_column_of(attribute, found):
            raise ColumnTypeChanged(
                f"Attribute {attribute.name} is {attribute.type.value} now, but its column holds {found}. "
                "Give it its former type, or define an attribute of another name.",
                details={"attribute": attribute.name, "type": attribute.type.value, "column_type": found},
            )
    store.add_columns(tx, attributes=added)
    return [attribute.name for attribute in added]


def apply_observations(tx: Tx, *, batch: ObservationBatch, model: ProfileModel, now: datetime) -> ApplyResult:
    """Take in what records say now and decide the golden rows of the profiles it changes.

    A batch ends like its versions one by one, so how they are cut into batches makes no difference; repeating one
    changes nothing. Batches that share records or profiles wait for each other.
    Raises BatchInvalid, UnknownAttribute.
    """
    rules.check_batch(batch, model.attributes)
    if not batch.record_ids:
        return ApplyResult.nothing()
    observed = store.observe(tx, batch=batch, model=model)
    left = _in_order(observed.left_profile_ids)
    return ApplyResult(
        changed_profile_ids=_refreshed(tx, observed.profile_ids | observed.left_profile_ids, model, now),
        touched_profile_ids=_in_order(observed.profile_ids),
        removed_profile_ids=store.remove_golden(tx, profile_ids=left) if left else [],
        applied_count=observed.applied_count,
        unchanged_count=len(batch.record_ids) - observed.applied_count,
        echo_count=observed.echo_count,
        late_count=observed.late_count,
    )


def _refreshed(tx: Tx, profile_ids: Collection[UUID], model: ProfileModel, now: datetime) -> list[UUID]:
    return store.refresh(tx, profile_ids=_in_order(profile_ids), model=model, now=now) if profile_ids else []


def _in_order(profile_ids: Collection[UUID]) -> list[UUID]:
    """Sort as the database does. UUIDs compare themselves in Python, their numbers do not."""
    return sorted(profile_ids, key=attrgetter("int"))


def move_records(tx: Tx, *, moves: Sequence[Move]) -> list[UUID]:
    """Give records to other profiles; return every profile that won or lost one, for `refresh_profiles`.

    A record that is where it should be, or unknown, is left alone. Of several moves of one record the last counts.
    """
    return store.move_records(tx, moves={move.record_id: move.profile_id for move in moves}) if moves else []


def drop_observations(tx: Tx, *, record_ids: Sequence[int]) -> list[UUID]:
    """Forget what records said; return the profiles that lost one, for `refresh_profiles`."""
    return store.drop_observations(tx, record_ids=record_ids) if record_ids else []


def refresh_profiles(tx: Tx, *, profile_ids: Sequence[UUID], model: ProfileModel, now: datetime) -> RefreshResult:
    """Decide the golden rows of these profiles anew; one left without records loses its row. Repeatable."""
    if not profile_ids:
        return RefreshResult(changed_profile_ids=[], removed_profile_ids=[])
    changed = _refreshed(tx, set(profile_ids), model, now)
    removed = store.remove_golden(tx, profile_ids=profile_ids)
    return RefreshResult(changed_profile_ids=changed, removed_profile_ids=removed)


def rebuild_all(tx: Tx, *, model: ProfileModel, now: datetime) -> RebuildResult:
    """Decide all golden rows anew, as one set. Rows that come out the same are not touched.

    Others wait with their batches until the transaction ends; reading goes on.
    """
    changed_count = store.refresh_all(tx, model=model, now=now)
    return RebuildResult(changed_count=changed_count, removed_count=store.remove_golden_all(tx))


def note_written(tx: Tx, *, record_ids: Sequence[int], values: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Remember what Comity wrote into records (canonical values by attribute), so that their echo is recognised.

    Adds to what was noted before; an attribute noted again counts with its last value. Unknown records are left out.
    A value that is noted stops to count as an echo when the record says something else. Raises BatchInvalid.
    """
    written = rules.combine_written(record_ids, values)
    if written:
        store.note_written(tx, written=written, now=now)


def forget_written(tx: Tx, *, attributes: Mapping[int, Sequence[str]]) -> None:
    """Forget that Comity wrote these attributes into these records (a write that the system refused)."""
    if attributes:
        store.forget_written(tx, attributes=attributes)


def adopt_records(tx: Tx, *, records: Sequence[AdoptedRecord]) -> None:
    """Take note of records that Comity created for people: they have no opinion of their own. Repeatable."""
    if records:
        store.adopt_records(tx, records=records)


def count_profiles(tx: Tx) -> int:
    """Return how many people have a golden row."""
    return store.count_profiles(tx)


def filter_profiles(
    tx: Tx, *, profile_ids: Sequence[UUID], condition: str, model: ProfileModel, now: datetime
) -> list[UUID]:
    """Return those of the profiles for whom a condition over golden attributes holds. Raises ConditionInvalid."""
    if not profile_ids:
        return []
    vocabulary = {each.name: Column(sql=f"g.{names.column(each.name)}", type=each.type) for each in model.attributes}
    compiled = compile_condition(condition, vocabulary=vocabulary)
    return store.filter_profiles(tx, profile_ids=profile_ids, condition=compiled.sql, today=now.date())


def get_profiles(tx: Tx, *, profile_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return the golden rows that exist, in the order asked: profile_id, rules_version, updated_at, attributes."""
    found = store.list_profiles(tx, profile_ids=profile_ids)
    return [found[profile_id] for profile_id in profile_ids if profile_id in found]


def find_profiles(tx: Tx, *, attribute: str, value: Any, model: ProfileModel) -> list[UUID]:
    """Return up to 100 profiles with this golden value, by id. Raises UnknownAttribute."""
    return store.find_profiles(tx, attribute=rules.attribute_of(model, attribute), value=value, found_max=FOUND_MAX)


def explain(tx: Tx, *, profile_id: UUID, attribute: str, model: ProfileModel) -> Explanation:
    """Say why the golden value is what it is: winner, losers and their reasons, rule, conditions.

    It is the compiled decision itself, run on this profile. Raises UnknownProfile, UnknownAttribute.
    """
    found = rules.attribute_of(model, attribute)
    unit = next(unit for unit in model.units if attribute in unit.members)
    text = explain_text(model.attributes, model.units, unit=unit, member=attribute, scope=OF_PROFILES)
    row = store.explain(tx, profile_id=profile_id, text=text)
    if row is None:
        raise UnknownProfile(details={"profile_id": str(profile_id)})
    return explanation.explain(
        row, profile_id=profile_id, attribute=found, unit=unit, rules_version=model.rules_version
    )


def load_bulk(
    tx: Tx, *, frame: "DataFrame", model: ProfileModel, now: datetime, meanwhile: Callable[[], None] | None = None
) -> BulkResult:
    """Load records nobody has seen before, and the golden rows of their profiles, in one go.

    Columns of the frame: record_id (i64), profile_id (16 bytes, or text), system, stream, external_id, changed_at
    (datetime, UTC) and one for each attribute it knows; None means empty, unless a column A__absent says that the
    record holds nothing about A. Ends as `apply_observations` would. `meanwhile` is run on a thread while the
    database decides. Raises BatchInvalid, UnknownAttribute.
    """
    return bulk.load(tx, frame=frame, model=model, now=now, meanwhile=meanwhile)
