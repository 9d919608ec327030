"""Group commit without a timer: while one or two flushes run, what arrives queues for the next.

Measured on this kind of machine: twice the throughput of a commit per request at a lower p99, and a timer of 5 ms
is 2.5 times slower than none.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from comity.kernel.errors import Broken, RateLimited, Unavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

Work = Callable[[Sequence[Item]], Sequence[Answer]]
Waiting = tuple[Item, asyncio.Future[Answer]]


class Stopping(Unavailable):
    """This process is being stopped; try again, another one answers."""


class Batcher(Generic[Item, Answer]):
    """Collects items of concurrent requests and gives them to one function a batch at a time."""

    def __init__(
        self,
        *,
        name: str,
        work: Work[Item, Answer],
        flushes_max: int = 2,
        threads: int | None = None,
        batch_max: int = 500,
        queue_max: int = 20_000,
    ) -> None:
        """`work` runs on a thread, takes up to `batch_max` items and returns one answer each, after its commit.

        `threads` is how many there are for flushes and for what `run` brings; without it as many as flushes.
        """
        self._work = work
        self._flushes_max = flushes_max
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._queue: deque[Waiting[Item, Answer]] = deque()
        self._flush_count = 0
        self._tasks: set[asyncio.Future[object]] = set()
        self._is_closed = False
        self._executor = ThreadPoolExecutor(max_workers=threads or flushes_max, thread_name_prefix=name)

    def submit(self, item: Item) -> asyncio.Future[Answer]:
        """Queue an item; return what waits for the batch that holds it.

        Raises RateLimited when too much is waiting already, Stopping after `close`, and what the work raised.
        """
        self._require_open()
        if len(self._queue) >= self._queue_max:
            raise RateLimited("More requests are waiting than can be taken; try again shortly.", retry_after_seconds=1)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._flush_count < self._flushes_max:
            self._flush_count += 1
            self._keep(asyncio.ensure_future(self._flush()))
        return future

    async def run(self, work: Work[Item, Answer], items: Sequence[Item]) -> Sequence[Answer]:
        """Run a batch that a caller brings whole, on the same threads. Raises Stopping after `close`."""
        self._require_open()
        running = asyncio.get_running_loop().run_in_executor(self._executor, work, items)
        self._keep(running)
        return await running

    async def close(self) -> None:
        """Take nothing more; finish what is queued and under way. Repeating is harmless."""
        self._is_closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._executor.shutdown(wait=False)

    def _require_open(self) -> None:
        if self._is_closed:
            raise Stopping

    def _keep(self, task: asyncio.Future[object] | asyncio.Future[Sequence[Answer]] | asyncio.Task[None]) -> None:
        held: asyncio.Future[object] = task  # pyright: ignore[reportAssignmentType] - only waited for.
        self._tasks.add(held)
        held.add_done_callback(self._tasks.discard)

    async def _flush(self) -> None:
        # The queue is seen empty and the flush counted out in one step of the event loop: `submit` finds either a
        # flush that will look again, or room for a new one. (Done-callbacks of the task would come a step too late.)
        try:
            while self._queue:
                await self._flush_once()
        finally:
            self._flush_count -= 1

    async def _flush_once(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_max))]
        try:
            answers = await self._call([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - every waiting request gets an error, none is left hanging.
            if len(batch) > 1 and not isinstance(error, Unavailable):
                await self._flush_apart(batch)
            else:
                _fail(batch, error)
            return
        _settle(batch, answers)

    async def _flush_apart(self, batch: Sequence[Waiting[Item, Answer]]) -> None:
        """Work on each item alone after a batch failed as a whole: one bad item takes nobody else down."""
        for each in batch:
            try:
                answers = await self._call([each[0]])
            except Exception as error:  # noqa: BLE001 - as above.
                _fail([each], error)
            else:
                _settle([each], answers)

    async def _call(self, items: Sequence[Item]) -> Sequence[Answer]:
        answers = await asyncio.get_running_loop().run_in_executor(self._executor, self._work, items)
        if len(answers) != len(items):
            raise Broken(f"{len(items)} items got {len(answers)} answers.")
        return answers


def _settle(batch: Sequence[Waiting[Item, Answer]], answers: Sequence[Answer]) -> None:
    for (_, future), answer in zip(batch, answers, strict=True):
        if not future.done():
            future.set_result(answer)


def _fail(batch: Sequence[Waiting[Item, Answer]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
