"""The PostgreSQL that comes with Comity: started on first use, shared by processes, stopped after the last of them.

Owns: the server's home (cluster, log, password, locks), its guard process, the check of a server named by its address.
Invariants: one guard and one postmaster per home; a client is whoever holds a shared lock on `users.lock`, so the
kernel itself takes note of its death; nothing of another user's, and no parent folder, is ever opened to anybody.
Tables: none.
Place in the flow: below the pool; `ensure` gives the address that `Database` connects to.
"""

from comity.kernel.embedded.check import ServerUnsuitable, SettingProblem, check_settings, find_problems
from comity.kernel.embedded.client import (
    EmbeddedServer,
    Progress,
    ServerFailed,
    ServerInUse,
    create_database,
    ensure,
    remove,
)
from comity.kernel.embedded.home import HomeCopied, HomeUnusable

__all__ = [
    "EmbeddedServer",
    "HomeCopied",
    "HomeUnusable",
    "Progress",
    "ServerFailed",
    "ServerInUse",
    "ServerUnsuitable",
    "SettingProblem",
    "check_settings",
    "create_database",
    "ensure",
    "find_problems",
    "remove",
]
