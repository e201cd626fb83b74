"""docs/schema_map.yaml says where each table and column of the five source systems lives here, or why it does not.

Each target must be a column of ours. Where the specification lies beside the checkout, every column of a table that the
map has taken up must be answered, and no other.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from fondaco.app.schema import METADATA
from fondaco.infra.settings import CHECKOUT
from support import tree

MAP: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(tree.source(tree.ROOT / "docs" / "schema_map.yaml"))
SPECIFICATION = CHECKOUT.parent / "shared" / "spec"
TAKEN_UP = {
    "exness_db": {"users", "orders"},
    "exness_pipeline": {
        *("trades", "trades_1m", "trades_2m", "trades_5m", "trades_10m", "trades_1d"),
        *("users", "balances", "orders"),
    },
    "bhc_markets": {
        *("prices", "candles", "users", "accounts", "orders", "trades", "positions"),
        *("balances", "balance_holds", "ledger_entries", "risk_limits", "circuit_breakers", "risk_alerts"),
    },
    "blockbotx": {"users", "exchanges", "trading_pairs", "trades", "orders", "positions"},
    "nexgent": {"users"},
}
"""What must stand in the map by now; each issue adds its own."""


def test_the_map_holds_what_has_been_built() -> None:
    missing = [(system, TAKEN_UP[system] - set(MAP.get(system, {}))) for system in TAKEN_UP]
    assert [each for each in missing if each[1]] == []


def test_every_entry_names_a_column_of_ours_or_the_reason_why_there_is_none() -> None:
    assert [f"{where}: {target}" for where, target in _entries() if not _is_answer(target)] == []


def test_every_column_of_the_specification_is_answered() -> None:
    for system, tables in MAP.items():
        path = SPECIFICATION / f"{system}.yaml"
        if not path.exists():  # a clone on its own has only our map
            continue
        asked = yaml.safe_load(path.read_text())
        relations = {**asked["tables"], **asked.get("views", {})}
        for table, columns in tables.items():
            assert set(columns) == set(relations[table]["columns"]), f"{system}: {table}"


def _entries() -> Iterator[tuple[str, Any]]:
    for system, tables in MAP.items():
        for table, columns in tables.items():
            for column, target in columns.items():
                yield f"{system}: {table}: {column}", target


def _is_answer(target: Any) -> bool:  # noqa: ANN401 - whatever YAML holds
    if isinstance(target, dict):
        return set(target) == {"decided"} and isinstance(target["decided"], str)
    table, _, column = str(target).partition(".")
    return table in METADATA.tables and column in METADATA.tables[table].columns
