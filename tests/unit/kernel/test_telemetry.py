"""Logs that machines read and that keep secrets; spans that become metrics."""

import dataclasses
import io
import json
import logging
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
import structlog

from comity.kernel import telemetry
from comity.kernel.errors import Conflict


class Login(msgspec.Struct):
    user: str
    password: str


@dataclasses.dataclass
class Key:
    name: str
    api_key: str


@pytest.fixture
def lines():
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    telemetry.configure(level="debug", is_json=True, stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:], root.level = before


class TestConfigure:
    @pytest.mark.usefixtures("lines")
    def test_writes_to_whatever_standard_error_is_by_then(self, monkeypatch):
        first, second = io.StringIO(), io.StringIO()
        monkeypatch.setattr("sys.stderr", first)
        telemetry.configure(is_json=True)
        monkeypatch.setattr("sys.stderr", second)
        first.close()
        telemetry.get_logger().info("sync.page_read")
        assert json.loads(second.getvalue())["event"] == "sync.page_read"

    def test_writes_one_json_object_a_line(self, lines):
        log = telemetry.get_logger(system="crm-de")
        log.info("sync.page_read", rows=3, record=UUID(int=7), seen_at=datetime(2026, 3, 3, tzinfo=UTC), names={"b"})
        [line] = lines()
        at = datetime.fromisoformat(line.pop("at"))
        assert at.utcoffset().total_seconds() == 0
        assert line == {
            "event": "sync.page_read",
            "level": "info",
            "system": "crm-de",
            "rows": 3,
            "record": str(UUID(int=7)),
            "seen_at": "2026-03-03T00:00:00Z",
            "names": ["b"],
        }

    def test_keeps_a_line_break_in_a_value_inside_its_line(self, lines):
        telemetry.get_logger().info("a.b", name='x\n{"event": "forged"}')
        assert [line["event"] for line in lines()] == ["a.b"]

    def test_writes_what_libraries_log_in_the_same_form(self, lines):
        logging.getLogger("some.library").warning("no %s", "luck")
        [line] = lines()
        assert (line["event"], line["logger"], line["level"]) == ("no luck", "some.library", "warning")

    def test_leaves_out_what_is_below_the_level(self):
        stream = io.StringIO()
        telemetry.configure(level="warning", is_json=True, stream=stream)
        telemetry.get_logger().info("quiet")
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = []
        assert stream.getvalue() == ""

    def test_writes_for_people_when_asked(self):
        stream = io.StringIO()
        telemetry.configure(is_json=False, stream=stream)
        try:
            raise ValueError("postgresql://hub:hush@db/hub refused")  # noqa: TRY301 (the log of it is what is tested)
        except ValueError:
            telemetry.get_logger().exception("database.lost", password="hush")
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = []
        assert "database.lost" in stream.getvalue()
        assert "refused" in stream.getvalue()
        assert "hush" not in stream.getvalue()


class TestMaskSecrets:
    @pytest.mark.parametrize(
        "name",
        [
            *("password", "client_secret", "accessToken", "X-API-Key", "api_key", "Authorization", "set-cookie"),
            *("private_key", "hubspot_tokens", "X-HubSpot-Signature", "passphrase", "credentials"),
        ],
    )
    def test_hides_by_name_at_any_depth(self, lines, name):
        telemetry.get_logger().info("a.b", **{name: "hush"}, request={"headers": [{name: "hush"}]})
        assert "hush" not in json.dumps(lines())

    def test_leaves_names_that_only_resemble(self, lines):
        telemetry.get_logger().info("a.b", token_count=3, secretary="Ms Jones", password_is_set=True, tokens=5)
        [line] = lines()
        assert (line["token_count"], line["secretary"], line["password_is_set"], line["tokens"]) == (
            *(3, "Ms Jones", True, 5),
        )

    @pytest.mark.parametrize(
        "text",
        [
            "postgresql://hub:hush@db/hub",
            "https://someone:hush@example.org/",
            "sent Authorization: Bearer hush.hush.hush-0123",
            "Basic aHVzaDpodXNoaHVzaA== was refused",
            "host=db password=hush dbname=hub",
            "POST /token?client_secret=hush&grant_type=refresh",
        ],
    )
    def test_hides_what_a_text_plainly_carries(self, lines, text):
        telemetry.get_logger().info("a.b", text=text, error=ValueError(text), raw=text.encode())
        told = json.dumps(lines())
        assert "hush" not in told
        assert "aHVz" not in told

    def test_looks_into_structs(self, lines):
        telemetry.get_logger().info("a.b", login=Login(user="eva", password="hush"), key=Key("k", "hush"))
        [line] = lines()
        assert line["login"] == {"user": "eva", "password": "***"}
        assert line["key"] == {"name": "k", "api_key": "***"}

    def test_hides_in_tracebacks(self, lines):
        try:
            raise ValueError("password=hush")  # noqa: TRY301 (the log of it is what is tested)
        except ValueError:
            telemetry.get_logger().exception("a.b")
        assert "hush" not in json.dumps(lines()[0]["exception"].splitlines()[-1])

    def test_ends_in_endless_structures(self, lines):
        loop = {}
        loop["loop"] = loop
        telemetry.get_logger().info("a.b", loop=loop)
        assert "..." in json.dumps(lines())


def sample(name, **labels):
    return telemetry.REGISTRY.get_sample_value(name, labels) or 0.0


class TestSpan:
    def test_records_duration_and_counts(self, lines):
        labels = {"span": "test.good", "system": "crm-de"}
        with telemetry.span("test.good", system="crm-de", lane="consent") as work:
            work.count(read=3)
            work.count(read=2, parked=1)
        assert sample("comity_span_seconds_count", **labels, outcome="ok") == 1
        assert sample("comity_span_items_total", **labels, item="read") == 5
        [line] = lines()
        assert (line["event"], line["outcome"], line["lane"], line["read"]) == ("test.good", "ok", "consent", 5)

    @pytest.mark.parametrize(("error", "outcome"), [(Conflict("no"), "conflict"), (OSError("disk"), "error")])
    def test_lets_errors_pass_and_tells_their_code(self, error, outcome):
        with pytest.raises(type(error)), telemetry.span("test.bad"):
            raise error
        assert sample("comity_span_seconds_count", span="test.bad", system="", outcome=outcome) == 1

    def test_is_shown_to_prometheus(self):
        with telemetry.span("test.shown"):
            pass
        assert b'comity_span_seconds_count{outcome="ok",span="test.shown",system=""}' in telemetry.render_metrics()
