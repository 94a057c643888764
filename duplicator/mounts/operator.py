"""Volumes into a drive by an operator, who is told what is wanted and has until the mount deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from duplicator.drives import DriveSpec
from duplicator.failures import TapePositionError
from duplicator.mounts.protocol import Note
from duplicator.mounts.refusals import refusal
from duplicator.mounts.tapes import POLL, PlaceOf, Tapes
from duplicator.plan import Deadlines
from duplicator.status import Status
from duplicator.tape_side import TapeSide
from duplicator.volume_labels import VolumeLabel
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import NdmpError, ReplyError

if TYPE_CHECKING:
    from scsi.changer_survey import Inventory
    from scsi.elements import Element

__all__ = ["Accept", "OperatorMounts"]

_UNREADABLE: Final = (Error.IO, Error.EOF, Error.EOM)
"""What a host says of a tape that it cannot read, as opposed to a drive that cannot be used."""

Accept: TypeAlias = Callable[[str | None, VolumeLabel | None], bool]
"""Whether what is in the drive (None: a blank tape) will do for the volume that is wanted (None: any that fits)."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is in a drive: whether it is what is wanted, the status if it stays there, and the words for it."""

    fits: bool
    status: Status
    words: str


_EMPTY: Final = _Seen(False, Status.MEDIA_OPEN_ERROR, "the drive is empty")
_IN_USE: Final = _Seen(False, Status.MEDIA_OPEN_ERROR, "the drive is in use")


class OperatorMounts:
    """Implements :class:`duplicator.mounts.protocol.Mounts` for drives without a robot."""

    def __init__(
        self,
        drives: Sequence[DriveSpec],
        *,
        place_of: PlaceOf,
        deadlines: Deadlines | None = None,
        ask: Note | None = None,
        accept: Accept | None = None,
        poll: float = POLL,
    ) -> None:
        """``ask`` is told once what an operator is to do; ``poll``: seconds between two looks into the drive.

        Unless ``accept`` says otherwise, the named volume will do, or a blank tape where none is named.
        """
        self._drives = drives
        self._deadlines = deadlines or Deadlines()
        self._tapes = Tapes(place_of, self._deadlines)
        self._ask = ask
        self._accept = accept or _is_wanted
        self._poll = poll

    async def mount(self, drive: DriveSpec, volume: str | None, *, note: Note) -> None:
        """See Mounts; None: a blank tape, or what is accepted. A wrong tape is told, and the wait goes on."""
        wanted = f"volume {volume}" if volume else "a blank tape or one with room"
        end, told = time.monotonic() + self._deadlines.mount, _EMPTY
        async with self._tapes.session(drive) as session:
            tape = TapeSide(session)
            seen = await self._look(tape, volume)
            if not seen.fits:
                self._request(f"mount {wanted} in drive {drive.name} of host {drive.url.host}", note)
            while not seen.fits:
                if seen != told:
                    note(f"drive {drive.name}: {seen.words}; {wanted} is waited for")
                told = seen
                if time.monotonic() + self._poll > end:
                    raise refusal(seen.status, self._late(drive, wanted, seen))
                await asyncio.sleep(self._poll)
                seen = await self._look(tape, volume)
        note(f"drive {drive.name}: {seen.words}")

    async def dismount(self, drive: DriveSpec, *, note: Note) -> None:
        """See Mounts; the tape is given out, and taking it away is left to the operator."""
        await self._tapes.give_out(drive, note=note)

    async def inventory(self) -> Inventory:
        """See Mounts: the drives by their numbers in the list, each with the label of its tape for a barcode."""
        from scsi.changer_survey import Inventory  # not by every job: its start waits for it

        return Inventory([await self._element(number, drive) for number, drive in enumerate(self._drives)])

    async def _element(self, number: int, drive: DriveSpec) -> Element:
        from scsi.elements import Element, ElementType, VolumeTag

        async with self._tapes.session(drive) as session:
            label, full = "", True
            tape = TapeSide(session)
            try:
                found = await self._identify(tape)
                label = found.volume if found else ""
            except ReplyError as error:
                if error.error == Error.NO_TAPE_LOADED:
                    full = False
                elif error.error not in (*_UNREADABLE, Error.DEVICE_BUSY):
                    raise
            except TapePositionError:
                pass
        return Element(ElementType.DRIVE, number, full=full, access=True, tag=VolumeTag(label))

    def _request(self, words: str, note: Note) -> None:
        note(words)
        if self._ask:
            self._ask(words)

    async def _look(self, tape: TapeSide, volume: str | None) -> _Seen:
        try:
            label = await self._identify(tape)
        except ReplyError as error:
            if error.error == Error.NO_TAPE_LOADED:
                return _EMPTY
            if error.error == Error.DEVICE_BUSY:
                return _IN_USE
            if error.error in _UNREADABLE:
                return _Seen(False, Status.WRONG_TAPE, f"its tape cannot be read ({error.error.name})")
            raise
        except TapePositionError as error:
            return _Seen(False, Status.WRONG_TAPE, str(error))
        return self._judge(label, volume)

    def _judge(self, label: VolumeLabel | None, volume: str | None) -> _Seen:
        words = f"volume {label.volume or 'without a name'} ({label.kind.value})" if label else "a blank tape"
        return _Seen(self._accept(volume, label), Status.WRONG_TAPE, f"{words} is in it")

    async def _identify(self, tape: TapeSide) -> VolumeLabel | None:
        """Open the drive only as long as it takes: an operator opens its door meanwhile."""
        await tape.open(TapeOpenMode.READ)
        try:
            return await tape.recognise()
        finally:
            with suppress(NdmpError, TimeoutError):
                await tape.close()

    def _late(self, drive: DriveSpec, wanted: str, seen: _Seen) -> str:
        return (
            f"{wanted} did not come into drive {drive.name} of host {drive.url.host} within "
            f"{self._deadlines.mount:g} s: {seen.words}; mount it, then run the job again"
        )


def _is_wanted(volume: str | None, label: VolumeLabel | None) -> bool:
    if volume is None or label is None:
        return volume is None and label is None
    return label.ours and label.volume == volume
