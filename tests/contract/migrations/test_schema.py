"""All migrations together equal the schema that is written down, and the rooms migrate upstream first."""

import pytest

from comity.wiring import ROOMS, migrate
from tools.dump_schema import PACKAGE, describe
from tools.lint.sql_rooms import upstream

WRITTEN_ON = 18
"""The version whose catalogue the files were written from; another one words a few things otherwise."""


@pytest.mark.parametrize("room", ROOMS)
def test_migrations_equal_the_schema(tx, room):
    if tx.info.server_version // 10000 != WRITTEN_ON:
        pytest.skip(f"schema.sql is worded as PostgreSQL {WRITTEN_ON} words it")
    assert (PACKAGE / room / "schema.sql").read_text() == describe(tx, room=room), "run `make schemas` and look"


def test_every_room_with_migrations_is_wired():
    assert {path.parent.name for path in PACKAGE.glob("*/migrations")} == set(ROOMS)


def test_rooms_migrate_upstream_first():
    ranks = upstream()
    for place, room in enumerate(ROOMS):
        assert not ranks[room] & set(ROOMS[place + 1 :]), f"{room} migrates before a room it stands on"


def test_a_migration_is_one_file_and_says_what_it_is_for():
    for folder in PACKAGE.glob("*/migrations/*/"):
        assert (folder / "notes.md").read_text().strip(), f"{folder} has no notes.md"
        assert {path.name for path in folder.iterdir()} == {"up.sql", "notes.md"}


def test_migrating_again_changes_nothing(database):
    assert migrate(database) == []
