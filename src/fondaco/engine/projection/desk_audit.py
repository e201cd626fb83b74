"""Whether the desk's tables hold what they must, as `audit` asks it of the others.

The money of a position is told three times, by itself, by its fills and by the ledger; here they are held against each
other.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from fondaco.core.desk.desk import QuoteRun
from fondaco.core.desk.state import Level
from fondaco.core.machine import Machine
from fondaco.core.state import FIRST_ID
from fondaco.engine.projection.checks import Check
from fondaco.engine.projection.desk_tables import SAID_LEVELS

Row: TypeAlias = tuple[Any, ...]

DESK_CHECKS: Final = (
    Check(
        "margins",
        "open isolated positions hold theirs, and nothing else does",
        """
        SELECT format('position %s of account %s has a margin of %s atoms of %s, and its hold is %s',
            id, account_id, coalesce(p.margin, 0), asset, coalesce(h.amount, 0)) AS said
        FROM (
            SELECT p.id, p.account_id, t.quote AS asset, p.margin
            FROM desk_positions p JOIN trading_pairs t USING (world, symbol)
            WHERE p.closed_at IS NULL AND p.mode = 'isolated' AND p.margin <> 0
        ) p FULL JOIN (
            SELECT id, account_id, asset, amount FROM balance_holds WHERE released_at IS NULL AND reason = 'margin'
        ) h USING (id, account_id, asset)
        WHERE coalesce(p.margin, 0) <> coalesce(h.amount, 0)
        """,
    ),
    Check(
        "fills",
        "each leveraged position is what its fills come to",
        """
        SELECT format('position %s has opened %s atoms and closed %s, and its fills come to %s and %s', id,
            coalesce(p.opened_quantity, 0), coalesce(p.opened_quantity - p.quantity, 0), coalesce(f.opened, 0),
            coalesce(f.closed, 0)) AS said
        FROM (SELECT * FROM desk_positions) p FULL JOIN (
            SELECT position_id AS id, sum(quantity) FILTER (WHERE is_open) AS opened,
                coalesce(sum(quantity) FILTER (WHERE NOT is_open), 0) AS closed,
                sum(notional) FILTER (WHERE is_open) AS opened_notional,
                coalesce(sum(notional) FILTER (WHERE NOT is_open), 0) AS closed_notional,
                sum(covered) AS covered, sum(result) AS result
            FROM desk_fills GROUP BY position_id
        ) f USING (id)
        WHERE (p.opened_quantity, p.opened_quantity - p.quantity, p.opened_notional, p.closed_notional, p.covered)
                IS DISTINCT FROM (f.opened, f.closed, f.opened_notional, f.closed_notional, f.covered)
            OR p.realised - f.result < p.settled
        """,
    ),
    Check(
        "payments",
        "each leveraged position has been paid what it says",
        f"""
        SELECT format('position %s of account %s says %s, %s, %s and %s atoms (result, covered, financing, premium), '
            'and its ledger entries come to %s, %s, %s and %s', id, account_id, p.realised, p.covered, p.financing,
            p.premium, e.realised, e.covered, e.financing, e.premium) AS said
        FROM (
            SELECT id, account_id, realised, covered, financing, premium FROM desk_positions
        ) p FULL JOIN (
            SELECT reference AS id, account_id,
                coalesce(sum(amount) FILTER (WHERE reason = 'desk_result'), 0) AS realised,
                coalesce(sum(amount) FILTER (WHERE reason = 'loss_cover'), 0) AS covered,
                coalesce(-sum(amount) FILTER (WHERE reason = 'financing'), 0) AS financing,
                coalesce(-sum(amount) FILTER (WHERE reason = 'premium'), 0) AS premium
            FROM (
                SELECT reference, account_id, reason, CASE type WHEN 'credit' THEN amount ELSE -amount END AS amount
                FROM ledger_entries WHERE account_id >= {FIRST_ID}
                    AND reason IN ('desk_result', 'loss_cover', 'financing', 'premium')
            ) own GROUP BY reference, account_id
        ) e USING (id, account_id)
        WHERE p.id IS NULL OR (p.realised, p.covered, p.financing, p.premium)
            <> (coalesce(e.realised, 0), coalesce(e.covered, 0), coalesce(e.financing, 0), coalesce(e.premium, 0))
        """,  # noqa: S608 - a number of ours
    ),
    Check(
        "receipts",
        "each lists what was closed under it, and who paid",
        """
        SELECT format('receipt %s lists the positions %s and %s atoms covered, and its fills say %s and %s', id,
            r.positions, r.covered, f.positions, f.covered) AS said
        FROM (
            SELECT id, account_id, insurance_paid + desk_paid AS covered,
                (SELECT array_agg(DISTINCT each ORDER BY each) FROM unnest(positions) each) AS positions
            FROM stop_outs
        ) r FULL JOIN (
            SELECT stop_out_id AS id, account_id, sum(covered) AS covered,
                array_agg(DISTINCT position_id ORDER BY position_id) AS positions
            FROM desk_fills WHERE stop_out_id IS NOT NULL GROUP BY 1, 2
        ) f USING (id, account_id)
        WHERE (r.id, r.positions, coalesce(r.covered, 0)) IS DISTINCT FROM (id, f.positions, coalesce(f.covered, 0))
        """,
    ),
    Check(
        "desk",
        "every account, market, position and entry that a row of the desk names is there",
        """
        SELECT format('%s of %s name no row of %s', count(*), source, target) AS said FROM (
            SELECT 'desk_terms' AS source, 'trading_pairs' AS target FROM desk_terms d
            WHERE NOT EXISTS (SELECT FROM trading_pairs p WHERE (p.world, p.symbol) = (d.world, d.symbol))
            UNION ALL SELECT 'desk_quotes', 'desk_terms' FROM desk_quotes q
            WHERE NOT EXISTS (SELECT FROM desk_terms d WHERE (d.world, d.symbol) = (q.world, q.symbol))
            UNION ALL SELECT 'desk_positions', 'accounts' FROM desk_positions p
            WHERE NOT EXISTS (SELECT FROM accounts a WHERE (a.id, a.world) = (p.account_id, p.world))
            UNION ALL SELECT 'desk_positions', 'desk_terms' FROM desk_positions p
            WHERE NOT EXISTS (SELECT FROM desk_terms d WHERE (d.world, d.symbol) = (p.world, p.symbol))
            UNION ALL SELECT 'desk_positions', 'desk_entries' FROM desk_positions p
            WHERE p.entry_id IS NOT NULL AND NOT EXISTS (SELECT FROM desk_entries e WHERE e.id = p.entry_id)
            UNION ALL SELECT 'desk_entries', 'accounts' FROM desk_entries e
            WHERE NOT EXISTS (SELECT FROM accounts a WHERE (a.id, a.world) = (e.account_id, e.world))
            UNION ALL SELECT 'desk_entries', 'desk_positions' FROM desk_entries e
            WHERE e.position_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM desk_positions p WHERE (p.id, p.account_id) = (e.position_id, e.account_id))
            UNION ALL SELECT 'desk_fills', 'desk_positions' FROM desk_fills f
            WHERE NOT EXISTS (SELECT FROM desk_positions p WHERE (p.id, p.account_id, p.world, p.symbol, p.direction)
                = (f.position_id, f.account_id, f.world, f.symbol, f.direction))
            UNION ALL SELECT 'stop_outs', 'desk_entries' FROM stop_outs s CROSS JOIN unnest(s.entries) each
            WHERE NOT EXISTS (SELECT FROM desk_entries e WHERE (e.id, e.account_id) = (each, s.account_id))
        ) AS missing GROUP BY source, target ORDER BY 1
        """,
    ),
)
_NS = "(extract(epoch FROM {}) * 1000000)::bigint * 1000"
DESK_QUERIES: Final = {
    "desk position": f"""
        SELECT id, account_id, world, symbol, direction, mode, leverage, margin_call_ppm, loss_warning_ppm,
            coalesce(entry_id, 0), quantity, entry_notional, margin, settled, coalesce(stop_loss, 0),
            coalesce(take_profit, 0), coalesce(trailing_distance, 0), is_guaranteed, is_warned, realised, covered,
            financing, premium, opened_quantity, opened_notional, closed_notional,
            {_NS.format("opened_at")}, {_NS.format("updated_at")}
        FROM desk_positions WHERE closed_at IS NULL
    """,  # noqa: S608 - texts of ours
    "desk entry": f"""
        SELECT id, account_id, world, symbol, direction, kind, mode, leverage, quantity, trigger_price,
            stop_kind, stop_value, take_kind, take_value, trail_kind, trail_value, is_guaranteed,
            coalesce({_NS.format("expires_at")}, 0), {_NS.format("created_at")}, {_NS.format("updated_at")}
        FROM desk_entries WHERE closed_at IS NULL
    """,  # noqa: S608 - texts of ours
    "desk rules": """
        SELECT world, max_quote_age_ns, margin_call_ppm, loss_warning_ppm, warning_level_ppm, stop_out_level_ppm,
            stop_out_policy
        FROM desk_rules
    """,
    "desk terms": """
        SELECT world || ' ' || symbol, is_dealt, min_quantity, max_quantity, coalesce(max_net_quantity, 0),
            long_financing_ppm, short_financing_ppm, coalesce(triple_weekday, 7), guarantee_ppm, guarantee_distance_ppm
        FROM desk_terms
    """,
    "desk quote": f"""
        SELECT world || ' ' || symbol, bid, ask, {_NS.format("received_at")}, source, source_price, tick_id, markup_ppm
        FROM desk_quotes
    """,  # noqa: S608 - texts of ours
}
"""What stands at the desk, each row by its first column."""


def desk_rows(machine: Machine) -> dict[str, list[Row]]:
    """The same, by a machine's memory."""
    return {
        "desk position": list(_positions(machine)),
        "desk entry": list(_entries(machine)),
        "desk rules": [
            (
                *(each.world.value, each.max_quote_age_ns, each.margin_call_ppm, each.loss_warning_ppm),
                *(each.warning_level_ppm, each.stop_out_level_ppm, each.stop_out_policy.value),
            )
            for each in machine.house.desk.rules.values()
        ],
        "desk terms": list(_terms(machine)),
        "desk quote": list(_quotes(machine)),
    }


