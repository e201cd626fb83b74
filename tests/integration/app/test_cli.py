"""The command line: teaches, does what it says, and answers a user's mistake with one sentence and exit code 2."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from cyclopts import App

import fondaco
from fondaco.app import cli, migrations, revisions
from fondaco.infra.database import Database
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.settings import CHECKOUT, DatabaseSettings
from fondaco.market.messages import Tick
from support.places import open_folder
from support.processes import running_with
from support.stored import batch, execute, store_all

NOBODY = "postgresql://u:hunter2@127.0.0.1:1/x"
ON_DATA = (
    *(["db", "migrate"], ["db", "generate", "x"], ["db", "backup", "x.dump"]),
    *(["candles", "verify"], ["ticks", "purge", "--older-than", "1d"]),
    *(["replay"], ["journal", "archive"], ["journal", "verify"]),
)
PROCESSES = (["serve"], ["feed"], ["record"], ["jobs"], ["engine"], ["follower"])


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("FONDACO_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def leaves(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that does something, by its words."""
    for name in app:
        if name.startswith("-"):
            continue
        below = list(leaves(app[name], (*path, name)))
        yield from below or [(*path, name)]


@pytest.mark.parametrize("words", list(leaves(cli.app)), ids=" ".join)
def test_every_command_says_what_it_does_and_shows_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*words, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.count(f"fondaco {' '.join(words)}") >= 2, "usage and an example"


def test_the_list_of_commands_says_when_each_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 0
    said = capsys.readouterr().out
    assert {name for name in cli.app if not name.startswith("-")} <= set(said.split())


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == fondaco.__version__


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["upp"], 'Unknown command "upp"'),
        (["up", "--prot", "1"], "Unknown option: --prot"),
        (["up", "--port", "many"], 'Invalid value for --port: unable to convert "many" into int'),
        (["up", "--port", "65536"], "serve.port (FONDACO_SERVE__PORT) is wrong"),
        (["up", "--port", "-1"], "serve.port (FONDACO_SERVE__PORT) is wrong"),
        (["up", "--port", "0", "--host", "no such host"], "There is no address no such host"),
        (["up", "--port", "0", "--host", "192.0.2.1"], "192.0.2.1:0 is not an address of this machine"),
        (["ticks", "purge"], "--older-than requires an argument"),
        (["ticks", "purge", "--older-than", "soon"], "'soon' is no age"),
        (["ticks", "purge", "--older-than", "0d"], "'0d' is no age"),
        (["record"], "No house has been opened in"),
        (["db", "url"], "No house has been opened in"),
        (["db", "restore", "/no/such/file"], "/no/such/file cannot be read: No such file or directory"),
    ],
)
def test_a_users_mistake_is_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(words) == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.startswith("fondaco: ")
    assert len(said.err.splitlines()) == 1
    assert said.out == ""


