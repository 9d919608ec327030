"""An in-house system described in YAML: nested fields, values nobody can use, and answers that are none."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from comity.connect.types import CallFailed
from tests.scenario.convergence import find_undecided

CLUB = """
kind: system
name: club
spec:
  connector: rest
  settings:
    base_url: URL
    streams:
      members:
        records: data
        changed_at: at
        list: {path: /members, cursor: {kind: none}}
        fetch: {path: "/members/{id}"}
        update: {path: "/members/{id}", method: PATCH}
  streams: {members: {every: 1s}}
---
kind: mapping
name: club-member
spec:
  system: club
  stream: members
  kind: person
  external_id: id
  changed_at: at
  fields:
    - {attribute: given_name, field: name, lens: text, direction: both}
    - {attribute: family_name, field: family, lens: text, direction: both}
    - {attribute: email, field: mail, lens: email, direction: both, clears: true}
    - {attribute: phone, field: tel, lens: phone, direction: both, clears: true}
    - {attribute: city, field: address.city, lens: text, direction: both}
    - {attribute: global_id, field: gid, lens: text, direction: write}
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def _handle(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        club = self.server.club
        external_id = self.path.removeprefix("/members").strip("/")
        if body:
            club.writes += 1
            club.edit(external_id, **json.loads(body))
        found = club.rows[external_id] if external_id else {"data": list(club.rows.values())}
        raw = b"<html>Maintenance</html>" if club.is_closed else json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_PATCH = _handle  # noqa: N815 - the names http.server calls.


class Club:
    """Its members, by id. What is written or edited is merged into a member, also one level down."""

    def __init__(self, clock):
        self.clock = clock
        self.rows = {}
        self.writes = 0
        self.is_closed = False

    def edit(self, external_id, **fields):
        self.clock.advance(seconds=1)
        row = self.rows.setdefault(external_id, {"id": external_id, "address": {}})
        row["address"] |= fields.pop("address", {})
        row |= {**fields, "at": self.clock.now().isoformat()}

    def state(self):
        return {"writes": {"api": {"records": self.writes}}}


@pytest.fixture
def club(stage):
    """The club, connected as a fourth system."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.club = club = Club(stage.clock)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    stage.write(club=CLUB.replace("URL", f"http://127.0.0.1:{server.server_port}"))
    stage.systems["club"] = club
    yield club
    server.shutdown()
    server.server_close()
    thread.join(5)


class TestNested:
    def test_an_edit_that_loses_is_put_right_in_a_nested_field_too(self, stage, club, ada):
        stage.replace("rules", "[address], rule: most_recent", "[address], rule: system_of_record, systems: [crm-a]")
        stage.apply()
        club.edit("1", name="Ada", family="Byron", mail="ada@byron.example", address={"city": "Ulm", "zip": "89073"})
        stage.settle()
        club.edit("1", address={"city": "Bonn"})
        stage.settle()
        assert club.rows["1"]["address"] == {"city": "Ulm", "zip": "89073"}
        assert ada.shown("crm-a", "city") == "Ulm"
        assert find_undecided(stage.hub) == 0


class TestUnusable:
    def test_what_cannot_be_read_is_not_emptied(self, stage, club):
        """An empty golden value clears; but the only copy of what nobody could read is not ours to destroy."""
        stage.apply()
        club.edit("1", name="Ada", mail="ada@byron.example", tel="ring twice, ask for Ada")
        stage.settle()
        assert club.rows["1"]["gid"]
        assert club.rows["1"]["tel"] == "ring twice, ask for Ada"
        assert club.writes == 1

    def test_a_nul_hinders_nobody(self, stage, club):
        stage.apply()
        club.edit("1", name="A\x00da", mail="ada@byron.example")
        stage.settle()
        assert club.rows["1"]["gid"]
        assert stage.query("select given_name from profile.golden") == [("Ada",)]
        assert stage.parked("club") == []

    def test_half_an_emoji_hinders_nobody_else(self, stage, club):
        stage.apply()
        club.edit("1", name="Ada \ud83d", mail="ada@byron.example")
        club.edit("2", name="Grace", mail="grace@hopper.example")
        stage.settle()
        found = stage.query("select given_name from profile.golden order by 1")
        assert found == [("Ada \ufffd",), ("Grace",)]
        assert club.rows["1"]["gid"] != club.rows["2"]["gid"]


class TestClosed:
    def test_a_page_of_html_is_no_deletion(self, stage, club):
        stage.apply()
        club.edit("1", name="Ada", mail="ada@byron.example")
        stage.settle()
        club.is_closed = True
        connector = stage.interrupt("club").inner
        with pytest.raises(CallFailed, match="Maintenance"):
            connector.fetch("members", ["1"])
        with pytest.raises(CallFailed, match="Maintenance"):
            list(connector.read("members", None))
