"""A client whose answers are written down beforehand: the edge of the process, without the network."""

import json
import threading
from datetime import UTC, datetime

import pytest

from comity.connect.types import ConnectorContext
from comity.kernel.clock import ManualClock
from comity.kernel.egress import Egress, Response


class ScriptedEgress(Egress):
    """Answers by `script(method, url, options)`, or with the next of a list; keeps what was asked."""

    def __init__(self, script):
        self.script = script
        self.calls = []
        self.lock = threading.Lock()

    def request(self, method, url, **options):
        with self.lock:
            self.calls.append((method, url, options))
        answer = self.script(method, url, options) if callable(self.script) else self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def make_answer(body, status=200, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers={k.lower().replace("_", "-"): v for k, v in headers.items()}, body=raw)


@pytest.fixture
def answer():
    return make_answer


@pytest.fixture
def scripted():
    return ScriptedEgress


@pytest.fixture
def clock():
    return ManualClock(datetime(2026, 11, 21, 12, 0, tzinfo=UTC))


@pytest.fixture
def context(clock):
    def make(egress, **more):
        return ConnectorContext(settings=None, secrets={}, egress=egress, clock=clock, **more)

    return make
