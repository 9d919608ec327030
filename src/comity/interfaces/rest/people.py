"""People: by any key, whole, why a value is what it is, and parting those who were merged by mistake."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from comity import wiring
from comity.identity import api as identity
from comity.identity.types import MergeNote
from comity.interfaces.rest.guards import caller_of, hub_of, require_key
from comity.interfaces.shared.keys import KEY_FORMS, find_person, require_attribute, to_record_keys
from comity.interfaces.shared.views import ProfileView, view_profile
from comity.kernel.database import Tx
from comity.profile import api as profile
from comity.profile.types import Explanation
from comity.programme import api as programme
from comity.programme.types import Member
from comity.sync import api as sync
from comity.sync.api import Unmerged

AnyKey = Annotated[str, QueryParameter(description=f"{KEY_FORMS[0].upper()}{KEY_FORMS[1:]}.", max_length=700)]

Day = Annotated[
    date | None, QueryParameter(description="Recency, frequency and value as of the end of this day; today without it.")
]
Timezone = Annotated[str, QueryParameter(description="Where days begin and end, such as Europe/Berlin.", max_length=60)]
After = Annotated[int, QueryParameter(description="Go on after this history_id.", ge=0)]
Limit = Annotated[int, QueryParameter(description="Lines at most.", ge=1, le=1_000)]


class UnmergeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The records that are somebody else's, each as system/stream/external-id, and why."""

    records: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=5, max_length=700)]], msgspec.Meta(min_length=1, max_length=100)
    ]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]


@get("/v1/profiles", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def find_profile(
    request: Request[Any, Any, Any], key: AnyKey, on: Day = None, timezone: Timezone = "UTC"
) -> ProfileView:
    """Find a person by Global ID, e-mail, phone or system/stream/external-id."""
    return _view(hub_of(request), key=key, on=on, timezone=timezone)


@get("/v1/profiles/{global_id:uuid}", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def get_profile(
    request: Request[Any, Any, Any], global_id: FromPath[UUID], on: Day = None, timezone: Timezone = "UTC"
) -> ProfileView:
    """Return a person whole; the Global ID of somebody who was merged answers with the survivor."""
    return _view(hub_of(request), key=str(global_id), on=on, timezone=timezone)


def _view(hub: wiring.Hub, *, key: str, on: date | None, timezone: str) -> ProfileView:
    with hub.database.transaction() as tx:
        profile_id = find_person(tx, key=key, runtime=hub.runtimes.get(tx))
        return view_profile(tx, profile_id=profile_id, now=hub.clock.now(), on=on, timezone=timezone)


@get(
    "/v1/profiles/{global_id:uuid}/why/{attribute:str}",
    guards=[require_key],
    opt={"scope": "read"},
    sync_to_thread=True,
)
def explain_value(request: Request[Any, Any, Any], global_id: FromPath[UUID], attribute: FromPath[str]) -> Explanation:
    """Say why a golden value is what it is: winner, losers, rule and version."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        profile_id = find_person(tx, key=str(global_id), runtime=runtime)
        name = require_attribute(attribute, runtime=runtime)
        return profile.explain(tx, profile_id=profile_id, attribute=name, model=runtime.model)


@get("/v1/members/{global_id:uuid}/balance", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def get_balance(request: Request[Any, Any, Any], global_id: FromPath[UUID]) -> list[Member]:
    """Return memberships with points and tier."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        profile_id = find_person(tx, key=str(global_id), runtime=hub.runtimes.get(tx))
        return programme.find_members(tx, profile_ids=[profile_id]).get(profile_id, [])


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


HANDLERS = [find_profile, get_profile, explain_value, get_balance, list_merges, unmerge_profile]
