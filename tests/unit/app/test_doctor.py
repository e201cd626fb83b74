"""What `fondaco doctor` calls well, worth knowing, and to be put right, each at its edge."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fondaco.app import doctor
from fondaco.app.doctor import (
    Finding,
    Level,
    check_clock,
    check_clocks,
    check_disk,
    check_feeds,
    check_folder,
    check_schema,
    check_server,
    count,
)
from fondaco.app.migrations import known_revisions
from fondaco.market.condition import Newest

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def level(finding: Finding) -> Level:
    assert finding.said
    return finding.level


def house(folder: Path) -> Path:
    """A data directory as a house leaves it."""
    for each in (folder, folder / "run", folder / "postgres", folder / "postgres/data", folder / "postgres/socket"):
        each.mkdir(exist_ok=True)
        each.chmod(0o700)
    (folder / "postgres/password").touch(mode=0o600)
    return folder


def test_a_folder_that_keeps_others_out_is_well(tmp_path: Path) -> None:
    assert level(check_folder(house(tmp_path))) == Level.OK
    tmp_path.chmod(0o755)  # as root's, whose database runs as another user
    assert level(check_folder(tmp_path)) == Level.OK


@pytest.mark.parametrize(
    ("name", "mode"),
    [(".", 0o720), (".", 0o702), ("run", 0o710), ("postgres/password", 0o640), ("postgres/data", 0o701)],
)
def test_a_folder_that_lets_others_in_is_named(name: str, mode: int, tmp_path: Path) -> None:
    folder = house(tmp_path)
    (folder / name).chmod(mode)
    found = check_folder(folder)
    assert level(found) == Level.FAIL
    assert str(folder / name) in found.said


def test_no_folder_is_worth_knowing(tmp_path: Path) -> None:
    assert level(check_folder(tmp_path / "none")) == Level.WARN


@pytest.mark.parametrize(
    ("least", "little", "expected"), [(0, 0, Level.OK), (0, 2**62, Level.WARN), (2**62, 2**62, Level.FAIL)]
)
def test_the_room_on_the_disk(
    least: int, little: int, expected: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", least)
    monkeypatch.setattr(doctor, "LITTLE_FREE_BYTES", little)
    assert level(check_disk(tmp_path / "not" / "there" / "yet")) == expected


def test_a_clock_of_long_ago_is_wrong() -> None:
    assert level(check_clock(doctor.OLDEST_NOW)) == Level.OK
    assert level(check_clock(doctor.OLDEST_NOW - SECOND)) == Level.FAIL


@pytest.mark.parametrize(("apart", "expected"), [(2, Level.OK), (-2, Level.OK), (2.1, Level.WARN), (-2.1, Level.WARN)])
def test_two_clocks_may_differ_a_little(apart: float, expected: Level) -> None:
    assert level(check_clocks(NOW, NOW + apart * SECOND)) == expected


def test_the_oldest_server() -> None:
    assert level(check_server("15.0", 150_000)) == Level.OK
    assert level(check_server("14.9", 140_009)) == Level.FAIL


def test_only_the_newest_schema_is_well() -> None:
    newest, *older = known_revisions()
    assert level(check_schema(newest)) == Level.OK
    assert [level(check_schema(each)) for each in (None, *older, "9999")] == [Level.FAIL] * (len(older) + 2)


def test_a_symbol_that_is_quiet_for_long_is_worth_knowing() -> None:
    newest = [
        Newest("AUSDT", NOW - doctor.QUIET),
        Newest("BUSDT", NOW - doctor.QUIET - SECOND),
        Newest("CUSDT", None),
    ]
    assert [level(each) for each in check_feeds(newest, NOW)] == [Level.OK, Level.WARN, Level.WARN]
    assert [level(each) for each in check_feeds([], NOW)] == [Level.WARN]


def test_a_number_that_should_be_nought() -> None:
    assert level(count("gaps", 0, "x")) == Level.OK
    assert level(count("gaps", 1, "x")) == Level.WARN
