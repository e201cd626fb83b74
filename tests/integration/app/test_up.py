"""`fondaco up`, seen from the outside: opens, heals, refuses a second one, closes, leaves nobody behind."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import psycopg
import pytest
from websockets.asyncio.client import connect

from fondaco.gateways.ws.stream import STREAM_PATH
from fondaco.infra.bus.valkey.address import Address
from fondaco.infra.bus.valkey.line import Wire
from fondaco.infra.postgres import EmbeddedPostgres
from fondaco.infra.valkey import running_valkey
from support import needs
from support.houses import RunningHouse, command, running_house
from support.places import open_folder
from support.processes import is_running, running_with
from support.waiting import PATIENCE_S, eventually


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory for all houses of this file, with a space in its path."""
    with open_folder() as folder:
        yield folder / "my house"


async def test_a_house_opens_refuses_a_second_one_heals_and_closes(data_dir: Path) -> None:
    async with running_house(data_dir) as house:
        await eventually(house.has_candles)
        assert await house.is_ready()
        await refuses_a_second_one(house)
        for words in (
            "fondaco record",
            "fondaco feed",
            "fondaco jobs",
            "fondaco engine",
            "fondaco dealer",
            "fondaco serve",
            "postgres -D",
        ):
            await comes_back_when_killed(house, words)
        await eventually(house.is_ready)
        assert await command(["candles", "verify"], data_dir) == (0, ANY, "")
        heard = len(house.log)
        assert await house.stop() == 0
    assert [line for line in house.log[heard:] if "Traceback" in line or "rror" in line or "exit code" in line] == []
    assert (data_dir / "run" / "house.lock").read_text() == ""


async def test_a_house_that_is_killed_leaves_nobody_behind_and_opens_again_with_its_data(data_dir: Path) -> None:
    async with running_house(data_dir) as house:
        await eventually(house.has_candles)
        with psycopg.connect(EmbeddedPostgres(data_dir).url) as connection:
            connection.execute("CREATE TABLE mark AS SELECT 42 AS answer")
        house.process.kill()
        await house.process.wait()
    async with running_house(data_dir) as house:
        await eventually(house.is_ready)
        with psycopg.connect(EmbeddedPostgres(data_dir).url) as connection:
            assert connection.execute("SELECT answer FROM mark").fetchone() == (42,)
        await hurries_at_a_second_ctrl_c(house)


async def test_a_house_on_valkey_opens_streams_heals_and_closes(tmp_path: Path) -> None:
    needs.valkey()
    with open_folder() as folder:
        data_dir = folder / "my house"
        known = {"FONDACO_BUS__KIND": "valkey"}
        async with running_house(data_dir, "--bus", "valkey", FONDACO_BUS__CLAIM_IDLE_MS="500") as house:
            await eventually(house.has_candles)
            assert await house.is_ready()
            assert not (data_dir / "run" / "bus.sock").exists()
            await ticks_arrive(house)
            for words in ("fondaco record", "valkey-server", "fondaco feed"):
                await comes_back_when_killed(house, words)
            await eventually(house.is_ready)
            await ticks_arrive(house)
            code, said, _ = await command(["bus", "check"], data_dir, known)
            assert (code, "market.ticks:" in said, "recorders:" in said) == (0, True, True)
            assert await command(["candles", "verify"], data_dir) == (0, ANY, "")
            heard = len(house.log)
            assert await house.stop() == 0
        secret = (data_dir / "valkey" / "password").read_text()
        assert [line for line in house.log[heard:] if "Traceback" in line or "exit code" in line] == []
        assert [line for line in house.log if secret in line] == []
    code, _, said = await command(["bus", "check"], tmp_path)
    assert (code, said.count("\n")) == (2, 1)


async def ticks_arrive(house: RunningHouse) -> None:
    """A subscriber of the stream hears of new trades; the server may still be looking for its bus."""
    url = house.address.replace("http://", "ws://") + STREAM_PATH
    async with asyncio.timeout(PATIENCE_S), connect(url, proxy=None) as stream:
        await stream.send('{"op": "subscribe", "channels": ["ticks:BTCUSDT"]}')
        async for frame in stream:
            heard = json.loads(frame)
            if heard["type"] == "update" and heard["data"]:
                return


async def test_a_server_that_would_lose_trades_stops_the_house_with_one_sentence(tmp_path: Path) -> None:
    needs.valkey()
    async with running_valkey(tmp_path / "elsewhere", command="test") as url:
        wire = Wire(Address(url), "test")
        await wire.open()
        await wire.call("CONFIG", "SET", "appendfsync", "no")
        await wire.close()
        code, _, said = await command(["up", "--port", "0"], tmp_path / "house", {"FONDACO_BUS__URL": url})
    assert code == 2
    (sentence,) = [line for line in said.splitlines() if line.startswith("fondaco: ")]
    assert "would lose trades in a crash (appendfsync is 'no')" in sentence
    assert running_with(str(tmp_path)) == []


async def refuses_a_second_one(house: RunningHouse) -> None:
    """With the address of the first."""
    sentence = (
        f"fondaco: A house is running here already: process {house.process.pid} with the data directory "
        f"{house.data_dir}; its page is {house.address}.\n"
    )
    assert await command(["up"], house.data_dir) == (2, "", sentence)


async def comes_back_when_killed(house: RunningHouse, words: str) -> None:
    """The supervisor starts the process again."""
    (pid,) = house.pids(words)
    os.kill(pid, signal.SIGKILL)

    async def is_back() -> bool:
        return [each for each in house.pids(words) if each != pid] != []

    await eventually(is_back)


async def hurries_at_a_second_ctrl_c(house: RunningHouse) -> None:
    """Although a process does not end."""
    (serve,) = house.pids("fondaco serve")

    async def only_that_one_is_left() -> bool:
        return house.pids("fondaco jobs") == []

    os.kill(serve, signal.SIGSTOP)
    house.process.send_signal(signal.SIGINT)
    await eventually(only_that_one_is_left)
    assert await house.stop() == 0
    assert not is_running(serve)


async def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, said = await command(["up", "--port", str(port)], tmp_path)
    assert code == 2
    assert said == (
        f"fondaco: 127.0.0.1:{port} is taken by another program: choose another port with --port, "
        "or --port 0 for any that is free.\n"
    )


async def test_a_wrong_database_url_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    wrong = {"DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x"}
    code, _, said = await command(["up", "--port", "0"], tmp_path, wrong)
    assert code == 2
    assert "hunter2" not in said
    (sentence,) = [line for line in said.splitlines() if line.startswith("fondaco: ")]
    assert sentence.startswith('fondaco: The database "x" at 127.0.0.1:1 cannot be used (Connection refused)')
    assert not (tmp_path / "postgres").exists()


async def test_a_feed_that_does_not_exist_stops_the_house_with_one_sentence(database_url: str, tmp_path: Path) -> None:
    code, _, said = await command(
        ["up", "--port", "0", "--feed", "replay:nothere.csv"], tmp_path, {"DATABASE_URL": database_url}
    )
    assert code == 2
    (sentence,) = [line for line in said.splitlines() if line.startswith("fondaco: ")]
    assert "nothere.csv" in sentence
    assert running_with(str(tmp_path)) == []
