"""Reading values out of JSON by a dotted path, and filling values into JSON templates."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from comity.connect.types import SettingsInvalid


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""What a path answers that leads nowhere; null is a value."""

_STEP = re.compile(r"[^.\[\]]+|\[\d+\]")
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.\-]*)\}")


def read_path(document: Any, path: str) -> Any:
    """Read `a.b[0].c` from a JSON document, `MISSING` where a step is not there. The empty path is the document.

    A key that itself contains dots is found when it is written whole at its level.
    """
    if not path:
        return document
    here: Any = document
    whole = _step(here, path)
    if whole is not MISSING:
        return whole
    for step in _STEP.findall(path):
        here = _step(here, step)
        if here is MISSING:
            return MISSING
    return here


def _step(here: Any, step: str) -> Any:
    if isinstance(here, list):
        items = cast("list[Any]", here)
        index = step.strip("[]")
        return items[int(index)] if index.isdecimal() and int(index) < len(items) else MISSING
    if isinstance(here, dict):
        return cast("dict[str, Any]", here).get(step, MISSING)
    return MISSING


def text_at(document: Any, path: str) -> str | None:
    """The value at a path as text: numbers as written, None for null and for nothing there."""
    value = read_path(document, path)
    if value is MISSING or value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def places_in(template: Any) -> set[str]:
    """The names of all `{places}` in a template."""
    if isinstance(template, str):
        return set(_PLACE.findall(template))
    parts: list[Any] = []
    if isinstance(template, dict):
        items = cast("dict[str, Any]", template)
        parts = [*items.keys(), *items.values()]
    elif isinstance(template, list):
        parts = cast("list[Any]", template)
    return {name for part in parts for name in places_in(part)}


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Put values into a template of JSON.

    A string that is one place alone becomes the value with its JSON type; places inside longer text become text.
    Raises `SettingsInvalid` for a place without a value.
    """
    if isinstance(template, str):
        alone = _PLACE.fullmatch(template)
        if alone:
            return _value(values, alone.group(1))
        return _PLACE.sub(lambda match: _as_text(_value(values, match.group(1))), template)
    if isinstance(template, dict):
        return {str(fill(k, values)): fill(v, values) for k, v in cast("dict[str, Any]", template).items()}
    if isinstance(template, list):
        return [fill(part, values) for part in cast("list[Any]", template)]
    return template


def _value(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        known = ", ".join(sorted(values))
        raise SettingsInvalid(f"The template uses {{{name}}}, which is not known here. Known are: {known}.")
    return values[name]


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def nest(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names into nested objects, the reverse of `read_path`: `{"a.b": 1}` becomes `{"a": {"b": 1}}`."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        *outer, last = name.split(".")
        here = nested
        for step in outer:
            inner = here.setdefault(step, {})
            if not isinstance(inner, dict):
                raise SettingsInvalid(f"{step} in {name} is written both as a value and as an object.")
            here = cast("dict[str, Any]", inner)
        here[last] = value
    return nested
