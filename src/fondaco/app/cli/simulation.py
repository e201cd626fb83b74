"""``fondaco simulate``."""

from fondaco.app.cli.printing import say
from fondaco.engine.simulation.simulation import Report
from fondaco.engine.simulation.simulation import simulate as run
from fondaco.infra.errors import UserError


def simulate(*, seed: int = 1, steps: int = 1_000, runs: int = 1) -> None:
    """Simulate.

    Args:
        seed: Where the bad luck comes from; the same seed gives the same run.
        steps: Commands that the traders of a run send.
        runs: Runs, each with the next seed.
    """
    if steps < 1 or runs < 1:
        raise UserError("A simulation has at least one run of at least one step.")
    failed = []
    for each in range(seed, seed + runs):
        report = run(each, steps)
        say(written(report))
        for fault in report.faults:
            say(f"  {fault}")
        if report.faults:
            failed.append(str(each))
    if failed:
        raise UserError(f"Something is wrong in the runs of seed {', '.join(failed)}.")


def written(report: Report) -> str:
    """What a run came to, in a line."""
    verdict = f"{len(report.faults)} faults" if report.faults else "nothing lost, nothing twice"
    return (
        f"seed {report.seed}: {report.commands} commands in {report.batches} batches, {report.answered} answered, "
        f"{report.leaders} leaders; {verdict}"
    )
