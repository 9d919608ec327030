"""The web process itself: how it starts, what it does while the database is away, how it ends."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import psycopg
import pytest
import trustme

from comity.kernel.database import Database
from tests.contract.rest.desk import open_desk
from tests.contract.rest.test_events import event
from tests.scenario.rehearsal import PATIENCE_SECONDS, eventually, free_port

RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"


class Wire:
    """The way to a database server, which can be cut and mended."""

    def __init__(self, dsn: str) -> None:
        given = psycopg.conninfo.conninfo_to_dict(dsn)
        self._folder, self._port = str(given["host"]), given.get("port", 5432)
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self.port = free_port()
        self.dsn = psycopg.conninfo.make_conninfo(dsn, host="127.0.0.1", port=self.port)

    def mend(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Like a server that is gone: nobody listens, and what was connected is reset."""
        assert self._listener is not None
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            with suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                each.shutdown(socket.SHUT_RDWR)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            if self._folder.startswith("/"):
                far = socket.socket(socket.AF_UNIX)
                far.connect(f"{self._folder}/.s.PGSQL.{self._port}")
            else:
                far = socket.create_connection((self._folder, int(self._port)))
            self._open |= {near, far}
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                target.sendall(piece)
        for each in (source, target):
            self._open.discard(each)
            each.close()


def children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in told.split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def own_desk(database, tmp_path):
    """A hub of the test's own; not started."""
    opened = open_desk(database, tmp_path)
    yield opened
    opened.bare.close()
    opened.hub.stop()


class TestDatabaseAway:
    def test_is_answered_503_and_goes_on_by_itself(self, database, tmp_path):
        wire = Wire(database.dsn)
        wire.mend()
        behind = Database(dsn=wire.dsn)
        desk = open_desk(behind, tmp_path)
        desk.hub.start("rest")
        try:
            first = event()
            assert desk.send(first).status_code == 202
            assert desk.http.get("/v1/systems").status_code == 200
            wire.cut()
            eventually(lambda: desk.bare.get("/v1/status").status_code == 503, what="the remembered status has aged")
            answers = self.knock(desk)
            assert {name: each.status_code for name, each in answers.items()} == dict.fromkeys(answers, 503)
            for answer in answers.values():
                assert answer.headers["retry-after"] == "1"
                assert answer.json()["code"] == "database_unavailable" and answer.json()["details"]["remedy"]
            metrics = desk.bare.get("/metrics")
            assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert metrics.status_code == 200 and "comity_database_up 0.0" in metrics.text
            assert desk.bare.get("/").status_code == 200
            wire.mend()
            eventually(lambda: desk.send(first).status_code == 202, what="intake goes on")
            assert desk.send(first).json()["status"] == "duplicate"
            eventually(lambda: desk.bare.get("/health").status_code == 200, what="health is back")
            eventually(lambda: "comity_database_up 1.0" in desk.bare.get("/metrics").text, what="the metrics say so")
        finally:
            desk.bare.close()
            desk.hub.stop()
            behind.close()
            wire.cut()

    def knock(self, desk):
        """Ask in every way at once; nobody waits longer than the client of the test does."""
        wanted = {
            "event": lambda: desk.send(event()),
            "key": lambda: desk.call("GET", "/v1/systems", key="cmty_someone_else"),
            "status": lambda: desk.bare.get("/v1/status"),
            "health": lambda: desk.bare.get("/health"),
        }
        answers: dict[str, httpx2.Response] = {}

        def ask(name):
            answers[name] = wanted[name]()

        threads = [threading.Thread(target=ask, args=(name,)) for name in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers


class TestEnd:
    def test_asked_politely_answers_what_is_under_way(self, own_desk):
        own_desk.hub.start("rest")
        answers, is_asked = [], threading.Event()
        assert own_desk.http.get("/v1/systems").status_code == 200  # The connection stands.

        def pieces():
            yield b'{"system":"crm","stream":"customer","id":"slow",'
            assert is_asked.wait(PATIENCE_SECONDS)
            time.sleep(0.5)
            yield b'"data":{"first":"Ada"}}'

        def send():
            answers.append(own_desk.http.post("/v1/events", content=pieces()).status_code)

        sending = threading.Thread(target=send)
        sending.start()
        time.sleep(1.5)  # Nothing tells that the hub has begun to read.
        process = own_desk.hub._running.pop("rest")
        process.terminate()
        is_asked.set()
        assert process.wait(PATIENCE_SECONDS) == 0
        sending.join()
        assert answers == [202]
        assert own_desk.count_changes("slow") == 1

    def test_killed_leaves_no_orphan(self, own_desk):
        own_desk.hub.start("rest")
        process = own_desk.hub._running.pop("rest")
        workers = children(process.pid)
        assert workers
        process.kill()
        process.wait(PATIENCE_SECONDS)
        eventually(lambda: not any(map(is_alive, workers)), what="the worker ends with its parent")

    def test_killed_worker_is_replaced(self, own_desk):
        own_desk.hub.start("rest")
        [worker] = children(own_desk.hub._running["rest"].pid)
        os.kill(worker, signal.SIGKILL)

        def answers_again():
            try:
                return own_desk.send(event()).status_code == 202
            except httpx2.TransportError:
                return False

        eventually(answers_again, what="another worker answers")


@contextmanager
def serving(database, folder, **settings):
    """A web process with further settings; yields it and its port."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COMITY_")}
    environment = clean | {"COMITY_DATABASE_URL": database.dsn, "COMITY_PORT": str(port)} | settings
    with (folder / "rest.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "comity.interfaces.rest"], env=environment, stdout=log, stderr=log, cwd=folder
        )
        try:
            yield process, port
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)


class TestTls:
    def test_is_1_3_only(self, database, tmp_path):
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        (tmp_path / "key.pem").write_bytes(certificate.private_key_pem.bytes())
        (tmp_path / "chain.pem").write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        with (
            serving(database, tmp_path, COMITY_TLS_CERTIFICATE="chain.pem", COMITY_TLS_KEY="key.pem") as (_, port),
            httpx2.Client(verify=trust, trust_env=False) as http,
        ):

            def answers():
                try:
                    return http.get(f"https://127.0.0.1:{port}/health").status_code == 200
                except httpx2.TransportError:
                    return False

            eventually(answers, what="the hub answers over TLS")
            assert self.shake_hands(port, trust, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
            with pytest.raises((ssl.SSLError, ConnectionError)):
                self.shake_hands(port, trust, ssl.TLSVersion.TLSv1_2)

    def shake_hands(self, port, trust, version):
        trust.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            trust.wrap_socket(plain, server_hostname="127.0.0.1") as shaken,
        ):
            return shaken.version()


class TestStart:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"COMITY_PRT": "1"}, "Did you mean COMITY_PORT?"),
            ({"COMITY_PORT": "many"}, "COMITY_PORT cannot be used"),
            ({"COMITY_TLS_CERTIFICATE": "none.pem", "COMITY_TLS_KEY": "none.pem"}, "there is no file"),
        ],
        ids=["misspelt", "no number", "no certificate"],
    )
    def test_with_a_wrong_setting_says_so_and_ends(self, database, tmp_path, settings, said):
        with serving(database, tmp_path, **settings) as (process, _):
            assert process.wait(PATIENCE_SECONDS) == 2
        assert said in (tmp_path / "rest.log").read_text()
        assert "Traceback" not in (tmp_path / "rest.log").read_text()
