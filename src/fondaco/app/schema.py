"""Every table of the house in one place: importing a module of tables registers them in the metadata, and this does it.

Migrations compare with it, `./dev docs` writes docs/tables.md from it, and the rules of the house walk it. A test fails
when a module that declares tables is missing here.
"""

from fondaco.domains.identity import tables as identity
from fondaco.engine import tables as engine
from fondaco.engine.projection import desk_tables as desk
from fondaco.engine.projection import tables as projection
from fondaco.infra import outbox
from fondaco.infra.database import Base
from fondaco.market import tables as market

DECLARED_IN = (desk, engine, identity, market, outbox, projection)
METADATA = Base.metadata
MAPPERS = tuple(Base.registry.mappers)
