"""The engine's tables that the journal needs, for tests that begin with an empty database."""

import psycopg

DDL = """
CREATE TABLE IF NOT EXISTS journal (
    batch_no bigint PRIMARY KEY, first_seq bigint NOT NULL, last_seq bigint NOT NULL, epoch bigint NOT NULL,
    codec smallint NOT NULL, rules_version integer NOT NULL, last_ns bigint NOT NULL, chain_hash bytea NOT NULL,
    body bytea NOT NULL, written_at timestamptz NOT NULL
);
ALTER TABLE journal ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE IF NOT EXISTS leases (
    name text PRIMARY KEY, epoch bigint NOT NULL, holder text NOT NULL, address text NOT NULL,
    backend_pid integer NOT NULL, heartbeat_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS snapshots (
    batch_no bigint PRIMARY KEY, seq bigint NOT NULL, chain_hash bytea NOT NULL, state_hash bytea NOT NULL,
    codec smallint NOT NULL, rules_version integer NOT NULL, byte_count bigint NOT NULL, created_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS snapshot_parts (
    batch_no bigint, part_no integer, body bytea NOT NULL, PRIMARY KEY (batch_no, part_no)
);
CREATE TABLE IF NOT EXISTS watermarks (
    name text PRIMARY KEY, batch_no bigint NOT NULL, seq bigint NOT NULL, chain_hash bytea NOT NULL,
    updated_at timestamptz NOT NULL
);
"""


def make_tables(url: str) -> None:
    """Make them."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(DDL)
