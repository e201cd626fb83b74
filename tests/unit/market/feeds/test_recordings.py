"""Recorded files: each format that can be replayed, the real ones in full, and plain words for what cannot."""

import gzip
from pathlib import Path

import pytest

from fondaco.market.feeds.recordings import MAX_REFUSED, Recording, RecordingError, load_recording, read_file_name
from support import needs
from support.feeding import NOW_US, catalogue, write_trades

CATALOGUE = catalogue("BTC/USDT", "ETH/USDT", "PEPE/USDT", "XRP/ETH")
ROW = (7, "61837.63", "0.02", 1_723_161_255_342, True)


def load(path: Path) -> Recording:
    return load_recording(path, CATALOGUE, received_us=NOW_US)


def rows_of(recording: Recording, symbol: str) -> list[tuple[int, ...]]:
    columns = recording.series[symbol]
    listed = (columns.trade_id, columns.time_us, columns.price, columns.quantity, columns.buyer_is_maker)
    return list(zip(*(column.tolist() for column in listed), strict=True))


@pytest.mark.parametrize(
    ("name", "symbol", "trades", "market"),
    [
        ("binance_spot_btcusdt_ws_raw_2024-08-08_2024-08-09.jsonl.gz", "BTCUSDT", 19_904, "spot"),
        ("binance_spot_btcusdt_trades_2024-08-08_2024-08-09.csv.gz", "BTCUSDT", 19_904, "spot"),
        ("binance_spot_btcusdt_ws_raw_2023-04-05.jsonl.gz", "BTCUSDT", 3_144, "spot"),
        ("binance_spot_btcusdt_trades_2023-04-05.csv.gz", "BTCUSDT", 3_144, "spot"),
        ("binance_usdm_btcusdt_ws_raw_2024-08-08.jsonl.gz", "BTCUSDT", 21_313, "usdm"),
        ("binance_usdm_btcusdt_trades_2024-08-08.csv.gz", "BTCUSDT", 21_313, "usdm"),
        ("binance_usdm_ethusdt_trades_2024-07-18_2024-07-19.csv.gz", "ETHUSDT", 13_655, "usdm"),
        ("binance_spot_pepeusdt_aggtrades_2024-10-27.csv.gz", "PEPEUSDT", 57_229, "spot"),
        ("binance_spot_xrpeth_aggtrades_2019-10-11_2019-10-13.csv.gz", "XRPETH", 12_477, "spot"),
        ("binance_usdm_btcusdt_trades_tardis_2020-02-22.csv.gz", "BTCUSDT", 9_999, "usdm"),
    ],
)
def test_every_recorded_file_is_read_in_full(name: str, symbol: str, trades: int, market: str) -> None:
    recording = load(needs.recorded(name))
    assert {each: len(columns.trade_id) for each, columns in recording.series.items()} == {symbol: trades}
    assert (recording.market, recording.refused_count) == (market, 0)


@pytest.mark.parametrize("days", ["2024-08-08_2024-08-09", "2023-04-05"])
def test_raw_lines_and_csv_of_the_same_trades_are_equal(days: str) -> None:
    raw = load(needs.recorded(f"binance_spot_btcusdt_ws_raw_{days}.jsonl.gz"))
    csv = load(needs.recorded(f"binance_spot_btcusdt_trades_{days}.csv.gz"))
    assert rows_of(raw, "BTCUSDT") == rows_of(csv, "BTCUSDT")


def test_a_csv_row_becomes_atoms_and_microseconds(tmp_path: Path) -> None:
    recording = load(write_trades(tmp_path, [ROW]))
    assert rows_of(recording, "BTCUSDT") == [(7, 1_723_161_255_342_000, 6_183_763_000_000, 2_000_000, True)]


def test_a_tardis_row_names_the_taker_and_counts_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "any_name.csv"
    header = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    rows = ("binance-futures,BTCUSDT,1582329602111001,0,1,buy,9682,0.132", "x,BTCUSDT,1582329602111002,0,2,sell,9682,1")
    path.write_text("\n".join((header, *rows)))
    assert rows_of(load(path), "BTCUSDT") == [
        (1, 1_582_329_602_111_001, 968_200_000_000, 13_200_000, False),
        (2, 1_582_329_602_111_002, 968_200_000_000, 100_000_000, True),
    ]


def test_binances_own_files_are_known_by_their_names_and_may_count_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-2025-01-01.csv"
    path.write_text("5,93576.0,0.001,10,11,1735689600010866,True,True\n")
    assert rows_of(load(path), "BTCUSDT") == [(5, 1_735_689_600_010_866, 9_357_600_000_000, 100_000, True)]


def test_ids_come_in_order_and_each_once(tmp_path: Path) -> None:
    rows = [(9, "3", "1", 1_723_161_255_003, True), ROW, ROW, (8, "2", "1", 1_723_161_255_342, True)]
    assert [row[0] for row in rows_of(load(write_trades(tmp_path, rows)), "BTCUSDT")] == [7, 8, 9]