@pytest.mark.parametrize("words", [*ON_DATA, *PROCESSES], ids=" ".join)
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://u:hunter2@h/d", "DATABASE_URL must begin with postgresql://"),
        (NOBODY, 'The database "x" at 127.0.0.1:1 cannot be used (Connection refused)'),
    ],
)
def test_a_wrong_database_url_is_one_sentence_from_every_command(
    words: list[str], url: str, sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert cli.run(words) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("FONDACO_SERVE__PORT", "many", "serve.port (FONDACO_SERVE__PORT) is wrong"),
        ("FONDACO_MARKET__NOPE", "1", "There is no setting market.nope (FONDACO_MARKET__NOPE)"),
        ("FONDACO_MARKET__PAIRS", "[", "A setting in the environment cannot be read"),
        ("FONDACO_LOG_LEVEL", "loud", "log_level (FONDACO_LOG_LEVEL) is wrong"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    name: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert cli.run(["db", "url"]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_a_file_of_settings_that_is_none_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.toml").write_text("serve = [")
    monkeypatch.setenv("FONDACO_CONFIG", str(tmp_path / "broken.toml"))
    assert cli.run(["db", "url"]) == 2
    assert "broken.toml cannot be read" in capsys.readouterr().err


def test_without_a_house_a_command_starts_the_database_for_as_long_as_it_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_folder() as folder:
        monkeypatch.setenv("FONDACO_DATA_DIR", str(folder / "house"))
        assert cli.run(["db", "migrate"]) == 0
        assert cli.run(["candles", "verify"]) == 0
        assert cli.run(["db", "url"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "The database is up to date."
        assert said[1].startswith("0 candles equal their trades, 0 differ")
        assert said[2] == EmbeddedPostgres(folder / "house").tcp_url
        assert running_with(str(folder)) == []


def test_verify_names_a_candle_that_differs(
    database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    on_database(database_url, "UPDATE candles SET high = high + 1 WHERE timeframe = '5m'", ticks=1)
    assert cli.run(["candles", "verify"]) == 1
    said = capsys.readouterr().out
    assert "  5m 1970-01-01T00:00Z: high\n" in said
    assert said.splitlines()[-1] == "8 candles equal their trades, 1 differ, 0 have lost some of their trades."


def test_purge_drops_what_is_old(
    database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    on_database(database_url, "SELECT 1", ticks=3)
    assert cli.run(["ticks", "purge", "--older-than", "1d"]) == 0
    assert capsys.readouterr().out == "3 trades dropped.\n"


def test_generate_writes_what_the_database_lacks_and_nothing_else(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "migrations"
    monkeypatch.setenv("DATABASE_URL", database_url)
    copy_tree(CHECKOUT / "migrations", copy)
    for module in (migrations, revisions):
        monkeypatch.setattr(module, "CHECKOUT", tmp_path)  # it writes where the checkout is
    before = {each.name for each in (copy / "versions").glob("*.py")}
    assert cli.run(["db", "generate", "nothing new"]) == 0
    assert capsys.readouterr().out == "The database has what the code says: nothing to write.\n"
    on_database(database_url, "ALTER TABLE candles DROP COLUMN trades")
    assert cli.run(["db", "generate", "Candles count"]) == 0
    (written,) = {each.name for each in (copy / "versions").glob("*.py")} - before
    assert written == f"{len(before) + 1:04d}_candles_count.py"
    assert "op.add_column('candles', sa.Column('trades'" in (copy / "versions" / written).read_text()
    assert str(copy / "versions" / written) in capsys.readouterr().out


def on_database(url: str, statement: str, *, ticks: int = 0) -> None:
    """Store some ticks of 1970, then run a statement."""

    async def work() -> None:
        database = Database(url, DatabaseSettings(), application="test")
        if ticks:
            made = [Tick(each, each, 5, 7, buyer_is_maker=False, received_us=each) for each in range(1, ticks + 1)]
            await store_all(database, [batch(made)])
        await execute(database, statement)
        await database.dispose()

    asyncio.run(work())


def copy_tree(source: Path, target: Path) -> None:
    """Copy Python files and templates."""
    for file in source.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            (target / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / file.relative_to(source)).write_bytes(file.read_bytes())


@pytest.mark.parametrize("command", ["serve", "up"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - refused before anything is bound
def test_with_development_tokens_only_loopback_is_served(
    command: str, host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FONDACO_SERVE__DEVELOPMENT_TOKENS", "true")
    assert cli.run([command, "--host", host, "--port", "0"]) == 2
    assert f"serves loopback only, not {host}" in capsys.readouterr().err


def test_a_socket_that_is_handed_down_must_be_loopback_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FONDACO_SERVE__DEVELOPMENT_TOKENS", "true")
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - nothing is ever accepted on it
        assert cli.run(["serve", "--supervised", f"--listening-fd={os.dup(listener.fileno())}"]) == 2
    assert "serves loopback only" in capsys.readouterr().err
