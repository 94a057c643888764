"""A process that runs one job by its configuration, its read side by whichever agent has the credentials for it.

``python -m tests.duplicator.agents.coordinator CONFIG IMAGE``; prints the job's result as JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path

from duplicator.agents import agents_text, read_side
from duplicator.catalog import Catalog, JobKind
from duplicator.cli.running import run
from duplicator.config import Config, load, local_agent, place_of
from duplicator.engine import Means, run_copy
from duplicator.plan import CopyRequest, Deadlines, JobResult
from duplicator.recorder import Progress
from duplicator.selection import assign_unit
from duplicator.status import JobError
from duplicator.supply import TapeInDrive

DEADLINES = Deadlines(stall=20.0)


class Lines:
    """A watcher that writes a line for each step."""

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        sys.stderr.write(f"job {job_id}: {step}: {text}\n")
        sys.stderr.flush()

    def progress(self, job_id: int, progress: Progress) -> None:
        """See Watcher."""


async def copy(config: Config, image: str) -> JobResult:
    """Copy an image of the only disk unit to the only drive."""
    (unit,), (tape,), (drive,) = config.storage.disk.values(), config.storage.tape.values(), config.drives.values()
    assignment = assign_unit(config, unit, tape, drive=drive)
    sys.stderr.write(f"{agents_text(assignment)}: {assignment.reason}\n")
    source = read_side(config, assignment, unit, image, deadlines=DEADLINES)
    me = local_agent(config)
    assert me is not None
    target = place_of(config, drive.host, path=drive.device, agent=me)
    request = CopyRequest(image, None, target, deadlines=DEADLINES)
    supply = TapeInDrive()
    with Catalog(config.catalog.url) as catalog:
        job_id = catalog.start_job(JobKind.DUPLICATE, image=image, source=unit.name, target=tape.name)
        means = Means(request, source, supply)
        return await run_copy(job_id, image, lambda _: nullcontext(means), catalog, Lines())


def main() -> int:
    """Run it; 0 for a job with status 0."""
    try:
        result = run(copy(load(Path(sys.argv[1])), sys.argv[2]))
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.status) % 256 or 1
    print(json.dumps({"status": int(result.status), "reason": result.reason, "validated": result.validated}))  # noqa: T201
    return 0 if result.status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
