"""JSON Schema, the part of it that ours use: a value held against a schema. A keyword that is not known is an error."""

import re
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_NOTES = {"$schema", "$defs", "title", "description", "default", "discriminator", "format"}


def fits(value: Any, schema: Schema, root: Schema | None = None) -> bool:
    """Tell whether a value is as its schema says."""
    top = schema if root is None else root
    return all(_RULES[word](rule, value, schema, top) for word, rule in schema.items() if word not in _NOTES)


def _has_type(rule: str, value: Any, _schema: Schema, _root: Schema) -> bool:
    return isinstance(value, _TYPES[rule]) and (rule == "boolean" or not isinstance(value, bool))


def _has_fields(rule: Schema, value: Any, _schema: Schema, root: Schema) -> bool:
    return not isinstance(value, dict) or all(
        fits(value[name], each, root) for name, each in rule.items() if name in value
    )


def _has_further_fields(rule: Any, value: Any, schema: Schema, root: Schema) -> bool:
    if not isinstance(value, dict):
        return True
    further = [each for name, each in value.items() if name not in schema.get("properties", {})]
    return not further if rule is False else rule is True or all(fits(each, rule, root) for each in further)


def _within(kind: type | tuple[type, ...], measure: Callable[[Any], Any], holds: Callable[[Any, Any], bool]) -> Any:
    return lambda rule, value, _schema, _root: not isinstance(value, kind) or holds(measure(value), rule)


def _at_least(found: Any, bound: Any) -> bool:
    return found >= bound


def _at_most(found: Any, bound: Any) -> bool:
    return found <= bound


_RULES: dict[str, Callable[[Any, Any, Schema, Schema], bool]] = {
    "$ref": lambda rule, value, _, root: fits(value, root["$defs"][rule.removeprefix("#/$defs/")], root),
    "anyOf": lambda rule, value, _, root: any(fits(value, each, root) for each in rule),
    "oneOf": lambda rule, value, _, root: sum(fits(value, each, root) for each in rule) == 1,
    "type": _has_type,
    "const": lambda rule, value, _schema, _root: value == rule,
    "enum": lambda rule, value, _schema, _root: value in rule,
    "required": lambda rule, value, _schema, _root: not isinstance(value, dict) or set(rule) <= set(value),
    "properties": _has_fields,
    "additionalProperties": _has_further_fields,
    "propertyNames": lambda rule, value, _, root: (
        not isinstance(value, dict) or all(fits(name, rule, root) for name in value)
    ),
    "items": lambda rule, value, _, root: not isinstance(value, list) or all(fits(each, rule, root) for each in value),
    "pattern": _within(str, str, lambda found, rule: re.search(rule, found) is not None),
    "minLength": _within(str, len, _at_least),
    "maxLength": _within(str, len, _at_most),
    "minItems": _within(list, len, _at_least),
    "maxItems": _within(list, len, _at_most),
    "minProperties": _within(dict, len, _at_least),
    "maxProperties": _within(dict, len, _at_most),
    "minimum": _within((int, float), float, _at_least),
    "maximum": _within((int, float), float, _at_most),
    "exclusiveMinimum": _within((int, float), float, lambda found, rule: found > rule),
}
