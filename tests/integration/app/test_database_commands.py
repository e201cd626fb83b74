"""``fondaco db …`` as people run it: a table changed in the code becomes a migration, which makes it (EXD-40)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from fondaco.infra.database import libpq_url
from fondaco.infra.settings import CHECKOUT

NEW_TABLE = '''

class HolidayRow(Base):
    """Days on which nobody trades."""

    __tablename__ = "holidays"
    __table_args__ = {"info": OWNER}

    day: Mapped[datetime] = mapped_column(primary_key=True)
    source: Mapped[Source] = _source()
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of the test's own, since a generated migration is written into it."""
    for folder in ("src", "migrations"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "web_dist"))
    return tmp_path


def test_a_database_that_has_everything_needs_no_migration(checkout: Path, database_url: str) -> None:
    before = _versions(checkout)
    assert "nothing to write" in _db(checkout, database_url, "generate", "nothing new")
    assert _versions(checkout) == before


def test_a_new_table_becomes_the_next_migration_and_migrating_makes_it(checkout: Path, database_url: str) -> None:
    """EXD-40, BHC-4, BBX-7: generate after a schema change, then deploy."""
    before = _versions(checkout)
    with (checkout / "src/fondaco/market/tables.py").open("a") as tables:
        tables.write(NEW_TABLE)
    _db(checkout, database_url, "generate", "days without trade")
    (written,) = _versions(checkout) - before
    assert written == f"{len(before) + 1:04d}_days_without_trade.py"
    assert "'source', sa.Text(collation='C')" in (checkout / "migrations/versions" / written).read_text()
    _db(checkout, database_url, "migrate")
    with psycopg.connect(libpq_url(database_url)) as connection:
        assert connection.execute("SELECT count(*) FROM holidays").fetchone() == (0,)


def _versions(checkout: Path) -> set[str]:
    return {path.name for path in (checkout / "migrations/versions").glob("*.py")}


def _db(checkout: Path, database_url: str, *words: str) -> str:
    """Run ``fondaco db``; a non-zero exit fails the test with what was said."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "FONDACO_DATA_DIR": str(checkout / "data"),
        "PYTHONPATH": str(checkout / "src"),
    }
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "fondaco", "db", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr
