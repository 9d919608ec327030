"""Group commit: nobody is forgotten, nobody pays for somebody else's fault."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from comity.interfaces.rest.batcher import Batcher, Stopping
from comity.kernel.errors import Broken, Invalid, RateLimited, Unavailable

PATIENCE_SECONDS = 10.0


class Desk:
    """Work that can be held up, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def work(self, items: Sequence[int]) -> Sequence[int]:
        assert self.gate.wait(PATIENCE_SECONDS)
        self.batches.append(list(items))
        return [item * 2 for item in items]


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, PATIENCE_SECONDS))


class TestSubmit:
    def test_answers_each_with_its_own(self):
        async def scenario():
            batcher = Batcher(name="test", work=Desk().work)
            answers = await asyncio.gather(*(batcher.submit(number) for number in range(1_000)))
            await batcher.close()
            return answers

        assert run(scenario()) == [number * 2 for number in range(1_000)]

    def test_gathers_what_arrives_while_a_flush_runs(self):
        desk = Desk()

        async def scenario():
            batcher = Batcher(name="test", work=desk.work, flushes_max=1)
            desk.gate.clear()
            first = asyncio.ensure_future(batcher.submit(1))
            await asyncio.sleep(0.02)
            rest = [asyncio.ensure_future(batcher.submit(number)) for number in range(2, 50)]
            await asyncio.sleep(0.02)
            desk.gate.set()
            await asyncio.gather(first, *rest)
            await batcher.close()

        run(scenario())
        assert [len(batch) for batch in desk.batches] == [1, 48]

    def test_never_takes_more_than_a_batch_holds(self):
        desk = Desk()

        async def scenario():
            batcher = Batcher(name="test", work=desk.work, flushes_max=1, batch_max=10)
            await asyncio.gather(*(batcher.submit(number) for number in range(35)))
            await batcher.close()

        run(scenario())
        assert [len(batch) for batch in desk.batches] == [10, 10, 10, 5]

    @pytest.mark.parametrize("flushes_max", [1, 2])
    def test_wakes_up_for_what_arrives_exactly_while_a_flush_ends(self, flushes_max):
        """An answer's waiter submits again in the very step in which the flush has seen the queue empty."""

        async def chain(batcher, start):
            for number in range(start, start + 200):
                assert await batcher.submit(number) == number * 2

        async def scenario():
            batcher = Batcher(name="test", work=Desk().work, flushes_max=flushes_max)
            await asyncio.gather(*(chain(batcher, start * 1_000) for start in range(flushes_max)))
            await batcher.close()

        run(scenario())

    def test_refuses_what_the_queue_cannot_hold(self):
        desk = Desk()

        async def scenario():
            batcher = Batcher(name="test", work=desk.work, flushes_max=1, batch_max=1, queue_max=3)
            desk.gate.clear()
            waiting = [asyncio.ensure_future(batcher.submit(number)) for number in range(1)]
            await asyncio.sleep(0.02)  # One is being worked on; three may wait.
            waiting += [asyncio.ensure_future(batcher.submit(number)) for number in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(RateLimited):
                await batcher.submit(99)
            desk.gate.set()
            await asyncio.gather(*waiting)
            await batcher.close()

        run(scenario())

    def test_forgets_those_who_left(self):
        desk = Desk()

        async def scenario():
            batcher = Batcher(name="test", work=desk.work, flushes_max=1)
            desk.gate.clear()
            gone = asyncio.ensure_future(batcher.submit(1))
            stays = asyncio.ensure_future(batcher.submit(2))
            await asyncio.sleep(0.02)
            gone.cancel()
            desk.gate.set()
            assert await stays == 4
            await batcher.close()

        run(scenario())


class TestRun:
    def test_goes_on_beside_a_flush_that_takes_long_where_there_is_a_second_thread(self):
        desk = Desk()

        async def scenario():
            batcher = Batcher(name="test", work=desk.work, flushes_max=1, threads=2)
            desk.gate.clear()
            waiting = batcher.submit(1)
            whole = await batcher.run(list, [100, 200])
            assert not waiting.done()
            desk.gate.set()
            assert await waiting == 2
            await batcher.close()
            return whole

        assert run(scenario()) == [100, 200]


class TestFailure:
    def test_reaches_everyone_when_the_database_is_away(self):
        calls = []

        def work(items):
            calls.append(len(items))
            raise Unavailable

        async def scenario():
            batcher = Batcher(name="test", work=work, flushes_max=1)
            found = await asyncio.gather(*(batcher.submit(number) for number in range(20)), return_exceptions=True)
            await batcher.close()
            return found

        assert all(isinstance(each, Unavailable) for each in run(scenario()))
        assert len(calls) == 1, "a server that is away is not asked once more for each item"

    def test_of_one_item_takes_nobody_else_down(self):
        def work(items):
            if 13 in items:
                raise Invalid("unlucky")
            return items

        async def scenario():
            batcher = Batcher(name="test", work=work, flushes_max=1)
            found = await asyncio.gather(*(batcher.submit(number) for number in range(20)), return_exceptions=True)
            await batcher.close()
            return found

        found = run(scenario())
        assert isinstance(found[13], Invalid)
        assert [each for each in found if isinstance(each, int)] == [n for n in range(20) if n != 13]

    def test_of_the_count_of_answers_is_told_and_leaves_nobody_waiting(self):
        async def scenario():
            batcher = Batcher(name="test", work=lambda _: [], flushes_max=1)
            found = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
            assert await asyncio.wait_for(_fails(batcher), 2.0)
            await batcher.close()
            return found

        async def _fails(batcher):
            try:
                await batcher.submit(3)
            except Broken:
                return True
            return False

        assert all(isinstance(each, Broken) for each in run(scenario()))


class TestClose:
    def test_finishes_what_is_under_way_and_takes_nothing_more(self):
        desk = Desk()

        async def scenario():
            batcher = Batcher(name="test", work=desk.work, flushes_max=1)
            desk.gate.clear()
            waiting = [asyncio.ensure_future(batcher.submit(number)) for number in range(10)]
            whole = asyncio.ensure_future(batcher.run(desk.work, [100, 200]))
            await asyncio.sleep(0.02)
            closing = asyncio.ensure_future(batcher.close())
            await asyncio.sleep(0.02)
            with pytest.raises(Stopping):
                await batcher.submit(99)
            with pytest.raises(Stopping):
                await batcher.run(desk.work, [1])
            assert not closing.done()
            desk.gate.set()
            await closing
            await batcher.close()
            return await asyncio.gather(*waiting, whole)

        *answers, whole = run(scenario())
        assert answers == [number * 2 for number in range(10)]
        assert whole == [200, 400]
