"""Whose account the server runs under. PostgreSQL refuses to run as root, and we do not argue."""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

SYSTEM_USER = "comity"
FALLBACK_USERS = ("postgres", "nobody")
CLEAN_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class Account(NamedTuple):
    """A system account, by number: names may differ between two machines that share a disk."""

    user_id: int
    group_id: int

    @property
    def user(self) -> int | None:
        """What subprocess takes as `user`: None when there is nothing to change."""
        return self.user_id if os.geteuid() == 0 else None

    @property
    def group(self) -> int | None:
        """What subprocess takes as `group`."""
        return self.group_id if os.geteuid() == 0 else None

    @property
    def extra_groups(self) -> list[int] | None:
        """What subprocess takes as `extra_groups`: none of root's stay with the program."""
        return [] if os.geteuid() == 0 else None

    def own(self, path: Path) -> None:
        """Hand a path of ours over to the account."""
        if os.geteuid() == 0:
            os.chown(path, self.user_id, self.group_id, follow_symlinks=False)

    def can(self, program: list[str]) -> bool:
        """True when the program ends well under this account. The kernel is asked, not the mode bits."""
        try:
            # The programs are the server's own and `test`, given as absolute paths.
            done = subprocess.run(  # noqa: S603 - words of ours.
                program,
                check=False,
                capture_output=True,
                cwd="/",
                env=CLEAN_ENVIRONMENT,
                timeout=60,
                user=self.user,
                group=self.group,
                extra_groups=self.extra_groups,
            )
        except OSError:
            return False
        return done.returncode == 0


def current_account() -> Account:
    """The account this process runs under."""
    return Account(os.geteuid(), os.getegid())


def owner_of(path: Path) -> Account:
    """The account a path belongs to."""
    status = path.stat()
    return Account(status.st_uid, status.st_gid)


def find_system_account() -> Account | None:
    """The unprivileged account for a server started by root, made when it is not there; None when impossible."""
    return _find(SYSTEM_USER) or _make_system_account() or _find_first(FALLBACK_USERS)


def _make_system_account() -> Account | None:
    useradd = shutil.which("useradd") or shutil.which("useradd", path="/usr/sbin:/sbin")
    if useradd is None:
        return None
    command = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    for _ in range(5):
        # Another process may be making the same account, or hold the lock of the password file.
        subprocess.run([*command, SYSTEM_USER], check=False, capture_output=True, timeout=60)  # noqa: S603 (fixed words)
        account = _find(SYSTEM_USER)
        if account is not None:
            return account
        time.sleep(0.3)
    return None


def _find_first(names: tuple[str, ...]) -> Account | None:
    for name in names:
        account = _find(name)
        if account is not None:
            return account
    return None


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        return None
    return Account(entry.pw_uid, entry.pw_gid)
