"""The OpenAPI document says what the server does: fuzzed by Schemathesis, and complete for a reader."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

import fondaco
from fondaco.core.money import INT64_MAX
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from fondaco.market.messages import Source, Tick, TickBatch
from fondaco.market.store import Batch
from support.house import House, described_api, served_in_a_thread
from support.ticks import MOMENT_US

AnyCase: TypeAlias = Case[Any]
SETTINGS = Settings()


def document() -> dict[str, Any]:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", SETTINGS.database, application="test")
    return described_api(SETTINGS, nowhere).openapi_schema.to_schema()


def document_of_known_symbols() -> dict[str, Any]:
    """The document narrowed to symbols that exist, so that what it allows must be answered."""
    narrowed = deepcopy(DOCUMENT)
    for item in narrowed["paths"].values():
        for parameter in item["get"].get("parameters", []):
            if parameter["name"] in {"symbol", "asset"}:
                parameter["schema"] = {"type": "string", "enum": ["BTCUSDT", "ETHUSDT", "SOLUSDT"]}
    return narrowed


DOCUMENT = document()
AS_WRITTEN = schemathesis.openapi.from_dict(DOCUMENT)
KNOWN_SYMBOLS = schemathesis.openapi.from_dict(document_of_known_symbols())
SHORT, LONG = 15, 300
"""Requests per endpoint, in the ordinary run and in the long one."""
BEYOND_A_SCHEMA = {"bad_range", "bad_time"}
"""What no schema can say: that one moment must be before another, and that a date must be after 1970."""


def tick(trade_id: int) -> Tick:
    return Tick(trade_id, MOMENT_US + trade_id * 7_000_000, 6_183_763_000_000, 5, trade_id % 2 == 0, MOMENT_US)


async def fill(house: House) -> None:
    beyond_a_gap = Tick(INT64_MAX - 1, MOMENT_US, 2**62, 2**62, buyer_is_maker=False, received_us=MOMENT_US)
    ticks = (*map(tick, range(1, 90)), beyond_a_gap)
    await house.store.store(Batch([TickBatch(Source.REPLAY, "BTCUSDT", ticks)], []), now_us=0)
    await house.show_feed()


@pytest.fixture(scope="module")
def address(module_database_url: str) -> Iterator[str]:
    with served_in_a_thread(SETTINGS, module_database_url, fill=fill) as url:
        yield url


@AS_WRITTEN.parametrize()
@settings(max_examples=SHORT)
def test_no_request_meets_a_5xx_or_an_answer_that_the_document_does_not_list(case: AnyCase, address: str) -> None:
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance])


@pytest.mark.long
@AS_WRITTEN.parametrize()
@settings(max_examples=LONG)
def test_no_request_meets_a_5xx_in_full(case: AnyCase, address: str) -> None:
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance])


@KNOWN_SYMBOLS.parametrize()
@settings(max_examples=SHORT)
def test_what_the_document_allows_is_answered(case: AnyCase, address: str) -> None:
    answer = case.call(base_url=address)
    if case.meta is not None and case.meta.generation.mode.is_positive:
        assert answer.status_code == 200 or answer.json()["code"] in BEYOND_A_SCHEMA
    case.validate_response(answer, excluded_checks=[positive_data_acceptance])


def test_every_success_and_every_parameter_carries_an_example_and_every_problem_too() -> None:
    for path, item in DOCUMENT["paths"].items():
        for parameter in item["get"].get("parameters", []):
            assert parameter["examples"], f"{path} {parameter['name']}"
            assert parameter["description"], f"{path} {parameter['name']}"
        for status, response in item["get"]["responses"].items():
            assert all(media.get("examples") for media in response["content"].values()), f"{path} {status}"


def test_the_document_names_the_house_and_its_version() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert (DOCUMENT["info"]["title"], DOCUMENT["info"]["version"]) == ("Fondaco", fondaco.__version__)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert all(item["get"]["summary"] and set(item["get"]["tags"]) <= tags for item in DOCUMENT["paths"].values())


async def test_the_reference_page_shows_every_endpoint_and_asks_nobody_else_for_anything(house: House) -> None:
    async with house.http() as client:
        page = await client.get("/schema")
        served = await client.get("/schema/openapi.json")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert [path for path in DOCUMENT["paths"] if f"GET {path}</code>" not in page.text] == []
    assert "<script" not in page.text
    assert "http" not in page.text.replace("http-equiv", "").replace("/http", "")
    assert served.json() == DOCUMENT
