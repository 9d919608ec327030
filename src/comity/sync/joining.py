"""What joining a system takes: whether it can be worked with, the fields it lacks, what it is to push."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from comity.connect.types import (
    CallFailed,
    Capabilities,
    Connector,
    ErrorClass,
    FieldWanted,
    HookMalformed,
    HookRequest,
    SettingsInvalid,
    SignatureInvalid,
    StreamField,
)
from comity.definitions.types import FieldSpec
from comity.sync.runtime import Runtime, StreamMapping
from comity.sync.types import FieldMade, FieldOutcome, Finding

GLOBAL_ID = "global_id"
GLOBAL_ID_LENGTH = 64

_LABELS = {
    GLOBAL_ID: "Global ID",
    "loyalty.points": "Points balance",
    "loyalty.tier": "Loyalty tier",
    "loyalty.programme": "Loyalty programme",
    "loyalty.enrolled_at": "Loyalty member since",
    "loyalty.last_redemption_at": "Last redemption",
}
_TYPED_LENSES = frozenset({"boolean", "date", "integer", "money", "timestamp"})
"""Lenses whose name is the type of field they write; all others write text."""

_REMEDIES = {
    ErrorClass.AUTH_EXPIRED: "Give valid credentials under `secrets` of the system.",
    ErrorClass.FORBIDDEN: "Give the account the hub uses the right to do this.",
    ErrorClass.TRANSIENT: "See whether the system can be reached from here, and try again.",
    ErrorClass.NOT_FOUND: "See whether the stream is written as the system writes it.",
}
_OTHER_REMEDY = "The message is the system's own; the guide of the connector says what it needs."


def check_system(
    connector: Connector, *, capabilities: Capabilities, system: str, runtime: Runtime, url: str, now: datetime
) -> list[Finding]:
    """Say of everything a system needs whether it is all right: access, mapped fields, reading, webhooks.

    Calls the system, and changes nothing in it. `url` is where its webhooks would arrive. What only a write shows,
    such as a scope for writing, is not seen.
    """
    result = connector.check()
    findings = [Finding(area="access", what=missing.what, remedy=missing.remedy) for missing in result.missing]
    if result.is_ok:
        account = " ".join(str(each) for each in (result.account, result.version) if each)
        findings.append(Finding(area="access", what=f"{account} answers in {result.latency_ms:.0f} ms"))
    told = {_subject(each) for each in findings if each.remedy}
    for stream in _list_called(system=system, runtime=runtime):
        found = _check_stream(connector, stream, capabilities=capabilities, runtime=runtime)
        findings += [each for each in found if _subject(each) not in told]
    if any(cadence.webhook for cadence in runtime.systems[system].streams.values()):
        findings.append(_check_hooks(connector, url=url, now=now))
    return findings


def plan_fields(connector: Connector, *, system: str, runtime: Runtime) -> list[FieldWanted]:
    """Return the fields that mappings write and the system does not show us. Raises CallFailed."""
    wanted: list[FieldWanted] = []
    for stream in runtime.written_streams(system):
        known = {field.name for field in connector.discover(stream.spec.stream).fields}
        written = {each.field: each for each in stream.spec.person_fields if each.direction.is_written}
        wanted += [_want(stream.spec.stream, each) for name, each in written.items() if name not in known]
    return wanted


def create_fields(connector: Connector, *, fields: Sequence[FieldWanted]) -> list[FieldMade]:
    """Create fields, one by one, so that a refusal of one stops no other."""
    return [_create(connector, field) for field in fields]


def plan_subscription(*, system: str, runtime: Runtime) -> dict[str, list[str]]:
    """Return the streams that are to be pushed, each with the fields that are read; the others tell nothing new.

    Empty where no stream has `webhook: true`.
    """
    cadences = runtime.systems[system].streams
    return {
        stream.spec.stream: stream.read_fields
        for (name, _), stream in sorted(runtime.streams.items())
        if name == system and (cadence := cadences.get(stream.spec.stream)) is not None and cadence.webhook
    }


def _list_called(*, system: str, runtime: Runtime) -> Iterator[StreamMapping]:
    """Yield the streams that are read from the system or written into it; what is only pushed to us is not there."""
    cadences = runtime.systems[system].streams
    for (name, kind), stream in sorted(runtime.streams.items()):
        cadence = cadences.get(kind)
        is_read = cadence is not None and (cadence.every is not None or cadence.webhook)
        if name == system and (is_read or stream.writes):
            yield stream


def _check_stream(
    connector: Connector, stream: StreamMapping, *, capabilities: Capabilities, runtime: Runtime
) -> list[Finding]:
    name = stream.spec.stream
    cadence = runtime.systems[stream.spec.system].streams.get(name)
    told = "the mapping is all right"
    try:
        if capabilities.can_provision:  # Who can create fields knows which there are; others show a sample of records.
            bad = _check_fields(stream, {field.name: field for field in connector.discover(name).fields})
            if bad:
                return bad
            told = "mapped fields are there"
        if cadence is not None and cadence.every is not None:
            next(iter(connector.read(name, None, fields=stream.vendor_fields, limit_pages=1)), None)
            told += ", records can be read"
    except CallFailed as error:
        return [Finding(area=name, what=error.message, remedy=_REMEDIES.get(error.error_class, _OTHER_REMEDY))]
    except SettingsInvalid as error:
        return [Finding(area=name, what=error.message, remedy=str(error.details.get("remedy", _OTHER_REMEDY)))]
    return [Finding(area=name, what=told)]


def _check_fields(stream: StreamMapping, known: dict[str, StreamField]) -> list[Finding]:
    area = stream.spec.stream
    written = {each.field: each for each in stream.spec.person_fields if each.direction.is_written}
    bad: list[Finding] = []
    for name in dict.fromkeys([*written, *stream.read_fields]):
        field, row = known.get(name), written.get(name)
        if field is None and (row or "." not in name):  # A dotted name reads through a relation.
            remedy = "Correct the name in the mapping, or give the account the hub uses the right to see the field."
            if row:
                remedy = f"`comity systems provision {stream.spec.system}` creates it. If it is there: {remedy}"
            bad.append(Finding(area=area, what=f"{area}.{name} is missing, or hidden from us", remedy=remedy))
        elif field and row and not field.is_writable:
            remedy = "Let the account the hub uses edit it, or map it with `direction: read`."
            bad.append(Finding(area=area, what=f"{area}.{name} cannot be written", remedy=remedy))
        elif field and row and row.attribute == GLOBAL_ID and not field.is_unique:
            remedy = "People are found by it: make it an external id or a unique property."
            bad.append(Finding(area=area, what=f"{area}.{name} is not unique", remedy=remedy))
    return bad


def _check_hooks(connector: Connector, *, url: str, now: datetime) -> Finding:
    """Show the connector an empty webhook: it refuses the body or the signature, unless it could take none at all."""
    try:
        connector.receive(HookRequest(url=url, headers={}, body=b"", now=now))
    except SettingsInvalid as error:
        return Finding(area="webhooks", what=error.message, remedy="Name the secret under `secrets` of the system.")
    except CallFailed as error:
        return Finding(area="webhooks", what=error.message, remedy="Take `webhook: true` away, and poll the stream.")
    except (SignatureInvalid, HookMalformed):
        pass
    return Finding(area="webhooks", what="what proves them is set")


def _subject(finding: Finding) -> str:
    """What a finding is about: a field, or all that it says."""
    first, _, _ = finding.what.partition(" ")
    return first if "." in first.rstrip(".") else finding.what


def _want(stream: str, row: FieldSpec) -> FieldWanted:
    is_key = row.attribute == GLOBAL_ID
    return FieldWanted(
        stream=stream,
        name=row.field,
        label=_LABELS.get(row.attribute, row.attribute.replace("_", " ").capitalize()),
        type=row.lens_name if row.lens_name in _TYPED_LENSES else "text",
        length_max=GLOBAL_ID_LENGTH if is_key else 255,
        is_unique=is_key,
    )


def _create(connector: Connector, field: FieldWanted) -> FieldMade:
    by_hand = f"Or create it by hand: {field.type}{', unique' if field.is_unique else ''}."
    try:
        is_created = bool(connector.provision([field]))
    except (CallFailed, SettingsInvalid) as error:
        remedy = _OTHER_REMEDY
        if isinstance(error, CallFailed):
            remedy = _REMEDIES.get(error.error_class, _OTHER_REMEDY)
        return FieldMade(
            stream=field.stream,
            name=field.name,
            outcome=FieldOutcome.REFUSED,
            message=error.message,
            remedy=f"{remedy} {by_hand}",
        )
    if is_created:
        return FieldMade(stream=field.stream, name=field.name, outcome=FieldOutcome.CREATED)
    return FieldMade(
        stream=field.stream,
        name=field.name,
        outcome=FieldOutcome.HIDDEN,
        message="It is there, but the account the hub uses does not see it.",
        remedy="Let that account see and edit the field.",
    )
