"""Duplicates one image to tape, in the order in which the field does it. See docs/architecture.md."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from duplicator.catalog import Catalog, Copy, CopyState, JobKind
from duplicator.failures import CopyBroken, failing_as
from duplicator.hostlink import open_session
from duplicator.job import recorded, result
from duplicator.labels import NEVER, FileHeader, FileTrailer
from duplicator.plan import CopyRequest, JobResult, Route, Step, Validation
from duplicator.readback import can_be_compared, check_copy
from duplicator.recorder import Recorder, Watcher
from duplicator.sources.file_service import FileServiceSource
from duplicator.sources.source import OpenSource, Source, SourceFragment, SourceImage
from duplicator.status import JobError, Status
from duplicator.supply import TapeInDrive, VolumeSupply
from duplicator.transfer import explained, together
from duplicator.volume_book import VolumeBook, section_of
from duplicator.writing import TapeWriter

__all__ = ["Gather", "Means", "duplicate", "run_copy"]


@dataclass(frozen=True, slots=True)
class Means:
    """All that a copy needs: what to do, who sends the bytes, and who brings the volumes."""

    request: CopyRequest
    source: Source
    supply: VolumeSupply


Gather: TypeAlias = Callable[[Recorder], AbstractAsyncContextManager[Means]]
"""Finds the means of a job, within its record, and gives them back at its end; JobError."""


async def duplicate(
    request: CopyRequest,
    catalog: Catalog,
    watcher: Watcher,
    *,
    source: Source | None = None,
    supply: VolumeSupply | None = None,
) -> JobResult:
    """Copy one image and validate the copy; how it went is in the result and in the catalog.

    Without a ``source`` it is the file service of the request's; without a ``supply`` there is the one volume in the
    drive. When cancelled it cleans up, records that, and raises CancelledError.
    """
    assert request.source is not None
    origin, target = str(request.source.url), str(request.target.url)
    job_id = catalog.start_job(JobKind.DUPLICATE, image=request.image, source=origin, target=target)
    means = Means(
        request,
        source or FileServiceSource(request.source, request.image, request.deadlines, wanted=request.algorithm),
        supply or TapeInDrive(request.volume),
    )
    return await run_copy(job_id, request.image, lambda _: nullcontext(means), catalog, watcher)


async def run_copy(job_id: int, image: str, gather: Gather, catalog: Catalog, watcher: Watcher) -> JobResult:
    """Run a job that the catalog has: gather its means, copy and validate, as :func:`duplicate` does."""
    recorder = Recorder(catalog, job_id, watcher, image=image)
    work: _Duplication | None = None
    async with recorded(recorder) as outcome, gather(recorder) as means:
        work = _Duplication(means, catalog, recorder)
        await work.run()
    return result(
        recorder,
        outcome,
        image=image,
        copy_id=work.copy_id if work else None,
        volumes=work.volumes if work else (),
        size=work.size if work else 0,
        move_seconds=work.move_seconds if work else 0.0,
        validated=work is not None and work.is_valid,
    )


class _Duplication:
    """One run. The attributes say how far it came, for the record and for cleaning up."""

    def __init__(self, means: Means, catalog: Catalog, recorder: Recorder) -> None:
        self._request = means.request
        self._source = means.source
        self._supply = means.supply
        self._catalog = catalog
        self._recorder = recorder
        self._attempt = 1
        self.copy_id: str | None = None
        self.volumes: list[str] = []
        self.size = 0
        self.move_seconds = 0.0
        self.is_valid = False

    async def run(self) -> None:
        """All steps; JobError at the first that fails. What was committed by then can be gone on with."""
        if self._is_done():
            return
        image = await self._source.describe(self._recorder)
        self.size = image.size
        self._recorder.expect(self.size)
        copy = self._go_on(image) if self._request.copy_id else self._begin(image)
        try:
            await self._write(image, copy)
        except BaseException:
            self._recorder.copy_stopped(copy.id)
            raise
        await self._validate()
        state = "valid" if self.is_valid else "written, and not validated"
        self._recorder.step(Step.DONE, f"copy {self.copy_id} on {_named(self.volumes)} is {state}")

    # -- the copy in the catalog ---------------------------------------------------------------------------------

    def _begin(self, image: SourceImage) -> Copy:
        known = self._catalog.record_image(
            host=image.host,
            unit=image.unit,
            name=image.name,
            size=image.size,
            modified=image.modified,
            fragments=len(image.fragments),
        )
        self.copy_id = self._catalog.start_copy(
            image_id=known.id,
            job_id=self._recorder.job_id,
            tape_url=str(self._request.target.url),
            algorithm=image.algorithm,
            record_bytes=self._record_bytes(image),
            copy_id=str(uuid.uuid4()),
            route=self._source.route.value,
            expires=self._request.expires,
        )
        return self._catalog.copy(self.copy_id)

    def _is_done(self) -> bool:
        """Whether an earlier try validated the copy, and died before it could say so."""
        copy = self._catalog.copy(self._request.copy_id) if self._request.copy_id else None
        if copy is None or copy.state is not CopyState.VALID:
            return False
        self.copy_id, self.volumes, self.size, self.is_valid = copy.id, list(copy.volumes), copy.image.size, True
        self._recorder.step(Step.DONE, f"copy {copy.id} on {_named(copy.volumes)} is valid already")
        return True

    def _go_on(self, image: SourceImage) -> Copy:
        """Take up an incomplete copy, if its image is still the one of which it has fragments."""
        assert self._request.copy_id is not None
        copy = self._catalog.copy(self._request.copy_id)
        was = copy.image
        if copy.state not in (CopyState.INCOMPLETE, CopyState.WRITTEN):
            reason = f"copy {copy.id} is {copy.state.value}: there is nothing to go on with"
            raise JobError(Status.COPY_NOT_FOUND, step=Step.PREPARE.value, reason=reason)
        now = image.host, image.unit, image.name, image.modified, image.size, len(image.fragments)
        if now != (was.host, was.unit, was.name, was.modified, was.size, was.fragments):
            reason = f"image {image.name!r} has changed since copy {copy.id} was begun: begin a new copy"
            raise JobError(Status.FILE_READ_FAILED, step=Step.CHECK_IMAGE.value, reason=reason)
        if image.algorithm is not copy.algorithm:
            reason = (
                f"copy {copy.id} was begun with {copy.algorithm.name} digests, and these are {image.algorithm.name}"
            )
            raise JobError(Status.NDMP_FAILURE, step=Step.CHECK_EXTENSION.value, reason=reason)
        self._request = replace(self._request, record_bytes=copy.record_bytes)
        self.copy_id = copy.id
        self._attempt = self._catalog.resume_copy(copy.id, self._recorder.job_id)
        self.volumes = list(copy.volumes)
        self._recorder.note(
            f"copy {copy.id} goes on: {len(copy.fragments)} of {was.fragments} fragments are on tape already"
        )
        return self._catalog.copy(copy.id)

    # -- both sides ----------------------------------------------------------------------------------------------

    async def _write(self, image: SourceImage, copy: Copy) -> None:
        if len(copy.fragments) < len(image.fragments):
            async with AsyncExitStack() as stack:
                writer = await self._writer(stack, copy)
                await self._write_fragments(image, copy, writer, stack)
                self._recorder.step(Step.CLOSE, "both sides close")
                await writer.close()
        self._catalog.update_copy(copy.id, route=self._source.route.value)  # known for certain only now
        self._catalog.set_copy_state(copy.id, CopyState.WRITTEN)

    async def _writer(self, stack: AsyncExitStack, copy: Copy) -> TapeWriter:
        target = self._request.target
        self._recorder.step(Step.WRITE_SESSION, f"tape server {target.url.host} port {target.url.port}")
        session = await stack.enter_async_context(
            open_session(target, self._request.deadlines, step=Step.WRITE_SESSION)
        )
        login = f"logged in as {target.url.user} by {session.auth.name}"
        self._recorder.note(f"NDMP version {session.version}, {login}")
        book = VolumeBook(self._catalog, copy_id=copy.id, tape_url=str(target.url), pool=self._request.pool)
        writer = TapeWriter(session, book, self._supply, self._recorder, keep=self._keep)
        await stack.enter_async_context(writer.tidied())
        await writer.open_first()
        return writer

    async def _write_fragments(self, image: SourceImage, copy: Copy, writer: TapeWriter, stack: AsyncExitStack) -> None:
        reader: OpenSource | None = None
        done = {fragment.index for fragment in copy.fragments}
        moved = sum(fragment.size or 0 for index, fragment in enumerate(image.fragments) if index in done)
        created = int(copy.created.timestamp())
        for index, fragment in enumerate(image.fragments):
            if index in done:
                continue
            record_bytes = self._record_bytes(image)
            await writer.begin(partial(self._header, image, index, created), record_bytes)
            if reader is None:
                reader = await stack.enter_async_context(self._source.opened(image, self._recorder))
            await reader.prepare(index, size=fragment.size)
            address = await writer.listen()
            try:
                await reader.begin(address=address, record_bytes=record_bytes)
            except JobError as error:
                raise await explained(error, writer.notices) from error
            moved += await self._move(image, index, reader, writer, done=moved)
        if not image.is_size_known:
            self.size = moved
            assert self.copy_id is not None
            self._catalog.measure_image(self.copy_id, moved)

    async def _move(self, image: SourceImage, index: int, reader: OpenSource, writer: TapeWriter, *, done: int) -> int:
        """Data flows, host to host, until the fragment is on tape with its trailer; gives its bytes."""
        name = f"fragment {index + 1} of {len(image.fragments)}"
        way = "through this machine" if self._source.route is Route.TRADITIONAL else "host to host"
        self._recorder.step(Step.MOVE, f"{name} flows, {way}")
        began = time.monotonic()
        sent, moved = await together(
            reader.send(writer.taken_up),
            writer.receive(lambda count: self._progress(image, done + count), excused=lambda: reader.is_changing),
            grace=self._request.deadlines.stall,
        )
        self.move_seconds += time.monotonic() - began
        await reader.finish()
        self._progress(image, done + sent.size)
        await writer.finish(sent, image.algorithm, moved)
        self._commit(index, image.fragments[index], sent.size, sent.digest)
        return sent.size

    def _progress(self, image: SourceImage, moved: int) -> None:
        """Tell how far the image is; ndmjob counts the padding of the last record too."""
        self._recorder.progress(min(moved, self.size) if image.is_size_known else moved)

    def _record_bytes(self, image: SourceImage) -> int:
        return image.record_bytes or self._request.record_bytes

    def _header(self, image: SourceImage, index: int, created: int, **place: object) -> FileHeader:
        with failing_as(Step.WRITE_HEADER, "the labels"):
            return FileHeader(
                copy_id=self.copy_id or "",
                host=image.host,
                unit=image.unit,
                image=image.name,
                image_bytes=image.size,
                modified=image.modified,
                fragment=index,
                fragments=len(image.fragments),
                fragment_name=image.fragments[index].name,
                record_bytes=self._record_bytes(image),
                created=created,
                attempt=self._attempt,
                expires=self._request.expires.date() if self._request.expires else NEVER,
                **place,  # type: ignore[arg-type]
            )

    # -- what is on tape is recorded at once ---------------------------------------------------------------------

    def _keep(self, trailer: FileTrailer) -> None:
        """A tape file is complete."""
        header = trailer.header
        with failing_as(Step.WRITE_TRAILER, "the catalog"):
            self._catalog.add_section(header.copy_id, header.fragment, header.fragment_name, section_of(trailer))
        if header.volume not in self.volumes:
            self.volumes.append(header.volume)

    def _commit(self, index: int, fragment: SourceFragment, size: int, digest: bytes) -> None:
        """All sections of a fragment are on tape: it is not lost any more, whatever comes."""
        assert self.copy_id is not None
        with failing_as(Step.WRITE_TRAILER, "the catalog"):
            self._catalog.commit_fragment(self.copy_id, index, size=size, digest=digest)

    # -- afterwards ----------------------------------------------------------------------------------------------

    async def _validate(self) -> None:
        assert self.copy_id is not None
        mode = self._request.validation
        if mode is Validation.NONE:
            return
        copy = self._catalog.copy(self.copy_id)
        what = "read back" if mode is Validation.DIGEST else "looked at by their labels"
        self._recorder.step(Step.VALIDATE, f"{len(copy.fragments)} fragments are {what}, on {_named(copy.volumes)}")
        try:
            await check_copy(
                copy, self._request.target, self._request.deadlines, self._recorder, supply=self._supply, mode=mode
            )
        except CopyBroken:
            self._recorder.copy_failed(self.copy_id)
            raise
        if mode is Validation.DIGEST and can_be_compared(copy):
            self._catalog.set_copy_state(self.copy_id, CopyState.VALID)
            self.is_valid = True


def _named(volumes: list[str] | tuple[str, ...]) -> str:
    return f"{'volume' if len(volumes) == 1 else 'volumes'} {', '.join(volumes)}"
