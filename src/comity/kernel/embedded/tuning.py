"""Settings of the embedded server, scaled modestly to the machine: it is a guest beside the hub."""

import os
from pathlib import Path

MEGABYTE = 1024 * 1024
CONNECTIONS_MAX = 100


def settings_text(*, cluster: Path, memory_bytes: int | None = None, shared_memory_bytes: int | None = None) -> str:
    """The text of `comity.conf`, written anew at each start. ALTER SYSTEM overrides all of it but fsync and its kin."""
    memory = memory_bytes if memory_bytes is not None else _memory_bytes()
    shared_memory = shared_memory_bytes if shared_memory_bytes is not None else _shared_memory_bytes()
    settings = {
        "max_connections": CONNECTIONS_MAX,
        "shared_buffers": _megabytes(memory // 8, least=128, most=4096),
        "effective_cache_size": _megabytes(memory // 2, least=256, most=16384),
        "work_mem": _megabytes(memory // 1024, least=4, most=16),
        "maintenance_work_mem": _megabytes(memory // 32, least=64, most=512),
        "max_wal_size": "'4GB'",
        "random_page_cost": 1.1,
        "jit": "off",
        # Changes of many people touch many pages for the first time since a checkpoint. Compressing each of these
        # whole pages (pglz, the only way this build knows) took three times the processor time of all other work.
        "wal_compression": "off",
        "checkpoint_timeout": "'15min'",
        "timezone": "'UTC'",
        "log_timezone": "'UTC'",
        "log_line_prefix": "'%m [%p] %a '",
        "log_lock_waits": "on",
        "max_locks_per_transaction": 256,
        "restart_after_crash": "on",
    }
    if shared_memory < 512 * MEGABYTE:
        # Containers give 64 MB of /dev/shm, too little for a parallel hash join.
        settings["dynamic_shared_memory_type"] = "'mmap'"
    included = str(cluster / "postgresql.conf").replace("\\", "\\\\").replace("'", "''")
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    return f"# Written at each start; use ALTER SYSTEM for changes of your own.\ninclude '{included}'\n{lines}"


def _megabytes(size: int, *, least: int, most: int) -> str:
    return f"'{min(max(size // MEGABYTE, least), most)}MB'"


def _memory_bytes() -> int:
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            allowed = int(Path(path).read_text())
        except (OSError, ValueError):
            continue
        return min(installed, allowed)
    return installed


def _shared_memory_bytes() -> int:
    try:
        status = os.statvfs("/dev/shm")  # noqa: S108 (asked for its size only)
    except OSError:
        return 1024 * MEGABYTE
    return status.f_frsize * status.f_blocks
