"""What the framework behind the hot routes gets to see of a request, and what becomes of its answer."""

import asyncio

import pytest

from comity.interfaces.rest.bridge import serve_asgi, to_asgi_scope
from comity.interfaces.rest.http import Bodiless, read_body
from comity.interfaces.shared.problems import BodyTooLarge


class Scope:
    """A request as the server gives it."""

    method, path, query_string, scheme, http_version = "POST", "/v1/a b", "q=%C3%A9", "https", "2"
    authority, client, server = "hub.example:443", "[::1]:5000", "10.0.0.1:443"

    def __init__(self, **headers):
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Exchange:
    """The server's side of a request: parts of a body, and what was answered."""

    def __init__(self, *parts):
        self.parts = list(parts)
        self.answers = []
        self.asked = 0

    def __aiter__(self):
        return self

    async def __anext__(self):
        self.asked += 1
        if not self.parts:
            raise StopAsyncIteration
        return self.parts.pop(0)

    async def client_disconnect(self):
        self.answers.append("gone")

    def response_bytes(self, status, headers, body):
        self.answers.append((status, headers, body))

    def response_stream(self, status, headers):
        self.answers.append((status, headers))
        return self

    async def send_bytes(self, data):
        self.answers.append(data)


def serve(app, scope, exchange):
    asyncio.run(asyncio.wait_for(serve_asgi(app, scope, exchange), 10))


async def read(receive):
    messages = []
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def test_scope_is_told_as_asgi_has_it():
    told = to_asgi_scope(Scope(x_name="1"))
    assert told["headers"] == [(b"host", b"hub.example:443"), (b"x-name", b"1")]
    assert (told["client"], told["server"]) == (("::1", 5000), ("10.0.0.1", 443))
    assert (told["path"], told["raw_path"], told["query_string"]) == ("/v1/a b", b"/v1/a%20b", b"q=%C3%A9")
    assert to_asgi_scope(Scope(host="here"))["headers"] == [(b"host", b"here")]


def test_body_comes_in_parts_and_then_the_caller_may_leave():
    exchange = Exchange(b"ab", b"c")

    async def app(_scope, receive, _send):
        assert b"".join([each["body"] for each in await read(receive)]) == b"abc"
        assert (await receive())["type"] == "http.disconnect"

    serve(app, Scope(content_length="3"), exchange)
    assert exchange.answers == ["gone"]


def test_body_that_ends_early_is_told_as_a_caller_who_left():
    async def app(_scope, receive, _send):
        assert (await read(receive))[-1]["type"] == "http.disconnect"

    serve(app, Scope(content_length="10"), Exchange(b"abc"))


def test_whole_answer_is_sent_at_once_and_another_in_pieces():
    start = {"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1")]}

    async def whole(_scope, _receive, send):
        await send(start)
        await send({"type": "http.response.body", "body": b"all"})

    async def pieces(_scope, _receive, send):
        await send(start)
        for body, is_more in ((b"1", True), (b"2", True), (b"3", False)):
            await send({"type": "http.response.body", "body": body, "more_body": is_more})

    first, second = Exchange(), Exchange()
    serve(whole, Scope(), first)
    serve(pieces, Scope(), second)
    assert first.answers == [(201, [("x-a", "1")], b"all")]
    assert second.answers == [(201, [("x-a", "1")]), b"1", b"2", b"3"]


@pytest.mark.parametrize("told", [{}, {"content_length": "5", "transfer_encoding": "chunked"}], ids=repr)
def test_body_whose_length_nobody_holds_to_is_read_no_further_than_it_may_go(told):
    exchange = Exchange(*[b"x" * 10] * 100)
    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(Scope(**told), exchange, bytes_max=25))
    assert exchange.asked == 3


@pytest.mark.parametrize("pieces", [False, True])
def test_head_is_answered_without_the_body_it_tells_of(pieces):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
        await send({"type": "http.response.body", "body": b"ab", "more_body": pieces})
        if pieces:
            await send({"type": "http.response.body", "body": b"c"})

    exchange = Exchange()
    serve(app, Scope(), Bodiless(exchange))
    assert exchange.answers == [(200, [("content-length", "3")], b"")]
