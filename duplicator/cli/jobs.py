"""`ndmpdup jobs`: what ran, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.options import CatalogUrl, Json
from duplicator.cli.terminal import plain, print_json, print_table, say, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duplicator.catalog import Catalog, Job, JobTry

__all__ = ["job_table", "jobs"]


def jobs(
    job: Annotated[int | None, typer.Argument(metavar="ID", min=1, help="A job, to see all that it did.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest jobs.")] = 50,
    catalog: CatalogUrl = None,
    as_json: Json = False,
) -> None:
    """List jobs, or show the steps of one.

    The newest comes first. A job whose process is gone is marked as died, with how far it came.

    \b
    Examples:
      ndmpdup jobs
      ndmpdup jobs 12
      ndmpdup jobs --json | jq '.jobs[] | select(.status != 0)'
    """
    from duplicator.cli.batch import open_catalog
    from duplicator.cli.documents import job_document

    with open_catalog(catalog) as opened:
        if job is not None:
            _show(opened, job, as_json=as_json)
            return
        found = opened.jobs(limit=limit)
    if as_json:
        print_json({"jobs": [job_document(one) for one in found]})
    elif found:
        job_table(found)
    else:
        say("no jobs yet")


def job_table(found: Sequence[Job]) -> None:
    """A row for each job."""
    rows = [
        (
            str(job.id),
            job.kind.value,
            job.state.value,
            "-" if job.status is None else str(int(job.status)),
            job.image,
            _moved(job),
            time_text(job.started),
            job.step,
        )
        for job in found
    ]
    print_table(("job", "kind", "state", "status", "image", "moved", "started", "step"), rows, right=("job", "status"))


def _moved(job: Job) -> str:
    if job.bytes_total is None or job.bytes_moved == job.bytes_total:
        return size_text(job.bytes_moved)
    return f"{size_text(job.bytes_moved)} of {size_text(job.bytes_total)}"


def _show(catalog: Catalog, number: int, *, as_json: bool) -> None:
    from duplicator.cli.documents import event_document, job_document, try_document

    job, events, tries = catalog.job(number), catalog.events(number), catalog.tries(number)
    if as_json:
        more = {"tries": [try_document(each) for each in tries], "events": [event_document(each) for each in events]}
        print_json(job_document(job) | more)
        return
    for name, text in _facts(job):
        say(f"{name:8} {plain(text)}")
    if len(tries) > 1:
        say()
        print_table(("try", "started", "ended", "status", "reason"), [_try_row(each) for each in tries])
    say()
    rows = [(str(each.attempt), time_text(each.time), each.step, each.text) for each in events]
    print_table(("try", "time", "step", "text"), rows)


def _facts(job: Job) -> Iterator[tuple[str, str]]:
    yield "job", f"{job.id}, {job.kind.value}, priority {job.priority}, {job.tries} tries"
    yield "state", job.state.value
    yield "status", "none yet" if job.status is None else f"{int(job.status)}, {job.status.text}"
    yield "reason", job.reason or "-"
    yield "next", (job.status.hint if job.status is not None else "") or "-"
    yield "image", job.image
    yield "copy", job.copy_id or "-"
    yield "from", job.source
    yield "to", job.target
    if job.agents:
        yield "agents", job.agents
        yield "drive", f"{job.drive or '-'}, first volume {job.volume or '-'}"
    yield "moved", _moved(job)
    yield "queued", time_text(job.queued)
    yield "started", time_text(job.started)
    yield "ended", time_text(job.ended)
    yield "process", f"{job.pid} on {job.host}" if job.pid else "-"


def _try_row(tried: JobTry) -> tuple[str, ...]:
    status = "-" if tried.status is None else str(int(tried.status))
    return str(tried.number), time_text(tried.started), time_text(tried.ended), status, plain(tried.reason)
