"""Where one embedded server lives: its cluster, log, password and locks.

The home lies in the data folder, as `postgres/`. Started by root, and in a data folder that the server's account cannot
reach, it lies in the system's state folder and `postgres.json` in the data folder points to it. The pointer carries
a random instance id: a data folder that was emptied starts an empty database and never finds the old one again.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comity.kernel.embedded.account import SYSTEM_USER, Account, current_account, find_system_account, owner_of
from comity.kernel.embedded.locks import FileLock
from comity.kernel.errors import Conflict, Unavailable

STATE = Path("/var/lib/comity")
POINTER = "postgres.json"
INSIDE = "postgres"
SETUP_SECONDS_MAX = 60.0
MESSAGE_REMEDY = "or name a server in COMITY_DATABASE_URL."


class HomeUnusable(Unavailable):
    """The embedded server has no place to live."""


class HomeCopied(Conflict):
    """Two data folders point at the same database."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """The paths of one embedded server and the account it runs under."""

    path: Path
    account: Account

    @property
    def cluster(self) -> Path:
        """What PostgreSQL calls its data directory."""
        return self.path / "cluster"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.path / "server.log"

    @property
    def guard_log(self) -> Path:
        """What the guard says."""
        return self.path / "guard.log"

    @property
    def password(self) -> Path:
        """The password of the hub's role, readable by nobody else."""
        return self.path / "password"

    @property
    def owner_password(self) -> Path:
        """The password of the role that owns the tables the hub may not change; asked for when the schema changes."""
        return self.path / "owner_password"

    @property
    def state(self) -> Path:
        """What the guard last said about the server."""
        return self.path / "server.json"

    @property
    def users_lock(self) -> Path:
        """Held shared by every client, taken alone by the guard when nobody is left."""
        return self.path / "users.lock"

    @property
    def guard_lock(self) -> Path:
        """Held by the one guard."""
        return self.path / "guard.lock"


def settle(data_dir: Path) -> Home:
    """Give the home of a data folder, made when it is not there. Repeating finds the same one.

    Raises HomeUnusable (no account, no rights, home gone) and HomeCopied.
    """
    folder = data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "postgres.lock")
    except OSError as error:
        raise HomeUnusable(
            f"{folder} cannot be used: {error.strerror}. Choose another data folder, " + MESSAGE_REMEDY
        ) from error
    try:
        if not lock.wait_exclusive(seconds_max=SETUP_SECONDS_MAX):
            raise HomeUnusable(
                f"Another process has held {lock.path} for {SETUP_SECONDS_MAX:.0f} s. End it and try again."
            )
        pointer = _read(folder / POINTER)
        path = _follow(folder, pointer) if pointer else _create(folder)
        return Home(path=path, account=_account_of(path))
    finally:
        lock.close()


def forget(data_dir: Path, home: Home) -> None:
    """Delete a home and the pointer to it. The caller makes sure that no server runs in it."""
    (data_dir.resolve() / POINTER).unlink(missing_ok=True)
    shutil.rmtree(home.path)
    if home.path.parent.parent == STATE:
        home.path.parent.rmdir() if not any(home.path.parent.iterdir()) else None


def find_home(data_dir: Path) -> Home | None:
    """Give the home a data folder points at; None when it has none."""
    folder = data_dir.resolve()
    pointer = _read(folder / POINTER)
    if not pointer or not (folder / str(pointer["home"])).exists():
        return None
    path = folder / str(pointer["home"])
    return Home(path=path, account=_account_of(path))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a small file as a whole, so that no reader ever sees half of it and no crash of the machine loses it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w") as file:
        fresh.chmod(0o600)
        file.write(json.dumps(content))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    keep_names(path.parent)


