"""Settings: typed, from the environment first, then one TOML file, then the defaults below.

Environment names are ``FONDACO_`` + group + ``__`` + name, such as ``FONDACO_MARKET__BATCH_SIZE``; `DATABASE_URL` keeps
the name that everyone knows. The file is ``fondaco.toml`` in the working directory, or whatever ``FONDACO_CONFIG``
names. docs/settings.md documents each one; a test fails when one is missing there.
"""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

CHECKOUT = Path(__file__).parents[3]
"""The folder that holds ``src`` when the house runs from a checkout; meaningless in an installed wheel."""

Pair = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$")]

MAX_MARKUP_PPM = 500_000
"""Half the honest price. More is a slip of the unit, not a spread."""
MarkupPpm = Annotated[int, Field(ge=0, le=MAX_MARKUP_PPM)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ServeSettings(_Group):
    """The web server: API, streams and terminal on one port."""

    host: str = "127.0.0.1"
    """Address to bind. Loopback unless you mean to let others in."""
    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port; 0 lets the kernel choose one."""
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Host headers (and WebSocket origins) that are answered. Others get 421, which stops DNS rebinding."""
    read_wait_s: PositiveFloat = 2.0
    """Seconds that a read with ``after_seq`` waits for the tables before it is answered 503."""
    drain_s: PositiveFloat = 5.0
    """Seconds that open requests get to finish after a stop signal."""
    development_tokens: bool = False
    """Let ``Authorization: Bearer dev:WHO`` in, where WHO is the id or the address of any user: nobody proves who they
    are. For work on the house itself; with it on, only loopback is served. ``./dev up`` switches it on."""


class DatabaseSettings(_Group):
    """The database, when it is not the embedded one."""

    pool_size: PositiveInt = 10
    """Most connections that one process keeps."""
    pool_wait_s: PositiveFloat = 2.0
    """Seconds a request waits for a free connection before it is answered 503."""
    connect_timeout_s: PositiveInt = 3
    """Seconds to wait for the server to answer a connection attempt."""
    statement_timeout_ms: PositiveInt = 10_000
    """Longest statement of a request; a longer one is cancelled and answered 503."""
    migration_lock_timeout_ms: PositiveInt = 3_000
    """A migration that cannot get its lock within this time gives up instead of blocking the house."""
    migration_statement_timeout_ms: PositiveInt = 600_000
    """Longest single statement of a migration."""


class BusSettings(_Group):
    """The bus between processes."""

    kind: Literal["local", "valkey"] | None = None
    """``local`` is for the processes of one machine. ``valkey`` also reaches others: a server of the house's own, or
    the one that ``bus.url`` names. Unset means ``valkey`` where there is a ``bus.url``, else ``local``."""
    url: str | None = None
    """Valkey or Redis to use instead of the house's own: ``redis://``, ``rediss://`` (TLS) or ``unix://``."""
    accept_loss: bool = False
    """Use a server that would lose trades in a crash (not ``appendonly yes`` and ``appendfsync always``)."""
    claim_idle_ms: int = Field(default=10_000, ge=100)
    """A reader that has said nothing for so long is dead, and what it had read goes to others. Valkey only."""
    stream_max_bytes: PositiveInt = 512 * 1024 * 1024
    """A stream that holds more unacknowledged bytes than this makes its writers wait."""
    watcher_max_messages: PositiveInt = 10_000
    """A watcher or subscriber with more waiting messages than this is cut off and starts over."""

    @property
    def is_valkey(self) -> bool:
        """Whether the bus is a Valkey or Redis server."""
        return self.kind == "valkey" or self.url is not None

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if self.kind == "local" and self.url is not None:
            raise ValueError("the kind is local, and yet there is a url: leave one of them out")
        return self


class JobsSettings(_Group):
    """The jobs process: periodic work and the outbox."""

    outbox_retention_days: PositiveInt = 7
    """Messages of the outbox that were delivered longer ago than this are deleted, and those that nobody takes yet."""


class EngineSettings(_Group):
    """The engine: the one process that does commands, and the follower behind it."""

    direct_url: str | None = None
    """Address that leads to the database server itself, where DATABASE_URL leads through a transaction-mode pooler.
    The engine's lease needs a session of its own."""
    listen: str | None = Field(default=None, pattern=r"^[^:]+:\d{1,5}$")
    """Where processes of other machines reach the engine, as HOST:PORT; they connect to this very HOST, and port 0 is
    any that is free. Unset is a Unix socket, for those of this machine. Who speaks there must know the secret, but
    nothing is encrypted: keep it on a private network."""
    secret: SecretStr | None = None
    """What the processes of one house know and nobody else. Unset means the file ``engine.key`` of ``data_dir``, made
    at the first start; machines that work together need the same."""
    queue_commands: int = Field(default=10_000, ge=10)
    """Commands that may wait for their turn; one more is answered 503. The last tenth is for cancels and the house."""
    follower_lag_commands: int = Field(default=2_000_000, ge=10)
    """Commands that the tables may be behind; further behind, new ones are answered 503. The last tenth is likewise."""
    snapshot_commands: PositiveInt = 500_000
    """The follower keeps a snapshot after so many commands. A start replays the commands since the last one."""
    command_lifetime_ms: int = Field(default=10_000, ge=100, le=60_000)
    """How long a command of the API is worth doing. One whose turn comes later is refused, and nothing was done."""


class TradingSettings(_Group):
    """What the house grants those who trade."""

    demo_grant: int = Field(default=1_000, ge=0, le=1_000_000_000)
    """Whole units of its currency that a demo account begins with."""


class MarketSettings(_Group):
    """Feeds, recorder and candles."""

    feed: str = "auto"
    """``auto``, ``binance``, ``replay:FILE`` or ``simulated``. ``auto`` tries them in that order, and says which."""
    pairs: tuple[Pair, ...] = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    """Pairs to take from the feed."""
    scales: dict[str, Annotated[int, Field(ge=0, le=18)]] = Field(
        default_factory=lambda: {"PEPE": 2, "SHIB": 2, "BONK": 2}
    )
    """Decimal places of assets that are not counted in 8, so that their totals fit 64 bits."""
    binance_ws_url: str = "wss://stream.binance.com:9443"
    """Where the public trade streams are."""
    binance_wait_s: PositiveFloat = 5.0
    """How long ``auto`` waits for Binance's first trade before it takes the next feed."""
    binance_rest_url: str = "https://api.binance.com"
    """Where trades that the stream lost are fetched."""
    binance_api_key: SecretStr | None = None
    """Key sent when trades are fetched, for the case that Binance wants one. No permission is needed."""
    backfill: bool = True
    """Fetch what the stream of Binance lost."""
    backfill_after_s: float = Field(default=5.0, ge=0)
    """A gap is left alone for so long: another recorder may hold what is missing."""
    backfill_max_trades: PositiveInt = 5_000_000
    """A gap with more missing trades is left open, and says so. A thousand trades take one request."""
    backfill_weight_per_minute: int = Field(default=3_000, ge=25, le=6_000)
    """Request weight that fetching may use each minute. Binance allows an address 6,000 for all its programs."""
    binance_replace_after_s: PositiveFloat = 23 * 3600.0
    """A connection to Binance is replaced at this age, before Binance ends it at 24 hours."""
    binance_quiet_s: PositiveFloat = 60.0
    """A connection to Binance that has said nothing for so long is replaced."""
    replay_speed: float = Field(default=1.0, ge=0)
    """Times real speed; 0 is flat out."""
    replay_times: Literal["now", "recorded"] = "now"
    """Shift a recording so that it plays now, or keep its own times."""
    replay_loop: bool = True
    """Begin again at the end, with ids and times shifted by the file's span."""
    history_candles: int = Field(default=500, ge=0, le=10_000)
    """Closed 1m candles that replay and simulated feeds load before they start."""
    seed: int = 1
    """Seed of the simulated feed."""
    batch_size: PositiveInt = 100
    """The recorder writes when this many ticks have gathered ..."""
    batch_wait_s: PositiveFloat = 5.0
    """... or when this many seconds have gone by since the first of them."""
    batch_max: PositiveInt = 20_000
    """Most ticks in one transaction when the recorder is behind."""
    markup_ppm: dict[str, MarkupPpm] = Field(default_factory=dict)
    """Half spread of a symbol's quoted prices, in millionths of the honest price."""
    default_markup_ppm: MarkupPpm = 100
    """Half spread of symbols that ``markup_ppm`` does not name."""
    price_row_s: PositiveFloat = 10.0
    """Seconds between rows of the ``prices`` table, per symbol."""
    retention_days: int | None = None
    """Ticks older than this are purged daily. Unset keeps everything; candles stay either way."""


class StreamSettings(_Group):
    """The WebSocket ``/api/v1/stream``."""

    max_connections: PositiveInt = 1_000
    """Open streams of the whole server; one more is refused with close code 1013."""
    max_subscriptions: PositiveInt = 50
    """Channels on one connection; one more is refused by name."""
    max_message_bytes: PositiveInt = 4_096
    """Longest message that a client may send."""
    flush_ms: PositiveInt = 3
    """Updates are gathered this long and leave in one frame per channel."""
    max_waiting_ticks: PositiveInt = 5_000
    """Ticks kept for a slow reader; older ones give way and the frame says how many."""
    snapshot_candles: PositiveInt = 500
    """Candles in the snapshot that opens a candle channel."""
    snapshot_levels: PositiveInt = 1_000
    """Levels of each side in the snapshot that opens a book channel."""
    max_commands: PositiveInt = 500
    """Commands that a connection may have under way; it is read no further until one of them is answered."""


class MakerSettings(_Group):
    """The market maker of the demo world."""

    levels: int = Field(default=5, ge=1, le=50)
    """Orders on each side of each symbol."""
    level_value: PositiveInt = 1_000
    """What each order is worth, in whole units of the quote asset."""
    spread_ppm: int = Field(default=1_000, ge=2, le=500_000)
    """Between the best bid and the best ask, in millionths of the price."""
    step_ppm: int = Field(default=500, ge=1, le=500_000)
    """From one order to the next one behind it."""
    move_ppm: int = Field(default=300, ge=0, le=500_000)
    """Quotes stay where they are until the price has moved by more than this."""
    skew_ppm: int = Field(default=2_000, ge=0, le=500_000)
    """Most by which quotes are shifted, so that what there is too much of is traded away."""
    round_s: float = Field(default=1.0, ge=0.01)
    """Between two looks at what stands and what should stand."""
    stale_s: PositiveFloat = 30.0
    """Quotes are withdrawn when the feed has named no price for so long."""


class MarkupSettings(_Group):
    """How far from the outside price the desk deals in an instrument; docs/dealing.md explains the three kinds."""

    kind: Literal["fixed", "ppm", "volatility"]
    price: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}(\.[0-9]{1,18})?$")] | None = None
    """Of ``fixed``: quote units on each side."""
    ppm: MarkupPpm = 0
    """Of the others: millionths of the price on each side."""
    volatility_ppm: int = Field(default=500_000, ge=1, le=10_000_000)
    """Of ``volatility``: so many millionths of the realised volatility are added,"""
    max_ppm: MarkupPpm = 5_000
    """and both together are no more than this."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.kind == "fixed") != (self.price is not None):
            raise ValueError("a fixed markup has a price, and only a fixed one does")
        if self.kind == "fixed" and self.ppm:
            raise ValueError("a fixed markup has no ppm")
        if self.kind == "volatility" and self.max_ppm < self.ppm:
            raise ValueError("max_ppm is below ppm")
        return self


class DeskSettings(_Group):
    """The dealing desk's quotes."""

    worlds: tuple[Literal["trading", "demo"], ...] = ("trading", "demo")
    """Where the desk quotes."""
    markups: dict[str, MarkupSettings] = Field(default_factory=dict)
    """Markup of each symbol, such as ``{"BTCUSDT": {"kind": "volatility", "ppm": 80}}``: docs/dealing.md. A symbol that
    is not named has that of ``market.markup_ppm``, so that the desk deals at the quoted price."""
    widen_ppm: MarkupPpm = 200
    """Added on the side on which clients would go on, where they hold much more one way than the other;"""
    widen_at_ppm: int = Field(default=800_000, ge=0, le=1_000_000)
    """that is, more than this share, in millionths, of what the desk's terms let them."""
    volatility_window_s: int = Field(default=60, ge=2, le=3_600)
    """Seconds over which volatility is measured."""
    submit_ms: int = Field(default=50, ge=1, le=10_000)
    """A symbol is quoted anew at most this often; how far its price went meanwhile is told."""
    max_tick_age_ms: int = Field(default=3_000, ge=10, le=3_600_000)
    """A trade that came in longer ago is quoted no more."""
    off_market_ppm: int = Field(default=10_000, ge=1, le=1_000_000)
    """A price further than this from the median of the last ones is not believed ..."""
    off_market_window: int = Field(default=9, ge=1, le=1_000)
    """... which are so many ..."""
    off_market_run: int = Field(default=3, ge=1, le=1_000)
    """... unless so many in a row agree with one another."""


