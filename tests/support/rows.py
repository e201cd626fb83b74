"""Every row of a database, as one digest a table: two databases hold the same when these are equal."""

import psycopg
from psycopg import sql

TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND n.nspname IN ('public', 'procrastinate')
"""
DIGEST = "SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {} t"
STATE = "SELECT 1, md5(row(last_value, is_called)::text) FROM {}"
"""Of a sequence; how far ahead it has been written down is nobody's business."""


def digests(url: str) -> dict[str, tuple[int, str]]:
    """How many rows each table has, and what they come to; sequences too."""
    with psycopg.connect(url) as connection:
        found = connection.execute(TABLES).fetchall()
        return {f"{schema}.{name}": _digest(connection, schema, name) for schema, name in sorted(found)}


def _digest(connection: psycopg.Connection, schema: str, name: str) -> tuple[int, str]:
    query = STATE if name.endswith("_seq") else DIGEST
    row = connection.execute(sql.SQL(query).format(sql.Identifier(schema, name))).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])
