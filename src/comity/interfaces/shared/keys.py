"""Finding a person by any key people have at hand."""

import difflib
import re
from collections.abc import Sequence
from uuid import UUID

from comity.identity import api as identity
from comity.identity.types import RecordKey
from comity.kernel.database import Tx
from comity.kernel.errors import Invalid, NotFound
from comity.mapping import api as mapping
from comity.profile import api as profile
from comity.sync.api import Runtime


class PersonNotFound(NotFound):
    """Nobody is known by this key."""


class KeyAmbiguous(Invalid):
    """Several people are known by this key; use a Global ID or a record key."""


class RecordKeyMalformed(Invalid):
    """A record is named as system/stream/external-id."""


class AttributeUnknown(NotFound):
    """There is no such attribute."""


KEY_FORMS = "a Global ID, an e-mail address, a phone number (+49...), or system/stream/external-id"


def find_person(tx: Tx, *, key: str, runtime: Runtime) -> UUID:
    """Return the living profile for a key: Global ID (old ones of merged people too), e-mail, phone, or record key.

    Raises PersonNotFound or KeyAmbiguous.
    """
    key = key.strip()
    profile_ids = _find(tx, key=key, runtime=runtime)
    if not profile_ids:
        raise PersonNotFound(f"Nobody is known by {key!r}.", details={"remedy": f"Give {KEY_FORMS}."})
    if len(profile_ids) > 1:
        raise KeyAmbiguous(details={"global_ids": [str(each) for each in profile_ids[:20]]})
    return profile_ids[0]


def to_record_keys(texts: Sequence[str]) -> list[RecordKey]:
    """Read records as people name them, each once. Raises RecordKeyMalformed."""
    keys: list[RecordKey] = []
    for text in dict.fromkeys(each.strip() for each in texts):
        parts = text.split("/", 2)
        if len(parts) < 3 or not all(parts):
            remedy = "Write system/stream/external-id, as `comity profile show` lists them."
            raise RecordKeyMalformed(f"{text!r} names no record.", details={"remedy": remedy})
        keys.append(RecordKey(*parts))
    return keys


def require_attribute(name: str, *, runtime: Runtime) -> str:
    """Return the name of a golden attribute. Raises AttributeUnknown with the known ones."""
    known = sorted(each.name for each in runtime.model.attributes)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"Did you mean {near[0]}?" if near else "Use one of those that are known."
        raise AttributeUnknown(f"There is no attribute {name!r}.", details={"remedy": remedy, "known": known})
    return name


def _find(tx: Tx, *, key: str, runtime: Runtime) -> list[UUID]:
    try:
        return [identity.resolve_alias(tx, profile_id=UUID(key))]
    except ValueError:
        pass
    except NotFound:
        return []
    parts = key.split("/", 2)
    if len(parts) == 3:
        record = RecordKey(parts[0], parts[1], parts[2])
        found = identity.find_profile_by_record(tx, key=record)
        return [found] if found else []
    wanted = "email" if "@" in key else "phone" if key.startswith(("+", "00")) else None
    if wanted is None:
        return []
    value = _to_canonical(key, lens_name=wanted)
    names = [each.name for each in runtime.model.attributes if each.type.value == wanted]
    profile_ids: list[UUID] = []
    for name in names:
        profile_ids.extend(profile.find_profiles(tx, attribute=name, value=value, model=runtime.model))
    return list(dict.fromkeys(profile_ids))


def _to_canonical(key: str, *, lens_name: str) -> str:
    """Return an address or number as golden values have it: what a record may say, a key may say."""
    dialled = re.sub("^00", "+", key) if lens_name == "phone" else key
    found = mapping.read_text(lens_name, dialled)
    return found if isinstance(found, str) else key
