"""A second database beside the first, to compare two ways to the same end."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from comity.kernel.database import Database


@pytest.fixture
def second_database(server_dsn: str, template_database: str) -> Iterator[Database]:
    """Another migrated database of the test's own."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template_database))
        )
        database = Database(dsn=psycopg.conninfo.make_conninfo(server_dsn, dbname=name))
        yield database
        database.close()
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
