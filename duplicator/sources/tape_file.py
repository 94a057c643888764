"""A tape file that another product wrote, sent as it is by its tape server's mover: from tape to tape."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from duplicator.failures import failing_as
from duplicator.hostlink import open_session
from duplicator.labels import FileLabel1, LabelError, parse_label
from duplicator.plan import Deadlines, Place, Route, Step
from duplicator.reading import TapeReader
from duplicator.recorder import Recorder
from duplicator.sources.source import Sent, SourceFragment, SourceImage
from duplicator.sources.tape import SendingTape
from duplicator.status import JobError, Status
from duplicator.supply import TapeInDrive
from duplicator.tape_side import TapeSide
from duplicator.volume_labels import VolumeKind, VolumeLabel
from ndmp.enums import DigestAlgorithm
from ndmp.messages.mover import TcpAddresses

__all__ = ["TapeFileSource"]

_MARKS_PER_FILE: Final = 3
"""Of a volume with ANSI labels."""
_LONGEST: Final = 256 * 1024
"""Bytes asked for to see how long a record is: as much as ndmjob takes."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What lies there: its data begins behind ``marks`` filemarks."""

    name: str
    modified: int
    marks: int
    record_bytes: int = 0
    records: int = 0

    def audit(self, moved: int, who: str) -> None:
        """JobError unless so many bytes can be these records: all as long as the first, but for the last one."""
        if (self.records - 1) * self.record_bytes < moved <= self.records * self.record_bytes:
            return
        expected = f"{self.records} records of {self.record_bytes} bytes"
        reason = f"{who}: {moved} bytes came of {expected}: their lengths differ, and the copy would not keep them"
        raise JobError(Status.MEDIA_READ_ERROR, step=Step.MOVE.value, reason=reason)


class TapeFileSource:
    """Implements :class:`Source` for tape file ``number``, from 1, of the tape in the drive ``place``.

    With ANSI labels it is the labelled file of that number, else what lies behind one filemark less. Nobody digests it,
    so the copy can be read back but not compared (docs/routes.md).
    """

    route = Route.DIRECTCOPY

    def __init__(
        self, place: Place, number: int, deadlines: Deadlines, *, now: Callable[[], float] = time.time
    ) -> None:
        self._place = place
        self._number = number
        self._deadlines = deadlines
        self._now = now
        self._found = _Found("", 0, 0)

    async def describe(self, recorder: Recorder) -> SourceImage:
        """See Source; the tape is looked at, and given back."""
        url = self._place.url
        recorder.step(Step.CHECK_IMAGE, f"what is tape file {self._number} of the tape in {url}?")
        async with open_session(self._place, self._deadlines, step=Step.CHECK_IMAGE, extended=False) as session:
            tape = TapeSide(session)
            with failing_as(Step.CHECK_IMAGE, session.name):
                await tape.mount()
                try:
                    label, self._found = await self._look(tape)
                finally:
                    await tape.close()
        found = self._found
        what = f"{found.records} records of {found.record_bytes} bytes, behind {found.marks} filemarks"
        recorder.note(f"{label.kind.value}: {what}; nobody digests them, so the copy will not be compared")
        return SourceImage(
            host=f"{url.host}:{url.port}",
            unit=label.volume or "tape",
            name=found.name,
            modified=found.modified,
            fragments=(SourceFragment("", None),),
            algorithm=DigestAlgorithm.NONE,
            record_bytes=found.record_bytes,
        )

    async def _look(self, tape: TapeSide) -> tuple[VolumeLabel, _Found]:
        label = await tape.identify()
        if label is None:
            raise _nothing("the tape is blank")
        if label.ours:
            raise _nothing(f"volume {label.volume} is ours: what it holds is copied by the id of its copy")
        found = await (self._labelled(tape, label) if label.kind is VolumeKind.ANSI else self._plain(label))
        return label, await self._measured(tape, found, is_labelled=label.kind is VolumeKind.ANSI)

    async def _plain(self, label: VolumeLabel) -> _Found:
        name = f"{label.volume or self._place.url.host}.file{self._number}"
        return _Found(_as_name(name), int(self._now()), self._number - 1)

    async def _labelled(self, tape: TapeSide, label: VolumeLabel) -> _Found:
        """By the header labels, which come behind the volume's or behind the trailer of the file before."""
        before = (self._number - 1) * _MARKS_PER_FILE
        if before:
            await tape.rewind()
            await tape.skip_marks(before)
        header = _first_label(await tape.read_labels(), "HDR1")
        name = _as_name(f"{label.volume}.{self._number}.{header.file_id}")
        return _Found(name, _seconds(header.created) or int(self._now()), before + 1)

    async def _measured(self, tape: TapeSide, found: _Found, *, is_labelled: bool) -> _Found:
        """Look how long the first record is, and count them; with labels, see that these count the same."""
        await tape.rewind()
        await tape.skip_marks(found.marks)
        block = await tape.read_block(_LONGEST)
        if not block:
            raise _nothing(f"tape file {self._number} holds no data")
        records = 1 + await tape.count_records()
        if is_labelled:
            await tape.rewind()
            await tape.skip_marks(found.marks + 1)
            trailer = _first_label(await tape.read_labels(), "EOF1")
            if trailer.blocks != records % 1_000_000:
                raise LabelError(f"EOF1 counts {trailer.blocks} blocks, and there are {records}")
        return _Found(found.name, found.modified, found.marks, len(block), records)

    @asynccontextmanager
    async def opened(self, image: SourceImage, recorder: Recorder) -> AsyncIterator[_TapeFile]:
        """See Source."""
        url = self._place.url
        recorder.step(Step.READ_SESSION, f"tape server of the source, {url.host} port {url.port}")
        async with open_session(self._place, self._deadlines, step=Step.READ_SESSION, extended=False) as session:
            reader = TapeReader(session, recorder, TapeInDrive(), is_source=True)
            with failing_as(Step.CLOSE, reader.mover.name):
                async with reader.tidied():
                    yield _TapeFile(reader, self._found, recorder)


