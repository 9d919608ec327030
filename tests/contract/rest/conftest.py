"""One hub for all contract tests of the API: web and worker, as users run them."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from comity.kernel.database import Database
from tests.conftest import _create_database, _leave_database
from tests.contract.rest.desk import Desk, open_desk


@pytest.fixture(scope="session")
def desk(server_dsn: str, template_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A running hub with the systems crm, shop and portal."""
    name = f"desk_{uuid4().hex[:12]}"
    database = Database(dsn=_create_database(server_dsn, name, template_database))
    opened = open_desk(database, tmp_path_factory.mktemp("desk"))
    opened.hub.start()
    yield opened
    opened.bare.close()
    opened.hub.stop()
    database.close()
    _leave_database(server_dsn, name)
