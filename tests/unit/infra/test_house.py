"""The house's folder: made with the right modes, held by one, and a sentence where it cannot be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fondaco.infra.errors import UserError
from fondaco.infra.house import HouseRunningError, house_lock, make_folders

HOLDING = """
import sys
from pathlib import Path
from fondaco.infra.house import house_lock
with house_lock(Path(sys.argv[1]), command="holder") as hold:
    hold.note("http://127.0.0.1:1")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_holds_it_and_says_where_its_page_is(tmp_path: Path) -> None:
    holder = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", HOLDING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HouseRunningError) as refused, house_lock(tmp_path, command="second"):
            pass
        holder.kill()
    assert str(refused.value) == (
        f"A house is running here already: process {holder.pid} with the data directory {tmp_path}; "
        "its page is http://127.0.0.1:1."
    )
    with house_lock(tmp_path, command="third"):
        assert (tmp_path / "run" / "house.lock").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "run" / "house.lock").read_text() == ""


def test_folders_get_their_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make_folders(tmp_path / "a" / "b", mode=0o755)
    finally:
        os.umask(before)
    assert [(tmp_path / each).stat().st_mode & 0o777 for each in ("a", "a/b")] == [0o755, 0o755]


def test_folders_that_exist_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    make_folders(tmp_path / "mine" / "new", mode=0o755)
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o700


def test_a_place_where_no_folder_can_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sentence = r"cannot be made \(Not a directory\): choose one that you may write to with FONDACO_DATA_DIR"
    with pytest.raises(UserError, match=sentence), house_lock(tmp_path / "file", command="test"):
        pass
