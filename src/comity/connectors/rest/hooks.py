"""Webhooks as described: verify, then translate each event into a change or a hint."""

from typing import Any, cast

import msgspec
from msgspec.structs import replace

from comity.connect.http import objects_in
from comity.connect.paths import read_path, text_at
from comity.connect.signatures import check_token, verify_hmac, verify_standard_webhooks
from comity.connect.types import (
    ChangeKind,
    Hint,
    HookMalformed,
    HookRequest,
    ReadChange,
    SettingsInvalid,
    unsupported,
)
from comity.connect.versions import encode_payload, parse_stamp, version_of
from comity.connectors.rest.client import RestClient, secret
from comity.connectors.rest.reading import change_of
from comity.connectors.rest.settings import HmacSignature, StandardSignature, TokenSignature, WebhookSettings

EVENTS_MAX = 10_000


def receive(client: RestClient, request: HookRequest) -> list[ReadChange | Hint]:
    """Verify and translate a webhook. Raises `SignatureInvalid`, `HookMalformed`."""
    described = client.settings.webhook
    if described is None:
        raise unsupported("rest", "receive webhooks: its description has no webhook")
    verify(client, described, request)
    try:
        document = msgspec.json.decode(request.body)
    except msgspec.DecodeError as error:
        raise HookMalformed(f"The body is no JSON: {error}") from error
    found = read_path(document, described.events)
    events = objects_in(found) if isinstance(found, list) else objects_in([found])  # pyright: ignore[reportUnknownArgumentType] - JSON.
    if not events and found != []:
        raise HookMalformed(f"There are no events at {described.events!r}.")
    if len(events) > EVENTS_MAX:
        raise HookMalformed(f"At most {EVENTS_MAX} events are taken at once; these are {len(events)}.")
    return [found for event in events for found in _translate(client, described, event)]


def verify(client: RestClient, described: WebhookSettings, request: HookRequest) -> None:
    """Check the signature in the declared way. Raises `SignatureInvalid`."""
    signature = described.signature
    secrets = [secret(client.secrets, signature.secret, "webhook.signature")]
    if signature.previous_secret and client.secrets.get(signature.previous_secret):
        secrets.append(client.secrets[signature.previous_secret])
    match signature:
        case StandardSignature():
            verify_standard_webhooks(request, secrets=secrets, tolerance_seconds=signature.tolerance_seconds)
        case HmacSignature():
            verify_hmac(
                request,
                secrets=secrets,
                header=signature.header,
                template=signature.template,
                digest=signature.digest,
                encoding=signature.encoding,
                prefix=signature.prefix,
                timestamp_header=signature.timestamp_header,
                tolerance_seconds=signature.tolerance_seconds,
                public_url=described.public_url,
            )
        case TokenSignature():
            check_token(request, tokens=secrets, header=signature.header, prefix=signature.prefix)


def _translate(client: RestClient, described: WebhookSettings, event: dict[str, Any]) -> list[ReadChange | Hint]:
    stream = described.stream or _translated_stream(described, event)
    if stream is None:
        return []
    external_id = text_at(event, described.id)
    if external_id is None:
        raise HookMalformed(f"An event has no id at {described.id!r}.")
    told = text_at(event, described.kind) if described.kind else None
    kind = described.kinds.get(told or "", ChangeKind.UPSERT)
    record = read_path(event, described.record) if described.record is not None else None
    if kind is ChangeKind.UPSERT:
        if not isinstance(record, dict):
            return [Hint(stream=stream, external_ids=(external_id,))]
        change = change_of(stream, client.stream(stream), cast("dict[str, Any]", record))
        return [change if change.external_id == external_id else replace(change, external_id=external_id)]
    payload = encode_payload(event)
    at = read_path(event, described.at) if described.at else None
    survivor = text_at(event, described.survivor) if kind is ChangeKind.MERGE and described.survivor else None
    if kind is ChangeKind.MERGE and survivor is None:
        raise HookMalformed(f"A merge has no surviving id at {described.survivor!r}.")
    event_id = text_at(event, described.event_id) if described.event_id else None
    change = ReadChange(
        stream=stream,
        external_id=external_id,
        kind=kind,
        version=f"{kind.value}.{event_id or version_of(payload)}",
        source_at=parse_stamp(at),
        payload=encode_payload(record) if isinstance(record, dict) else b"{}",
        survivor_id=survivor,
    )
    return [change, Hint(stream=stream, external_ids=(external_id,))] if kind is ChangeKind.RESTORE else [change]


def _translated_stream(described: WebhookSettings, event: dict[str, Any]) -> str | None:
    """The stream an event is about; None for events of kinds that nobody reads."""
    if described.stream_path is None:
        raise SettingsInvalid("webhook: give either stream or stream_path.")
    return described.streams.get(text_at(event, described.stream_path) or "")
