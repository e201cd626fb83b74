"""What the outside sees is documented: endpoints in the OpenAPI document, error codes and metrics on their pages."""

import re

from fondaco.gateways.rest.problems import KINDS
from fondaco.gateways.ws.messages import ERRORS
from fondaco.infra.database import Database
from fondaco.infra.metrics import DealerMetrics, Metrics
from fondaco.infra.settings import Settings
from support import tree
from support.house import described_api

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
    families = [*Metrics().registry.collect(), *DealerMetrics().registry.collect()]
    names = [family.name for family in families if not family.name.startswith(FOREIGN_METRICS)]
    assert names
    assert [name for name in names if f"`{name}" not in page] == []


def test_every_endpoint_stands_in_the_openapi_document_with_its_answers() -> None:
    settings = Settings()
    database = Database("postgresql://nobody@localhost/none", settings.database, application="rules")
    api = described_api(settings, database)
    served = {route.path for route in api.routes if not route.path.startswith("/schema")}
    documented = api.openapi_schema.to_schema()["paths"]
    assert {re.sub(r":\w+}", "}", path) for path in served} == set(documented)
    operations = {f"{method} {path}": each for path, item in documented.items() for method, each in item.items()}
    assert [name for name, each in operations.items() if not (each["description"] and each["responses"])] == []
