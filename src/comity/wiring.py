"""The one place that knows every room and every connector by name."""

from comity.kernel import migrate as kernel_migrate
from comity.kernel.database import Database

ROOMS = (
    "kernel",
    "definitions",
    "access",
    "systems",
    "inbox",
    "identity",
    "profile",
    "activity",
    "ledger",
    "programme",
    "outbox",
)
"""The rooms that own tables, upstream first: a room's functions and views may use those of the rooms before it."""


def migrate(database: Database) -> list[str]:
    """Bring the database to this version's schema. Returns the names of the steps applied."""
    return kernel_migrate.migrate(database, rooms=ROOMS)
