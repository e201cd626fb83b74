"""The OpenAPI document says what the server does: fuzzed by Schemathesis, and complete for a reader."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

import fondaco
from fondaco.core.money import INT64_MAX
from fondaco.gateways.rest import depth
from fondaco.infra.database import Database
from fondaco.infra.settings import Settings
from fondaco.market.messages import Source, Tick, TickBatch
from fondaco.market.store import Batch
from support.desk_floor import open_desk
from support.house import House, described_api, served_in_a_thread
from support.live import whole_engine
from support.ticks import MOMENT_US
from support.trading import TOKENS, opened

AnyCase: TypeAlias = Case[Any]
SETTINGS = Settings()


def document() -> dict[str, Any]:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", SETTINGS.database, application="test")
    return described_api(SETTINGS, nowhere).openapi_schema.to_schema()


def document_without_waits() -> dict[str, Any]:
    """The document without `after_seq`: what has not come yet is a wait and a 503, which test_reading_api.py shows."""
    narrowed = deepcopy(DOCUMENT)
    for _, each in operations(narrowed):
        each["parameters"] = [one for one in each.get("parameters", []) if one["name"] != "after_seq"]
    return narrowed


def document_of_known_symbols() -> dict[str, Any]:
    """The document narrowed to symbols that exist, so that what it allows must be answered."""
    narrowed = document_without_waits()
    for _, each in operations(narrowed):
        for parameter in each.get("parameters", []):
            if parameter["name"] in {"symbol", "asset"} and "pattern" not in parameter["schema"]:
                parameter["schema"] = {"type": "string", "enum": ["BTCUSDT", "ETHUSDT", "SOLUSDT"]}
    return narrowed


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation of a document by its name, such as `GET /candles`."""
    for path, item in document["paths"].items():
        yield from ((f"{method.upper()} {path}", each) for method, each in item.items())


DOCUMENT = document()
AS_WRITTEN = schemathesis.openapi.from_dict(document_without_waits())
KNOWN_SYMBOLS = schemathesis.openapi.from_dict(document_of_known_symbols())
SHORT, LONG = 15, 300
"""Requests per endpoint, in the ordinary run, which repeats its own, and in the long one, which draws others."""
UNSENT: list[Any] = [None, [], {}]
BEYOND_A_SCHEMA = {
    *("bad_range", "bad_time", "bad_amount", "not_yours", "bad_cursor", "bad_email", "not_found", "not_there_yet"),
}
"""What no schema can say: that one moment must be before another, that a date must be after 1970, how many decimals an
amount may have, whose account it is, where a page ended, what is an address, which alerts there are, and which commands
there have been."""
EXCLUDED = [positive_data_acceptance, ignored_auth]
"""The first is said more exactly here, the second in test_access.py: our token goes with every request."""
WHOLE_FLOAT = "got `float`"
"""To a schema 1.0 is an integer; the house takes no float, however whole."""
OPERATOR = {"authorization": "Bearer dev:superadmin@example.com"}


def excluded(case: AnyCase) -> list[Any]:
    """A batch is taken whatever is wrong with an amount in it: each order is answered by itself.

    What is still to come is 503, and a command that never was is still to come for ever. What is wrong may not
    reach the house: our token takes the place of one that is missing, an empty list in a query is not sent, and
    spaces round a header's value belong to no value.
    """
    if case.query and "after_seq" in case.query:
        return [*EXCLUDED, not_a_server_error]
    headers: Mapping[str, Any] = case.headers or {}
    has_token = "authorization" in {name.lower() for name in headers}
    is_sent = has_token and all(value not in UNSENT for value in (case.query or {}).values())
    is_sent = is_sent and all(value == value.strip() for value in headers.values())
    return EXCLUDED if is_sent and not case.path.endswith("/batch") else [*EXCLUDED, negative_data_rejection]


def tick(trade_id: int) -> Tick:
    return Tick(trade_id, MOMENT_US + trade_id * 7_000_000, 6_183_763_000_000, 5, trade_id % 2 == 0, MOMENT_US)


async def fill(house: House) -> None:
    beyond_a_gap = Tick(INT64_MAX - 1, MOMENT_US, 2**62, 2**62, buyer_is_maker=False, received_us=MOMENT_US)
    ticks = (*map(tick, range(1, 90)), beyond_a_gap)
    await house.store.store(Batch([TickBatch(Source.REPLAY, "BTCUSDT", ticks)], []), now_us=0)
    await house.show_feed()


@asynccontextmanager
async def whole_house(url: str) -> AsyncIterator[House]:
    """Market data are stored, the exchange is open."""
    database = Database(url, TOKENS.database, application="test")
    async with whole_engine(database) as engine:
        await opened(database, engine.client)
        await open_desk(engine.client)
        house = House(TOKENS, database, engine=engine.client)
        await fill(house)
        yield house
    await database.dispose()


@pytest.fixture(scope="module")
def address(module_database_url: str) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, served_in_a_thread(lambda: whole_house(module_database_url)) as url:
        patch.setattr(depth, "WAIT_S", 0.01)  # commands that never were are asked for by the dozen
        yield url


@AS_WRITTEN.parametrize()
@settings(max_examples=SHORT, derandomize=True)
def test_no_request_meets_a_5xx_or_an_answer_that_the_document_does_not_list(case: AnyCase, address: str) -> None:
    case.call_and_validate(base_url=address, headers=OPERATOR, excluded_checks=excluded(case))


@pytest.mark.long
@AS_WRITTEN.parametrize()
@settings(max_examples=LONG)
def test_no_request_meets_a_5xx_in_full(case: AnyCase, address: str) -> None:
    case.call_and_validate(base_url=address, headers=OPERATOR, excluded_checks=excluded(case))


@KNOWN_SYMBOLS.parametrize()
@settings(max_examples=SHORT, derandomize=True)
def test_what_the_document_allows_is_answered(case: AnyCase, address: str) -> None:
    answer = case.call(base_url=address, headers=OPERATOR)
    if case.meta is not None and case.meta.generation.mode.is_positive and answer.status_code >= 300:
        problem = answer.json()
        is_refusal = problem["type"].startswith("urn:fondaco:refusal:") or problem["code"] in BEYOND_A_SCHEMA
        assert is_refusal or WHOLE_FLOAT in problem["detail"], problem
    case.validate_response(answer, excluded_checks=excluded(case))


def test_every_success_and_every_parameter_carries_an_example_and_every_problem_and_body_too() -> None:
    for name, each in operations(DOCUMENT):
        for parameter in each.get("parameters", []):
            assert parameter["examples"], f"{name} {parameter['name']}"
            assert parameter["description"], f"{name} {parameter['name']}"
        for status, part in {**each["responses"], "body": each.get("requestBody", {"content": {}})}.items():
            assert all(media.get("examples") for media in part["content"].values()), f"{name} {status}"


def test_the_document_names_the_house_and_its_version() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert (DOCUMENT["info"]["title"], DOCUMENT["info"]["version"]) == ("Fondaco", fondaco.__version__)
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    assert all(each["summary"] and set(each["tags"]) <= tags for _, each in operations(DOCUMENT))


async def test_the_reference_page_shows_every_endpoint_and_asks_nobody_else_for_anything(house: House) -> None:
    async with house.http() as client:
        page = await client.get("/schema")
        served = await client.get("/schema/openapi.json")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert [name for name, _ in operations(DOCUMENT) if f"{name}</code>" not in page.text] == []
    assert "<script" not in page.text
    assert "http" not in page.text.replace("http-equiv", "").replace("/http", "")
    assert served.json() == DOCUMENT
