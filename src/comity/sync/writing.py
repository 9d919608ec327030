"""Writing items through a connector: one verdict each, whatever happens on the way."""

from collections.abc import Sequence

from comity.connect.batches import verdict_of
from comity.connect.types import CallFailed, Connector, Outcome, Verdict, WriteItem
from comity.sync.desired import Item
from comity.sync.endings import by_stream

TAKEN_CODES = frozenset({"DUPLICATE_VALUE", "CONFLICTING_UNIQUE_VALUE"})
UNIQUE_FIELDS_MAX = 3
"""So many fields of a record may turn out to be taken by another record of the same person."""


def write_items(connector: Connector, items: Sequence[Item]) -> dict[str, Verdict]:
    """Write items stream by stream. Raises CallFailed only when nothing is known to have arrived.

    A person may have several records in a system, but only one of them can hold a value that has to be unique there,
    such as the Global ID or an e-mail address: the others are written without it.
    """
    verdicts = _write(connector, items, {})
    again: Sequence[Item] = items
    for _ in range(UNIQUE_FIELDS_MAX):
        taken = [(item, field) for item in again if (field := _find_taken(item, verdicts[item.key])) is not None]
        for item, field in taken:
            item.left[field] = item.writes.pop(field)
            if not item.writes:
                verdicts[item.key] = Verdict(key=item.key, outcome=Outcome.UNCHANGED)
        again = [item for item, _ in taken if item.writes]
        if not again:
            break
        verdicts = _write(connector, again, verdicts)
    return verdicts


def _write(connector: Connector, items: Sequence[Item], before: dict[str, Verdict]) -> dict[str, Verdict]:
    verdicts = dict(before)
    for stream, members in by_stream(items).items():
        batch = [_to_write(item) for item in members]
        try:
            answered = connector.write(stream, batch)
        except CallFailed as error:
            if not verdicts:
                raise
            answered = [verdict_of(each, error) for each in batch]  # What was taken before stays known.
        verdicts.update({verdict.key: verdict for verdict in answered})
    return verdicts


def _find_taken(item: Item, verdict: Verdict) -> str | None:
    """Return the field whose value another record of the person holds already, if that is why the write was refused."""
    if item.record is None or verdict.outcome not in {Outcome.REJECTED, Outcome.CONFLICT}:
        return None
    is_siblings = verdict.external_id in item.siblings
    field = verdict.field or (item.match_field if verdict.reason_code in TAKEN_CODES else None)
    return field if field in item.writes and (field == item.match_field or is_siblings) else None


def _to_write(item: Item) -> WriteItem:
    match_field = item.match_field
    return WriteItem(
        key=item.key,
        external_id=item.record.external_id if item.record else None,
        fields=item.writes,
        match_field=match_field if item.record is None else None,
        match_value=str(item.claim.profile_id) if item.record is None and match_field else None,
        idempotency_key=f"{item.claim.profile_id}:{item.claim.mark}",
    )
