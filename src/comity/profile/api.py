"""The door of the profile room."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from comity.definitions.types import AttributeSpec, RulesSpec
from comity.kernel.database import Tx
from comity.profile.types import (
    ApplyResult,
    BulkResult,
    Explanation,
    Move,
    ObservationBatch,
    ProfileModel,
    RebuildResult,
    RefreshResult,
)

if TYPE_CHECKING:
    from polars import DataFrame


def compile_model(
    *, attributes: Sequence[tuple[str, AttributeSpec]], rules: RulesSpec, rules_version: int
) -> ProfileModel:
    """Check attributes and rules against each other and compile them to SQL. Pure. Raises ModelInvalid."""
    raise NotImplementedError


def ensure_columns(tx: Tx, *, model: ProfileModel) -> list[str]:
    """Give both tables a column for each attribute and return the attributes that are new. Repeatable.

    Raises ColumnTypeChanged.
    """
    raise NotImplementedError


def apply_observations(tx: Tx, *, batch: ObservationBatch, model: ProfileModel, now: datetime) -> ApplyResult:
    """Take in what records say now and decide the golden rows of the profiles it changes.

    Repeating a batch changes nothing. Raises BatchInvalid, UnknownAttribute.
    """
    raise NotImplementedError


def move_records(tx: Tx, *, moves: Sequence[Move]) -> list[UUID]:
    """Give records to other profiles; return every profile that won or lost one, for `refresh_profiles`."""
    raise NotImplementedError


def drop_observations(tx: Tx, *, record_ids: Sequence[int]) -> list[UUID]:
    """Forget what records said; return the profiles that lost one, for `refresh_profiles`."""
    raise NotImplementedError


def refresh_profiles(tx: Tx, *, profile_ids: Sequence[UUID], model: ProfileModel, now: datetime) -> RefreshResult:
    """Decide the golden rows of these profiles anew; one left without records loses its row. Repeatable."""
    raise NotImplementedError


def rebuild_all(tx: Tx, *, model: ProfileModel, now: datetime) -> RebuildResult:
    """Decide all golden rows anew, as one set. Rows that come out the same are not touched."""
    raise NotImplementedError


def note_written(
    tx: Tx, *, record_ids: Sequence[int], values: Sequence[Mapping[str, Any]], now: datetime
) -> None:
    """Remember what Comity wrote into records (canonical values by attribute), so that their echo is recognised.

    Adds to what was noted before; an attribute noted again counts with its last value. Unknown records are left out.
    """
    raise NotImplementedError


def forget_written(tx: Tx, *, record_ids: Sequence[int]) -> None:
    """Forget what Comity wrote into these records; the next observation of each counts as the record's own."""
    raise NotImplementedError


def get_profiles(tx: Tx, *, profile_ids: Sequence[UUID]) -> list[dict[str, Any]]:
    """Return the golden rows that exist, in the order asked: profile_id, rules_version, updated_at, attributes."""
    raise NotImplementedError


def find_profiles(tx: Tx, *, attribute: str, value: Any, model: ProfileModel) -> list[UUID]:
    """Return up to 100 profiles with this golden value, by id. Raises UnknownAttribute."""
    raise NotImplementedError


def explain(tx: Tx, *, profile_id: UUID, attribute: str, model: ProfileModel) -> Explanation:
    """Say why the golden value is what it is. Raises UnknownProfile, UnknownAttribute."""
    raise NotImplementedError


def load_bulk(tx: Tx, *, frame: "DataFrame", model: ProfileModel, now: datetime) -> BulkResult:
    """Load records nobody has seen before, and the golden rows of their profiles, in one go.

    Columns of the frame: record_id (i64), profile_id (16 bytes, or text), system, stream, external_id, changed_at
    (datetime, UTC) and one for each attribute it knows; None means empty. Raises BatchInvalid.
    """
    raise NotImplementedError
