"""What a system's state says of its errors."""

from datetime import timedelta

import pytest

from comity.systems import api
from tests.conftest import NOW


@pytest.mark.parametrize("writes", [[], [True], [False], [False, True], [True, False]])
def test_latest_error_is_the_newest_of_reading_and_writing(tx, writes):
    api.put_systems(tx, systems={"crm": ("salesforce", "CRM")}, now=NOW)
    for number, is_write in enumerate(writes):
        api.note_failure(
            tx,
            system="crm",
            is_write=is_write,
            message=f"error {number}",
            failures_in_row=number,
            retry_after_seconds=None,
            now=NOW + timedelta(seconds=number),
        )
    [state] = api.list_systems(tx)
    assert state.latest_error == (f"error {len(writes) - 1}" if writes else None)
