"""`/api/docs/`: the interface's description as a page for people.

Made from the same schema as `/api/schema/`, as plain HTML without scripts: nothing is fetched from
elsewhere, so it works offline and under the page's own security policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.55 system-ui, sans-serif; }
body { max-width: 56rem; margin: 0 auto; padding: 2rem 1.25rem 6rem; }
h2 { margin: 3rem 0 .25rem; font-size: 1.05rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
h2 b { display: inline-block; min-width: 4.5rem; }
h3 { margin: 1.25rem 0 .25rem; font-size: .9rem; }
p { margin: .25rem 0; white-space: pre-line; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td { border-top: 1px solid #8884; padding: .3rem .75rem .3rem 0; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { font-family: ui-monospace, monospace; width: 30%; }
td:nth-child(2) { width: 20%; opacity: .75; }
"""


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The page. The same for everybody, so it is made once per process."""
    return HttpResponse(_page(), content_type="text/html; charset=utf-8")


@cache
def _page() -> str:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # spectacular has no types here
    info, components = schema["info"], schema["components"]["schemas"]
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{escape(info['title'])}: interface</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}: interface</h1>",
        f"<p>{escape(info['description'])}</p>",
        "<p>The same for programs: <a href='/api/schema/'>/api/schema/</a> (OpenAPI).</p>",
    ]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.extend(_operation(path, method, operation, components))
    return "".join([*parts, "</body></html>"])


def _operation(
    path: str, method: str, operation: Mapping[str, Any], components: Mapping[str, Any]
) -> Iterator[str]:
    yield f"<h2 id='{escape(operation['operationId'])}'><b>{escape(method.upper())}</b> {escape(path)}</h2>"
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    if parameters := operation.get("parameters"):
        rows = [
            (f"{p['name']} ({p['in']})", _type(p["schema"]), p.get("description", "")) for p in parameters
        ]
        yield from _table("Parameters", rows)
    if body := operation.get("requestBody"):
        for media_type, content in body["content"].items():
            yield from _table(f"Body ({media_type})", list(_fields(content["schema"], components)))
    for status, answer in operation["responses"].items():
        title = f"{status}: {answer.get('description', '')}" if answer.get("description") else status
        fields = [
            field
            for media_type, content in answer.get("content", {}).items()
            if media_type == "application/json"
            for field in _fields(content["schema"], components)
        ]
        yield from _table(title, fields)


def _table(title: str, rows: list[tuple[str, str, str]]) -> Iterator[str]:
    yield f"<h3>{escape(title)}</h3>"
    if rows:
        cells = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
        yield f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _fields(
    schema: Mapping[str, Any], components: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Each field with its type and what is said of it; those of objects inside follow, dotted."""
    schema = _resolved(schema, components)
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        label = f"{prefix}{name}{'' if name in required else '?'}"
        yield label, _type(field), field.get("description", "")
        inner = field.get("items", field)
        yield from _fields(inner, components, prefix=f"{prefix}{name}{'[]' if 'items' in field else ''}.")


def _resolved(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    for option in ("allOf", "oneOf"):
        if option in schema and "properties" not in schema:
            schema = schema[option][0]
    if "$ref" in schema:
        found: Mapping[str, Any] = components[schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    for option in ("allOf", "oneOf", "anyOf"):
        if option in schema:
            kinds = dict.fromkeys(_type(each) for each in schema[option])
            return " or ".join(kinds)
    name = "object" if "$ref" in schema else str(schema.get("format") or schema.get("type") or "any")
    return f"{name} or null" if schema.get("nullable") else name
