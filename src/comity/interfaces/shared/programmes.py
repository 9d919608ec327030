"""Programmes by name."""

from comity.kernel.database import Tx
from comity.programme.api import tell_undefined
from comity.programme.types import Programme
from comity.sync.api import Runtime, RuntimeSource
from comity.sync.types import NotReady


def require_programme(runtime: Runtime, name: str) -> Programme:
    """Return the programme as defined now. Raises ProgrammeNotDefined with the known ones."""
    known = {each.name: each for each in runtime.programmes}
    if name in known:
        return known[name]
    raise tell_undefined(name, known=known)


def list_large(source: RuntimeSource, tx: Tx) -> dict[str, int]:
    """Return above how many points programmes want to hear of a redemption; those that say nothing are left out."""
    try:
        runtime = source.get(tx)
    except NotReady:
        return {}
    limits = {each.name: each.spec.redemptions.large_above for each in runtime.programmes}
    return {name: limit for name, limit in limits.items() if limit is not None}
