"""People: by any key, whole, and why a value is what it is."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get
from litestar.params import FromPath, QueryParameter

from comity import wiring
from comity.interfaces.rest.guards import hub_of, require_key
from comity.interfaces.shared.keys import KEY_FORMS, find_person, require_attribute
from comity.interfaces.shared.views import ProfileView, view_profile
from comity.profile import api as profile
from comity.profile.types import Explanation
from comity.programme import api as programme
from comity.programme.types import Member
from comity.sync import api as sync

AnyKey = Annotated[str, QueryParameter(description=f"{KEY_FORMS[0].upper()}{KEY_FORMS[1:]}.", max_length=700)]

Field = Annotated[
    str | None, QueryParameter(description="A golden attribute, such as email; all without it.", max_length=100)
]

Day = Annotated[
    date | None, QueryParameter(description="Recency, frequency and value as of the end of this day; today without it.")
]
Timezone = Annotated[str, QueryParameter(description="Where days begin and end, such as Europe/Berlin.", max_length=60)]


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
        runtime = hub.runtimes.get(tx)
        profile_id = find_person(tx, key=key, runtime=runtime)
        return view_profile(tx, profile_id=profile_id, runtime=runtime, now=hub.clock.now(), on=on, timezone=timezone)


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


@get("/v1/profiles/{global_id:uuid}/history", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_history(request: Request[Any, Any, Any], global_id: FromPath[UUID], field: Field = None) -> sync.PersonHistory:
    """Tell how golden values came about, oldest first: when, from which system, by which rule, and what they replaced.

    It is told again from the inbox and the definitions of that time; `differing` names values that it cannot explain.
    """
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        profile_id = find_person(tx, key=str(global_id), runtime=runtime)
        name = None if field is None else require_attribute(field, runtime=runtime)
        return sync.list_history(tx, profile_id=profile_id, attribute=name)


@get("/v1/members/{global_id:uuid}/balance", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def get_balance(request: Request[Any, Any, Any], global_id: FromPath[UUID]) -> list[Member]:
    """Return memberships with points and tier."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        runtime = hub.runtimes.get(tx)
        profile_id = find_person(tx, key=str(global_id), runtime=runtime)
        found = programme.find_members_today(
            tx, profile_ids=[profile_id], programmes=runtime.programmes, now=hub.clock.now()
        )
        return found.get(profile_id, [])


HANDLERS = [find_profile, get_profile, explain_value, list_history, get_balance]
