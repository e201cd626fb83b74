"""Alembic's environment: one transaction on the connection that `fondaco.app.migrations` hands over."""

import re
from typing import Literal

from alembic import context
from sqlalchemy import Connection

from fondaco.app.schema import METADATA
from fondaco.infra.columns import CheckedText

PARTITION = re.compile(r"ticks_\d{8}|(balance_holds|ledger_entries|orders|trades)_\d{6}")


def include_name(name: str | None, kind: str, parents: object) -> bool:
    """Leave out what Alembic must not compare: partitions come and go, procrastinate's tables are its own."""
    del parents
    return not (
        kind == "table" and name is not None and (PARTITION.fullmatch(name) or name.startswith("procrastinate_"))
    )


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write plain text for our checked columns: a migration must not change when the code's words do."""
    if kind == "type" and isinstance(item, CheckedText):
        return f"sa.Text(collation={item.collation!r})"
    return False


connection = context.config.attributes["connection"]
assert isinstance(connection, Connection), "run migrations through `fondaco db migrate`"
context.configure(
    connection=connection,
    target_metadata=METADATA,
    include_name=include_name,
    render_item=render_item,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
