"""Reads a copy back from its tape and compares it with what the read side said it had sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from duplicator.catalog import Copy, Fragment
from duplicator.digests import new_digest
from duplicator.failures import CopyBroken, failing_as
from duplicator.hostlink import HostSession, open_session
from duplicator.labels import FileHeader, FileTrailer
from duplicator.plan import Deadlines, Place, Step
from duplicator.recorder import Recorder
from duplicator.sides import TapeReader
from duplicator.status import JobError, Status
from duplicator.transfer import Stream, receive_all
from ndmp.enums import DigestAlgorithm, FseFeature
from ndmp.messages.extensions.fse import FseTapeDigestGetState, FseTapeDigestStart

__all__ = ["ReadBack", "check_copy", "require_header", "require_trailer"]


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was found between the labels. ``clean``: all past ``size`` was zero."""

    size: int
    digest: bytes
    clean: bool


async def check_copy(copy: Copy, tape_place: Place, deadlines: Deadlines, recorder: Recorder) -> None:
    """Read every fragment of ``copy`` and compare; JobError at the first difference."""
    who = f"tape server {tape_place.url.host} port {tape_place.url.port}"
    async with open_session(tape_place, deadlines, step=Step.VALIDATE) as session:
        with failing_as(Step.VALIDATE, who):
            by_host = await _digests_tapes(session, copy.algorithm)
            way = "the tape host reads the tape" if by_host else "the tape is read through its mover"
            recorder.note(f"{way} and compares {copy.algorithm.name} digests")
            reader = TapeReader(session, recorder)
            async with reader.mounted():
                await _check_fragments(copy, reader, _by_host if by_host else _by_mover, recorder)


async def _check_fragments(copy: Copy, reader: TapeReader, read: _Read, recorder: Recorder) -> None:
    done = 0
    for fragment in copy.fragments:
        header = await reader.tape.find_file(fragment.file_sequence, fragment.volume)
        require_header(header, copy, fragment)
        try:
            found = await read(copy, fragment, reader, _after(recorder, done))
        except JobError as error:
            raise CopyBroken(error.reason) if error.status == Status.MEDIA_READ_ERROR else error from None
        _compare(found, fragment)
        require_trailer(await reader.tape.read_trailer(), fragment)
        done += fragment.size
        recorder.progress(done)
        recorder.note(
            f"fragment {fragment.index + 1} of {len(copy.fragments)}: {fragment.size} bytes on volume "
            f"{fragment.volume}, file {fragment.file_sequence}, digest {found.digest.hex()} as sent"
        )


def _after(recorder: Recorder, done: int) -> Callable[[int], None]:
    """Progress of one fragment as progress of the copy."""
    return lambda moved: recorder.progress(done + moved)


async def _digests_tapes(session: HostSession, algorithm: DigestAlgorithm) -> bool:
    info = await session.fse_info()
    return info is not None and FseFeature.TAPE_DIGEST in info.features and algorithm in info.algorithms


def require_header(header: FileHeader, copy: Copy, fragment: Fragment) -> None:
    """JobError unless the labels name this copy and this fragment."""
    if (header.copy_id, header.fragment) != (copy.id, fragment.index):
        reason = (
            f"file {fragment.file_sequence} of volume {fragment.volume} is fragment {header.fragment} of copy "
            f"{header.copy_id}, not fragment {fragment.index} of {copy.id}"
        )
        raise JobError(Status.WRONG_IMAGE_POSITION, step=Step.VALIDATE.value, reason=reason)


def _compare(found: ReadBack, fragment: Fragment) -> None:
    differs = [
        *([f"{found.size} bytes, not {fragment.size}"] if found.size != fragment.size else []),
        *(["the padding of the last record is not zero"] if not found.clean else []),
        *([f"digest {found.digest.hex()}, not {fragment.digest.hex()}"] if found.digest != fragment.digest else []),
    ]
    if differs:
        raise CopyBroken(f"fragment {fragment.index + 1} on volume {fragment.volume}: {'; '.join(differs)}")


def require_trailer(trailer: FileTrailer, fragment: Fragment) -> None:
    """CopyBroken unless the labels after the data tell what the catalog does."""
    if (trailer.size, trailer.blocks, trailer.digest) != (fragment.size, fragment.blocks, fragment.digest):
        raise CopyBroken(f"the trailer labels of file {fragment.file_sequence} on volume {fragment.volume} disagree")


async def _by_host(copy: Copy, fragment: Fragment, reader: TapeReader, progress: Callable[[int], None]) -> ReadBack:
    """Have the tape's own host digest it: only the result crosses the network."""
    session = reader.session

    async def bytes_done() -> int:
        return (await session.call(FseTapeDigestGetState())).bytes_done

    await session.call(FseTapeDigestStart(copy.algorithm, fragment.size, copy.record_bytes))
    reader.is_digesting = True
    stream = Stream(reader.notices, bytes_done, progress, step=Step.VALIDATE, deadlines=session.deadlines)
    outcome = await stream.digest(reader.mover)
    reader.is_digesting = False
    if outcome.error:
        name = outcome.error.name
        raise CopyBroken(f"{session.name} could not read fragment {fragment.index + 1} back: {name}")
    if (outcome.algorithm, outcome.records) != (copy.algorithm, fragment.blocks):
        found = f"{outcome.records} records, digest by {outcome.algorithm.name}"
        raise CopyBroken(f"{session.name} read {found}, not {fragment.blocks} by {copy.algorithm.name}")
    return ReadBack(outcome.size, outcome.digest, outcome.padding_clean)


class _Comparer:
    """Digests the first ``size`` bytes of a stream and looks at the padding after them."""

    def __init__(self, algorithm: DigestAlgorithm, size: int) -> None:
        self._digest = new_digest(algorithm)
        self._left = size
        self._size = size
        self._clean = True

    def take(self, chunk: memoryview) -> None:
        used = min(len(chunk), self._left)
        self._digest.update(chunk[:used])
        self._left -= used
        self._clean = self._clean and not any(chunk[used:])

    def found(self) -> ReadBack:
        return ReadBack(self._size - self._left, self._digest.digest(), self._clean)


async def _by_mover(copy: Copy, fragment: Fragment, reader: TapeReader, progress: Callable[[int], None]) -> ReadBack:
    """Have the tape's mover send it here."""
    comparer = _Comparer(copy.algorithm, fragment.size)
    await receive_all(
        reader.mover,
        reader.notices,
        comparer.take,
        record_bytes=copy.record_bytes,
        progress=lambda moved: progress(min(moved, fragment.size)),
        step=Step.VALIDATE,
    )
    return comparer.found()


_Read: TypeAlias = Callable[[Copy, Fragment, TapeReader, Callable[[int], None]], Awaitable[ReadBack]]
