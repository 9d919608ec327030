"""One call for all who ask at the same time."""

import asyncio
import threading

import pytest

from comity.interfaces.shared.flights import Flights

PATIENCE_SECONDS = 10


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, PATIENCE_SECONDS))


def test_is_made_once_for_everybody_who_waits():
    calls, gate = [], threading.Event()

    def work():
        calls.append(1)
        assert gate.wait(PATIENCE_SECONDS)
        return 42

    async def scenario():
        flights = Flights()
        waiting = [asyncio.ensure_future(flights.join("key", work)) for _ in range(50)]
        await asyncio.sleep(0.02)
        assert flights.is_flying("key") and not flights.is_flying("other")
        gate.set()
        return await asyncio.gather(*waiting)

    assert run(scenario()) == [42] * 50
    assert len(calls) == 1


def test_is_made_anew_after_it_has_ended():
    calls = []

    async def scenario():
        flights = Flights()
        for _ in range(3):
            await flights.join("key", lambda: calls.append(1))
        assert not flights.is_flying("key")

    run(scenario())
    assert len(calls) == 3


def test_fails_for_everybody_and_is_tried_again_by_the_next():
    outcomes = [ValueError("away"), None]

    def work():
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return "back"

    async def scenario():
        flights = Flights()
        found = await asyncio.gather(*(flights.join("key", work) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(each, ValueError) for each in found)
        return await flights.join("key", work)

    assert run(scenario()) == "back"


def test_goes_on_for_the_others_when_one_leaves():
    gate = threading.Event()

    async def scenario():
        flights = Flights()
        leaving = asyncio.ensure_future(flights.join("key", lambda: gate.wait(PATIENCE_SECONDS)))
        staying = asyncio.ensure_future(flights.join("key", lambda: pytest.fail("a second call")))
        await asyncio.sleep(0.02)
        leaving.cancel()
        await asyncio.sleep(0)
        gate.set()
        return await staying

    assert run(scenario()) is True
