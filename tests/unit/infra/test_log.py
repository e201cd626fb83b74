"""Logs: no secret reaches a line, whichever way it came, and other libraries' lines look like ours."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from fondaco.infra import log

SECRET = "s3cr3t-Pa55"  # noqa: S105 - an invented one, to be looked for
ADDRESS = f"postgresql://fondaco:{SECRET}@db.example:5432/fondaco?sslmode=require"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def _lines(log_format: Literal["auto", "console", "json"] = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    log.configure(level, log_format, process="record", stream=stream)
    return stream


def _connect(address: str) -> None:
    raise ConnectionError(address)


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize(
    "values",
    [
        {"password": SECRET},
        {"DB_PASSWD": SECRET},
        {"access_token": SECRET},
        {"Authorization": f"Bearer {SECRET}"},
        {"client_secret": SECRET},
        {"cookie": {"session": SECRET}},
        {"url": ADDRESS},
        {"headers": {"x-api-key": SECRET}},
        {"headers": {"authorization": SECRET}},
        {"nested": [{"deep": ({"apiKey": SECRET},)}]},
        {"note": f"header was 'Authorization: Bearer {SECRET}'"},
        {"note": f"conninfo host=x password={SECRET} user=y"},
        {"note": f'{{"token": "{SECRET}"}}'},
        {"error": ValueError(f"cannot connect to {ADDRESS}")},
        {"raw": ADDRESS.encode()},
        {"url": f"redis://:{SECRET}@localhost/0"},
        {"url": f"postgresql://fondaco:p@{SECRET}@localhost/x"},
    ],
)
def test_a_secret_reaches_no_line(log_format: Literal["console", "json"], values: dict[str, Any]) -> None:
    stream = _lines(log_format)
    structlog.get_logger().info("something.happened", **values)
    assert "something.happened" in stream.getvalue()
    assert SECRET not in stream.getvalue()
    assert log.REDACTED in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_is_redacted_too(log_format: Literal["console", "json"]) -> None:
    stream = _lines(log_format)
    try:
        _connect(ADDRESS)
    except ConnectionError:
        structlog.get_logger().exception("it.broke")
    assert "ConnectionError" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_what_is_no_secret_stays_as_it_is() -> None:
    stream = _lines()
    structlog.get_logger().info("stored", ticks=3, url="http://127.0.0.1:8000/", symbols=["BTCUSDT"], ratio=0.5)
    line = json.loads(stream.getvalue())
    assert line["ticks"] == 3
    assert line["url"] == "http://127.0.0.1:8000/"
    assert line["symbols"] == ["BTCUSDT"]
    assert line["ratio"] == 0.5
    assert (line["event"], line["level"], line["process"]) == ("stored", "info", "record")


def test_other_libraries_lines_go_the_same_way() -> None:
    stream = _lines()
    logging.getLogger("uvicorn.error").warning("Trying %s", ADDRESS)
    line = json.loads(stream.getvalue())
    assert line["event"] == f"Trying {ADDRESS.replace(SECRET, log.REDACTED)}"
    assert line["level"] == "warning"


def test_the_level_is_kept() -> None:
    stream = _lines(level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    assert stream.getvalue() == ""


def test_a_value_that_contains_itself_ends() -> None:
    stream = _lines()
    endless: list[Any] = []
    endless.append(endless)
    structlog.get_logger().info("loop", endless=endless)
    assert "..." in stream.getvalue()


def test_auto_writes_json_where_nobody_watches() -> None:
    stream = io.StringIO()
    assert log.configure("info", "auto", process="up", stream=stream) == "json"


@pytest.mark.parametrize(("no_colour", "force", "expected"), [("", "", False), ("", "1", True), ("1", "1", False)])
def test_colours_follow_the_two_common_variables(
    monkeypatch: pytest.MonkeyPatch, no_colour: str, force: str, *, expected: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("FORCE_COLOR", force)
    assert log.has_colours(io.StringIO()) is expected
