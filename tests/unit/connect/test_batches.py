"""No verdict is lost, whatever a system does to a batch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.connect.batches import write_in_batches, write_splitting
from comity.connect.types import CallFailed, ErrorClass, Outcome, Verdict, WriteItem

ITEMS = st.lists(st.tuples(st.sampled_from(["r1", "r2", "r3", "r4", None]), st.booleans()), max_size=30).map(
    lambda rows: [
        WriteItem(key=str(at), external_id=record, fields={"bad": bad}) for at, (record, bad) in enumerate(rows)
    ]
)


def delivered(item):
    return Verdict(key=item.key, outcome=Outcome.DELIVERED, external_id=item.external_id)


@given(ITEMS, st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_every_item_has_its_verdict_and_records_keep_their_order(items, batch_max):
    written = []

    def write(batch):
        assert len(batch) <= batch_max
        targets = [item.external_id for item in batch if item.external_id]
        assert len(set(targets)) == len(targets), "two items of one record in one batch"
        assert len({item.external_id is None for item in batch}) == 1
        written.extend(batch)
        return [delivered(item) for item in reversed(batch)]

    verdicts = write_in_batches(
        items, batch_max=batch_max, write=write, kind_of=lambda item: "create" if item.external_id is None else "update"
    )
    assert [verdict.key for verdict in verdicts] == [item.key for item in items]
    for record in ("r1", "r2", "r3", "r4"):
        mine = [int(item.key) for item in written if item.external_id == record]
        assert mine == sorted(mine)


@given(ITEMS)
@settings(max_examples=100, deadline=None)
def test_splitting_refuses_the_bad_alone(items):
    calls = []

    def write(batch):
        calls.append(len(batch))
        if any(item.fields["bad"] for item in batch):
            raise CallFailed(error_class=ErrorClass.VALIDATION, message="bad row")
        return [delivered(item) for item in batch]

    verdicts = {v.key: v.outcome for v in write_splitting(items, write)} if items else {}
    assert verdicts == {i.key: Outcome.REJECTED if i.fields["bad"] else Outcome.DELIVERED for i in items}
    assert len(calls) <= max(1, 2 * len(items) - 1)


def failing_from(number, **failure):
    calls = []

    def write(batch):
        calls.append(batch)
        if len(calls) >= number:
            raise CallFailed(message="down", **failure)
        return [delivered(item) for item in batch]

    return write


def numbered(count):
    return [WriteItem(key=str(n), external_id=str(n), fields={}) for n in range(count)]


def test_the_first_failure_is_raised():
    write = failing_from(1, error_class=ErrorClass.LIMIT_SHORT)
    with pytest.raises(CallFailed) as caught:
        write_in_batches(numbered(4), batch_max=2, write=write)
    assert caught.value.error_class is ErrorClass.LIMIT_SHORT


def test_a_later_failure_keeps_what_arrived():
    write = failing_from(2, error_class=ErrorClass.TRANSIENT, is_maybe_applied=True, retry_after_seconds=3)
    verdicts = write_in_batches(numbered(6), batch_max=2, write=write)
    assert [v.outcome for v in verdicts] == [
        *[Outcome.DELIVERED] * 2,
        *[Outcome.UNKNOWN] * 2,
        *[Outcome.RETRY] * 2,
    ]
    assert verdicts[-1].after_seconds == 3


def test_an_item_the_answer_does_not_mention_is_unknown():
    verdicts = write_in_batches(numbered(2), batch_max=2, write=lambda batch: [delivered(batch[1])])
    assert [v.outcome for v in verdicts] == [Outcome.UNKNOWN, Outcome.DELIVERED]
