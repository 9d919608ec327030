"""The demo's project: YAML files with the addresses of the simulated systems filled in."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from comity.interfaces.cli.demo.cast import Crm
from comity.sandbox.types import SandboxReady

SHARED = ("attributes.yaml", "match.yaml", "rules.yaml", "programme.yaml", "sales.yaml")
CREATE_NEVER = "never"


def write_shared(project_dir: Path) -> None:
    """Write what does not depend on the systems."""
    project_dir.mkdir(parents=True, exist_ok=True)
    for name in SHARED:
        (project_dir / name).write_text(_read(name), encoding="utf-8")


def write_crm(project_dir: Path, crm: Crm, ready: SandboxReady, *, create: str = CREATE_NEVER) -> None:
    """Write the documents of a CRM, its secrets beside them in files that only their owner can read."""
    places: dict[str, str] = {
        "system": crm.system,
        "title": crm.title,
        "orders": crm.orders,
        "url": ready.url,
        "create": create,
        "token_file": _write_secret(project_dir, f"{crm.system}.token", ready.token),
    }
    if ready.client_secret is not None:
        places["client_secret_file"] = _write_secret(project_dir, f"{crm.system}.client-secret", ready.client_secret)
    (project_dir / f"{crm.system}.yaml").write_text(_fill(f"{crm.kind}.yaml", places), encoding="utf-8")


def _write_secret(project_dir: Path, name: str, secret: str) -> str:
    folder = project_dir / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(secret + "\n", encoding="utf-8")
    return f"secrets/{name}"


def _fill(name: str, places: Mapping[str, str]) -> str:
    return Template(_read(name)).substitute(places)


def _read(name: str) -> str:
    return (files("comity.interfaces.cli.demo") / "project" / name).read_text(encoding="utf-8")
