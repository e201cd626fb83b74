"""A feed finds where its series stand, and readers see the feed that was chosen last."""

from sqlalchemy import select

from fondaco.infra.database import Database
from fondaco.market.current import resume_points, set_current_feed
from fondaco.market.feeds.port import LastTick, ResumePoint
from fondaco.market.messages import Source, Tick
from fondaco.market.tables import MarketFeedRow
from support.stored import batch, store_all
from support.ticks import MOMENT_US

ANCHOR_US = MOMENT_US + 123


def tick(trade_id: int, *, after_us: int) -> Tick:
    return Tick(trade_id, MOMENT_US + after_us, 1, 1, buyer_is_maker=False, received_us=0)


async def test_a_series_resumes_at_its_newest_tick_and_its_anchor(database: Database) -> None:
    """Newest by time: the ids of another recording may begin lower."""
    parts = ([tick(9, after_us=1), tick(4, after_us=5)], [tick(3, after_us=5), tick(7, after_us=2)])
    await store_all(database, [batch(part, source=Source.REPLAY) for part in parts])
    async with database.transaction() as connection:
        await set_current_feed(
            connection,
            source=Source.REPLAY,
            label="Recorded",
            symbols=("BTCUSDT", "ETHUSDT"),
            anchors={"BTCUSDT": ANCHOR_US},
            since_us=MOMENT_US,
        )
    async with database.transaction() as connection:
        points = await resume_points(connection)
    assert points == {(Source.REPLAY, "BTCUSDT"): ResumePoint(ANCHOR_US, LastTick(4, MOMENT_US + 5))}


async def test_the_feed_chosen_last_is_shown_and_an_anchor_outlives_another_feed(database: Database) -> None:
    for source, anchors in ((Source.REPLAY, {"BTCUSDT": ANCHOR_US}), (Source.BINANCE, {})):
        async with database.transaction() as connection:
            await set_current_feed(
                connection,
                source=source,
                label=source.value,
                symbols=("BTCUSDT",),
                anchors=anchors,
                since_us=MOMENT_US,
            )
    async with database.transaction() as connection:
        shown = (await connection.execute(select(MarketFeedRow.symbol, MarketFeedRow.source))).all()
        points = await resume_points(connection)
    assert shown == [("BTCUSDT", "binance")]
    assert points[Source.REPLAY, "BTCUSDT"].anchor_us == ANCHOR_US
