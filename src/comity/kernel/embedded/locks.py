"""Locks on files that the kernel lets go when their holder dies, however it dies."""

import contextlib
import fcntl
import os
import time
from pathlib import Path


class FileLock:
    """An advisory lock on one file. Not inherited by programs this process starts."""

    def __init__(self, path: Path) -> None:
        """Open the file, making it when it is not there; take nothing yet."""
        self.path = path
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def try_shared(self) -> bool:
        """Take the lock together with others; False when somebody has it alone."""
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        """Take the lock alone; False when anybody has it."""
        return self._try(fcntl.LOCK_EX)

    def wait_exclusive(self, *, seconds_max: float) -> bool:
        """Take the lock alone, waiting for others for a bounded time."""
        deadline = time.monotonic() + seconds_max
        while not self.try_exclusive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def is_held_by_others(self) -> bool:
        """True when somebody holds it alone. Takes nothing that lasts."""
        if self.try_shared():
            self.let_go()
            return False
        return True

    def let_go(self) -> None:
        """Give the lock back, keep the file open."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the lock back, for copies of the open file in other processes too, and close the file."""
        with contextlib.suppress(OSError):
            self.let_go()
        self.drop_copy()

    def drop_copy(self) -> None:
        """In a forked child: close the copy of the parent's open file, and leave the parent's lock alone."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _try(self, kind: int) -> bool:
        if self._descriptor is None:
            message = f"the lock {self.path} is closed"
            raise ValueError(message)
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
