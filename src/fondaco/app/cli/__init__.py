"""The command ``fondaco``.

Commands are named here with their help and loaded only when they run, so that each process imports no more than its own
work needs: the supervisor no web framework, the web server no recorder. What a user can put right is one sentence on
standard error and exit code 2; a traceback is always a mistake of ours.
"""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

import fondaco
from fondaco.app.cli.printing import complain
from fondaco.infra.errors import UserError

OK = 0
FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130

HOUSE = """
A trading house that you run on your own machine.

Start it with `fondaco up` and open the address that it prints. Everything else here works on a house that runs, or on
its data. Settings come from the environment, then from fondaco.toml: docs/settings.md lists them.
"""

UP = """
Start the whole house and keep it running: database, web page, feed, recorder, jobs, the engine with its
follower, the demo world's market maker, and the desk's dealer.

You need this first, and often nothing else. The page answers at once, while the database is made ready and the feed is
chosen behind it. Processes that end are started again. Ctrl-C stops the house in order; a second Ctrl-C hurries.

    fondaco up
    fondaco up --port 9000 --feed simulated
    fondaco up --feed replay:trades.csv
    fondaco up --seed
    fondaco up --bus valkey
"""
SERVE = """
Serve the page, the API and the streams.

`fondaco up` runs this for you. Run it yourself for a second web server beside a house that runs.

    fondaco serve --port 8001
"""
FEED = """
Take trades from the feed and hand them to the house.

`fondaco up` runs this for you; there should be one for each house.

    fondaco feed --feed binance
"""
RECORD = """
Store the trades that come in, and the candles made of them.

`fondaco up` runs this for you. A second one shares the work; each trade is stored once.

    fondaco record
"""
JOBS = """
Work through jobs: purges, reports, whatever was put off for later.

`fondaco up` runs this for you. A second one shares the work.

    fondaco jobs
"""
ENGINE = """
Do the commands that move money: the one process that writes the journal.

`fondaco up` runs this for you. While another engine leads, this one follows it and takes over when that one dies. Run
it yourself on a second machine to have a standby there.

    fondaco engine
"""
FOLLOWER = """
Follow the engine: check its journal, bring the tables on, keep snapshots, and take over when it falls silent.

`fondaco up` runs this for you.

    fondaco follower
"""
MAKER = """
Make the market of the demo world: orders on both sides of the feed's price, for a newcomer to trade with.

`fondaco up` runs this for you. It does nothing until `fondaco db seed` has made a market maker. Its orders follow the
price, and are taken back when the feed falls silent or this ends. docs/demo.md tells how it quotes.

    fondaco maker
"""
DEALER = """
Make the dealing desk's quotes: bid and ask round the feed's price, for leveraged positions.

`fondaco up` runs this for you. It quotes what `fondaco db seed` or an operator has given desk terms. When the feed
falls silent its quotes grow old, and nothing is dealt until there are new ones. docs/dealing.md tells how it quotes.

    fondaco dealer
"""
SEED = """
Bring in what a house needs to trade: people, assets and instruments, accounts with something in them, a first book.

For a first look at a house that runs. Seeding again changes nothing that is there, and says so; what was cut off is
completed. `admin` brings in only the administrator, `mm` only the market maker and what it trades. docs/demo.md lists
who gets what.

    fondaco db seed
    fondaco db seed admin
"""
DB = """
The database: bring its tables up to date, fill it, back it up and restore it, write the next migration.

Works on the database of a house that runs. Without one it starts the embedded database for as long as it takes.
"""
MIGRATE = """
Bring the database's tables up to date.

`fondaco up` does this at each start. Run it yourself where the house may not change tables, such as before a roll-out.

    fondaco db migrate
    DATABASE_URL=postgresql://user:password@host/fondaco fondaco db migrate
"""
GENERATE = """
Write a new migration: what the code's tables have and the database has not.

For people who changed a table in the code. Read what was written before you commit it: later it is never edited.

    fondaco db generate "candles know their exchange"
"""
TIMESCALE = """
Set up TimescaleDB: trades in a hypertable, candles from continuous aggregates.

For a house whose server, named by DATABASE_URL, has TimescaleDB. Works on an empty house and on one with trades and
candles, which are compared bit for bit before the old ones go. Stop the house first. May be run again at any time: what
was cut off is completed, what is done stays. docs/runbooks/timescaledb.md tells more.

    DATABASE_URL=postgresql://user:password@host/fondaco fondaco db timescale
"""
REBUILD = """
Make the engine's tables anew from the journal, and put them in the place of those that are there.

The house may go on meanwhile; readers see the old tables until the new ones are complete. Nothing is lost: the journal
is the truth, and what staff has acknowledged is carried over.

    fondaco db rebuild
"""
URL = """
Print the database's address, password included, for other programs.

    psql "$(fondaco db url)"
"""
BUS = """
The bus over Valkey or Redis: see whether it can be relied on and how far its readers are behind, or get its address.

For houses that run with `--bus valkey` or with a server of your own in `FONDACO_BUS__URL`. The local bus has no server.
"""
BUS_CHECK = """
Say whether the bus's server answers and keeps what it takes, and how far its readers are behind.

Before a second machine is added, and when candles fall behind. Ends with 2 and one sentence when the server cannot be
relied on.

    FONDACO_BUS__KIND=valkey fondaco bus check
    FONDACO_BUS__URL=rediss://user:password@host:6379/0 fondaco bus check
"""
BUS_URL = """
Print the address of the bus's server, password included, for other programs.

    redis-cli -u "$(FONDACO_BUS__KIND=valkey fondaco bus url)" XINFO GROUPS market.ticks
"""
BACKUP = """
Write everything that the house knows into one file, as it is at this moment, while the house goes on.

Before an upgrade, and as often as you can bear to lose what came since. The file is complete as soon as it has its
name. It is an archive of PostgreSQL's pg_dump: also its pg_restore reads it.

    fondaco db backup house.dump
    fondaco db backup --replace /backups/latest.dump
"""
RESTORE = """
Bring back what `fondaco db backup` wrote, into an empty database or in the place of everything that is there.

The house must be stopped. It is all or nothing: until the end everything is as it was, also if this command is
killed. A backup of an older version is brought up to date.

    fondaco db restore house.dump
    fondaco db restore --replace house.dump
"""
CANDLES = "Candles: prove the stored ones against the trades that they are made of."
VERIFY = """
Build every candle anew from its trades and compare bit for bit.

After a crash, a restored backup or doubts. Ends with 1 when a candle differs, and names it. Candles whose trades were
purged are counted apart.

    fondaco candles verify
"""
TICKS = "Stored trades: drop the old ones."
PURGE = """
Drop stored trades that are older than so long. Candles stay.

When the disk fills. Whole weeks are dropped at once, the rest an hour at a time, while the house goes on. The setting
`market.retention_days` does the same each day.

    fondaco ticks purge --older-than 30d
"""