def _positions(machine: Machine) -> Iterator[Row]:
    for each in machine.house.desk.positions.values():
        listed = machine.house.desk.book_of(each).listed
        yield (
            *(each.position_id, each.account_id, each.world.value, each.symbol, each.direction.value, each.mode.value),
            *(each.leverage, each.margin_call_ppm, each.loss_warning_ppm, each.entry_id, each.lots * listed.lot),
            *(each.entry_notional, each.margin, each.settled, each.stop_ticks * listed.tick),
            *(each.take_ticks * listed.tick, each.trail_ticks * listed.tick, each.is_guaranteed, each.is_warned),
            *(each.realised, each.covered, each.financing, each.premium, each.opened_lots * listed.lot),
            *(each.opened_notional, each.closed_notional, each.opened_ns, each.changed_ns),
        )


def _entries(machine: Machine) -> Iterator[Row]:
    for each in machine.house.desk.entries.values():
        listed = machine.house.desk.book_of(each).listed
        yield (
            *(each.entry_id, each.account_id, each.world.value, each.symbol, each.direction.value, each.kind.value),
            *(each.mode.value, each.leverage, each.lots * listed.lot, each.trigger_ticks * listed.tick),
            *(*_said(each.stop), *_said(each.take), *_said(each.trail), each.is_guaranteed, each.expires_ns),
            *(each.created_ns, each.updated_ns),
        )


