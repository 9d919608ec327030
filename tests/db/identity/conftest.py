"""Resolving as the tests of this room do it."""

import pytest

from comity.identity import api
from tests.db.identity.test_resolve import make_match


@pytest.fixture
def resolve(tx, clock, ids):
    match = make_match()

    def run(*records, match=match):
        return api.resolve_records(tx, records=records, match=match, now=clock.now(), ids=ids)

    return run
