"""The two roles of a cluster: one owns everything, the other is the hub's. Told to a server that serves nobody yet."""

OWNER = "comity_owner"
"""The superuser: owns the databases, migrates, and holds what the hub may not change."""

ROLE = "comity"
"""What web, worker and commands connect as: no superuser, and no member of the owner."""

DATABASE = "comity"

QUESTION = "select rolname from pg_authid where oid = 10"
"""Who the superuser of initdb is, asked last: a server of one user says no other way that all went well."""


def text_for_new(*, password: str) -> str:
    """What makes the hub's role and its database in a cluster whose superuser is the owner. Pure."""
    return _lines(
        f"create role {ROLE} login password {_literal(password)}",
        f"create database {DATABASE}",
        f"grant create on database {DATABASE} to {ROLE}",
        QUESTION,
    )


def text_for_former(*, password: str, owner_password: str) -> str:
    """What makes two roles of the one of an earlier version, under whose name everything ran. Pure.

    That was the superuser of initdb, who stays one for good and cannot rename himself: another one, there for a moment,
    makes him the owner, and the hub gets a plain role of his former name and password. Can be repeated.
    """
    statement = f"""
do $$ declare name text; begin
    if not exists (select from pg_roles where rolname = '{OWNER}') then
        create role {OWNER}_maker superuser;
        set session authorization {OWNER}_maker;
        alter role {ROLE} rename to {OWNER};
        create role {ROLE} login password {_literal(password)};
        for name in select datname from pg_database where datname not in ('template0', 'template1', 'postgres') loop
            execute format('grant create on database %I to {ROLE}', name);
        end loop;
        set session authorization {OWNER};
        drop role {OWNER}_maker;
    end if;
    alter role {OWNER} password {_literal(owner_password)};
end $$"""  # noqa: S608 - names of ours and quoted passwords.
    return _lines(statement, QUESTION)


def _lines(*statements: str) -> str:
    """A server of one user takes a line for a statement."""
    return "".join(f"{' '.join(each.split())}\n" for each in statements)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
