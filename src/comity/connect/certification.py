"""What every connector must prove against a system, real or simulated: `run(subject)` or one check at a time.

A subject is a connector together with a way to act in its system as a user would. The checks are vendor-neutral; they
create records of their own and look at nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from comity.connect.paths import MISSING, read_path
from comity.connect.types import CallFailed, ChangeKind, Connector, ErrorClass, Outcome, ReadChange, Verdict, WriteItem
from comity.kernel.egress import Egress, EgressFailed, Response
from comity.kernel.errors import ComityError

PASSES_MAX = 50
IMPOSSIBLE_ID = "no such id"
"""No system gives a record an id like this; somebody who pushes or loads records may."""


class CertificationFailed(ComityError):
    """The connector does not keep a rule."""


class Subject(Protocol):
    """A connector under examination and the system behind it."""

    stream: str
    key_field: str
    text_field: str
    optional_field: str
    unknown_field: str
    unknown_id: str
    page_size: int
    renews_login: bool

    def open(self, egress: Egress) -> Connector:
        """Open the connector on this client, with pages of `page_size` where that can be set."""
        ...

    def egress(self) -> Egress:
        """The client that reaches the system."""
        ...

    def fields(self, text: str) -> dict[str, Any]:
        """Fields, in the vendor's form, of a new valid record whose text field says `text`."""
        ...

    def bad_fields(self) -> dict[str, Any]:
        """Fields the system refuses for what they say, though it knows them."""
        ...

    def user_creates(self, fields: Mapping[str, Any]) -> str:
        """Create a record past the connector; answer its id."""
        ...

    def user_edits(self, external_id: str, fields: Mapping[str, Any]) -> None:
        """Change a record past the connector."""
        ...

    def user_deletes(self, external_id: str) -> None:
        """Delete a record past the connector."""
        ...

    def settle(self) -> None:
        """Let so much time pass that polling is due to see everything."""
        ...


class FaultyEgress(Egress):
    """A client that passes calls on, and loses answers or spoils logins when told to."""

    def __init__(self, inner: Egress) -> None:
        """Wrap a client; it stays the owner of the connections."""
        self._inner = inner
        self._lose_count = 0
        self._spoil_count = 0
        self.requests: list[tuple[str, str]] = []

    def lose_answers(self, count: int) -> None:
        """Let the next writes arrive, and lose their answers."""
        self._lose_count = count

    def spoil_logins(self, count: int) -> None:
        """Send a wrong token with the next calls."""
        self._spoil_count = count

    def request(self, method: str, url: str, **options: Any) -> Response:
        """Pass a call on."""
        self.requests.append((method, url))
        headers = dict(options.pop("headers", None) or {})
        if self._spoil_count and "Authorization" in headers:
            self._spoil_count -= 1
            headers["Authorization"] = "Bearer expired"
        response = self._inner.request(method, url, headers=headers, **options)
        if self._lose_count and method != "GET" and options.get("json") is not None:
            self._lose_count -= 1
            raise EgressFailed("The answer was lost on purpose.", kind="reset", is_maybe_applied=True)
        return response


class Check(Struct, frozen=True, kw_only=True):
    """One rule and how it is examined."""

    name: str
    rule: str
    examine: Callable[[Subject], None]


class CheckOutcome(Struct, frozen=True, kw_only=True):
    """How one check went: `problem` is None when the rule is kept."""

    name: str
    rule: str
    problem: str | None


def run(subject: Subject) -> list[CheckOutcome]:
    """Examine every rule; a failure of one does not stop the others."""
    outcomes: list[CheckOutcome] = []
    for check in CHECKS:
        problem: str | None = None
        try:
            check.examine(subject)
        except ComityError as error:
            problem = error.message
        outcomes.append(CheckOutcome(name=check.name, rule=check.rule, problem=problem))
    return outcomes


def _system_is_fit(subject: Subject) -> None:
    subject.user_creates(subject.fields("Fit"))
    result = subject.open(subject.egress()).check()
    what = "; ".join(f"{m.what}: {m.remedy}" for m in result.missing)
    _require(result.is_ok, f"check() finds something missing: {what}")
    schema = subject.open(subject.egress()).discover(subject.stream)
    _require(bool(schema.fields) and bool(schema.fingerprint), "discover() finds no fields")
    again = subject.open(subject.egress()).discover(subject.stream)
    _require(again.fingerprint == schema.fingerprint, "the schema's fingerprint changes without a change")