class _TapeFile:
    """Implements :class:`OpenSource`: one stream, of a length that its end tells."""

    is_changing = False

    def __init__(self, reader: TapeReader, found: _Found, recorder: Recorder) -> None:
        self.name = reader.mover.name
        self._tape = reader.tape
        self._sender = SendingTape(reader, recorder)
        self._found = found
        self._recorder = recorder

    async def prepare(self, index: int, *, size: int | None) -> None:
        """See OpenSource."""
        self._recorder.step(Step.READ_OPEN, f"go behind {self._found.marks} filemarks")
        with failing_as(Step.READ_OPEN, self.name):
            await self._tape.mount()
            await self._tape.rewind()
            await self._tape.skip_marks(self._found.marks)

    async def begin(self, *, address: TcpAddresses, record_bytes: int) -> None:
        """See OpenSource."""
        await self._sender.begin(address, record_bytes)

    async def send(self, taken_up: Callable[[], Awaitable[None]]) -> Sent:
        """See OpenSource."""

        async def no_more() -> bool:
            return False

        with failing_as(Step.MOVE, self.name):
            moved = await self._sender.send(taken_up, no_more)
        self._found.audit(moved, self.name)
        return Sent(moved, b"")

    async def finish(self) -> None:
        """See OpenSource."""
        await self._sender.finish()


def _first_label(blocks: list[bytes], kind: str) -> FileLabel1:
    """The first label of a group; LabelError if it is another."""
    first = parse_label(blocks[0]) if blocks else None
    if isinstance(first, FileLabel1) and first.id == kind:
        return first
    if isinstance(first, FileLabel1) and first.id == "EOV1":
        raise LabelError("the file goes on on another volume, so it is not copied")
    found = repr(blocks[0][:4]) if blocks else "a filemark"
    raise LabelError(f"a group of labels begins with {found}, not with {kind}")


def _as_name(text: str) -> str:
    """As the name of an image may be."""
    return re.sub("[/\0]", "_", text).strip().lstrip(".")


def _seconds(day: date | None) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) if day else 0


def _nothing(reason: str) -> JobError:
    return JobError(Status.NOTHING_MATCHES, step=Step.CHECK_IMAGE.value, reason=reason)
