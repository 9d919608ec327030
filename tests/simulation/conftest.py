"""What simulations share with the tests of sync."""

from tests.db.sync.conftest import second_database

__all__ = ["second_database"]
