"""One database client per process, at the address that DATABASE_URL gives (EXD-2, EXD-6, BHC-7, EXP-97)."""

import importlib

import pytest

from fondaco.infra import database
from fondaco.infra.database import DatabaseMisconfiguredError, shared_database, sqlalchemy_url
from fondaco.infra.settings import Settings

URL = "postgresql://house@localhost/one_client"


def test_every_caller_gets_the_same_client() -> None:
    """EXD-2, EXP-97: services ask for the client and never build their own."""
    settings = Settings().database
    assert shared_database(URL, settings, application="one") is shared_database(URL, settings, application="other")
    assert shared_database(f"{URL}_2", settings, application="one") is not shared_database(
        URL, settings, application="one"
    )


def test_reloading_the_module_reuses_the_client() -> None:
    """EXD-2: development reloads modules; each reload must not open another pool."""
    settings = Settings().database
    before = shared_database(URL, settings, application="one")
    saved = dict(vars(database))
    try:
        reloaded = importlib.reload(database)
        assert reloaded.shared_database(URL, settings, application="one") is before
    finally:
        vars(database).update(saved)  # other tests hold the classes of before


def test_the_address_comes_from_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """EXD-6, BHC-7."""
    monkeypatch.setenv("DATABASE_URL", URL)
    assert Settings().database_url == URL


def test_a_prisma_style_schema_is_dropped_and_the_rest_kept() -> None:
    assert sqlalchemy_url(f"{URL}?schema=public&sslmode=disable") == (
        "postgresql+psycopg://house@localhost/one_client?sslmode=disable"
    )


@pytest.mark.parametrize("address", ["", "localhost", "mysql://house@localhost/one", "sqlite:///house.db"])
def test_an_address_of_something_else_is_refused_with_a_sentence(address: str) -> None:
    with pytest.raises(DatabaseMisconfiguredError, match=r"must begin with postgresql://.*embedded"):
        sqlalchemy_url(address)
