"""The page of the API, from the same document that /v1/openapi.json serves."""

from typing import Any

from comity.interfaces.rest.app import HANDLERS
from comity.interfaces.rest.description import ABOUT, describe
from tools.reference.shapes import anchor, code, table


def api_page() -> list[str]:
    """Return the page's lines."""
    document = describe(HANDLERS)
    routes = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    lines = [
        "# REST API",
        "",
        ABOUT,
        "",
        "Send the key as `Authorization: Bearer KEY`. The whole description as OpenAPI 3.1 is served at",
        "`/v1/openapi.json`, and as a page to read at `/api`. Status page: `/`.",
        "",
        *table(
            ("route", "does", "scope"),
            [
                (f"[{method.upper()} {path}](#{anchor(f'{method} {path}')})", operation["summary"], _scope(operation))
                for path, method, operation in routes
            ],
        ),
    ]
    for path, method, operation in routes:
        lines += _route(path, method, operation)
    lines += ["## Shapes", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += [f"### {name}", "", *_shape(schema)]
    return lines


def _scope(operation: dict[str, Any]) -> str:
    return ", ".join(code(scope) for need in operation["security"] for scope in need["key"]) or "none"


def _route(path: str, method: str, operation: dict[str, Any]) -> list[str]:
    lines = [f"## {method.upper()} {path}", "", operation["summary"], "", operation["description"], ""]
    rows = [
        (code(each["name"]), each["in"], _type(each["schema"]), "yes" if each.get("required") else "", _told(each))
        for each in operation.get("parameters", [])
    ]
    lines += table(("parameter", "in", "value", "required", "meaning"), rows)
    body = operation.get("requestBody")
    if body:
        [(media_type, content)] = body["content"].items()
        lines += [f"Body: {_type(content['schema'])} as {code(media_type)}.", ""]
    answers = []
    for status, answer in operation["responses"].items():
        shapes = [_type(content["schema"]) for content in answer.get("content", {}).values() if "schema" in content]
        answers.append((status, " or ".join(shapes), answer.get("description", "")))
    return lines + table(("answer", "body", ""), answers)


def _told(each: dict[str, Any]) -> str:
    return each.get("description") or each["schema"].get("description", "")


def _shape(schema: dict[str, Any]) -> list[str]:
    lines = [schema["description"], ""] if schema.get("description") else []
    if "enum" in schema:
        return [*lines, ", ".join(code(each) for each in schema["enum"]), ""]
    required = set(schema.get("required", ()))
    rows = [
        (code(name), _type(each), "yes" if name in required else "", each.get("description", ""))
        for name, each in schema.get("properties", {}).items()
    ]
    return lines + table(("field", "value", "required", "meaning"), rows)


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{anchor(name)})"
    if "enum" in schema:
        return ", ".join(code(each) for each in schema["enum"])
    several = schema.get("anyOf") or schema.get("oneOf")
    if several is None and isinstance(schema.get("type"), list):
        several = [{**schema, "type": each} for each in schema["type"]]
    if several is not None:
        return " or ".join(dict.fromkeys(_type(each) for each in several))
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> str:
    kind, form = schema.get("type"), schema.get("format")
    if kind == "array":
        return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
    if kind == "object":
        below = schema.get("additionalProperties")
        return f"map of {_type(below)}" if isinstance(below, dict) and below else "object"
    return f"{kind} ({form})" if form else str(kind or "anything")
