"""`ndmpdup run`, `cancel`, `suspend` and `resume`: the queue of jobs, and the jobs that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.options import CatalogUrl, ConfigFile, Json
from duplicator.cli.terminal import print_json, say

if TYPE_CHECKING:
    from duplicator.catalog import Stop

__all__ = ["cancel", "resume", "run", "suspend"]

JobNumbers = Annotated[list[int], typer.Argument(metavar="JOB...", min=1, help="Numbers of jobs, as `jobs` has them.")]


def run(
    *,
    policies: Annotated[
        list[str] | None,
        typer.Option("--policy", metavar="NAME", help="Queue first what this policy says; may be repeated."),
    ] = None,
    at_once: Annotated[
        int | None, typer.Option("--jobs", min=1, metavar="N", help="Jobs at once. Default: one for each drive.")
    ] = None,
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Run the jobs on this Dask cluster; `local` makes one here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the queued jobs, several at once, until the queue is empty.

    Jobs with a higher priority go first, then the older ones. A job that fails for a reason that may pass is tried
    again after a pause, if its policy allows; one that was interrupted goes on behind its last complete fragment.

    \b
    Examples:
      ndmpdup run
      ndmpdup run --policy nightly --policy weekly
      ndmpdup run --jobs 2 --config /etc/ndmpdup.toml
    """
    from duplicator.cli.queue_run import queue_policies, run_jobs

    with run_jobs(config, catalog) as jobs:
        if policies:
            queue_policies(jobs, policies)
        if jobs.catalog.next_due() is None and not as_json:
            say("no job is queued")
            return
        batch = jobs.run(None, at_once=at_once, scheduler=scheduler)
    batch.report(as_json=as_json)
    batch.end()


def cancel(numbers: JobNumbers, *, catalog: CatalogUrl = None, as_json: Json = False) -> None:
    """Cancel jobs, whatever process runs them.

    A running job stops at the end of a record within a second or two; its volume is cut back to the last complete
    fragment, and `resume` can go on from there. A queued one never begins.

    \b
    Examples:
      ndmpdup cancel 12
      ndmpdup cancel 12 13 --json
    """
    from duplicator.catalog import Stop

    _ask(numbers, Stop.CANCEL, catalog, as_json=as_json)


def suspend(numbers: JobNumbers, *, catalog: CatalogUrl = None, as_json: Json = False) -> None:
    """Suspend jobs, to go on with them later by `resume`.

    A running job stops as if it were cancelled, and gives drive and volume back.

    \b
    Examples:
      ndmpdup suspend 12
    """
    from duplicator.catalog import Stop

    _ask(numbers, Stop.SUSPEND, catalog, as_json=as_json)


def _ask(numbers: list[int], stop: Stop, catalog: str | None, *, as_json: bool) -> None:
    from duplicator.catalog import JobState
    from duplicator.cli.batch import open_catalog
    from duplicator.cli.documents import job_document

    with open_catalog(catalog) as opened:
        jobs = [opened.ask_to_stop(number, stop) for number in numbers]
    if as_json:
        print_json({"jobs": [job_document(job) for job in jobs]})
        return
    for job in jobs:
        running = job.state is JobState.RUNNING
        say(f"job {job.id}: {f'is asked to {stop.value}' if running else job.state.value}")


def resume(
    numbers: JobNumbers,
    *,
    queue_only: Annotated[bool, typer.Option("--queue", help="Only queue them, for `ndmpdup run`.")] = False,
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
    as_json: Json = False,
) -> None:
    """Go on with jobs that were suspended or cancelled, failed, or whose process died.

    What is complete on tape is not copied again. Jobs of `duplicate` with URLs are gone on with by its --resume.

    \b
    Examples:
      ndmpdup resume 12
      ndmpdup resume 12 13 14 --queue
    """
    from duplicator.cli.queue_run import run_jobs

    with run_jobs(config, catalog) as jobs:
        for number in numbers:
            jobs.catalog.requeue_job(number)
        if queue_only:
            jobs.say_queued(numbers, as_json=as_json)
            return
        batch = jobs.run(numbers)
    batch.report(as_json=as_json)
    batch.end()