def keep_names(folder: Path) -> None:
    """Make the names in a folder last through a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise HomeUnusable(
            f"{path} cannot be read: {error}. Put it back from a backup, or delete it to begin empty."
        ) from error


def _create(folder: Path) -> Path:
    inside = folder / INSIDE
    identity = _read(inside / "identity.json") if inside.exists() else None
    instance = str(identity["instance"]) if identity else secrets.token_hex(8)
    path = inside
    if identity is None:
        path = _make_inside(inside) or _make_in_state(folder, instance)
        write_json(path / "identity.json", {"instance": instance, "data_dir": str(folder)})
    home = INSIDE if path == inside else str(path)
    keep_names(path.parent)
    write_json(folder / POINTER, {"instance": instance, "home": home})
    return path


def _make_inside(inside: Path) -> Path | None:
    """Make the home in the data folder, if the server's account can get there. No mode of any other folder changes."""
    is_root = os.geteuid() == 0
    try:
        inside.mkdir(exist_ok=True)
        inside.chmod(0o711 if is_root else 0o700)
    except OSError as error:
        if is_root:
            return None
        raise HomeUnusable(
            f"{inside} cannot be made: {error.strerror}. Choose another data folder, " + MESSAGE_REMEDY
        ) from error
    if not is_root:
        return inside
    probe = inside / "probe"
    try:
        probe.mkdir(mode=0o700)
        account = _system_account()
        account.own(probe)
        if account.can([shutil.which("test") or "/usr/bin/test", "-w", str(probe)]):
            return inside
    except OSError:
        pass  # A file system without owners, or one that root may not write to: the state folder serves.
    finally:
        if probe.exists():
            probe.rmdir()
    inside.rmdir()
    return None


def _make_in_state(folder: Path, instance: str) -> Path:
    place = STATE / hashlib.sha256(str(folder).encode()).hexdigest()[:16] / instance
    try:
        for part in (STATE, place.parent, place):
            if not part.exists():
                part.mkdir(parents=True)
                part.chmod(0o711)
    except OSError as error:
        raise HomeUnusable(
            f"The server's account can neither reach {folder} nor may {place} be made ({error.strerror}). "
            f"Choose a data folder that every account may pass through, {MESSAGE_REMEDY}"
        ) from error
    return place


def _follow(folder: Path, pointer: dict[str, Any]) -> Path:
    path = folder / str(pointer["home"])
    identity = _read(path / "identity.json")
    if identity is None or identity["instance"] != pointer["instance"]:
        raise HomeUnusable(
            f"{folder / POINTER} says that the database is in {path}, and it is not there any more. Put it back from a "
            f"backup, or delete {folder / POINTER} to begin with an empty database."
        )
    if identity["data_dir"] != str(folder):
        _note_move(folder, Path(identity["data_dir"]), path, pointer)
    return path


def _note_move(folder: Path, earlier: Path, path: Path, pointer: dict[str, Any]) -> None:
    if not path.is_relative_to(folder) and (_read(earlier / POINTER) or {}).get("instance") == pointer["instance"]:
        raise HomeCopied(
            f"{folder} is a copy of {earlier}, and both point at the one database in {path}. "
            f"Delete {folder / POINTER} to begin with an empty database there, or delete {earlier / POINTER} to move."
        )
    write_json(path / "identity.json", {"instance": pointer["instance"], "data_dir": str(folder)})


def _account_of(path: Path) -> Account:
    """The account of the server: our own, or started by root the owner of the cluster, or of a new one the system's."""
    mine, owner, cluster = current_account(), owner_of(path), path / "cluster"
    if owner.user_id != mine.user_id:
        raise HomeUnusable(
            f"{path} belongs to user id {owner.user_id}, and this is user id {mine.user_id}. Run Comity as that user, "
            f"choose another data folder, {MESSAGE_REMEDY}"
        )
    if mine.user_id != 0:
        return mine
    if not cluster.exists():
        return _system_account()
    account = owner_of(cluster)
    if account.user_id == 0:
        raise HomeUnusable(
            f"{cluster} belongs to root, and PostgreSQL refuses to run as root. Run: chown -R {SYSTEM_USER}: {cluster}"
        )
    return account


def _system_account() -> Account:
    account = find_system_account()
    if account is None:
        raise HomeUnusable(
            "PostgreSQL refuses to run as root, and there is no account `comity` and no way to make one. Run "
            "`useradd --system comity`, start Comity as another user, " + MESSAGE_REMEDY
        )
    return account
