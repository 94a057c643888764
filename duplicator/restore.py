"""Brings a copy back from tape: into a directory of this machine, or into a storage unit, host to host."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from duplicator.catalog import Catalog, Copy, Fragment, JobKind
from duplicator.failures import failing_as
from duplicator.file_side import FileSide
from duplicator.hostlink import open_session
from duplicator.job import recorded, result, tidy
from duplicator.mover_side import MoverSide
from duplicator.plan import JobResult, Place, RestoreRequest, Step
from duplicator.reading import FragmentOnTape, TapeReader
from duplicator.recorder import Recorder, Watcher
from duplicator.restore_files import RestoredImage
from duplicator.status import JobError, Status
from duplicator.supply import TapeInDrive, VolumeSupply
from duplicator.transfer import Stream, receive_all, watching
from duplicator.validate import require_complete
from ndmp.enums import Error, FileDisposition, FseFeature, MoverMode
from ndmp.errors import ReplyError

__all__ = ["restore"]


async def restore(
    request: RestoreRequest,
    catalog: Catalog,
    watcher: Watcher,
    *,
    supply: VolumeSupply | None = None,
    job_id: int | None = None,
) -> JobResult:
    """Bring a copy back and compare its digests on the way; it appears whole or not at all.

    Without a ``supply`` the volume must lie in the drive. ``job_id``: a job that the catalog has already. CatalogError
    for an unknown copy.
    """
    copy = catalog.copy(request.copy_id)
    target = str(request.target.url) if isinstance(request.target, Place) else str(request.target)
    if job_id is None:
        job_id = catalog.start_job(JobKind.RESTORE, image=copy.image.name, source=str(request.tape.url), target=target)
    recorder = Recorder(catalog, job_id, watcher, image=copy.image.name)
    work = _Restore(request, copy, recorder, supply or TapeInDrive())
    async with recorded(recorder) as outcome:
        catalog.use_copy(job_id, copy.id)
        await work.run()
    return result(
        recorder,
        outcome,
        image=copy.image.name,
        copy_id=copy.id,
        volumes=copy.volumes,
        size=copy.image.size,
        move_seconds=work.move_seconds,
    )


class _Restore:
    """One run."""

    def __init__(self, request: RestoreRequest, copy: Copy, recorder: Recorder, supply: VolumeSupply) -> None:
        self._supply = supply
        self._request = request
        self._copy = copy
        self._recorder = recorder
        self.move_seconds = 0.0

    async def run(self) -> None:
        """All steps; JobError at the first that fails."""
        copy, recorder = self._copy, self._recorder
        require_complete(copy)
        recorder.expect(copy.image.size)
        target = self._request.target
        if isinstance(target, Path):
            recorder.step(Step.PREPARE, f"directory {target}")
            # Before anybody waits for a tape that there is no room for.
            with RestoredImage(target, copy) as image:
                await self._from_tape(lambda reader: self._to_directory(reader, image))
        else:
            await self._from_tape(lambda reader: self._to_unit(reader, target))
        recorder.step(Step.DONE, f"image {copy.image.name!r} is back, {copy.image.size} bytes")

    async def _from_tape(self, restore_by: Callable[[TapeReader], Awaitable[None]]) -> None:
        place = self._request.tape
        who = f"tape server {place.url.host} port {place.url.port}"
        self._recorder.step(Step.READ_SESSION, who)
        async with open_session(place, self._request.deadlines, step=Step.READ_SESSION) as session:
            reader = TapeReader(session, self._recorder, self._supply)
            with failing_as(Step.READ_OPEN, who):
                async with reader.tidied():
                    await restore_by(reader)

    async def _find(self, reader: TapeReader, fragment: Fragment) -> FragmentOnTape:
        on_tape = FragmentOnTape(reader, self._copy, fragment)
        where = f"file {on_tape.section.file_sequence} of volume {on_tape.section.volume}"
        self._recorder.step(Step.READ_OPEN, f"find fragment {fragment.index + 1}: {where}")
        await on_tape.begin()
        return on_tape

    def _begin_flow(self, fragment: Fragment) -> float:
        text = f"fragment {fragment.index + 1} of {len(self._copy.fragments)} flows"
        self._recorder.step(Step.MOVE, text)
        return asyncio.get_running_loop().time()

    def _end_flow(self, began: float) -> None:
        self.move_seconds += asyncio.get_running_loop().time() - began

    def _done_before(self, fragment: Fragment) -> int:
        return sum(other.size for other in self._copy.fragments if other.index < fragment.index)

    # -- into a directory ----------------------------------------------------------------------------------------

    async def _to_directory(self, reader: TapeReader, image: RestoredImage) -> None:
        for fragment in self._copy.fragments:
            on_tape = await self._find(reader, fragment)
            await self._receive(reader, fragment, on_tape, image)
        self._recorder.step(Step.COMMIT, f"show it as {image.path}")
        image.commit()

    async def _receive(
        self, reader: TapeReader, fragment: Fragment, on_tape: FragmentOnTape, image: RestoredImage
    ) -> None:
        before = self._done_before(fragment)
        began = self._begin_flow(fragment)
        with image.fragment(fragment) as sink:
            await receive_all(
                reader.mover,
                reader.notices,
                sink.take,
                record_bytes=self._copy.record_bytes,
                progress=lambda moved: self._recorder.progress(before + min(moved, fragment.size)),
                step=Step.MOVE,
                more=on_tape.more_for_mover,
            )
            sink.check()
        self._end_flow(began)

    # -- into a storage unit -------------------------------------------------------------------------------------

    async def _to_unit(self, reader: TapeReader, place: Place) -> None:
        copy, recorder = self._copy, self._recorder
        recorder.step(Step.WRITE_SESSION, f"appliance {place.url.host} port {place.url.port}")
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(
                open_session(place, self._request.deadlines, step=Step.WRITE_SESSION)
            )
            files = FileSide(session)
            with failing_as(Step.WRITE_SESSION, session.name):
                await files.require(FseFeature.FILES_WRITE, Step.WRITE_SESSION)
                await files.check_unit(Step.WRITE_SESSION)
            sink = MoverSide(session, "appliance", reader.notices, trouble=Status.FILE_WRITE_FAILED, log=recorder.note)
            await stack.enter_async_context(watching(sink))
            try:
                for fragment in copy.fragments:
                    await self._send(reader, fragment, files, sink)
                recorder.step(Step.COMMIT, f"show image {copy.image.name!r} in unit {files.unit}")
                with failing_as(Step.COMMIT, session.name), self._taken(files, Step.COMMIT):
                    await files.commit(copy.image.name, len(copy.fragments))
            except BaseException:
                await tidy(recorder, "ending the transfer on the appliance", sink.abandon())
                raise  # its session ends now, and the host removes what was not committed

    async def _send(self, reader: TapeReader, fragment: Fragment, files: FileSide, sink: MoverSide) -> None:
        copy = self._copy
        on_tape = await self._find(reader, fragment)
        self._recorder.step(Step.WRITE_OPEN, f"open fragment {fragment.index + 1} in unit {files.unit}")
        with failing_as(Step.WRITE_OPEN, sink.name), self._taken(files, Step.WRITE_OPEN):
            await files.open_write(
                copy.image.name, fragment.index, name=fragment.name, size=fragment.size, algorithm=copy.algorithm
            )
            await sink.set_up(copy.record_bytes)
            address = await sink.listen(MoverMode.READ)
        with failing_as(Step.READ_MOVER, reader.mover.name):
            await reader.mover.set_up(copy.record_bytes)
            await reader.mover.connect(MoverMode.WRITE, address)
        with failing_as(Step.MOVE, reader.mover.name):
            await self._flow(reader, fragment, on_tape, sink)
        with failing_as(Step.COMMIT, sink.name):
            state = await files.state()
            _require(state.digest == fragment.digest, fragment, f"digest {state.digest.hex()} arrived")
            await files.close(FileDisposition.KEEP)

    @contextmanager
    def _taken(self, files: FileSide, step: Step) -> Iterator[None]:
        try:
            yield
        except ReplyError as error:
            if error.error != Error.FSE_IMAGE_EXISTS:
                raise
            what = f"unit {files.unit} has an image {self._copy.image.name!r} already"
            reason = f"{files.session.name}: {what}, and it is not overwritten; choose another unit"
            raise JobError(Status.FILE_WRITE_FAILED, step=step.value, reason=reason) from error

    async def _flow(self, reader: TapeReader, fragment: Fragment, on_tape: FragmentOnTape, sink: MoverSide) -> None:
        before = self._done_before(fragment)

        async def moved() -> int:
            return (await sink.state()).bytes_moved

        def progress(count: int) -> None:
            self._recorder.progress(before + min(count, fragment.size))

        began = self._begin_flow(fragment)
        stream = Stream(reader.notices, moved, progress, step=Step.MOVE, stall=self._request.deadlines.stall)
        await reader.mover.send_all(to=sink)
        await stream.end_of_source(reader.mover, on_tape.more_for_mover)
        await reader.mover.end_stream()
        await stream.end_of_all(reader.mover, sink)
        self._end_flow(began)
        await reader.mover.stop()
        await sink.stop()
        progress(fragment.size)


def _require(good: bool, fragment: Fragment, text: str) -> None:
    if not good:
        reason = f"fragment {fragment.index + 1}: {text}, and {fragment.digest.hex()} was sent to tape"
        raise JobError(Status.MEDIA_READ_ERROR, step=Step.MOVE.value, reason=reason)
