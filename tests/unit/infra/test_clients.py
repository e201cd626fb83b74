"""How PostgreSQL's own programs get an address: through their environment, whole, and never on a command line."""

import pytest

from fondaco.infra.errors import UserError
from fondaco.infra.postgres.clients import environment


def test_every_part_of_an_address_becomes_a_variable() -> None:
    url = "postgresql://u:p%40ss@db.example:6543/house?sslmode=require&options=-c%20x%3Dy&schema=public"
    said = environment(url)
    assert {name: value for name, value in said.items() if name.startswith("PG")} == {
        "PGUSER": "u",
        "PGPASSWORD": "p@ss",
        "PGHOST": "db.example",
        "PGPORT": "6543",
        "PGDATABASE": "house",
        "PGSSLMODE": "require",
        "PGOPTIONS": "-c x=y",
    }


def test_nothing_of_our_secrets_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@h/d")
    monkeypatch.setenv("PGPASSFILE", "/home/u/pass")
    said = environment(None)
    assert "secret" not in " ".join(said.values())
    assert said["PGPASSFILE"] == "/home/u/pass"


def test_a_part_that_has_no_variable_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="sslpassword") as caught:
        environment("postgresql://u@h/d?sslpassword=hunter2")
    assert "hunter2" not in str(caught.value)
