"""The plain order interface of `/api/v1/order`: open a leveraged position at the market, close it, read it, list it.

Whoever speaks it names no account: it acts on the user's own one, the first that was opened in the house's public world
and can act, unless another is named. Stop loss and take profit are *amounts* here, what the position may lose and shall
earn, and zero means none (EXP-27, EXP-85). What is stored is the same position as `/api/v1/positions` has: so an amount
is read back from the price that it came to, which is the same to a tick's worth.

Numbers are read as they are written, as text or as JSON numbers, and never as floats.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw

from fondaco.core.desk.state import KEEP, DeskPosition, Level
from fondaco.core.commands import ClosePosition, OpenPosition
from fondaco.core.money import charge, display_atoms, format_atoms, parse_atoms
from fondaco.core.refusals import Refusal
from fondaco.core.replies import PositionClosed, PositionOpened
from fondaco.core.terms import Terms
from fondaco.core.vocabulary import AccountStatus, Direction, LevelKind, PositionState, World
from fondaco.domains.identity.api import Actor
from fondaco.domains.positions.amounts import leverage
from fondaco.domains.positions.lines import moment
from fondaco.domains.positions.service import Held, PositionService
from fondaco.domains.trading.api import Answered, Id, RefusedError, Symbol, positive_atoms
