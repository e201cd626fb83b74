"""The tables of a simulation: the real folding of events, written to dictionaries in one step or not at all."""

from collections.abc import Sequence

from fondaco.core.desk.state import DeskEntry, DeskFill, DeskPosition
from fondaco.core.events import Trade
from fondaco.core.ledger import Posting
from fondaco.core.state import ENDED, Order
from fondaco.core.vocabulary import EntryState, PositionState
from fondaco.engine.journal import BEGINNING, Committed, Mark
from fondaco.engine.projection.audit import State
from fondaco.engine.projection.folding import Fold
from fondaco.engine.simulation.ground import Ground
from fondaco.engine.simulation.luck import Luck
from fondaco.engine.store import FencedError
from fondaco.infra.database import DatabaseUnavailableError


class Tables:
    """What people read."""

    def __init__(self) -> None:
        self.mark = BEGINNING
        self.balances: dict[tuple[int, str], tuple[int, int]] = {}
        self.holds: dict[int, int] = {}
        self.orders: dict[int, Order] = {}
        self.postings: list[Posting] = []
        self.trades: list[Trade] = []
        self.desk_positions: dict[int, DeskPosition] = {}
        self.desk_entries: dict[int, DeskEntry] = {}
        self.desk_fills: list[DeskFill] = []

    def write(self, fold: Fold) -> None:
        """Bring them on by a run of batches."""
        self.balances |= {key: (told.event.available, told.event.held) for key, told in fold.balances.items()}
        self.holds |= {key: told.event.amount for key, told in fold.holds.items()}
        self.orders |= {key: told.event for key, told in fold.orders.items()}
        self.postings += [told.event for told in fold.postings]
        self.trades += [told.event for told in fold.trades]
        self.desk_positions |= {key: told.event for key, told in fold.desk_positions.items()}
        self.desk_entries |= {key: told.event for key, told in fold.desk_entries.items()}
        self.desk_fills += [told.event for told in fold.fills]

    def open(self) -> State:
        """What stands, as `inspection` finds it in a machine."""
        return {
            "balance": {key: row for key, row in self.balances.items() if any(row)},
            "hold": {(hold_id,): (amount,) for hold_id, amount in self.holds.items() if amount},
            "order": {(order_id,): (order,) for order_id, order in self.orders.items() if order.state not in ENDED},
            "desk position": {
                (key,): (position,)
                for key, position in self.desk_positions.items()
                if position.state is PositionState.OPEN
            },
            "desk entry": {
                (key,): (entry,) for key, entry in self.desk_entries.items() if entry.state is EntryState.PENDING
            },
        }


class SimulatedProjector:
    """A follower's way to the tables."""

    def __init__(self, tables: Tables, ground: Ground, luck: Luck) -> None:
        self._tables = tables
        self._ground = ground
        self._luck = luck

    async def watermark(self) -> Mark:
        """How far the tables are."""
        await self._luck.wait_ms(0, 2)
        self._must_be_there()
        return self._tables.mark

    async def write(self, batches: Sequence[Committed]) -> None:
        """Bring them on, as luck will have it."""
        chances = self._luck.chances
        await self._luck.wait_ms(0, 20)
        if self._luck.strikes(chances.projection_lags):
            await self._luck.wait_ms(100, 3_000)
        self._must_be_there()
        if self._luck.strikes(chances.projection_fails):
            raise DatabaseUnavailableError("The projection failed.")
        self._must_follow(batches[0].mark.batch_no)
        fold = Fold(self._tables.mark.seq)
        fold.take(batches)
        self._tables.write(fold)
        self._tables.mark = batches[-1].mark
        self._ground.tables_seq = self._tables.mark.seq
        if self._luck.strikes(chances.projection_is_ambiguous):
            raise DatabaseUnavailableError("The projection may have failed.")

    def _must_follow(self, batch_no: int) -> None:
        if self._tables.mark.batch_no != batch_no - 1:
            raise FencedError("The tables are somewhere else.")

    def _must_be_there(self) -> None:
        if self._ground.is_away:
            raise DatabaseUnavailableError("The simulated store is away.")
