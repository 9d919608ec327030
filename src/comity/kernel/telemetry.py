"""What Comity tells about itself while it runs: logs with secrets masked, metrics, and spans that feed both."""

import logging
import re
import sys
import time
import traceback
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, TextIO, cast

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from structlog.typing import EventDict, ExcInfo, FilteringBoundLogger, Processor, WrappedLogger

from comity.kernel.errors import ComityError

MASK = "***"
MASK_DEPTH_MAX = 6
METRICS_MEDIA_TYPE = "text/plain; version=0.0.4"
SPAN_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)

REGISTRY = CollectorRegistry()
"""Every metric of Comity in this process, apart from what other libraries in the process may count."""

SPAN_SECONDS = Histogram(
    "comity_span_seconds",
    "How long a named piece of work took, by its outcome: ok, or the code of the error.",
    ["span", "system", "outcome"],
    buckets=SPAN_BUCKETS,
    registry=REGISTRY,
)
SPAN_ITEMS = Counter(
    "comity_span_items",
    "How many items named pieces of work dealt with, as they counted them themselves.",
    ["span", "system", "item"],
    registry=REGISTRY,
)
EGRESS_SECONDS = Histogram(
    "comity_egress_seconds",
    "How long calls to other systems took, by method and by status class or kind of failure.",
    ["method", "outcome"],
    buckets=SPAN_BUCKETS,
    registry=REGISTRY,
)
READER_LAG = Gauge(
    "comity_reader_lag_items",
    "How many entries of its log a reader has not worked through yet.",
    ["reader"],
    registry=REGISTRY,
)
QUEUE_ITEMS = Gauge(
    "comity_queue_items",
    "How many items wait, by queue and system.",
    ["queue", "system"],
    registry=REGISTRY,
)

_SECRET_NAME = re.compile(
    r"(password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key|authorization|cookie|credentials?|signature)s?$",
    re.IGNORECASE,
)
_SECRET_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@"), rf"\1:{MASK}@"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            r"\b(password|client_secret|access_token|refresh_token|api_?key)(\s*=\s*)[^\s&;,'\"]+", re.IGNORECASE
        ),
        rf"\1\2{MASK}",
    ),
)


class _StandardError:
    """Whatever standard error is when something is written: who embeds the hub may put another file in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def configure(*, level: str = "info", is_json: bool | None = None, stream: TextIO | None = None) -> None:
    """Set up logging for the process: one JSON object a line, or coloured lines for people at a terminal.

    What libraries log through the standard library comes out the same way. Repeating replaces the earlier set-up.
    """
    target = stream or cast("TextIO", _StandardError())
    as_json = not target.isatty() if is_json is None else is_json
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    last: list[Processor] = (
        [structlog.processors.format_exc_info, mask_secrets, _render_json]
        if as_json
        else [
            mask_secrets,
            structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=_write_masked_exception),
        ]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name], processors=[remove_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.INFO))


def get_logger(**facts: Any) -> FilteringBoundLogger:
    """Give a logger that adds the facts to every line. Events are dotted names, `room.what_happened`."""
    return cast("FilteringBoundLogger", structlog.get_logger(**facts))


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide passwords, tokens and keys: by the name of the fact, and where a text plainly carries one."""
    return {name: _masked(name, value, 0) for name, value in event.items()}


def mask_text(text: str) -> str:
    """Hide the secrets a text plainly carries: passwords in addresses, bearer tokens, `password=...`."""
    for pattern, replacement in _SECRET_TEXTS:
        text = pattern.sub(replacement, text)
    return text


class Span:
    """A piece of work under way. It may count what it deals with."""

    def __init__(self, *, name: str, labels: Mapping[str, Any]) -> None:
        """Made by `span`."""
        self.name = name
        self.labels = dict(labels)
        self.counts: dict[str, int] = {}

    def count(self, **items: int) -> None:
        """Add to the numbers of items dealt with: `work.count(read=100, unchanged=3)`."""
        for item, number in items.items():
            self.counts[item] = self.counts.get(item, 0) + number


@contextmanager
def span(name: str, **labels: Any) -> Generator[Span]:
    """Time a piece of work: a histogram by outcome, counters of its items, and a line in the debug log.

    Of the labels only `system` becomes one of the metric, since metrics want few; all are in the log. Errors pass.
    """
    work = Span(name=name, labels=labels)
    system = str(labels.get("system", ""))
    began = time.perf_counter()
    outcome = "ok"
    try:
        yield work
    except ComityError as error:
        outcome = error.code
        raise
    except BaseException as error:
        outcome = "stopped" if isinstance(error, KeyboardInterrupt | GeneratorExit) else "error"
        raise
    finally:
        seconds = time.perf_counter() - began
        SPAN_SECONDS.labels(name, system, outcome).observe(seconds)
        for item, number in work.counts.items():
            SPAN_ITEMS.labels(name, system, item).inc(number)
        get_logger().debug(
            name, outcome=outcome, duration_ms=round(seconds * 1000, 3), **{**work.labels, **work.counts}
        )


def render_metrics() -> bytes:
    """The metrics of this process in Prometheus' text format (`METRICS_MEDIA_TYPE`)."""
    return generate_latest(REGISTRY)


def _masked(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, str | bytes):
        return mask_text(value if isinstance(value, str) else value[:200].decode(errors="replace"))
    value = _opened(value)
    if isinstance(value, Mapping | Sequence | set | frozenset):
        return (
            _masked_items(cast("Mapping[Any, Any] | Sequence[Any]", value), depth) if depth < MASK_DEPTH_MAX else "..."
        )
    return value


def _opened(value: Any) -> Any:
    """A struct as its fields, since what is hidden goes by their names."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return value


def _masked_items(value: Mapping[Any, Any] | Sequence[Any], depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _masked(str(key), item, depth + 1) for key, item in value.items()}
    return [_masked("", item, depth + 1) for item in value]


def _write_masked_exception(target: TextIO, error: ExcInfo) -> None:
    target.write(mask_text("".join(traceback.format_exception(*error))))


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=_text_of).decode()


def _text_of(value: Any) -> str:
    return mask_text(repr(value)) if not isinstance(value, BaseException) else mask_text(str(value))
