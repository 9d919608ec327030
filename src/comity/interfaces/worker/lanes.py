"""Lanes side by side: threads of this process, or processes of their own once those are worth it and have begun.

A change is work for Python as well as for the database, so a process with a session of its own keeps about one
processor busy. On threads the lanes share one interpreter.
"""

import gc
import os
import pickle
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar, TypeVarTuple

from comity.interfaces.shared.lifetime import end_with_parent_process
from comity.interfaces.worker.lane import DefinitionsMoved, Lane
from comity.kernel.database import Database, is_data_fault
from comity.kernel.errors import Broken, ComityError, Invalid
from comity.kernel.ids import RandomIds
from comity.sync import api as sync

T = TypeVar("T")
Given = TypeVarTuple("Given")

LANES = min(3, max(2, os.cpu_count() or 2))
"""One keeps about one processor busy. A fourth would wait: one at a time identifies, a third of all work."""
WORTH_IT_MIN = 500
"""Changes in a batch; fewer are done sooner than told to another process."""
GC_THRESHOLDS = (200_000, 20, 20)
"""A batch makes many objects and no cycles: looking for some as often as Python does takes a tenth of its time."""


class DataFault(Invalid):
    """The database refuses something in a batch."""


class Hand:
    """Does the steps of one lane, one at a time, somewhere else than the one who asks."""

    def __init__(self, executor: Executor, run: Callable[..., Any]) -> None:
        """`run` is given the step and what the step is given; it knows the lane."""
        self._executor = executor
        self._run = run

    def begin(self, step: Callable[[Lane, *Given], T], *args: *Given) -> Future[T]:
        """Have a step done. Raises BrokenProcessPool where a process has died."""
        return self._executor.submit(self._run, step, *args)

    def close(self) -> None:
        """Wait for the step under way, and end."""
        self._executor.shutdown(cancel_futures=True)


class Lanes:
    """The hands there are: threads at first, processes when they are worth it and ready."""

    def __init__(self, dsn: str, *, make: Callable[[], Lane]) -> None:
        """`make` makes a lane of this process; another process makes its own."""
        self._dsn = dsn
        self._threads = [self._open_thread(make()) for _ in range(LANES)]
        self._processes: list[Hand] = []
        self._ready: list[Future[None]] = []
        self._is_given_up = False

    def choose(self, count_max: int) -> Sequence[Hand]:
        """Return the hands for batches of so many changes, of which there is plenty.

        Others than before may only begin when those have ended their work.
        """
        if self._is_given_up or count_max < WORTH_IT_MIN:
            return self._threads
        if not self._processes:
            self._processes = [self._open_process() for _ in range(LANES)]
            self._ready = [hand.begin(_be_ready) for hand in self._processes]
        return self._processes if all(map(_has_begun, self._ready)) else self._threads

    def give_up(self) -> None:
        """Go on with threads alone: a process has died."""
        self._is_given_up = True
        self._close_processes()

    def close(self) -> None:
        """End them all."""
        self._close_processes()
        for hand in self._threads:
            hand.close()

    def _close_processes(self) -> None:
        processes, self._processes, self._ready = self._processes, [], []
        for hand in processes:
            hand.close()

    def _open_thread(self, lane: Lane) -> Hand:
        def run(step: Callable[..., Any], *args: Any) -> Any:
            return step(lane, *args)

        return Hand(ThreadPoolExecutor(1, thread_name_prefix="unify"), run)

    def _open_process(self) -> Hand:
        # A process with threads and open connections must not be forked.
        return Hand(
            ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin, initargs=(self._dsn,)), _run
        )


def _has_begun(ready: Future[None]) -> bool:
    return ready.done() and ready.exception() is None


class _Process:
    """What a process works with."""

    lane: Lane


def _begin(dsn: str) -> None:
    end_with_parent_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one.
    gc.set_threshold(*GC_THRESHOLDS)
    _Process.lane = Lane(database=Database(dsn=dsn, pool_size_max=1), runtimes=sync.RuntimeSource(), ids=RandomIds())


def _be_ready(_: Lane) -> None:
    """Answer, which says that the process has begun."""


def _run(step: Callable[..., Any], *args: Any) -> Any:
    """Do a step; what it raises is told in a form that can be sent."""
    try:
        return step(_Process.lane, *args)
    except Exception as error:
        if isinstance(error, ComityError | DefinitionsMoved) and _can_be_sent(error):
            raise
        text = f"{type(error).__name__}: {error}"[:1_000]
        raise (DataFault(text) if is_data_fault(error) else Broken(text)) from error


def _can_be_sent(error: Exception) -> bool:
    """An error that cannot be read where it arrives would end the pool of the process."""
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)  # noqa: S301 - our own bytes.
    except (TypeError, ValueError, AttributeError, LookupError, pickle.PickleError):
        return False