def test_lines_that_are_no_ticks_are_kept_with_their_reason_and_stop_nothing(tmp_path: Path) -> None:
    path = write_trades(tmp_path, [ROW])
    bad = [
        ("8,61837.63,0.02,0,1723161255342", "missing_field"),
        ("x,61837.63,0.02,0,1723161255342,true,true", "bad_trade_id"),
        ("\u0668,61837.63,0.02,0,1723161255342,true,true", "wrong_type"),
        ("8,61837.63,0.02,0,1e12,true,true", "bad_time"),
        ("8,61837.63,0.02,0,1723161255342,yes,true", "wrong_type"),
        ("8,6e4,0.02,0,1723161255342,true,true", "price_not_a_number"),
        ("8,61837.63,0,0,1723161255342,true,true", "quantity_not_positive"),
    ]
    with path.open("a") as file:
        file.write("\n".join([*(line for line, _ in bad), "", "9,1,1,0,1723161255343,false,true\n"]))
    recording = load(path)
    assert [(each.raw, each.reason) for each in recording.refused] == bad
    assert [row[0] for row in rows_of(recording, "BTCUSDT")] == [7, 9]


def test_of_a_raw_file_only_broken_trades_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    good = '{"e":"trade","s":"BTCUSDT","t":7,"p":"1","q":"1","T":1723161255342,"m":true}'
    lines = [
        '{"recv_ns":1,"msg":{"stream":"btcusdt@depth","data":{"e":"depthUpdate","s":"BTCUSDT"}}}',
        f'{{"recv_ns":1,"msg":{{"stream":"btcusdt@trade","data":{good}}}}}',
        f'{{"recv_ns":1,"msg":{{"stream":"dogeusdt@trade","data":{good.replace("BTC", "DOGE")}}}}}',
        '{"recv_ns":1,"msg":{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTC',
        '{"recv_ns":1,"msg":{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT"}}}',
        '{"recv_ns":1,"msg":{"stream":"btcusdt@bookTicker","data":{"u":1,"x":"trade"}}}',
    ]
    path.write_text("\n".join(lines))
    recording = load(path)
    assert [row[0] for row in rows_of(recording, "BTCUSDT")] == [7]
    assert [each.reason for each in recording.refused] == ["malformed_json", "missing_field"]


@pytest.mark.parametrize("more", [0, 1])
def test_refused_lines_are_kept_up_to_a_bound_and_all_counted(tmp_path: Path, more: int) -> None:
    path = write_trades(tmp_path, [ROW, *[(8, "0", "1", 1_723_161_255_342, True)] * (MAX_REFUSED + more)])
    recording = load(path)
    assert (len(recording.refused), recording.refused_count) == (MAX_REFUSED, MAX_REFUSED + more)


def test_a_file_may_hold_so_many_ticks_and_no_more(tmp_path: Path) -> None:
    path = write_trades(tmp_path, [ROW] * 3)
    assert load_recording(path, CATALOGUE, received_us=NOW_US, max_ticks=3)
    with pytest.raises(RecordingError, match="more than 2 trades"):
        load_recording(path, CATALOGUE, received_us=NOW_US, max_ticks=2)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "nothing.csv"
    with pytest.raises(RecordingError) as caught:
        load(path)
    assert str(caught.value) == f"The recording {path} cannot be read: No such file or directory."


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "is in no format"),
        ("a.csv", b"time,price\n1,2\n", "is in no format"),
        ("a.jsonl", b'{"t":"header"}\n', "is in no format"),
        ("a.csv", b"\x00\xff\xfe", "is in no format"),
        ("a.csv", b"1,2,3,4,5,true,true\n", "does not say its symbol"),
        (
            "binance_spot_btcusdt_trades_x.csv",
            b"id,price,qty,quote_qty,time,is_buyer_maker,x\n",
            "holds no trade of the",
        ),
        (
            "binance_spot_dogeusdt_trades_x.csv",
            b"1,2,3,4,1723161255342,true,true\n",
            "(BTCUSDT, .*); it holds DOGEUSDT",
        ),
        ("a.csv.gz", gzip.compress(b"id,price,qty,", mtime=0)[:-9], "cannot be read: Compressed file ended"),
        ("a.csv.gz", gzip.compress(b"x" * 99, mtime=0)[:12] + b"\xff" * 30, "cannot be read: "),
    ],
)
def test_a_file_that_cannot_be_replayed_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=sentence) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="Is a directory"):
        load(tmp_path)


def test_a_name_tells_market_and_symbol() -> None:
    assert read_file_name(Path("binance_usdm_ethusdt_trades_2024.csv")) == ("usdm", "ETHUSDT")
    assert read_file_name(Path("BTCUSDT-trades-2024-08-08.csv")) == ("spot", "BTCUSDT")
    assert read_file_name(Path("mine.csv")) == ("spot", None)