def _reads_are_repeatable(subject: Subject) -> None:
    subject.user_creates(subject.fields("Repeat"))
    subject.settle()
    connector = subject.open(subject.egress())
    first, _ = _read_all(subject, connector, None)
    second, _ = _read_all(subject, connector, None)
    _require(_states(first) == _states(second), "two reads of the same state give different versions")


def _cursor_resumes(subject: Subject) -> None:
    """Read with a new connector for every page; same-stamp groups larger than a page are part of the set."""
    ids = [subject.user_creates(subject.fields(f"Resume{n}")) for n in range(subject.page_size * 2 + 1)]
    subject.settle()
    cursor: str | None = None
    found: list[ReadChange] = []
    for _ in range(PASSES_MAX * 4):
        page = next(iter(_read(subject, subject.open(subject.egress()), cursor, limit_pages=1)))
        found += page.changes
        cursor = page.cursor
        if page.is_last:
            break
    lost = set(ids) - {change.external_id for change in found if change.kind is ChangeKind.UPSERT}
    _require(not lost, f"{len(lost)} of {len(ids)} records created at once were not read")


def _nothing_new_is_nothing(subject: Subject) -> None:
    subject.user_creates(subject.fields("Quiet"))
    subject.settle()
    connector = subject.open(subject.egress())
    _, cursor = _read_all(subject, connector, None)
    subject.settle()
    _, cursor = _read_all(subject, connector, cursor)
    again, _ = _read_all(subject, connector, cursor)
    _require(not again, f"a quiet system gives {len(again)} changes again")


def _edits_are_seen(subject: Subject) -> None:
    """Two edits within one tick of the vendor's clock give two versions; the last state is always read."""
    external_id = subject.user_creates(subject.fields("Edit0"))
    subject.settle()
    connector = subject.open(subject.egress())
    changes, cursor = _read_all(subject, connector, None)
    versions = {c.version for c in changes if c.external_id == external_id}
    for text in ("Edit1", "Edit2"):
        subject.user_edits(external_id, {subject.text_field: text})
        fetched = _fetch_one(subject, connector, external_id)
        _require(_text(fetched, subject.text_field) == text, "fetch() does not give the present state")
        _require(fetched.version not in versions, "an edit does not give a new version")
        versions.add(fetched.version)
    subject.settle()
    changes, _ = _read_all(subject, connector, cursor)
    seen = [c for c in changes if c.external_id == external_id]
    _require(bool(seen) and _text(seen[-1], subject.text_field) == "Edit2", "the last edit is not read")


def _read_and_fetch_agree(subject: Subject) -> None:
    external_id = subject.user_creates(subject.fields("Agree"))
    subject.settle()
    connector = subject.open(subject.egress())
    changes, _ = _read_all(subject, connector, None)
    read = next((c for c in changes if c.external_id == external_id), None)
    fetched = _fetch_one(subject, connector, external_id)
    _require(read is not None and read.version == fetched.version, "read() and fetch() give one state two versions")


def _unknown_ids_are_gone(subject: Subject) -> None:
    external_id = subject.user_creates(subject.fields("Other"))
    connector = subject.open(subject.egress())
    wanted = [subject.unknown_id, IMPOSSIBLE_ID, external_id]
    kinds = [change.kind for change in connector.fetch(subject.stream, wanted, fields=_wanted(subject))]
    expected = [ChangeKind.DELETE, ChangeKind.DELETE, ChangeKind.UPSERT]
    _require(kinds == expected, f"fetch() of an unknown id, of no id at all and of a known id gives {kinds}")


def _deletes_are_seen(subject: Subject) -> None:
    external_id = subject.user_creates(subject.fields("Delete"))
    subject.settle()
    connector = subject.open(subject.egress())
    _, cursor = _read_all(subject, connector, None)
    subject.user_deletes(external_id)
    _require(_fetch_one(subject, connector, external_id).kind is ChangeKind.DELETE, "fetch() gives a deleted record")
    subject.settle()
    changes, _ = _read_all(subject, connector, cursor)
    is_seen = any(c.external_id == external_id and c.kind is ChangeKind.DELETE for c in changes)
    _require(is_seen, "a deletion is not read")


