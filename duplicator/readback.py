"""Reads a copy back from its tape and compares it with what the read side said it had sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from duplicator.catalog import Copy, Fragment, Section
from duplicator.digests import ALGORITHMS, new_digest
from duplicator.failures import CopyBroken, failing_as
from duplicator.hostlink import HostSession, open_session
from duplicator.plan import Deadlines, Place, Step, Validation
from duplicator.reading import FragmentOnTape, TapeReader
from duplicator.recorder import Recorder
from duplicator.status import JobError, Status
from duplicator.supply import VolumeSupply
from duplicator.transfer import Stream, receive_all
from ndmp.enums import DigestAlgorithm, FseFeature
from ndmp.messages.extensions.fse import (
    FseNotifyTapeDigest,
    FseTapeDigestContinue,
    FseTapeDigestGetState,
    FseTapeDigestStart,
)

__all__ = ["ReadBack", "can_be_compared", "check_copy"]


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was found between the labels. ``clean``: all past ``size`` was zero."""

    size: int
    digest: bytes
    clean: bool


async def check_copy(
    copy: Copy,
    tape_place: Place,
    deadlines: Deadlines,
    recorder: Recorder,
    *,
    supply: VolumeSupply,
    mode: Validation = Validation.DIGEST,
) -> None:
    """Read every fragment of ``copy`` and compare, or its labels alone; JobError at the first difference.

    Of a copy that cannot be compared, sizes, records and labels are; the digest is told for later.
    """
    who = f"tape server {tape_place.url.host} port {tape_place.url.port}"
    async with open_session(tape_place, deadlines, step=Step.VALIDATE) as session:
        with failing_as(Step.VALIDATE, who):
            reader = TapeReader(session, recorder, supply)
            copy = await _readable(session, copy)
            read = _labels if mode is Validation.LABELS else await _way(session, copy, recorder)
            async with reader.tidied():
                await _check_fragments(copy, reader, read, recorder)


def can_be_compared(copy: Copy) -> bool:
    """Whether the source gave digests of what it sent."""
    return copy.algorithm != DigestAlgorithm.NONE


async def _readable(session: HostSession, copy: Copy) -> Copy:
    """The copy, with an algorithm by which it can be read back even if its source gave no digest."""
    if can_be_compared(copy):
        return copy
    info = await session.fse_info()
    offered = info.algorithms if info else ()
    return replace(copy, algorithm=next((known for known in ALGORITHMS if known in offered), ALGORITHMS[0]))


async def _way(session: HostSession, copy: Copy, recorder: Recorder) -> _Read:
    by_host = await _digests_tapes(session, copy.algorithm)
    way = "the tape host reads the tape" if by_host else "the tape is read through its mover"
    recorder.note(f"{way}, by {copy.algorithm.name} digests")
    return _by_host if by_host else _by_mover


async def _check_fragments(copy: Copy, reader: TapeReader, read: _Read, recorder: Recorder) -> None:
    done = 0
    for fragment in copy.fragments:
        on_tape = FragmentOnTape(reader, copy, fragment)
        await on_tape.begin()
        try:
            found = await read(copy, fragment, reader, on_tape, _after(recorder, done))
        except JobError as error:
            raise CopyBroken(error.reason) if error.status == Status.MEDIA_READ_ERROR else error from None
        _compare(found, fragment)
        done += fragment.size
        recorder.progress(done)
        what = _told(found, fragment)
        recorder.note(
            f"fragment {fragment.index + 1} of {len(copy.fragments)}: {fragment.size} bytes {_where(fragment)}, {what}"
        )


def _told(found: ReadBack | None, fragment: Fragment) -> str:
    if found is None:
        return "labels as written"
    if fragment.digest:
        return f"digest {found.digest.hex()} as sent"
    return f"digest {found.digest.hex()}; its source gave none, so there is nothing to compare it with"


def _where(fragment: Fragment) -> str:
    return " and ".join(f"on volume {s.volume}, file {s.file_sequence}" for s in fragment.sections)


