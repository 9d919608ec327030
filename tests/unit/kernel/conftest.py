"""Servers on loopback that the HTTP client is tried against."""

import contextlib
import gzip
import json
import ssl
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from comity.kernel.egress import Egress

BIG = 300_000


class Peer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen[f"{self.command} {self.path}"] += 1
        length = int(self.headers.get("Content-Length", 0))
        request = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
            "client": self.client_address[1],
        }
        match self.path.partition("?")[0]:
            case "/redirect":
                self.answer(302, b"", Location="/elsewhere", **{"Set-Cookie": "session=1"})
            case "/big":
                self.answer(200, b"x" * BIG)
            case "/bomb":
                self.answer(200, gzip.compress(b"x" * BIG), **{"Content-Encoding": "gzip"})
            case "/broken-gzip":
                self.answer(200, b"nothing of the kind", **{"Content-Encoding": "gzip"})
            case "/error":
                self.answer(503, b"<html>\n  <h1>Sorry\x00</h1>" + b"y" * 5000, **{"Retry-After": "7"})
            case "/close":
                self.answer(200, json.dumps(request).encode(), Connection="close")
            case _:
                self.answer(200, json.dumps(request).encode())

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 (the names http.server calls)

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(context=None):
    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Peer)
    server.seen = Counter()
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    server.url = f"http{'s' if context else ''}://localhost:{server.server_address[1]}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def peer():
    with serving() as server:
        yield server


@pytest.fixture
def egress():
    with Egress() as client:
        yield client


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def secure_peer(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with serving(context) as server:
        yield server