def _write_is_idempotent(subject: Subject) -> None:
    connector = subject.open(subject.egress())
    value = "6b1f0000-0000-7000-8000-00000000c001"
    first = _write(subject, connector, [_upsert(subject, value, "Once")])[0]
    _require(first.outcome is Outcome.DELIVERED and first.external_id is not None, f"a new record is {first}")
    second = _write(subject, connector, [_upsert(subject, value, "Once")])[0]
    _require(second.outcome in {Outcome.DELIVERED, Outcome.UNCHANGED}, f"the same write again is {second}")
    _require(second.external_id == first.external_id, "the same write made a second record")
    _require(len(_found(subject, connector, value)) == 1, "the same write made a second record")


def _lost_answer_leaves_one_record(subject: Subject) -> None:
    egress = FaultyEgress(subject.egress())
    connector = subject.open(egress)
    value = "6b1f0000-0000-7000-8000-00000000c002"
    egress.lose_answers(1)
    try:
        connector.write(subject.stream, [_upsert(subject, value, "Lost")])
    except CallFailed as failure:
        _require(failure.is_maybe_applied, "a lost answer is not told as maybe applied")
    else:
        raise CertificationFailed("A lost answer is told as an answer.")
    _require(len(_found(subject, connector, value)) == 1, "the write that lost its answer cannot be found again")
    verdict = _write(subject, connector, [_upsert(subject, value, "Lost")])[0]
    _require(verdict.outcome in {Outcome.DELIVERED, Outcome.UNCHANGED}, f"writing again is {verdict}")
    _require(len(_found(subject, connector, value)) == 1, "writing again made a second record")


def _batch_gives_a_verdict_each(subject: Subject) -> None:
    connector = subject.open(subject.egress())
    good = subject.user_creates(subject.fields("Good"))
    other = subject.user_creates(subject.fields("Other"))
    gone = subject.user_creates(subject.fields("Gone"))
    subject.user_deletes(gone)
    items = [
        WriteItem(key="a", external_id=good, fields={subject.text_field: "A"}),
        WriteItem(key="b", external_id=gone, fields={subject.text_field: "B"}),
        WriteItem(key="c", external_id=other, fields=subject.bad_fields()),
        WriteItem(key="d", external_id=other, fields={subject.text_field: "D"}),
    ]
    verdicts = _write(subject, connector, items)
    outcomes = [verdict.outcome for verdict in verdicts]
    expected = [Outcome.DELIVERED, Outcome.GONE, Outcome.REJECTED, Outcome.DELIVERED]
    _require(outcomes == expected, f"good, deleted, bad and good record give {[o.value for o in outcomes]}")
    _require(all(v.message for v in verdicts[1:3]), "a refusal comes without the vendor's words")
    _require(_text(_fetch_one(subject, connector, good), subject.text_field) == "A", "a delivered value is not there")


def _null_clears(subject: Subject) -> None:
    connector = subject.open(subject.egress())
    external_id = subject.user_creates({**subject.fields("Clear"), subject.optional_field: "filled"})
    item = WriteItem(key="clear", external_id=external_id, fields={subject.optional_field: None})
    verdict = _write(subject, connector, [item])[0]
    _require(verdict.outcome is Outcome.DELIVERED, f"clearing a field is {verdict}")
    change = _fetch_one(subject, connector, external_id)
    _require(_text(change, subject.optional_field) in {None, ""}, "a cleared field still has its value")
    _require(_text(change, subject.text_field) == "Clear", "clearing one field touched another")


def _unknown_field_is_named(subject: Subject) -> None:
    connector = subject.open(subject.egress())
    external_id = subject.user_creates(subject.fields("Field"))
    other = subject.user_creates(subject.fields("Field"))
    items = [
        WriteItem(key="bad", external_id=external_id, fields={subject.unknown_field: "x"}),
        WriteItem(key="good", external_id=other, fields={subject.text_field: "Named"}),
    ]
    verdicts = _write(subject, connector, items)
    _require(verdicts[0].outcome is Outcome.REJECTED, f"an unknown field is {verdicts[0]}")
    is_named = subject.unknown_field in (verdicts[0].field or verdicts[0].message or "")
    _require(is_named, f"the unknown field is not named: {verdicts[0]}")
    _require(verdicts[1].outcome is Outcome.DELIVERED, "an unknown field of one record fails another record")


