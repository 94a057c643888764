"""Runs the jobs of one command, one after the other, and tells how they ended."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import typer

from duplicator.catalog import Catalog
from duplicator.cli.documents import results_document
from duplicator.cli.endings import Interrupted
from duplicator.cli.running import run
from duplicator.cli.terminal import complain, plain, print_json, rate_text, say, size_text
from duplicator.cli.watching import watching
from duplicator.config_file import find_file
from duplicator.endings import NO_JOB, outlived
from duplicator.plan import JobResult
from duplicator.recorder import Watcher
from duplicator.status import ExitCode, Status, status_of_all

__all__ = ["Batch", "open_catalog"]

_log: Final = logging.getLogger(__name__)
Work: TypeAlias = Callable[[Watcher], Awaitable[JobResult]]
WatcherOf: TypeAlias = Callable[[str], Watcher]
"""Makes who watches a job, by its title."""


@contextmanager
def open_catalog(url: str | None, config: Path | None = None) -> Iterator[Catalog]:
    """The catalog of ``url``, else of the configuration, else the user's; jobs are marked whose processes are gone.

    ``config``: the file that the command names; None: the one that counts.
    """
    with Catalog(url or _configured(config)) as catalog:
        for job in catalog.mark_dead_jobs():
            _log.warning("job %d died: %s", job.id, job.reason)
        yield catalog


def _configured(config: Path | None) -> str | None:
    """The catalog that the configuration names, if there is one."""
    file = find_file(config)
    if file is None:
        return None
    from duplicator.config import load

    return load(file).catalog.url


class Batch:
    """Jobs of one command; a job that fails does not keep the next ones from running."""

    def __init__(self) -> None:
        self.results: list[JobResult] = []
        self._interrupted: Interrupted | None = None

    def run(self, jobs: Sequence[tuple[str, Work]]) -> None:
        """Run each titled job; complain about each that fails. A signal ends the running one, and the rest."""
        self._watched(lambda watcher_of: self._all(jobs, watcher_of))

    def run_many(self, work: Callable[[WatcherOf], Coroutine[Any, Any, Sequence[JobResult]]]) -> None:
        """Run jobs that somebody else takes care of; the same otherwise."""

        async def kept(watcher_of: WatcherOf) -> None:
            for result in await work(watcher_of):
                self._keep(result)

        self._watched(kept)

    def _watched(self, work: Callable[[WatcherOf], Coroutine[Any, Any, None]]) -> None:
        try:
            with watching() as watcher_of:
                run(work(watcher_of))
        except Interrupted as interrupted:
            self._interrupted = interrupted

    async def _all(self, jobs: Sequence[tuple[str, Work]], watcher_of: WatcherOf) -> None:
        for title, work in jobs:
            self._keep(await outlived(title, work(watcher_of(title))))

    def _keep(self, result: JobResult) -> None:
        self.results.append(result)
        if result.status != Status.SUCCESS:
            complain(f"ndmpdup: {plain(_failure(result))}")

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended it."""
        return self._interrupted is not None

    def report(self, *, as_json: bool) -> None:
        """Print how the jobs ended."""
        if as_json:
            print_json(results_document(self.results, interrupted=self.interrupted))
            return
        for result in self.results:
            if result.status == Status.SUCCESS:
                say(plain(_success(result)))
        together = status_of_all([result.status for result in self.results])
        if together in (Status.PARTLY_SUCCESSFUL, Status.NOTHING_PROCESSED):
            complain(f"ndmpdup: status {together.value} ({together.text}). {together.hint}")

    def end(self, *, must_be_valid: bool = False) -> None:
        """End the command with an exit code: 0 only if all succeeded, and are validated where that is asked for."""
        if self._interrupted:
            complain("ndmpdup: the job was cancelled; `ndmpdup jobs` shows how far it came")
            raise typer.Exit(self._interrupted.exit_code)
        for result in self.results:
            if result.status != Status.SUCCESS or (must_be_valid and not result.validated):
                raise typer.Exit(ExitCode.FAILED)


def _failure(result: JobResult) -> str:
    status = result.status
    job = f"job {result.job_id} ({result.image})" if result.job_id != NO_JOB else result.image
    what = f"{job}: status {int(status)}, {status.text}"
    return f"{what}; step {result.step!r}: {result.reason or status.text}. {status.hint}".rstrip()


def _success(result: JobResult) -> str:
    copy = f"copy {result.copy_id}" if result.copy_id else "no copy"
    volume = f" on volume {result.volume}" if result.volume else ""
    speed = rate_text(result.size, result.move_seconds)
    state = ", validated" if result.validated else ""
    return f"job {result.job_id}: {result.image}, {size_text(result.size)}, {copy}{volume}, {speed}{state}"
