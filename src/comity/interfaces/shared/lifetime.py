"""How processes of the hub begin and end: with the one that started them, also when that one was killed."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from multiprocessing.connection import wait

from comity.interfaces.shared.problems import to_exit_code
from comity.kernel.errors import ComityError
from comity.kernel.telemetry import get_logger

log = get_logger()

WITH_PARENT = "--with-parent"
"""Given to a process of the hub by who starts it with a pipe as its standard input, and holds the other end."""


STANDARD_INPUT = 0


def end_with_starter(arguments: Sequence[str]) -> None:
    """End politely when standard input ends, if asked to by the argument `--with-parent`."""
    if WITH_PARENT in arguments:
        _watch(_read_input_to_its_end)


def end_with_parent_process() -> None:
    """End politely when the process that forked this one is gone; nothing in a process that was not forked."""
    parent = parent_process()
    if parent is not None:
        _watch(lambda: wait([parent.sentinel]))


def refuse_to_start(error: ComityError) -> int:
    """Log why a process does not start; return its exit code."""
    log.error("cannot_start", code=error.code, cause=error.message, **error.details)
    return to_exit_code(error)


def _read_input_to_its_end() -> None:
    # Not through `sys.stdin`: its lock would be held for good, and a process forked meanwhile waits for it.
    while os.read(STANDARD_INPUT, 4096):
        pass


def _watch(wait_for_the_end: Callable[[], object]) -> None:
    def end() -> None:
        wait_for_the_end()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end, name="lifetime", daemon=True).start()
