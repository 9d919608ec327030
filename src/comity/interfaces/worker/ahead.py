"""The next batch of the inbox, read and mapped by a process of its own while this one applies the batch in hand.

Mapping is pure and takes a fifth of the time a change does. On a thread it would share the interpreter with the work on
the batch in hand; another process does it on another processor.
"""

import gc
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from comity.inbox import api as inbox
from comity.interfaces.shared.lifetime import end_with_parent_process
from comity.kernel.database import Database
from comity.kernel.readers import Position
from comity.kernel.telemetry import get_logger
from comity.sync import api as sync

log = get_logger()

ANSWER_SECONDS_MAX = 60.0
"""A process that does not answer in this time is not asked again."""
WORTH_IT_MIN = 500
"""Changes in a batch; fewer are mapped sooner than told to another process."""
GC_THRESHOLDS = (50_000, 20, 20)
"""A batch makes many objects and no cycles: looking for some as often as Python does takes a tenth of its time."""


class Ahead:
    """Asks for one batch at a time. The process is started when first wanted, and only used once it is ready."""

    def __init__(self, dsn: str) -> None:
        """Nothing is started yet."""
        self._dsn = dsn
        self._pool: ProcessPoolExecutor | None = None
        self._ready: Future[None] | None = None
        self._next: Future[sync.Prepared] | None = None
        self._is_given_up = False

    def begin(self, position: Position, *, count_max: int) -> None:
        """Have the batch after a place read and mapped, if that is worth it and the process is ready."""
        if self._is_given_up or count_max < WORTH_IT_MIN:
            return
        if self._pool is None or self._ready is None:
            # A process with threads and open connections must not be forked.
            self._pool = ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=_begin, initargs=(self._dsn,)
            )
            self._ready = self._pool.submit(_be_ready)
        elif self._ready.done():
            try:
                self._next = self._pool.submit(_prepare, position, count_max)
            except BrokenProcessPool:
                log.exception("mapping_ahead_given_up")
                self._give_up()

    def take(self) -> sync.Prepared | None:
        """Return the batch that was asked for last, once; None where there is none, whatever the reason."""
        future, self._next = self._next, None
        if future is None:
            return None
        try:
            return future.result(timeout=ANSWER_SECONDS_MAX)
        except (BrokenProcessPool, TimeoutError):
            log.exception("mapping_ahead_given_up")
            self._give_up()
        except Exception:  # Whoever asked does it without help, and comes upon what is wrong if it lasts.
            log.exception("mapping_ahead_failed")
        return None

    def _give_up(self) -> None:
        self._is_given_up = True
        self.close()

    def forget(self) -> None:
        """Let go of the batch that was asked for."""
        self._next = None

    def close(self) -> None:
        """End the process."""
        pool, self._pool, self._ready, self._next = self._pool, None, None, None
        if pool is not None:
            pool.shutdown(wait=not self._is_given_up, cancel_futures=True)


class _Source:
    """What the process works with."""

    database: Database
    runtimes: sync.RuntimeSource


def _begin(dsn: str) -> None:
    end_with_parent_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one.
    gc.set_threshold(*GC_THRESHOLDS)
    _Source.database = Database(dsn=dsn, pool_size_max=1)
    _Source.runtimes = sync.RuntimeSource()


def _be_ready() -> None:
    """Answer, which says that the process has begun."""


def _prepare(position: Position, count_max: int) -> sync.Prepared:
    with _Source.database.transaction() as tx:
        runtime = _Source.runtimes.get(tx)
        batch = inbox.read_changes(tx, position=position, count_max=count_max)
    prepared = sync.prepare(batch, runtime)
    with _Source.database.transaction() as tx:
        return sync.recall(tx, prepared, runtime)
