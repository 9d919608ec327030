"""The load generator: keep-alive connections of one thread, each sending its next request when the last was answered.

A process of its own (`python -m bench.load`, an order as JSON on stdin, the outcome as JSON on stdout). Plain sockets
and epoll: some 15 microseconds of processor time a request, since it shares the machine with what it measures.
"""

import random
import select
import socket
import sys
import time
from datetime import UTC, datetime

import msgspec

from bench.payloads import payload_of
from bench.people import STREAMS, SYSTEMS, Population

RECORDS = 5_000
RECEIVE_BYTES = 65_536
MEMBERS_APART = 1_000
"""Members of each programme, where they are spread over several."""
DRAIN_SECONDS_MAX = 30.0
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Order(msgspec.Struct, kw_only=True):
    """What to send. `lines` is 0 for single events, else the events of one bulk request.

    With `spend`, redemptions in that programme instead, of the first `members` members, by chance; where the name
    ends with `-`, in one of as many programmes of that name and a number as there are thousands of members.
    """

    host: str
    port: int
    key: str
    run: str
    connections: int
    seconds: float
    lines: int = 0
    spend: str = ""
    members: int = 0


class Outcome(msgspec.Struct, kw_only=True):
    """What came back; latencies in milliseconds. `processor_seconds` are those of the generator, without its start."""

    seconds: float
    requests: int
    accepted: int
    refused: int
    p50: float
    p99: float
    longest: float
    processor_seconds: float


class Answer(msgspec.Struct, frozen=True):
    """The body of a bulk answer, as far as it is looked at."""

    accepted: int


_answer = msgspec.json.Decoder(Answer)


class Events:
    """A source of events that are new each time: real payloads, event ids of their own."""

    def __init__(self, order: Order) -> None:
        """Prepare the parts of the requests that do not change."""
        records = Population(records=RECORDS).records(range(RECORDS))
        now = datetime(2026, 3, 3, 12, tzinfo=UTC)
        self._tails = [
            b'","system":"%s","stream":"%s","id":"%s","data":%s}'
            % (
                SYSTEMS[record.system].encode(),
                STREAMS[record.system].encode(),
                record.external_id.encode(),
                payload_of(record, now),
            )
            for record in records
        ]
        self._mark = b'{"event_id":"%s-' % order.run.encode()
        path = "/v1/events/bulk" if order.lines else "/v1/events"
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: {order.host}\r\nauthorization: Bearer {order.key}\r\n"
            f"content-type: {'application/x-ndjson' if order.lines else 'application/json'}\r\ncontent-length: "
        ).encode()
        self._lines = order.lines
        self._count = 0

    def next_request(self) -> bytes:
        """Return a request that was never sent before."""
        start, count = self._count, max(1, self._lines)
        self._count += count
        mark, tails = self._mark, self._tails
        body = b"\n".join([mark + b"%d" % number + tails[number % RECORDS] for number in range(start, start + count)])
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body)


class Redemptions:
    """A source of redemptions that are new each time, one point each."""

    def __init__(self, order: Order) -> None:
        """Prepare the parts of the requests that do not change."""
        self._head = (
            f"POST /v1/redemptions HTTP/1.1\r\nhost: {order.host}\r\nauthorization: Bearer {order.key}\r\n"
            f"content-type: application/json\r\ncontent-length: "
        ).encode()
        self._order = order
        self._random = random.Random(order.run)
        self._count = 0

    def next_request(self) -> bytes:
        """Return a request that was never sent before."""
        self._count += 1
        order = self._order
        member = self._random.randrange(order.members)
        programme = f"{order.spend}{member // MEMBERS_APART}" if order.spend.endswith("-") else order.spend
        body = (
            f'{{"global_id":"{global_id_of(member)}","programme":"{programme}","points":1,'
            f'"idempotency_key":"{order.run}-{self._count}"}}'
        ).encode()
        return b"%s%d\r\n\r\n%s" % (self._head, len(body), body)


def global_id_of(member: int) -> str:
    """Return the Global ID of a member by number."""
    return f"01900000-0000-7000-8000-{member:012x}"


class Connection:
    """One connection and the request it waits for."""

    def __init__(self, order: Order, number: int) -> None:
        """Connect."""
        self.socket = socket.create_connection((order.host, order.port), timeout=DRAIN_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(None)  # With one, Python asks the system before each call whether it would block.
        self.number = number
        self.sent_at = 0.0
        self.received = b""

    def take(self) -> tuple[int, bytes] | None:
        """Return status and body once the answer is whole. Raises ConnectionError when the server hung up."""
        part = self.socket.recv(RECEIVE_BYTES)
        if not part:
            raise ConnectionError("The server closed the connection.")
        self.received += part
        head, end, body = self.received.partition(_HEAD_END)
        if not end:
            return None
        at = head.lower().find(_LENGTH) + len(_LENGTH)
        length = int(head[at : at + 12].split(b"\r\n", 1)[0])
        if len(body) < length:
            return None
        self.received = b""
        return int(head[9:12]), body


def run(order: Order) -> Outcome:
    """Send until the time is up, wait for what is under way, and count."""
    source = Redemptions(order) if order.spend else Events(order)
    connections = {}
    poll = select.epoll()
    for number in range(order.connections):
        connection = Connection(order, number)
        connections[connection.socket.fileno()] = connection
        poll.register(connection.socket, select.EPOLLIN)
    latencies: list[float] = []
    accepted = refused = 0
    processor_started = time.process_time()
    started = time.perf_counter()
    until = started + order.seconds
    for connection in connections.values():
        _send(connection, source)
    waiting = len(connections)
    while waiting:
        for place, _ in poll.poll(DRAIN_SECONDS_MAX):
            connection = connections[place]
            answer = connection.take()
            if answer is None:
                continue
            now = time.perf_counter()
            latencies.append(now - connection.sent_at)
            count = int(answer[0] == 201) if order.spend else _count_accepted(*answer, is_bulk=order.lines > 0)
            accepted += count
            refused += max(1, order.lines) - count
            if now < until:
                _send(connection, source)
            else:
                waiting -= 1
    seconds = time.perf_counter() - started
    processor_seconds = time.process_time() - processor_started
    for connection in connections.values():
        connection.socket.close()
    latencies.sort()
    return Outcome(
        seconds=seconds,
        requests=len(latencies),
        accepted=accepted,
        refused=refused,
        p50=_quantile(latencies, 0.5),
        p99=_quantile(latencies, 0.99),
        longest=latencies[-1] * 1000,
        processor_seconds=processor_seconds,
    )


def _send(connection: Connection, source: Events | Redemptions) -> None:
    request = source.next_request()
    connection.sent_at = time.perf_counter()
    connection.socket.sendall(request)


def _count_accepted(status: int, body: bytes, *, is_bulk: bool) -> int:
    if status != 202:
        return 0
    return _answer.decode(body).accepted if is_bulk else int(b'"accepted"' in body)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


if __name__ == "__main__":
    outcome = run(msgspec.json.decode(sys.stdin.buffer.read(), type=Order))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
