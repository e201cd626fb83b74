"""The machine without a journal: refuse, hold, match, settle, events. Everything but the disk."""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from engine_orders import START_NS, VALID_NS, Flow, Sent, opening
from fondaco.core.commands import Submission, encode_command
from fondaco.core.machine import Machine
from fondaco.core.replies import Answer
from fondaco.engine.garbage import without_collections
from harness import Stopwatch, median_of_runs, report

COMMANDS = 300_000
QUICK_COMMANDS = 50_000
BATCH = 500
STEP_NS = 10_000


def memory(name: str, *, quick: bool) -> None:
    """Commands a second, each encoded as it comes, done, and told."""
    count = QUICK_COMMANDS if quick else COMMANDS
    flow = Flow(seed=7)
    stream = list(islice(_sent(flow), count))
    event_bytes = 0

    def run() -> float:
        nonlocal event_bytes
        machine = _opened()
        with without_collections():  # as the engine runs
            watch = Stopwatch()
            event_bytes = sum(_apply(machine, stream[start : start + BATCH]) for start in range(0, count, BATCH))
            seconds = watch.seconds()
        return count / seconds

    value, runs = median_of_runs(run)
    report(
        name,
        value,
        "orders/s",
        None,
        commands=count,
        runs=[round(each) for each in runs],
        filling_share=flow.filling_share,
        event_bytes=event_bytes,
    )


def _sent(flow: Flow) -> Iterator[Sent]:
    """What comes to a machine of its own, without end: thinking it up is no part of the figure."""
    machine = _opened()
    while True:
        sent = flow.next()
        flow.note(sent, _do(machine, sent))
        machine.log.take()
        yield sent


def _opened() -> Machine:
    machine = Machine()
    _apply(machine, opening())
    return machine


def _apply(machine: Machine, batch: Iterable[Sent]) -> int:
    """Do a batch; returns how many bytes of events it came to."""
    for sent in batch:
        _do(machine, sent)
    return len(machine.log.take())


def _do(machine: Machine, sent: Sent) -> Answer:
    seq = machine.seq + 1
    now_ns = START_NS + seq * STEP_NS
    body = msgspec.Raw(encode_command(sent.command))
    submission = Submission(sent.account_id, sent.command_id, now_ns + VALID_NS // 2, body)
    return machine.apply(submission, seq, now_ns, sent.command)