def default_data_dir() -> Path:
    """The user's data folder; for root a place that the unprivileged database user can reach."""
    if os.geteuid() == 0:
        return Path("/var/lib/fondaco")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "fondaco"


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="FONDACO_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    data_dir: Path = Field(default_factory=default_data_dir)
    """Where the embedded database, sockets and files of the house live."""
    database_url: str | None = Field(default=None, validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    """PostgreSQL to use instead of the embedded one. A Prisma-style ``schema=`` is dropped."""
    recorded_data: Path = Field(default=CHECKOUT.parent / "shared" / "data")
    """Folder of recorded market data, for the replay feed and for tests."""
    public_world: Literal["trading", "demo"] = "trading"
    """The world whose books and trades everybody is shown where none is named."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """``auto`` writes for people on a terminal and JSON elsewhere."""
    serve: ServeSettings = ServeSettings()
    database: DatabaseSettings = DatabaseSettings()
    bus: BusSettings = BusSettings()
    jobs: JobsSettings = JobsSettings()
    engine: EngineSettings = EngineSettings()
    trading: TradingSettings = TradingSettings()
    market: MarketSettings = MarketSettings()
    stream: StreamSettings = StreamSettings()
    maker: MakerSettings = MakerSettings()
    desk: DeskSettings = DeskSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file over default; no dotenv and no secrets folder, so that there are two places to look."""
        del dotenv_settings, file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls, Path(os.environ.get("FONDACO_CONFIG", "fondaco.toml")))
        return init_settings, env_settings, toml

    @property
    def run_dir(self) -> Path:
        """Sockets and lock files of the running house."""
        return self.data_dir / "run"

    @property
    def engine_key(self) -> Path:
        """The file with the secret that the processes of this house share."""
        return self.data_dir / "engine.key"

    @property
    def journal_dir(self) -> Path:
        """The archive of old journal."""
        return self.data_dir / "journal"

    @property
    def bus_socket(self) -> Path:
        """Unix socket of the local bus."""
        return self.run_dir / "bus.sock"
