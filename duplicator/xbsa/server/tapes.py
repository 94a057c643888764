"""Objects from tape: a drive and the volumes by the broker, then the copy's bytes to the application."""

from __future__ import annotations

from collections.abc import Callable

from duplicator.catalog import Catalog, Copy, Fragment, StoredObject
from duplicator.config import Config, TapeUnit, local_agent
from duplicator.failures import CopyBroken, failing_as
from duplicator.hostlink import open_session
from duplicator.plan import Deadlines, Step
from duplicator.queued import QueuedCopies
from duplicator.reading import FragmentOnTape, TapeReader
from duplicator.recorder import Progress, Recorder
from duplicator.status import JobError, Status
from duplicator.validate import require_complete
from duplicator.xbsa.channel import Taker
from duplicator.xbsa.server.delivery import Delivery, Expected, Fails, Holding
from duplicator.xbsa.server.images import DATA, fragment_named
from ndmp.enums import DigestAlgorithm

__all__ = ["TapeObjectReader"]


class TapeObjectReader:
    """Implements :class:`duplicator.xbsa.server.roles.ObjectReader` for a copy on tape, in a job that the catalog has.

    ``wanted``: the fragment that is read. One task calls ``ready`` and ``close``.
    """

    def __init__(
        self,
        catalog: Catalog,
        config: Config,
        copy: Copy,
        *,
        job_id: int,
        found: StoredObject | None = None,
        wanted: str = DATA,
    ) -> None:
        self._catalog = catalog
        self._config = config
        self._copy = copy
        self._found = found
        self._wanted = wanted
        self._job_id = job_id
        self._holding = Holding()
        self._told: Callable[[str], None] = lambda _: None
        self._recorder = Recorder(catalog, job_id, _Watching(self._tell), image=copy.image.name)
        self._start = config.xbsa.start.total_seconds()
        self._reader: TapeReader | None = None
        self._on_tape: FragmentOnTape | None = None
        self._who = "tape server"

    def _tell(self, text: str) -> None:
        self._told(text)

    async def ready(self, told: Callable[[str], None]) -> int:
        """See ObjectReader: the tape stands at the first byte then."""
        self._told = told
        with self._holding.noting():
            fragment = self._fragment()
            self._catalog.use_copy(self._job_id, self._copy.id)
            self._recorder.expect(fragment.size)
            await self._have_tape(fragment)
        return fragment.size

    def _fragment(self) -> Fragment:
        require_complete(self._copy)
        fragment = fragment_named(self._copy, self._wanted)
        if fragment is None:
            reason = f"copy {self._copy.id} has no fragment {self._wanted!r}: it is none of an object"
            raise JobError(Status.COPY_NOT_FOUND, step=Step.PREPARE.value, reason=reason)
        return fragment

    async def _have_tape(self, fragment: Fragment) -> None:
        recorder, stack = self._recorder, self._holding.stack
        recorder.step(Step.PREPARE, f"a drive and {', '.join(self._copy.volumes)} are asked for")
        waits = Deadlines(mount=self._start)
        queued = self._queued(waits)
        await queued.prepare()
        reading = queued.reading(
            self._copy, *self._units(), note=recorder.note, job_id=self._job_id, seconds=self._start
        )
        place, supply = await stack.enter_async_context(reading)
        self._who = f"tape server {place.url.host} port {place.url.port}"
        recorder.step(Step.READ_SESSION, self._who)
        session = await stack.enter_async_context(open_session(place, waits, step=Step.READ_SESSION))
        self._reader = TapeReader(session, recorder, supply)
        await stack.enter_async_context(self._reader.tidied())
        self._on_tape = FragmentOnTape(self._reader, self._copy, fragment)
        where = f"file {self._on_tape.section.file_sequence} of volume {self._on_tape.section.volume}"
        recorder.step(Step.READ_OPEN, f"find it: {where}")
        with failing_as(Step.READ_OPEN, self._who):
            await self._on_tape.begin()

    def _queued(self, waits: Deadlines) -> QueuedCopies:
        agent = local_agent(self._config)
        if agent is None:
            reason = "the configuration has no agent that is this machine: one without a `command`"
            raise JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)
        return QueuedCopies(self._catalog, self._config, agent, ask=self._recorder.note, deadlines=waits)

    def _units(self) -> list[TapeUnit]:
        units = self._config.storage.tape
        return [units[name] for name in self._config.xbsa.tape or units]

    async def feed(self, target: Taker) -> int:
        """See ObjectReader: compared with the copy's digest, and with the object's."""
        assert self._reader is not None
        assert self._on_tape is not None
        with self._holding.noting(), failing_as(Step.MOVE, self._who):
            self._recorder.step(Step.MOVE, "it flows to the application")
            count = await self._bring(target, self._reader, self._on_tape)
            self._recorder.step(Step.CLOSE, f"{count} bytes are through, and they are those of the copy")
        return count

    async def _bring(self, target: Taker, reader: TapeReader, on_tape: FragmentOnTape) -> int:
        """A copy whose tape gives other bytes is read no more: it is marked as failed."""
        delivery = Delivery(target, self._expected(self._fragment()))
        try:
            return await delivery.bring(
                reader.mover, reader.notices, record_bytes=self._copy.record_bytes, more=on_tape.more_for_mover
            )
        except CopyBroken:
            self._recorder.copy_failed(self._copy.id)
            raise

    def _expected(self, fragment: Fragment) -> Expected:
        known: list[tuple[DigestAlgorithm, bytes, Fails]] = []
        if self._copy.algorithm != DigestAlgorithm.NONE:
            known.append((self._copy.algorithm, fragment.digest, CopyBroken))
        if self._found is not None:
            # A copy that is what it was says nothing bad of itself when it is not the object.
            fails = _of_another if known else CopyBroken
            known.append((self._found.algorithm, self._found.digest, fails))
        return Expected(fragment.size, known, CopyBroken, self._recorder.progress)

    async def close(self) -> None:
        """See ObjectReader: mover idle, tape closed, drive and volumes given back."""
        await self._holding.release()


def _of_another(reason: str) -> JobError:
    return JobError(Status.MEDIA_READ_ERROR, step=Step.MOVE.value, reason=reason)


class _Watching:
    """Implements Watcher: passes on what is worth waiting for."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told

    def step(self, job_id: int, step: str, text: str) -> None:
        """See Watcher."""
        self._told(f"{step}: {text}")

    def progress(self, job_id: int, progress: Progress) -> None:
        """See Watcher: who sends the bytes counts them."""
