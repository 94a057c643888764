"""Duplicates one image to tape, in the order in which the field does it. See docs/architecture.md."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import AsyncExitStack

from duplicator.catalog import Catalog, CatalogError, CopyState, Fragment, JobKind, Section, VolumeState
from duplicator.digests import ALGORITHMS
from duplicator.failures import CopyBroken, failing_as
from duplicator.file_side import FileSide
from duplicator.hostlink import HostSession, open_session
from duplicator.job import recorded, result
from duplicator.labels import FileHeader, FileTrailer, VolumeLabel
from duplicator.mover_side import Notice
from duplicator.plan import CopyRequest, JobResult, Step
from duplicator.readback import check_copy
from duplicator.recorder import Recorder, Watcher
from duplicator.sides import ReadSide, WriteSide
from duplicator.status import JobError, Status
from duplicator.tape_side import TapeEnd
from duplicator.transfer import Stream, explained
from ndmp.enums import DigestAlgorithm, FseFeature
from ndmp.messages.extensions.fse import FseGetImageReply

__all__ = ["duplicate"]


async def duplicate(request: CopyRequest, catalog: Catalog, watcher: Watcher) -> JobResult:
    """Copy one image and validate the copy; how it went is in the result and in the catalog.

    When cancelled it cleans up, records that, and raises CancelledError.
    """
    source, target = str(request.source.url), str(request.target.url)
    job_id = catalog.start_job(JobKind.DUPLICATE, image=request.image, source=source, target=target)
    recorder = Recorder(catalog, job_id, watcher)
    work = _Duplication(request, catalog, recorder)
    async with recorded(recorder) as outcome:
        await work.run()
    return result(
        recorder,
        outcome,
        image=request.image,
        copy_id=work.copy_id,
        volumes=[work.volume] if work.volume else [],
        size=work.size,
        move_seconds=work.move_seconds,
    )


class _Duplication:
    """One run. The attributes say how far it came, for the record and for cleaning up."""

    def __init__(self, request: CopyRequest, catalog: Catalog, recorder: Recorder) -> None:
        self._request = request
        self._catalog = catalog
        self._recorder = recorder
        self._notices: asyncio.Queue[Notice] = asyncio.Queue()
        self.copy_id: str | None = None
        self.volume = ""
        self.size = 0
        self.move_seconds = 0.0
        self._is_kept = False

    async def run(self) -> None:
        """All steps; JobError at the first that fails. The copy is failed, unless it is whole and its tape not read."""
        try:
            image, algorithm = await self._check_source()
            fragments = await self._write(image, algorithm)
        except BaseException:
            if self.copy_id and not self._is_kept:
                self._recorder.copy_failed(self.copy_id)
            raise
        await self._validate(fragments)
        self._recorder.step(Step.DONE, f"copy {self.copy_id} on volume {self.volume} is valid")

    # -- before anything is touched ------------------------------------------------------------------------------

    async def _check_source(self) -> tuple[FseGetImageReply, DigestAlgorithm]:
        request, recorder = self._request, self._recorder
        recorder.step(Step.CHECK_IMAGE, f"is image {request.image!r} in {request.source.url}?")
        async with open_session(request.source, request.deadlines, step=Step.CHECK_IMAGE) as session:
            files = FileSide(session)
            image = await self._find_image(files)
            recorder.step(Step.CHECK_EXTENSION, f"what does the file service of {session.name} offer?")
            with failing_as(Step.CHECK_EXTENSION, session.name):
                offered = await files.require(FseFeature.FILES_READ, Step.CHECK_EXTENSION)
            algorithm = self._choose_digest(offered, session)
            recorder.note(f"class version {max(session.extensions.values())}, digest {algorithm.name}")
        if image is None:
            reason = f"{session.name} cannot be asked for images"
            raise JobError(Status.NO_STORAGE_UNIT, step=Step.CHECK_EXTENSION.value, reason=reason)
        self._begin_copy(image, algorithm)
        return image, algorithm

    async def _find_image(self, files: FileSide) -> FseGetImageReply | None:
        """The image; None where the host cannot be asked, which the next step tells."""
        with failing_as(Step.CHECK_IMAGE, files.session.name):
            info = await files.session.fse_info()
            if info is None or FseFeature.FILES_READ not in info.features:
                return None
            await files.check_unit(Step.CHECK_IMAGE)
            image = await files.image(self._request.image)
        if not image.fragments:
            reason = f"image {self._request.image!r} has no fragments: there is nothing to copy"
            raise JobError(Status.NOTHING_MATCHES, step=Step.CHECK_IMAGE.value, reason=reason)
        self.size = sum(fragment.size for fragment in image.fragments)
        self._recorder.note(f"it is there: {self.size} bytes in {len(image.fragments)} fragments")
        self._recorder.expect(self.size)
        return image

    def _choose_digest(self, offered: tuple[DigestAlgorithm, ...], session: HostSession) -> DigestAlgorithm:
        wanted = self._request.algorithm
        if wanted in offered:
            return wanted
        known = [algorithm for algorithm in offered if algorithm in ALGORITHMS]
        if wanted is None and known:
            return known[0]
        names = ", ".join(algorithm.name for algorithm in offered) or "none"
        reason = f"{session.name} computes no {wanted.name if wanted else ''} digest; it offers: {names}"
        raise JobError(Status.NDMP_FAILURE, step=Step.CHECK_EXTENSION.value, reason=reason)

    def _begin_copy(self, image: FseGetImageReply, algorithm: DigestAlgorithm) -> None:
        url = self._request.source.url
        known = self._catalog.record_image(
            host=f"{url.host}:{url.port}",
            unit=url.path,
            name=self._request.image,
            size=self.size,
            modified=image.modified,
            fragments=len(image.fragments),
        )
        self.copy_id = self._catalog.start_copy(
            image_id=known.id,
            job_id=self._recorder.job_id,
            tape_url=str(self._request.target.url),
            algorithm=algorithm,
            record_bytes=self._request.record_bytes,
            copy_id=str(uuid.uuid4()),
        )

    # -- both sides ----------------------------------------------------------------------------------------------

    async def _write(self, image: FseGetImageReply, algorithm: DigestAlgorithm) -> list[Fragment]:
        target = self._request.target
        self._recorder.step(Step.WRITE_SESSION, f"tape server {target.url.host} port {target.url.port}")
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(
                open_session(target, self._request.deadlines, step=Step.WRITE_SESSION)
            )
            login = f"logged in as {target.url.user} by {session.auth.name}"
            self._recorder.note(f"NDMP version {session.version}, {login}")
            writer = WriteSide(session, self._notices, self._recorder)
            async with writer.tidied():
                await self._mount(writer)
                fragments = await self._write_fragments(writer, image, algorithm, stack)
                self._recorder.step(Step.CLOSE, "both sides close")
                self._keep(fragments)
                writer.is_unfinished = False
                with failing_as(Step.CLOSE, writer.mover.name):
                    await writer.tape.close()
        return fragments

    async def _mount(self, writer: WriteSide) -> None:
        recorder = self._recorder
        recorder.step(Step.WRITE_MOUNT, f"tape in drive {writer.tape.device}")
        with failing_as(Step.WRITE_MOUNT, writer.mover.name):
            label = await writer.mount()
        self._check_volume(label)
        recorder.step(Step.WRITE_OPEN, f"open {f'volume {label.volume}' if label else 'the blank tape'} for writing")
        with failing_as(Step.WRITE_OPEN, writer.mover.name):
            await writer.reopen(label)
        recorder.step(Step.WRITE_POSITION, "find the end of the volume")
        with failing_as(Step.WRITE_POSITION, writer.mover.name):
            self.volume = label.volume if label else await self._label(writer)
            end = await writer.position(self.volume, self._is_failed)
        self._know_volume(end)
        recorder.note(f"volume {self.volume}: {end.files} files are there; the next one is {end.files + 1}")

    def _check_volume(self, label: VolumeLabel | None) -> None:
        """JobError when this tape must not be written, or is not the one that was asked for."""
        wanted = self._request.volume
        step = Step.WRITE_MOUNT.value
        if label is None:
            if wanted and self._catalog.volume(wanted):
                reason = f"the tape is blank, and the catalog knows volume {wanted} already: that is another tape"
                raise JobError(Status.WRONG_TAPE, step=step, reason=reason)
            return
        if not label.ours:
            reason = f"the tape holds {label.kind.value} {label.volume}".rstrip() + "; it is not overwritten"
            raise JobError(Status.MEDIA_PROTECTED, step=step, reason=reason)
        if wanted and wanted != label.volume:
            reason = f"volume {wanted} was asked for, and {label.volume} is in the drive"
            raise JobError(Status.WRONG_TAPE, step=step, reason=reason)
        known = self._catalog.volume(label.volume)
        if known and known.state is not VolumeState.APPENDABLE:
            reason = f"volume {label.volume} takes no more files: it is {known.state.value}"
            raise JobError(Status.NO_MEDIA, step=step, reason=reason)

    async def _label(self, writer: WriteSide) -> str:
        """Make a blank tape a volume. Its name is taken in the catalog first, so no other tape gets it.

        It stays taken if labelling fails: the label may be on the tape already.
        """
        url = str(self._request.target.url)
        volume = self._catalog.reserve_volume(url, self._request.volume)
        await writer.tape.label_volume(volume)
        self._recorder.note(f"the tape was blank; it is volume {volume} now")
        return volume

    def _is_failed(self, copy_id: str) -> bool:
        """Whether the catalog knows that this copy came to nothing."""
        try:
            return self._catalog.copy(copy_id).state is CopyState.FAILED
        except CatalogError:
            return False

    def _know_volume(self, end: TapeEnd) -> None:
        """Note where the volume is; JobError when it holds fewer files than the catalog knows: it is an older tape."""
        url = str(self._request.target.url)
        known = self._catalog.volume(self.volume)
        if known is None:
            self._catalog.add_volume(self.volume, tape_url=url)
        elif end.files < known.files:
            reason = (
                f"volume {self.volume} has {end.files} files, and the catalog knows {known.files}; nothing was written"
            )
            raise JobError(Status.MEDIA_POSITION_ERROR, step=Step.WRITE_POSITION.value, reason=reason)
        self._catalog.update_volume(self.volume, tape_url=url, files=end.files)

    async def _write_fragments(
        self, writer: WriteSide, image: FseGetImageReply, algorithm: DigestAlgorithm, stack: AsyncExitStack
    ) -> list[Fragment]:
        reader: ReadSide | None = None
        written: list[Fragment] = []
        for index in range(len(image.fragments)):
            header = self._header(image, index, writer.end.files + index + 1)
            address = await writer.begin(header)
            if reader is None:
                reader = await self._read_side(algorithm, stack)
            try:
                await reader.begin(self._request, index, size=image.fragments[index].size, address=address)
            except JobError as error:
                raise await explained(error, self._notices) from error
            trailer = await self._move(header, reader, writer, done=sum(f.size for f in written))
            await writer.finish(trailer)
            written.append(_fragment(trailer, self.volume))
        return written

    async def _read_side(self, algorithm: DigestAlgorithm, stack: AsyncExitStack) -> ReadSide:
        source = self._request.source
        self._recorder.step(Step.READ_SESSION, f"appliance {source.url.host} port {source.url.port}")
        session = await stack.enter_async_context(open_session(source, self._request.deadlines, step=Step.READ_SESSION))
        reader = ReadSide(session, algorithm, self._notices, self._recorder)
        await stack.enter_async_context(reader.tidied())
        with failing_as(Step.READ_SESSION, reader.mover.name):
            await reader.files.require(FseFeature.FILES_READ, Step.READ_SESSION)
        return reader

    def _header(self, image: FseGetImageReply, index: int, sequence: int) -> FileHeader:
        url = self._request.source.url
        with failing_as(Step.WRITE_HEADER, "the labels"):
            return FileHeader(
                file_set=self.volume,
                sequence=sequence,
                copy_id=self.copy_id or "",
                host=f"{url.host}:{url.port}",
                unit=url.path,
                image=self._request.image,
                image_bytes=self.size,
                modified=image.modified,
                fragment=index,
                fragments=len(image.fragments),
                fragment_name=image.fragments[index].name,
                record_bytes=self._request.record_bytes,
                created=int(time.time()),
            )

    async def _move(self, header: FileHeader, reader: ReadSide, writer: WriteSide, *, done: int) -> FileTrailer:
        """Data flows, host to host, until both movers have halted."""
        self._recorder.step(Step.MOVE, f"fragment {header.fragment + 1} of {header.fragments} flows, host to host")
        stream = Stream(
            self._notices,
            writer.bytes_moved,
            lambda moved: self._recorder.progress(min(done + moved, self.size)),
            step=Step.MOVE,
            deadlines=self._request.deadlines,
        )
        began = time.monotonic()
        with failing_as(Step.MOVE, reader.mover.name):
            await reader.mover.send_all(to=writer.mover)
            await stream.end_of_source(reader.mover)
            size, digest = await reader.sent()
            await reader.mover.end_stream()
        with failing_as(Step.MOVE, writer.mover.name):
            await stream.end_of_all(reader.mover, writer.mover)
            self.move_seconds += time.monotonic() - began
            await writer.check_moved(size, header.record_bytes)
            await writer.mover.stop()
        with failing_as(Step.MOVE, reader.mover.name):
            await reader.finish()
        self._recorder.progress(done + size)
        blocks = -(-size // header.record_bytes)
        return FileTrailer(header=header, blocks=blocks, size=size, algorithm=reader.algorithm, digest=digest)

    def _keep(self, fragments: list[Fragment]) -> None:
        assert self.copy_id is not None
        with failing_as(Step.CLOSE, "the catalog"):
            self._catalog.add_fragments(self.copy_id, fragments)
            self._catalog.set_copy_state(self.copy_id, CopyState.WRITTEN)
        self._is_kept = True

    async def _validate(self, fragments: list[Fragment]) -> None:
        assert self.copy_id is not None
        self._recorder.step(Step.VALIDATE, f"read {len(fragments)} fragments back from volume {self.volume}")
        copy = self._catalog.copy(self.copy_id)
        try:
            await check_copy(copy, self._request.target, self._request.deadlines, self._recorder)
        except CopyBroken:
            self._recorder.copy_failed(self.copy_id)
            raise
        self._catalog.set_copy_state(self.copy_id, CopyState.VALID)


def _fragment(trailer: FileTrailer, volume: str) -> Fragment:
    only = Section(
        number=1,
        volume=volume,
        file_sequence=trailer.header.sequence,
        offset=0,
        size=trailer.size,
        blocks=trailer.blocks,
        first_block=None,
    )
    header = trailer.header
    return Fragment(header.fragment, header.fragment_name, trailer.size, trailer.digest, (only,))
