"""Writes the reference of the endpoints from their OpenAPI document: `python docs/endpoints.py`.

A test fails if the page is not what this program writes.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import django
from django.conf import settings

PAGE = Path(__file__).resolve().parent / "reference" / "endpoints.md"
PREFIX = "/api/history"
HEAD = """# Endpoints

`python docs/endpoints.py` generates this page from the OpenAPI document. [REST](rest.md) explains
the endpoints with examples. Paths are relative to where you mount the endpoints, such as
`/api/history/`.
"""

Schema = Mapping[str, Any]


def page() -> str:
    """Return the page, generated from the current endpoints."""
    document = openapi()
    named: Schema = document["components"]["schemas"]
    routes = sorted(document["paths"].items(), key=lambda route: (route[0].count("/"), route[0]))
    parts = [HEAD, *_shared(document["paths"])]
    for route, methods in routes:
        for method, operation in methods.items():
            parts += [*_endpoint(f"{method.upper()} {route.removeprefix(PREFIX)}", operation), ""]
    parts += ["## Shapes", ""]
    for name in sorted(named):
        parts += [*_shape(name, named[name]), ""]
    return "\n".join(parts).rstrip() + "\n"


def openapi() -> Schema:
    """Return the OpenAPI document of the endpoints."""
    from django.urls import include, path
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.settings import patched_settings

    urls = include("django_customer_history.rest_framework.urls")
    with patched_settings({"OAS_VERSION": "3.1.0"}):
        patterns = [path("api/history/", urls)]
        document: Schema = SchemaGenerator(patterns=patterns).get_schema(request=None, public=True)
    return document


def _filters(paths: Schema) -> dict[str, Schema]:
    """Return the parameters that lists, facets and exports share."""
    of_lists = [one["get"]["parameters"] for route, one in paths.items() if "facets" in route]
    return {one["name"]: one for one in of_lists[0] if _is_filter(one)}


def _shared(paths: Schema) -> Iterator[str]:
    filters = _filters(paths)
    yield "## Filters"
    yield ""
    yield 'Lists, facets and exports take all of these. A leading `-` means "not".'
    yield ""
    yield from _parameters([one for name, one in filters.items() if not name.startswith("-")])
    yield ""


def _endpoint(title: str, operation: Schema) -> Iterator[str]:
    yield f"## `{title}`"
    yield ""
    if text := operation.get("description"):
        yield " ".join(text.split())
        yield ""
    own = [one for one in operation.get("parameters", ()) if not _is_filter(one)]
    if len(own) < len(operation.get("parameters", ())):
        yield "Takes the [filters](#filters)."
        yield ""
    if own:
        yield from _parameters(own)
        yield ""
    yield "| status | content | what |"
    yield "|---|---|---|"
    for status, response in sorted(operation["responses"].items()):
        contents = response.get("content", {})
        kinds = ", ".join(f"`{kind}`" for kind in contents) or "none"
        shapes = {_type(one.get("schema", {})) for one in contents.values()}
        text = " ".join(response.get("description", "").split())
        yield f"| {status} | {kinds} | {'; '.join(filter(None, [*sorted(shapes), text]))} |"


def _is_filter(parameter: Schema) -> bool:
    from django_customer_history.reading.filters import NAMES

    return parameter["in"] == "query" and parameter["name"] in NAMES


def _parameters(parameters: list[Schema]) -> Iterator[str]:
    yield "| parameter | in | type | meaning |"
    yield "|---|---|---|---|"
    for one in parameters:
        needed = ", required" if one.get("required") and one["in"] != "path" else ""
        text = _line(one.get("description", ""))
        yield f"| `{one['name']}` | {one['in']}{needed} | {_type(one['schema'])} | {text} |"


def _shape(name: str, schema: Schema) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if "properties" not in schema:
        yield _type(schema)
        return
    yield _line(schema.get("description", ""))
    yield ""
    required = schema.get("required", ())
    yield "| field | type |"
    yield "|---|---|"
    for field, one in schema["properties"].items():
        optional = "" if field in required else ", may be absent"
        note = "".join(f". {_line(text)}" for text in [one.get("description")] if text)
        yield f"| `{field}` | {_type(one)}{optional}{note} |"


def _type(schema: Schema) -> str:
    """Return the type of a value in words, with links to named shapes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("oneOf", "anyOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[several]))
    if "enum" in schema:
        return ", ".join("null" if one is None else f"`{one}`" for one in schema["enum"])
    kinds = schema.get("type", "anything")
    words = [kinds] if isinstance(kinds, str) else list(kinds)
    if "array" in words:
        return f"list of {_type(schema.get('items', {}))}"
    if form := schema.get("format"):
        words[0] += f" ({form})"
    if "minimum" in schema:
        words[0] += f", {schema['minimum']} to {schema.get('maximum', '...')}"
    return " or ".join(words)


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def set_up() -> None:
    """Set Django up with the endpoints and nothing else."""
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "rest_framework",
            "django_customer_history",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"},
        MIDDLEWARE=["django_customer_history.middleware.HistoryMiddleware"],
        USE_TZ=True,
    )
    django.setup()


if __name__ == "__main__":
    set_up()
    if "--print" in sys.argv:
        sys.stdout.write(page())
    else:
        PAGE.write_text(page(), encoding="utf-8")
