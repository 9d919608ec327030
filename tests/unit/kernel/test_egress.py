"""The HTTP client against real servers on loopback, well-behaved and hostile."""

import contextlib
import json
import socket
import threading
import time

import pytest

from comity.kernel.egress import Egress, EgressFailed, RequestUnusable, Response
from comity.kernel.telemetry import REGISTRY

BIG = 300_000


@contextlib.contextmanager
def raw_server(*behaviours):
    """A server whose connections behave as told, one after the other."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)
    seen = []

    def run():
        for behaviour in behaviours:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    behaviour(connection, seen)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        listener.close()
        thread.join()


def take(connection, seen):
    data = connection.recv(65536)
    if data:
        seen.append(data.decode().split("\r\n")[0])


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def answer_then_close(connection, seen):
    """Serves one request, waits for the next and drops the connection instead of answering it."""
    take(connection, seen)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    take(connection, seen)


def answer(connection, seen):
    take(connection, seen)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")


def silence(connection, _):
    while connection.recv(65536):
        pass


def take_and_say_nothing(connection, seen):
    take(connection, seen)
    silence(connection, seen)


def reset_at_once(connection, seen):
    take(connection, seen)
    reset(connection)


def reset_in_the_body(connection, seen):
    take(connection, seen)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
    time.sleep(0.05)
    reset(connection)


def drip_headers(connection, seen):
    take(connection, seen)
    for letter in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
        connection.sendall(bytes([letter]))
        time.sleep(0.05)


def drip_body(connection, seen):
    take(connection, seen)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b".")
        time.sleep(0.05)


class TestRequest:
    def test_sends_what_it_is_given(self, egress, peer):
        told = egress.request(
            "post",
            f"{peer.url}/things?a=1",
            params={"b": ["x", "y"], "c": True, "d": None, "e": "ö &+"},
            json={"name": "Zoë"},
            headers={"X-Key": "1", "accept": "application/json"},
        ).json()
        assert told["method"] == "POST"
        assert told["path"] == "/things?a=1&b=x&b=y&c=true&e=%C3%B6+%26%2B"
        assert json.loads(told["body"]) == {"name": "Zoë"}
        assert told["headers"]["content-type"] == "application/json"
        assert told["headers"]["x-key"] == "1"
        assert told["headers"]["accept"] == "application/json"
        assert told["headers"]["user-agent"].startswith("comity/")

    def test_sends_forms_and_bytes(self, egress, peer):
        told = egress.request("POST", peer.url, form={"grant_type": "refresh_token", "scope": ["a", "b"]}).json()
        assert told["body"] == "grant_type=refresh_token&scope=a&scope=b"
        assert told["headers"]["content-type"] == "application/x-www-form-urlencoded"
        told = egress.request("PATCH", peer.url, content=b"<a/>", headers={"Content-Type": "text/xml"}).json()
        assert (told["body"], told["headers"]["content-type"]) == ("<a/>", "text/xml")

    def test_keeps_connections_alive(self, egress, peer):
        clients = {egress.request("GET", peer.url).json()["client"] for _ in range(5)}
        assert len(clients) == 1

    def test_is_shared_by_threads(self, egress, peer):
        failures = []

        def work():
            for number in range(20):
                told = egress.request("POST", f"{peer.url}/{number}", json={"number": number}).json()
                if json.loads(told["body"])["number"] != number:
                    failures.append(told)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert sum(peer.seen.values()) == 160

    def test_follows_no_redirect_and_keeps_no_cookie(self, egress, peer):
        response = egress.request("GET", f"{peer.url}/redirect")
        assert (response.status, response.header("location")) == (302, "/elsewhere")
        assert "cookie" not in egress.request("GET", peer.url).json()["headers"]
        assert peer.seen["GET /elsewhere"] == 0

    def test_takes_no_proxy_from_the_environment(self, peer, monkeypatch):
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        with Egress() as client:
            assert client.request("GET", peer.url).status == 200

    def test_goes_through_the_proxy_it_is_told(self, peer):
        with Egress(proxy=peer.url.replace("//", "//user:hush@")) as client:
            told = client.request("GET", "http://crm.example/contacts").json()
        assert told["path"] == "http://crm.example/contacts"
        assert told["headers"]["proxy-authorization"].startswith("Basic ")

    def test_says_nothing_was_sent_when_the_proxy_refuses(self, peer):
        with Egress(proxy=peer.url) as client, pytest.raises(EgressFailed) as raised:
            client.request("POST", "https://crm.example/contacts", json={})
        assert not raised.value.is_maybe_applied

    def test_gives_errors_as_answers(self, egress, peer):
        response = egress.request("GET", f"{peer.url}/error")
        assert (response.status, response.headers["retry-after"]) == (503, "7")
        assert response.excerpt(20) == "<html> <h1>Sorry...."[:17] + "..."
        assert len(response.excerpt()) == 300
        with pytest.raises(ValueError, match=r"HTTP 503.*is no JSON"):
            response.json()

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("ftp://example.org/x", "no address of the web"),
            ("/relative", "no address of the web"),
            ("https://", "no address of the web"),
            ("http://example.org:port", "cannot be sent"),
            ("https://eva:hush@example.org", "carries a password"),
        ],
    )
    def test_refuses_addresses_it_cannot_use(self, egress, url, words):
        with pytest.raises(RequestUnusable, match=words) as raised:
            egress.request("GET", url)
        assert "hush" not in str(raised.value)

    def test_refuses_headers_that_would_smuggle(self, egress, peer):
        with pytest.raises(RequestUnusable, match="cannot be sent"):
            egress.request("GET", peer.url, headers={"X-Name": "a\r\nX-Admin: yes"})
        assert not peer.seen

    def test_refuses_two_bodies(self, egress):
        with pytest.raises(RequestUnusable, match="one body"):
            egress.request("POST", "http://localhost", json={}, content=b"")

    def test_counts_calls_by_outcome(self, egress, peer):
        labels = {"method": "DELETE", "outcome": "2xx"}
        before = REGISTRY.get_sample_value("comity_egress_seconds_count", labels) or 0
        egress.request("DELETE", peer.url)
        assert REGISTRY.get_sample_value("comity_egress_seconds_count", labels) == before + 1


class TestSize:
    @pytest.mark.parametrize("path", ["/big", "/bomb"])
    def test_stops_reading_at_the_limit_compressed_or_not(self, peer, path):
        with Egress(body_bytes_max=BIG - 1) as client, pytest.raises(EgressFailed, match="larger than") as raised:
            client.request("GET", peer.url + path)
        assert (raised.value.kind, raised.value.is_maybe_applied) == ("size", True)
        with Egress(body_bytes_max=BIG) as client:
            assert len(client.request("GET", peer.url + path).body) == BIG

    def test_goes_on_after_an_answer_that_was_too_large(self, peer):
        with Egress(body_bytes_max=10_000, connections_max=1) as client:
            for _ in range(3):
                with pytest.raises(EgressFailed):
                    client.request("GET", f"{peer.url}/big")
            assert client.request("GET", peer.url).status == 200

    def test_takes_broken_compression_for_a_broken_answer(self, egress, peer):
        with pytest.raises(EgressFailed, match="compression") as raised:
            egress.request("POST", f"{peer.url}/broken-gzip")
        assert (raised.value.kind, raised.value.is_maybe_applied) == ("reset", True)


class TestFailures:
    def test_nobody_there(self, egress):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        with pytest.raises(EgressFailed, match="no connection") as raised:
            egress.request("POST", f"http://127.0.0.1:{port}/x?key=hush", json={})
        assert (raised.value.kind, raised.value.is_maybe_applied) == ("connect", False)
        assert "hush" not in str(raised.value)

    def test_a_name_nobody_knows(self, egress):
        with pytest.raises(EgressFailed) as raised:
            egress.request("POST", "http://no-such-host.invalid/", timeout_seconds=20)
        assert (raised.value.kind, raised.value.is_maybe_applied) == ("connect", False)

    @pytest.mark.parametrize("behaviour", [silence, drip_headers, drip_body])
    def test_a_call_ends_in_its_time_however_the_peer_delays(self, egress, behaviour):
        with raw_server(behaviour) as (url, _):
            began = time.monotonic()
            with pytest.raises(EgressFailed, match=r"within 0.4 s; the time ran out after") as raised:
                egress.request("POST", url, json={}, timeout_seconds=0.4)
            assert 0.3 < time.monotonic() - began < 60
        assert (raised.value.kind, raised.value.is_maybe_applied) == ("timeout", True)

    @pytest.mark.parametrize("behaviour", [reset_at_once, reset_in_the_body])
    def test_a_reset_leaves_open_whether_it_was_applied(self, egress, behaviour):
        with (
            raw_server(behaviour) as (url, seen),
            pytest.raises(EgressFailed, match="the connection broke") as raised,
        ):
            egress.request("POST", url, json={})
        assert (raised.value.kind, raised.value.is_maybe_applied) == ("reset", True)
        assert seen == ["POST / HTTP/1.1"]

    def test_a_read_is_made_again_when_a_kept_connection_was_closed(self, egress):
        with raw_server(answer_then_close, answer) as (url, seen):
            assert egress.request("GET", url).json() == {}
            assert egress.request("GET", f"{url}/second").json() == []
        assert seen == ["GET / HTTP/1.1", "GET /second HTTP/1.1", "GET /second HTTP/1.1"]

    def test_a_write_is_never_made_again(self, egress):
        with raw_server(answer_then_close, answer) as (url, seen):
            egress.request("GET", url)
            with pytest.raises(EgressFailed) as raised:
                egress.request("POST", f"{url}/second")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 1).close()
        assert raised.value.is_maybe_applied
        assert seen == ["GET / HTTP/1.1", "POST /second HTTP/1.1"]

    def test_a_full_pool_ends_in_time_and_nothing_was_sent(self):
        with raw_server(take_and_say_nothing) as (url, seen), Egress(connections_max=1) as client:
            first = threading.Thread(target=_call_in_vain, args=(client, url))
            first.start()
            while not seen:
                time.sleep(0.01)
            with pytest.raises(EgressFailed, match="became free") as raised:
                client.request("POST", url, timeout_seconds=0.2)
            first.join()
        assert (raised.value.kind, raised.value.is_maybe_applied) == ("timeout", False)


def _call_in_vain(client, url):
    with contextlib.suppress(EgressFailed):
        client.request("GET", url, timeout_seconds=3)


class TestResponse:
    def test_reads_headers_in_any_case_and_text_of_any_kind(self):
        response = Response(status=200, headers={"x-a": "1"}, body=b"\xff\xfe ok")
        assert response.header("X-A") == "1"
        assert response.header("X-B") is None
        assert response.text().endswith(" ok")
