"""Commands about API keys and settings."""

import os
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape

from comity.access import api as access
from comity.access.types import ApiKey, Scope
from comity.interfaces.cli.opening import DataDir, get_settings, open_hub, read_hub
from comity.interfaces.cli.output import Json, print_json, print_table, say, translates_errors
from comity.settings import describe

keys = typer.Typer(help="API keys.", no_args_is_help=True)


@keys.command("create")
@translates_errors
def create(
    name: Annotated[str, typer.Argument(help="Who uses the key.")],
    *,
    scope: Annotated[list[str], typer.Option(help=f"What it opens: {', '.join(Scope)}.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid.")] = 90,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a key; it is shown this once."""
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        now = hub.clock.now()
        expires_at = now + timedelta(days=days)
        key = access.create_api_key(tx, name=name, scopes=scope, expires_at=expires_at, now=now, ids=hub.ids)
    if json:
        print_json({"key": key, "expires_at": expires_at})
    else:
        say(key)
        say(f"valid until {expires_at:%Y-%m-%d}; it is not shown again", style="dim")


@keys.command("list")
@translates_errors
def list_keys(*, data_dir: DataDir = None, json: Json = False) -> None:
    """List keys; never the secrets."""
    with read_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        found = access.list_api_keys(tx)
        now = hub.clock.now()
    if json:
        print_json([_to_view(each, now=now) for each in found])
    else:
        print_table(
            "",
            ("prefix", "name", "scopes", "created", "expires", "state"),
            [
                (k.prefix, k.name, ", ".join(k.scopes), k.created_at.date(), k.expires_at.date(), _state(k, now=now))
                for k in found
            ],
        )


def _state(key: ApiKey, *, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.expires_at > now else "expired"


def _to_view(key: ApiKey, *, now: datetime) -> dict[str, object]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "state": _state(key, now=now),
    }


@keys.command("revoke")
@translates_errors
def revoke(
    prefix: Annotated[str, typer.Argument(help="The key's prefix.")], *, data_dir: DataDir = None, json: Json = False
) -> None:
    """Close a key at once (running processes follow within seconds)."""
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        access.revoke_api_key(tx, prefix=prefix, now=hub.clock.now())
    if json:
        print_json({"prefix": prefix, "revoked": True})
    else:
        say(f"{escape(prefix)} is revoked.")


@translates_errors
def settings(*, json: Json = False) -> None:
    """Show every setting, its value and where it comes from; secrets masked."""
    rows = describe(get_settings(), os.environ)
    if json:
        print_json([{"name": name, "value": value, "source": source} for name, value, source in rows])
    else:
        print_table("", ("setting", "value", "from"), rows)
