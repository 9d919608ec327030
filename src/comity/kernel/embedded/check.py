"""Whether a server that somebody names by its address is one that Comity can rely on."""

from typing import Any, NamedTuple

from comity.kernel.errors import Invalid, Unavailable

VERSION_MIN = 15
CONNECTIONS_MIN = 40


class SettingProblem(NamedTuple):
    """One setting that will not do: what it is, what was found and expected, and what to run."""

    setting: str
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.setting} is {self.found}, and Comity needs {self.expected}. {self.remedy}"


class ServerUnsuitable(Invalid):
    """The database server lacks settings that Comity relies on."""


class ServerUnreachable(Unavailable):
    """The database server does not answer."""


class ServerRefuses(Invalid):
    """The database server does not let the hub in."""


CREATE = (
    "create database {} template template0 encoding 'UTF8' "
    "locale_provider builtin builtin_locale 'C.UTF-8' (before PostgreSQL 17: locale 'C.UTF-8')"
)

REMEDIES = (
    ("password authentication failed", "Correct the user and the password in COMITY_DATABASE_URL."),
    ("no password supplied", "Write the password into COMITY_DATABASE_URL, after the user."),
    (
        "no pg_hba.conf entry",
        "Have this machine and user let in by the server's pg_hba.conf; it may want sslmode=require.",
    ),
    ("not permitted to log in", "Name a user in COMITY_DATABASE_URL who may log in."),
    ("permission denied for database", "Have the right to connect granted, or correct the database's name."),
    ('database "', f"Correct the database's name in COMITY_DATABASE_URL, or run: {CREATE.format('NAME')}."),
    ('role "', "Create the role, or correct the user in COMITY_DATABASE_URL."),
)
"""What a server says when it refuses a connection, and what helps; the first that is found counts."""


def check_settings(dsn: str) -> None:
    """Refuse a server that Comity could not rely on. Raises ServerUnsuitable, ServerRefuses, ServerUnreachable."""
    problems = find_problems(dsn)
    if problems:
        raise ServerUnsuitable(
            "The database server will not do:\n" + "\n".join(f"- {problem}" for problem in problems),
            details={
                "settings": [problem.setting for problem in problems],
                "remedy": "Do what is said with each, then start again.",
            },
        )


def find_problems(dsn: str) -> list[SettingProblem]:
    """List what is wrong with the server, all of it at once; changes nothing.

    Raises ServerRefuses, ServerUnreachable.
    """
    # Here, so that the guard, which needs no database driver, starts in half the time.
    import psycopg

    from comity.kernel.database import CLIENT_ENCODING, SESSION_OPTIONS

    try:
        with psycopg.connect(
            dsn, autocommit=True, connect_timeout=10, options=SESSION_OPTIONS, client_encoding=CLIENT_ENCODING
        ) as connection:
            row = connection.execute(QUESTION).fetchone()
    except psycopg.OperationalError as error:
        cause = str(error).strip()
        remedy = next((remedy for said, remedy in REMEDIES if said in cause), None)
        if remedy is not None:
            raise ServerRefuses(
                f"The database server does not let the hub in: {cause}", details={"remedy": remedy}
            ) from error
        raise ServerUnreachable(
            f"The database server does not answer: {cause}",
            details={"remedy": "Start the server, or correct host and port in COMITY_DATABASE_URL."},
        ) from error
    if row is None:
        raise ServerUnreachable("The database server gave no answer to a question about its settings.")
    return judge(dict(zip(ASKED, row, strict=True)))


ASKED = (
    *("version", "encoding", "lowered", "fsync", "full_page_writes", "synchronous_commit", "strings", "isolation"),
    *("connections", "reserved", "read_only", "recovery", "may_create", "database", "role"),
    *("replication_role", "transaction_timeout"),
)

QUESTION = """
select current_setting('server_version_num')::int / 10000,
       current_setting('server_encoding'),
       lower(convert_from(decode(case current_setting('server_encoding') when 'UTF8' then '4a4f53c389'
                                 else '4a4f5345' end, 'hex'), 'UTF8') collate "default"),
       current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
       current_setting('standard_conforming_strings'), current_setting('default_transaction_isolation'),
       current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,
       current_setting('default_transaction_read_only'), pg_is_in_recovery(),
       has_database_privilege(current_user, current_database(), 'CREATE'),
       current_database(), current_user,
       current_setting('session_replication_role'), coalesce(current_setting('transaction_timeout', true), '0')
"""

OF_ROLE = (
    ("strings", "standard_conforming_strings", "on"),
    ("isolation", "default_transaction_isolation", "read committed"),
    ("replication_role", "session_replication_role", "origin"),
    ("transaction_timeout", "transaction_timeout", "0"),
)
"""Settings of a role that have one good value: key of the answer, name, value.

With another replication role no trigger keeps the ledger as it is. A rebuild is one long transaction.
"""


def judge(found: dict[str, Any]) -> list[SettingProblem]:
    """Give the problems in what a server answered. Pure."""
    database, role = _quote(found["database"]), _quote(found["role"])
    reload_after = "; select pg_reload_conf();"
    make_again = f"Create a database anew: {CREATE.format(database)}."
    checks = [
        (
            found["version"] >= VERSION_MIN,
            *("PostgreSQL's version", found["version"], f"{VERSION_MIN} or newer", "Upgrade the server."),
        ),
        (found["encoding"] == "UTF8", "server_encoding", found["encoding"], "UTF8", make_again),
        (
            found["encoding"] != "UTF8" or found["lowered"] == "jos\u00e9",
            *(
                "lower('JOS\u00c9')",
                repr(found["lowered"]),
                "'jos\u00e9' (a locale that knows more than ASCII)",
                make_again,
            ),
        ),
        *(
            (found[name] == "on", name, found[name], "on", f"Run: alter system set {name} = on{reload_after}")
            for name in ("fsync", "full_page_writes")
        ),
        (
            found["synchronous_commit"] != "off",
            *("synchronous_commit", found["synchronous_commit"], "on"),
            f"Run: alter role {role} set synchronous_commit = on;",
        ),
        *(
            (found[name] == wanted, setting, found[name], wanted, f"Run: alter role {role} set {setting} = '{wanted}';")
            for name, setting, wanted in OF_ROLE
        ),
        (
            found["connections"] - found["reserved"] >= CONNECTIONS_MIN,
            *("max_connections", found["connections"], f"at least {CONNECTIONS_MIN + found['reserved']}"),
            "Run: alter system set max_connections = 100; and restart the server.",
        ),
        (
            not found["recovery"],
            *("the server", "a standby", "the primary"),
            "Name the primary, or add target_session_attrs=read-write to the address.",
        ),
        (
            found["recovery"] or found["read_only"] == "off",
            *("default_transaction_read_only", found["read_only"], "off"),
            f"Run: alter role {role} set default_transaction_read_only = off;",
        ),
        (
            bool(found["may_create"]),
            *(f"the right of {role} to create schemas", "missing", "that right"),
            f"Run: grant create on database {database} to {role};",
        ),
    ]
    return [
        SettingProblem(setting, str(value), expected, remedy)
        for is_fine, setting, value, expected, remedy in checks
        if not is_fine
    ]


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
