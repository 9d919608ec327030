"""What records said, told once more in another order of things: the same statements on a table that does not stay.

`observe_sql` and `decide_sql` are all there is of the engine, here as well; only the table's name is another.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from comity.kernel.database import Tx
from comity.profile import explanation, names, observe_sql, rules, store
from comity.profile.decide_sql import decide
from comity.profile.decide_sql import explain as explain_text
from comity.profile.golden_sql import OF_PROFILES
from comity.profile.store import REPLAYED
from comity.profile.types import Explanation, ObservationBatch, ProfileModel


class Replay:
    """A place where records speak again; `follow` says by which model. Made by `open_replay`."""

    def __init__(self, tx: Tx, model: ProfileModel) -> None:
        """Start without records."""
        self._tx = tx
        self.follow(model)

    def follow(self, model: ProfileModel) -> None:
        """Take and decide by this model from now on."""
        observe = observe_sql.observe(model.attributes, table=model.texts.stage_table, observation=REPLAYED)
        self._model = msgspec.structs.replace(model, texts=msgspec.structs.replace(model.texts, observe=observe))
        columns = ", ".join(names.column(each.name) for each in model.attributes)
        decided = decide(model.attributes, model.units, scope=OF_PROFILES, observation=REPLAYED)
        self._decide = f"select {columns} from (\n{decided}\n) as decided"  # noqa: S608 - quoted by `names`.

    def say(self, batch: ObservationBatch) -> bool:
        """Take in what records said; True when it changed what is known. Raises BatchInvalid, UnknownAttribute."""
        rules.check_batch(batch, self._model.attributes)
        return bool(store.observe(self._tx, batch=batch, model=self._model).profile_ids)

    def load(self, *, record_id: int, profile_id: UUID, until: datetime | None) -> None:
        """Bring in what is stored of a record, as far as it came about before a time; None: all of it."""
        store.replay_copy(
            self._tx, record_id=record_id, profile_id=profile_id, attributes=self._model.attributes, until=until
        )

    def adopt(self, *, record_id: int, profile_id: UUID) -> None:
        """Bring in a record that has said nothing yet."""
        store.replay_copy(self._tx, record_id=record_id, profile_id=profile_id, attributes=(), until=None)

    def move(self, *, record_id: int, profile_id: UUID) -> None:
        """Give a record to another profile."""
        store.replay_move(self._tx, record_id=record_id, profile_id=profile_id)

    def drop(self, *, record_id: int) -> None:
        """Forget what a record said."""
        store.replay_drop(self._tx, record_id=record_id)

    def note_written(self, *, record_id: int, values: Mapping[str, Any], at: datetime) -> None:
        """Take values for ones that Comity wrote into a record. Raises BatchInvalid."""
        written = rules.combine_written([record_id], [values])[record_id]
        store.replay_written(self._tx, record_id=record_id, written=written, written_at=at)

    def decide(self, *, profile_id: UUID) -> dict[str, Any]:
        """Return the golden values of a profile; none when no record belongs to it."""
        row = store.replay_decide(self._tx, profile_id=profile_id, text=self._decide)
        attributes = self._model.attributes
        return {} if row is None else {each.name: value for each, value in zip(attributes, row, strict=True)}

    def explain(self, *, profile_id: UUID, attribute: str) -> Explanation | None:
        """Say why a value is what it is, as `api.explain` does; None when no record belongs to the profile."""
        model = self._model
        unit = next(unit for unit in model.units if attribute in unit.members)
        text = explain_text(
            model.attributes, model.units, unit=unit, member=attribute, scope=OF_PROFILES, observation=REPLAYED
        )
        row = store.explain(self._tx, profile_id=profile_id, text=text)
        found = rules.attribute_of(model, attribute)
        if row is None:
            return None
        return explanation.explain(
            row, profile_id=profile_id, attribute=found, unit=unit, rules_version=model.rules_version
        )


@contextmanager
def open_replay(tx: Tx, *, model: ProfileModel) -> Generator[Replay]:
    """Lend a place for a replay; nothing of it stays, whatever is done in it."""
    with store.lend_replay(tx):
        yield Replay(tx, model)
