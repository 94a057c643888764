"""`ndmpdup xbsa import`: objects of applications that the catalog does not know, from their descriptors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from duplicator.cli.options import CatalogUrl, ConfigFile, Json
from duplicator.cli.terminal import complain, plain, print_json
from duplicator.status import ExitCode

if TYPE_CHECKING:
    from duplicator.cli.queue_run import Jobs
    from duplicator.recorder import Progress
    from duplicator.xbsa.server.importing import Imported

__all__ = ["import_objects"]


def import_objects(
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="A disk unit of the configuration.")],
    *,
    from_tape: Annotated[
        bool,
        typer.Option(
            "--from-tape", help="Those whose copies the catalog has on tape instead, as if they had been on UNIT."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be added.")] = False,
    config: ConfigFile = None,
    catalog: CatalogUrl = None,
    as_json: Json = False,
) -> None:
    """Add the objects of applications that the catalog does not know.

    Beside the data of each object lies what it is, on disk and on tape. So a catalog that was lost comes back: from
    the images on a disk unit, or after `ndmpdup import` from the copies on tape, of which only this is read. An object
    keeps its copy id; if another object has that, it is told and not added, and the exit code is 1.

    \b
    Examples:
      ndmpdup xbsa import unit1 --dry-run
      ndmpdup import --library lib1 && ndmpdup xbsa import unit1 --from-tape
    """
    from duplicator.cli.queue_run import run_jobs
    from duplicator.cli.running import run

    with run_jobs(config, catalog) as jobs:
        found = run(_all(_importing(jobs, unit, from_tape=from_tape, dry_run=dry_run)))
    if as_json:
        print_json({"objects": [_document(one) for one in found]})
    if any(one.problem for one in found):
        raise typer.Exit(ExitCode.FAILED)


def _importing(jobs: Jobs, name: str, *, from_tape: bool, dry_run: bool) -> AsyncIterator[Imported]:
    from duplicator.xbsa.server.importing import import_tapes, import_unit

    unit = jobs.disk_unit(name, option="UNIT")
    if from_tape:
        return import_tapes(jobs.catalog, jobs.config, unit, _Watching(), dry_run=dry_run)
    return import_unit(jobs.catalog, jobs.config, unit, dry_run=dry_run)


async def _all(importing: AsyncIterator[Imported]) -> list[Imported]:
    found = []
    async for one in importing:
        found.append(one)
        text = one.problem if one.object is None else f"object {one.object.copy_id}, {one.object.path}"
        complain(plain(f"{one.image}: {text}"))
    complain(f"{sum(one.object is not None for one in found)} objects are new")
    return found


def _document(one: Imported) -> dict[str, Any]:
    if one.object is None:
        return {"image": one.image, "problem": one.problem}
    found = one.object
    return {
        "image": one.image,
        "copy_id": found.copy_id,
        "path": found.path,
        "user": found.user,
        "host": found.host,
        "created": found.created.isoformat(),
        "bytes": found.size,
    }


class _Watching:
    """Implements Watcher: tells what is waited for."""

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        complain(plain(f"job {job_id}: {text}"))

    def progress(self, job_id: int, progress: Progress) -> None:
        """See Watcher: descriptors are short."""