def _after(recorder: Recorder, done: int) -> Callable[[int], None]:
    """Progress of one fragment as progress of the copy."""
    return lambda moved: recorder.progress(done + moved)


async def _digests_tapes(session: HostSession, algorithm: DigestAlgorithm) -> bool:
    info = await session.fse_info()
    return info is not None and FseFeature.TAPE_DIGEST in info.features and algorithm in info.algorithms


def _compare(found: ReadBack | None, fragment: Fragment) -> None:
    if found is None:
        return
    is_other = bool(fragment.digest) and found.digest != fragment.digest
    differs = [
        *([f"{found.size} bytes, not {fragment.size}"] if found.size != fragment.size else []),
        *(["the padding of the last record is not zero"] if not found.clean else []),
        *([f"digest {found.digest.hex()}, not {fragment.digest.hex()}"] if is_other else []),
    ]
    if differs:
        raise CopyBroken(f"fragment {fragment.index + 1} {_where(fragment)}: {'; '.join(differs)}")


async def _labels(
    copy: Copy, fragment: Fragment, reader: TapeReader, on_tape: FragmentOnTape, progress: Callable[[int], None]
) -> None:
    """Only pass over the data, from the labels before to those after it."""
    await reader.skip()
    while await on_tape.more():
        await reader.skip()


async def _by_host(
    copy: Copy, fragment: Fragment, reader: TapeReader, on_tape: FragmentOnTape, progress: Callable[[int], None]
) -> ReadBack:
    """Have the tape's own host digest it: only the result crosses the network."""
    size, clean, session = 0, True, reader.session
    while True:
        section = on_tape.section
        if section is fragment.sections[0]:
            await session.call(FseTapeDigestStart(copy.algorithm, section.size, copy.record_bytes))
        else:
            await session.call(FseTapeDigestContinue(section.size, copy.record_bytes))
        found = await _outcome(copy, section, reader, progress)
        size, clean = size + found.size, clean and found.padding_clean
        if not await on_tape.more():
            return ReadBack(size, found.digest, clean)


async def _outcome(
    copy: Copy, section: Section, reader: TapeReader, progress: Callable[[int], None]
) -> FseNotifyTapeDigest:
    session = reader.session

    async def bytes_done() -> int:
        return (await session.call(FseTapeDigestGetState())).bytes_done

    reader.is_digesting = True
    stream = Stream(
        reader.notices,
        bytes_done,
        lambda done: progress(section.offset + done),
        step=Step.VALIDATE,
        stall=session.deadlines.stall,
    )
    outcome = await stream.digest(reader.mover)
    reader.is_digesting = False
    where = f"file {section.file_sequence} of volume {section.volume}"
    if outcome.error:
        raise CopyBroken(f"{session.name} could not read {where} back: {outcome.error.name}")
    if (outcome.algorithm, outcome.records) != (copy.algorithm, section.blocks):
        found = f"{outcome.records} records, digest by {outcome.algorithm.name}"
        raise CopyBroken(f"{session.name} read {found} from {where}, not {section.blocks} by {copy.algorithm.name}")
    return outcome


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


async def _by_mover(
    copy: Copy, fragment: Fragment, reader: TapeReader, on_tape: FragmentOnTape, progress: Callable[[int], None]
) -> ReadBack:
    """Have the tape's mover send it here."""
    comparer = _Comparer(copy.algorithm, fragment.size)
    await receive_all(
        reader.mover,
        reader.notices,
        comparer.take,
        record_bytes=copy.record_bytes,
        progress=lambda moved: progress(min(moved, fragment.size)),
        step=Step.VALIDATE,
        more=on_tape.more_for_mover,
    )
    return comparer.found()


_Read: TypeAlias = Callable[
    [Copy, Fragment, TapeReader, FragmentOnTape, Callable[[int], None]], Awaitable[ReadBack | None]
]
