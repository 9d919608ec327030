"""Commands about API keys and settings."""

import os
from datetime import timedelta
from typing import Annotated

import typer

from comity.access import api as access
from comity.access.types import Scope
from comity.interfaces.cli.opening import DataDir, get_settings, open_hub
from comity.interfaces.cli.output import Json, console, print_json, print_table, translates_errors
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
        console.print(key, highlight=False)
        console.print(f"valid until {expires_at:%Y-%m-%d}; it is not shown again", style="dim", highlight=False)


@keys.command("list")
@translates_errors
def list_keys(*, data_dir: DataDir = None, json: Json = False) -> None:
    """List keys; never the secrets."""
    with open_hub(data_dir=data_dir) as hub, hub.database.transaction() as tx:
        found = access.list_api_keys(tx)
    rows = [
        (k.prefix, k.name, ", ".join(k.scopes), k.created_at.date(), k.expires_at.date(), k.revoked_at is not None)
        for k in found
    ]
    headings = ("prefix", "name", "scopes", "created", "expires", "revoked")
    if json:
        print_json([dict(zip(headings, row, strict=True)) for row in rows])
    else:
        print_table("", headings, rows)


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
        console.print(f"{prefix} is revoked.", highlight=False)


@translates_errors
def settings(*, json: Json = False) -> None:
    """Show every setting, its value and where it comes from; secrets masked."""
    rows = describe(get_settings(), os.environ)
    if json:
        print_json([{"name": name, "value": value, "source": source} for name, value, source in rows])
    else:
        print_table("", ("setting", "value", "from"), rows)
