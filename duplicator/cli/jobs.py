"""`ndmpdup jobs`: what ran, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.options import CatalogUrl, Json
from duplicator.cli.terminal import plain, print_json, print_table, say, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duplicator.catalog import Catalog, Job

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
    from duplicator.cli.documents import event_document, job_document

    job, events = catalog.job(number), catalog.events(number)
    if as_json:
        print_json(job_document(job) | {"events": [event_document(event) for event in events]})
        return
    status = "none yet" if job.status is None else f"{int(job.status)}, {job.status.text}"
    lines = (
        ("job", f"{job.id}, {job.kind.value}"),
        ("state", job.state.value),
        ("status", status),
        ("reason", job.reason or "-"),
        ("next", (job.status.hint if job.status is not None else "") or "-"),
        ("image", job.image),
        ("copy", job.copy_id or "-"),
        ("from", job.source),
        ("to", job.target),
        ("moved", _moved(job)),
        ("started", time_text(job.started)),
        ("ended", time_text(job.ended)),
        ("process", f"{job.pid} on {job.host}"),
    )
    for name, text in lines:
        say(f"{name:8} {plain(text)}")
    say()
    print_table(("time", "step", "text"), [(time_text(event.time), event.step, event.text) for event in events])