REPLAY = """
Do the journal's commands again, up to some moment, and print what the house was then: state hash and balances.

To answer "what was it when": nothing is changed, and the house may run meanwhile.

    fondaco replay
    fondaco replay --until 1500000
    fondaco replay --until 2026-11-21T12:00:00Z
"""

SIMULATE = """
Let a house live through bad luck on a virtual clock, and ask whether anything was lost, done twice or made up.

Two real engines and a handful of traders; commits fail, processes die, clocks jump, messages come late, twice or never.
The same seed gives the same run, so what is found can be looked at. Ends with 1 when something is wrong.

    fondaco simulate
    fondaco simulate --seed 4711 --steps 10000
    fondaco simulate --runs 100
"""
JOURNAL = """
The journal of the engine: prove the whole of it, and move its old part out of the database.

It holds every command that the house was ever given; all else can be made from it again.
"""
JOURNAL_ARCHIVE = """
Move what no recovery needs any more out of the database, into compressed files in the data directory.

When the database grows too large. What lies before the newest snapshot moves; `fondaco replay` and `fondaco journal
verify` read it there. Back the files up with the database. Works while the house runs.

    fondaco journal archive
"""
JOURNAL_VERIFY = """
Do every command again, from the first one on, and compare what it comes to with what the journal says.

After a crash, a restored backup or doubts. Ends with 1 when something differs, and names the file, batch or snapshot.

    fondaco journal verify
"""

DOCTOR = """
Check up on the house: settings, folder, disk, processes, bus, database, schema, feeds, and what has been left undone.

When something seems wrong, and after an upgrade or a restore. It changes nothing and starts nothing. One line a check:
*ok*, *warn* for what you should know, *fail* for what must be put right; with one of these it ends with 1.

    fondaco doctor
"""

app = App(name="fondaco", help=HOUSE, version=fondaco.__version__, help_format="markdown")
app.command("fondaco.app.up:up", help=UP)
app.command("fondaco.app.processes.serve:serve", help=SERVE)
app.command("fondaco.app.processes.feed:feed", help=FEED)
app.command("fondaco.app.processes.record:record", help=RECORD)
app.command("fondaco.app.processes.jobs:jobs", help=JOBS)
app.command("fondaco.app.processes.engine:engine", help=ENGINE)
app.command("fondaco.app.processes.engine:follower", help=FOLLOWER)
app.command("fondaco.app.processes.maker:maker", help=MAKER)
app.command("fondaco.app.processes.dealer:dealer", help=DEALER)
app.command("fondaco.app.cli.journal:replay", help=REPLAY)
app.command("fondaco.app.cli.simulation:simulate", help=SIMULATE)
app.command("fondaco.app.cli.doctor:doctor", help=DOCTOR)

db = App(name="db", help=DB)
db.command("fondaco.app.cli.database:migrate", help=MIGRATE)
db.command("fondaco.app.cli.seed:seed", help=SEED)
db.command("fondaco.app.cli.database:generate", help=GENERATE)
db.command("fondaco.app.cli.database:timescale", help=TIMESCALE)
db.command("fondaco.app.cli.database:url", help=URL)
db.command("fondaco.app.cli.database:rebuild", help=REBUILD)
db.command("fondaco.app.cli.database:backup", help=BACKUP)
db.command("fondaco.app.cli.database:restore", help=RESTORE)
app.command(db)

bus = App(name="bus", help=BUS)
bus.command("fondaco.app.cli.bus:check", help=BUS_CHECK)
bus.command("fondaco.app.cli.bus:url", help=BUS_URL)
app.command(bus)

candles = App(name="candles", help=CANDLES)
candles.command("fondaco.app.cli.market:verify", help=VERIFY)
app.command(candles)

journal = App(name="journal", help=JOURNAL)
journal.command("fondaco.app.cli.journal:archive", help=JOURNAL_ARCHIVE)
journal.command("fondaco.app.cli.journal:verify", help=JOURNAL_VERIFY)
app.command(journal)

ticks = App(name="ticks", help=TICKS)
ticks.command("fondaco.app.cli.market:purge", help=PURGE)
app.command(ticks)


def main() -> None:
    """Run the command that the command line names, and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code."""
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        complain(f"{error} `fondaco --help` lists what there is.")
        return USER_ERROR
    except UserError as error:
        complain(str(error))
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    return code if isinstance(code, int) else OK
