"""What the outside sees is documented: endpoints in the OpenAPI document, error codes and metrics on their pages."""

import re

from fondaco.gateways.rest.app import build_app
from fondaco.gateways.rest.problems import KINDS
from fondaco.gateways.ws.messages import ERRORS
from fondaco.infra.bus.local import LocalBus
from fondaco.infra.database import Database
from fondaco.infra.metrics import Metrics
from fondaco.infra.settings import Settings
from support import tree

ERROR_CODES = [*KINDS, *ERRORS]
FOREIGN_METRICS = ("process_", "python_")
"""What prometheus-client itself adds is explained by its own documentation."""


def test_every_error_code_is_explained_as_the_code_explains_it() -> None:
    page = tree.source(tree.ROOT / "docs" / "errors.md")
    rows = [f"| `{code}` | {kind.status} | {kind.help} |" for code, kind in KINDS.items()]
    rows += [f"| `{code}` | {help_} |" for code, help_ in ERRORS.items()]
    assert [row for row in rows if row not in page] == []


def test_an_error_code_is_snake_case_and_its_help_a_sentence() -> None:
    helps = [*ERRORS.values(), *(kind.help for kind in KINDS.values())]
    assert [code for code in ERROR_CODES if not re.fullmatch(r"[a-z]+(_[a-z]+)*", code)] == []
    assert [each for each in helps if not each.endswith(".")] == []


def test_every_metric_is_explained() -> None:
    page = tree.source(tree.ROOT / "docs" / "metrics.md")
    names = [family.name for family in Metrics().registry.collect() if not family.name.startswith(FOREIGN_METRICS)]
    assert names
    assert [name for name in names if f"`{name}" not in page] == []


def test_every_endpoint_stands_in_the_openapi_document_with_its_answers() -> None:
    settings = Settings()
    database = Database("postgresql://nobody@localhost/none", settings.database, application="rules")
    api = build_app(settings, database, LocalBus(settings.bus), page=None).api
    served = {route.path for route in api.routes if not route.path.startswith("/schema")}
    documented = {path: item for path, item in (api.openapi_schema.paths or {}).items() if item.get}
    assert served == set(documented)
    assert [
        path for path, item in documented.items() if not (item.get and item.get.description and item.get.responses)
    ] == []