def _terms(machine: Machine) -> Iterator[Row]:
    for (world, symbol), book in machine.house.desk.books.items():
        it, lot = book.terms, book.listed.lot
        if it is not None:
            yield (
                *(f"{world} {symbol}", it.is_dealt, it.min_lots * lot, it.max_lots * lot, it.max_net_lots * lot),
                *(it.long_financing_ppm, it.short_financing_ppm, it.triple_weekday, it.guarantee_ppm),
                it.guarantee_distance_ppm,
            )


def _quotes(machine: Machine) -> Iterator[Row]:
    """The newest quotes, those included that are yet to be applied."""
    desk = machine.house.desk
    newest = {key: book.quote for key, book in desk.books.items()}
    newest |= {(run.quote.world, run.quote.symbol): run.quote for run in desk.runs if isinstance(run, QuoteRun)}
    for (world, symbol), it in newest.items():
        if it is not None:
            tick = desk.books[world, symbol].listed.tick
            yield (
                *(f"{world} {symbol}", it.bid_ticks * tick, it.ask_ticks * tick, it.received_ns // 1_000 * 1_000),
                *(it.source, it.source_price, it.tick_id, it.markup_ppm),
            )


def _said(level: Level) -> Row:
    return (level.kind.value, level.value) if level.kind in SAID_LEVELS else (None, None)
