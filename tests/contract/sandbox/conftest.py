"""Running simulators, one of each kind for a test file, and what drives them."""

import http.server
import ssl
import threading

import httpx2
import pytest

from comity.sandbox.api import SandboxOptions, serve


@pytest.fixture(scope="module")
def salesforce():
    with serve(kind="salesforce", tls=True, seed=3) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def hubspot():
    # Retries follow quickly, so that a test sees them.
    options = SandboxOptions(webhook_retry_seconds=(0.02, 0.02, 0.02))
    with serve(kind="hubspot", seed=3, options=options) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def http_salesforce(salesforce):
    with _client(salesforce) as client:
        yield client


@pytest.fixture(scope="module")
def http_hubspot(hubspot):
    with _client(hubspot) as client:
        yield client


def _client(sandbox):
    headers = {"authorization": f"Bearer {sandbox.token}"}
    verify = ssl.create_default_context(cafile=sandbox.ca_file) if sandbox.ca_file else True
    return httpx2.Client(base_url=sandbox.url, headers=headers, verify=verify, trust_env=False, timeout=10)


class Receiver:
    """A webhook target that keeps what it got and answers as told."""

    def __init__(self):
        self.requests = []
        self.statuses = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks/opaque"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver():
    started = Receiver()
    yield started
    started.close()
