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


def list_programmes(source: RuntimeSource, tx: Tx) -> dict[str, Programme]:
    """Return the programmes as defined now, by name; none before the first apply."""
    try:
        runtime = source.get(tx)
    except NotReady:
        return {}
    return {each.name: each for each in runtime.programmes}
