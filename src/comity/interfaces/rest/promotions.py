"""Promotions over HTTP: how budgets stand."""

from typing import Any

from litestar import Request, get

from comity.interfaces.rest.guards import hub_of, require_key
from comity.interfaces.rest.members import Programme
from comity.interfaces.shared.programmes import require_programme
from comity.programme import api as loyalty
from comity.programme.api import BudgetState


@get("/v1/budgets", guards=[require_key], opt={"scope": "read"}, sync_to_thread=True)
def list_budgets(request: Request[Any, Any, Any], programme: Programme) -> list[BudgetState]:
    """Return the budgets of a programme and what has been drawn on them in the period of today."""
    hub = hub_of(request)
    with hub.database.transaction() as tx:
        defined = require_programme(hub.runtimes.get(tx), programme)
        return loyalty.list_budgets(tx, programme=defined, now=hub.clock.now())


HANDLERS = [list_budgets]
