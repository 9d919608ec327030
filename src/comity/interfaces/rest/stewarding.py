"""What data stewards decide: links that wait for somebody to look, merging and parting people."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from comity.identity import api as identity
from comity.identity.types import Explanation, MergeNote, Review
from comity.interfaces.rest.guards import caller_of, hub_of, require_key
from comity.interfaces.shared.keys import find_person, to_record_keys
from comity.kernel.database import Tx
from comity.sync import api as sync
from comity.sync.api import Merged, Unmerged

After = Annotated[int, QueryParameter(description="Go on after this one.", ge=0)]
Limit = Annotated[int, QueryParameter(description="Lines at most.", ge=1, le=1_000)]
RecordName = Annotated[str, QueryParameter(description="A record, as system/stream/external-id.", max_length=700)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


class UnmergeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The records that are somebody else's, each as system/stream/external-id, and why."""

    records: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=5, max_length=700)]], msgspec.Meta(min_length=1, max_length=100)
    ]
    reason: Reason


class MergeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is the same person, each by any key, and why."""

    others: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=700)]], msgspec.Meta(min_length=1, max_length=100)
    ]
    reason: Reason


@get("/v1/reviews", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_reviews(request: Request[Any, Any, Any], after: After = 0, limit: Limit = 100) -> list[Review]:
    """Return the links that were not made and wait for somebody to look, oldest first."""
    with hub_of(request).database.transaction() as tx:
        return identity.list_reviews(tx, after=after, limit=limit)


@get("/v1/links", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def explain_link(request: Request[Any, Any, Any], record_a: RecordName, record_b: RecordName) -> Explanation:
    """Say why two records are one person, or why they are not: every rule, every guard, what was decided."""
    first, second = to_record_keys([record_a])[0], to_record_keys([record_b])[0]
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        return identity.explain_link(tx, record_a=first, record_b=second, match=hub.runtimes.get(tx).match)


@get("/v1/profiles/{global_id:uuid}/merges", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_merges(
    request: Request[Any, Any, Any], global_id: FromPath[UUID], after: After = 0, limit: Limit = 100
) -> list[MergeNote]:
    """Return who was merged into a person and who was parted from them, oldest first: when, by whom and why."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        profile_id = find_person(tx, key=str(global_id), runtime=hub.runtimes.get(tx))
        return identity.list_merges(tx, profile_id=profile_id, after=after, limit=limit)


@post(
    "/v1/profiles/{global_id:uuid}/merge",
    guards=[require_key],
    opt={"scope": "steward"},
    status_code=200,
    sync_to_thread=True,
)
def merge_profiles(request: Request[Any, Any, Any], global_id: FromPath[UUID], data: JSONBody[MergeRequest]) -> Merged:
    """Join people who are one: the oldest Global ID stays, and the others still find them."""
    hub = hub_of(request)
    actor = caller_of(request)

    def work(tx: Tx) -> Merged:
        runtime = hub.runtimes.get(tx)
        return sync.merge_people(
            tx,
            profile_ids=[find_person(tx, key=key, runtime=runtime) for key in (str(global_id), *data.others)],
            reason=data.reason,
            actor=actor,
            runtime=runtime,
            now=hub.clock.now(),
            ids=hub.ids,
        )

    return hub.database.run(work)


@post(
    "/v1/profiles/{global_id:uuid}/unmerge",
    guards=[require_key],
    opt={"scope": "steward"},
    status_code=200,
    sync_to_thread=True,
)
def unmerge_profile(
    request: Request[Any, Any, Any], global_id: FromPath[UUID], data: JSONBody[UnmergeRequest]
) -> Unmerged:
    """Part records that are somebody else's from a person, for good: no rule joins them again.

    They get back the Global ID they had, if they had one. Purchases, points and vouchers go with them.
    """
    hub = hub_of(request)
    keys = to_record_keys(data.records)
    actor = caller_of(request)

    def work(tx: Tx) -> Unmerged:
        runtime = hub.runtimes.get(tx)
        return sync.unmerge_person(
            tx,
            profile_id=find_person(tx, key=str(global_id), runtime=runtime),
            keys=keys,
            reason=data.reason,
            actor=actor,
            runtime=runtime,
            now=hub.clock.now(),
            ids=hub.ids,
        )

    return hub.database.run(work)


HANDLERS = [list_reviews, explain_link, list_merges, merge_profiles, unmerge_profile]
