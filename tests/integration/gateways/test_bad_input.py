"""What clients should not send: refused by name before the database is asked, and the house goes on (EXP-46)."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from fondaco.core.candles import Timeframe
from fondaco.gateways.rest.bodies import MAX_BODY_BYTES
from fondaco.infra.database import Database
from fondaco.infra.settings import MarketSettings, Settings, StreamSettings
from support.house import House, StreamClient, stream_client


async def refused(house: House, path: str, status: int = 400) -> str:
    async with house.http() as client:
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code"}
    assert problem["status"] == status
    code: str = problem["code"]
    return code


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_parameter"),
        ("asset=BTCUSDT", "missing_parameter"),
        ("duration=1m", "missing_parameter"),
        ("asset=DOGEUSDT&duration=1m", "unknown_symbol"),
        ("asset=&duration=1m", "unknown_symbol"),
        ("asset=%00&duration=1m", "unknown_symbol"),
        ("asset=%ff%fe&duration=1m", "unknown_symbol"),
        ("asset='; DROP TABLE candles; --&duration=1m", "unknown_symbol"),
        ("asset=BTCUSDT&duration=3m", "unknown_timeframe"),
        ("asset=BTCUSDT&duration=candles_1m", "unknown_timeframe"),
        ("asset=BTCUSDT&duration=1m&limit=0", "bad_limit"),
        ("asset=BTCUSDT&duration=1m&limit=-1", "bad_limit"),
        ("asset=BTCUSDT&duration=1m&limit=5001", "bad_limit"),
        ("asset=BTCUSDT&duration=1m&limit=1000000000", "bad_limit"),
        ("asset=BTCUSDT&duration=1m&limit=text", "bad_limit"),
        ("asset=BTCUSDT&duration=1m&limit=", "bad_limit"),
        ("asset=BTCUSDT&duration=1m&limit=1&limit=2", "repeated_parameter"),
        ("&".join(f"p{number}=1" for number in range(21)), "too_many_parameters"),
    ],
)
async def test_a_bad_chart_request_is_400_by_name(lonely_house: House, query: str, code: str) -> None:
    assert await refused(lonely_house, f"/candles?{query}") == code


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/candles?symbol=btc&timeframe=1m&from=10&to=10", "bad_range"),
        ("/api/v1/candles?symbol=btc&timeframe=1m&from=never", "bad_time"),
        ("/api/v1/candles?symbol=btc&timeframe=1m&to=1723161240000", "bad_time"),
        ("/api/v1/ticks?symbol=btc&before_id=-1", "bad_id"),
        ("/api/v1/ticks?symbol=btc&before_id=9223372036854775808", "bad_id"),
        ("/api/v1/ticks?symbol=btc&limit=1001", "bad_limit"),
        ("/api/v1/gaps?open=maybe", "bad_flag"),
        ("/api/v1/gaps?symbol=doge", "unknown_symbol"),
        ("/api/v1/prices?symbol=", "unknown_symbol"),
    ],
)
async def test_a_bad_request_is_400_by_name(lonely_house: House, path: str, code: str) -> None:
    assert await refused(lonely_house, path) == code


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api", "/candles/BTCUSDT", "/schema/nothing", "/health/x"])
async def test_an_unknown_path_of_the_api_is_404(lonely_house: House, path: str) -> None:
    assert await refused(lonely_house, path, 404) == "not_found"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize("path", ["/candles", "/api/v1/ticks", "/", "/markets"])
async def test_a_wrong_method_is_405_and_told_the_right_ones(lonely_house: House, method: str, path: str) -> None:
    async with lonely_house.http() as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))


async def test_a_stranger_of_a_host_is_421_and_told_nothing(lonely_house: House) -> None:
    async with lonely_house.http() as client:
        for path in ("/", "/health", "/metrics", "/api/v1/symbols"):
            answer = await client.get(path, headers={"host": "evil.example"})
            assert (answer.status_code, answer.json()["code"]) == (421, "host_not_allowed")


async def test_a_body_is_bounded_at_its_edge(lonely_house: House) -> None:
    async with lonely_house.http() as client:
        fits = await client.request("GET", "/health", content=b"x" * MAX_BODY_BYTES)
        too_large = await client.request("GET", "/health", content=b"x" * (MAX_BODY_BYTES + 1))
        absurd = await client.get("/health", headers={"content-length": "9" * 5000})
    assert fits.status_code == 200
    for answer in (too_large, absurd):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_head_is_get_without_the_body(lonely_house: House) -> None:
    async with lonely_house.served():
        url = f"http://127.0.0.1:{lonely_house.port}"
        async with httpx.AsyncClient() as client:
            answer = await client.head(f"{url}/health")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


async def test_every_answer_forbids_guessing_and_referring(lonely_house: House) -> None:
    async with lonely_house.http() as client:
        for path in ("/health", "/api/v1/nothing", "/", "/schema"):
            headers = (await client.get(path)).headers
            assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


async def test_a_bug_is_answered_500_without_details(lonely_house: House) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    lonely_house.app._terminal = broken  # type: ignore[assignment] # a page with a bug
    async with lonely_house.http() as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_the_page_is_served_beside_the_api_and_no_path_leads_out(
    settings: Settings, away: Database, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "index.html").write_text("<title>Fondaco</title>")
    lonely_house = House(settings, away, tmp_path / "dist")
    async with lonely_house.served():
        reader, writer = await asyncio.open_connection("127.0.0.1", lonely_house.port)
        for path in ("/", "/markets/BTCUSDT", "/../secret", "/%2e%2e/secret", "//secret", "/assets/..%2f..%2fsecret"):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            body = await reader.readexactly(length)
            assert (body == b"<title>Fondaco</title>") != ("/assets/" in path)
            assert b"secret" not in body
        writer.close()
        await writer.wait_closed()


async def test_broken_messages_are_named_and_the_stream_stays_open(lonely_house: House) -> None:
    async with lonely_house.served(), stream_client(lonely_house) as client:
        for sent, code in (
            ("{", "bad_json"),
            ("[]", "bad_message"),
            ('{"op":"sell"}', "bad_message"),
            (b"\x00\x01", "binary_message"),
        ):
            await client.connection.send(sent)
            assert (await client.hear())["code"] == code
        assert (await client.ask(op="subscribe", channels=["ticks:DOGE"], id=3))["code"] == "unknown_symbol"
        assert (await client.ask(op="subscribe", channels=["candles:btc:3m"]))["code"] == "unknown_timeframe"
        assert (await client.ask(op="subscribe", channels=["orders"]))["code"] == "unknown_channel"
        assert await client.ask(op="ping", id=7) == {"type": "pong", "id": 7}


async def test_a_message_that_is_too_long_is_named_and_the_stream_closed(
    lonely_house: House, settings: Settings
) -> None:
    async with lonely_house.served():
        for length in (settings.stream.max_message_bytes + 1, 100 * settings.stream.max_message_bytes):
            async with stream_client(lonely_house) as client:
                await client.connection.send("x" * length)
                await client.connection.wait_closed()
                assert client.connection.close_code == 1009
                if length == settings.stream.max_message_bytes + 1:
                    assert (await client.hear())["code"] == "message_too_long"


async def test_of_a_thousand_subscriptions_the_first_are_taken_and_the_rest_refused_by_name(away: Database) -> None:
    pairs = tuple(f"A{number}/USDT" for number in range(100))
    wide = House(Settings(market=MarketSettings(pairs=pairs)), away)
    names = [f"candles:A{number}USDT:{each}" for number in range(100) for each in Timeframe] + ["feed"] * 100

    async def ask_all(client: StreamClient) -> None:
        for number, name in enumerate(names):
            await client.say(op="subscribe", channels=[name], id=number)

    async with wide.served(), stream_client(wide) as client:
        asking = asyncio.create_task(ask_all(client))
        answers: list[str] = []
        while len(answers) < len(names):
            frame = await client.hear()
            if frame["type"] != "snapshot":
                answers.append(frame.get("code", frame["type"]))
        await asking
    most = wide.settings.stream.max_subscriptions
    assert answers == ["subscribed"] * most + ["too_many_subscriptions"] * (1000 - most)


@pytest.fixture
def tight(away: Database) -> House:
    """A house whose streams are few and may listen to little."""
    return House(Settings(stream=StreamSettings(max_connections=2, max_subscriptions=3)), away)


async def test_the_limit_of_subscriptions_holds_on_the_wire(tight: House) -> None:
    async with tight.served(), stream_client(tight) as client:
        await client.subscribe("feed", "ticks:btc", "ticks:eth")
        error = await client.ask(op="subscribe", channels=["ticks:sol"], id="x")
        assert (error["id"], error["code"]) == ("x", "too_many_subscriptions")
        assert (await client.ask(op="unsubscribe", channels=["feed"]))["channels"] == ["feed"]
        await client.subscribe("ticks:sol")


async def test_one_connection_too_many_is_told_to_try_later(tight: House) -> None:
    async with tight.served(), stream_client(tight), stream_client(tight):
        async with stream_client(tight) as third:
            with pytest.raises(ConnectionClosed) as closed:
                await third.hear()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "too_many_connections")


async def test_a_page_of_a_stranger_opens_no_stream(lonely_house: House) -> None:
    async with lonely_house.served():
        with pytest.raises(InvalidStatus) as refusal:
            async with stream_client(lonely_house, origin="https://evil.example"):
                pass
        assert refusal.value.response.status_code == 403
        assert json.loads(refusal.value.response.body or b"")["code"] == "origin_not_allowed"
        async with stream_client(lonely_house, origin=f"http://localhost:{lonely_house.port}") as client:
            assert (await client.ask(op="ping"))["type"] == "pong"


async def test_a_stream_at_another_path_is_not_found(lonely_house: House) -> None:
    async with lonely_house.served():
        lonely_house.path = "/api/v1/streams"
        with pytest.raises(InvalidStatus) as refusal:
            async with stream_client(lonely_house):
                pass
    assert refusal.value.response.status_code == 404
