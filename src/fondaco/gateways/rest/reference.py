"""The reference page at ``/schema``: the OpenAPI document as plain HTML.

The usual viewers load their scripts from another server, which a house that talks to nobody cannot have; a list of
endpoints with parameters, answers and examples needs no script at all.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

STYLE = """<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 0.9em/1.4 ui-monospace, monospace; } pre { overflow-x: auto; padding: 0.75rem; background: #8881; }
section { border-top: 1px solid #8886; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0; }
:root { color-scheme: light dark; }
</style>"""

Json = Mapping[str, Any]


class ReferencePage(OpenAPIRenderPlugin):
    """Renders the document as one page."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Render the page."""
        del request
        return "\n".join(_page(openapi_schema)).encode()


def _page(document: Json) -> Iterator[str]:
    info = document["info"]
    title = f"{escape(info['title'])} {escape(info['version'])}"
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width">{STYLE}</head><body><h1>{title}</h1>'
    yield f"<p>{escape(info['description'])}</p>"
    yield '<p><a href="/schema/openapi.json">OpenAPI document</a></p>'
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield from _operation(path, method, operation)
    yield "</body></html>"


def _operation(path: str, method: str, operation: Json) -> Iterator[str]:
    anchor = escape(operation["operationId"])
    yield f'<section id="{anchor}"><h2>{escape(operation["summary"])}</h2>'
    yield f"<p><code>{method.upper()} {escape(path)}</code></p><p>{escape(operation['description'])}</p>"
    if operation.get("parameters"):
        yield "<table><tr><th>Parameter</th><th>Example</th><th>Meaning</th></tr>"
        yield from (_parameter(each) for each in operation["parameters"])
        yield "</table>"
    for status, response in operation["responses"].items():
        yield f"<h3>{escape(status)}</h3><p>{escape(response['description'])}</p>"
        yield from (f"<pre>{example}</pre>" for example in _examples(response))
    yield "</section>"


def _parameter(parameter: Json) -> str:
    example = escape(str(next(iter(parameter["examples"].values()))["value"]))
    required = " (required)" if parameter.get("required") else ""
    name = escape(parameter["name"])
    return (
        f"<tr><td><code>{name}</code>{required}</td><td><code>{example}</code></td>"
        f"<td>{escape(parameter['description'])}</td></tr>"
    )


def _examples(response: Json) -> Iterator[str]:
    for media in response.get("content", {}).values():
        for example in media.get("examples", {}).values():
            yield escape(msgspec.json.format(msgspec.json.encode(example["value"]), indent=2).decode())