def _login_is_renewed_once(subject: Subject) -> None:
    egress = FaultyEgress(subject.egress())
    connector = subject.open(egress)
    external_id = subject.user_creates(subject.fields("Login"))
    connector.fetch(subject.stream, [external_id], fields=_wanted(subject))
    egress.spoil_logins(1)
    if subject.renews_login:
        egress.requests.clear()
        change = _fetch_one(subject, connector, external_id)
        _require(change.kind is ChangeKind.UPSERT, "after an expired login the call is not made again")
        logins = [url for _, url in egress.requests if "token" in url]
        _require(len(logins) == 1, f"an expired login is renewed {len(logins)} times")
        egress.spoil_logins(100)
    try:
        connector.fetch(subject.stream, [external_id], fields=_wanted(subject))
    except CallFailed as failure:
        is_told = failure.error_class is ErrorClass.AUTH_EXPIRED
        _require(is_told, f"a refused login is told as {failure.error_class.value}")
    else:
        raise CertificationFailed("A refused login is not told.")


CHECKS: tuple[Check, ...] = (
    Check(name="fit", rule="check and discover find a fit system and a stable schema", examine=_system_is_fit),
    Check(
        name="repeatable", rule="reading the same state again gives the same versions", examine=_reads_are_repeatable
    ),
    Check(name="resumes", rule="a cursor resumes after any page, same-stamp groups included", examine=_cursor_resumes),
    Check(name="quiet", rule="a quiet system gives nothing", examine=_nothing_new_is_nothing),
    Check(name="edits", rule="every edit gives a new version and is read", examine=_edits_are_seen),
    Check(name="agree", rule="read and fetch give one state one version", examine=_read_and_fetch_agree),
    Check(name="unknown_ids", rule="fetch tells unknown ids as gone", examine=_unknown_ids_are_gone),
    Check(name="deletes", rule="a deletion is seen by fetch and by reading", examine=_deletes_are_seen),
    Check(name="idempotent", rule="the same write twice makes one record", examine=_write_is_idempotent),
    Check(name="lost_answer", rule="a lost answer leaves one record", examine=_lost_answer_leaves_one_record),
    Check(name="verdicts", rule="a batch gives each record its verdict in order", examine=_batch_gives_a_verdict_each),
    Check(name="clear", rule="null clears a field and nothing else", examine=_null_clears),
    Check(name="unknown_field", rule="an unknown field is refused by name, alone", examine=_unknown_field_is_named),
    Check(name="login", rule="an expired login is renewed once, a refused one is told", examine=_login_is_renewed_once),
)


def _require(is_kept: bool, problem: str) -> None:  # noqa: FBT001 - reads as an assertion.
    if not is_kept:
        raise CertificationFailed(problem)


def _wanted(subject: Subject) -> list[str]:
    return [subject.text_field, subject.optional_field, subject.key_field]


def _read(subject: Subject, connector: Connector, cursor: str | None, *, limit_pages: int) -> Any:
    return connector.read(subject.stream, cursor, fields=_wanted(subject), limit_pages=limit_pages)


def _read_all(subject: Subject, connector: Connector, cursor: str | None) -> tuple[list[ReadChange], str]:
    changes: list[ReadChange] = []
    for page in _read(subject, connector, cursor, limit_pages=10_000):
        changes += page.changes
        cursor = page.cursor
        if page.is_last:
            break
    return changes, cursor or ""


def _states(changes: Sequence[ReadChange]) -> set[tuple[str, str]]:
    return {(change.external_id, change.version) for change in changes}


def _fetch_one(subject: Subject, connector: Connector, external_id: str) -> ReadChange:
    return connector.fetch(subject.stream, [external_id], fields=_wanted(subject))[0]


def _text(change: ReadChange, field: str) -> str | None:
    value = read_path(msgspec.json.decode(change.payload), field)
    return None if value is None or value is MISSING else str(value)


def _upsert(subject: Subject, value: str, text: str) -> WriteItem:
    return WriteItem(
        key=f"key-{value}",
        fields={**subject.fields(text), subject.key_field: value},
        match_field=subject.key_field,
        match_value=value,
        idempotency_key=value,
    )


def _write(subject: Subject, connector: Connector, items: Sequence[WriteItem]) -> list[Verdict]:
    verdicts = connector.write(subject.stream, items)
    _require([v.key for v in verdicts] == [i.key for i in items], "verdicts do not come in the order of the items")
    return verdicts


def _found(subject: Subject, connector: Connector, value: str) -> list[ReadChange]:
    return connector.find(subject.stream, subject.key_field, [value], fields=_wanted(subject))
