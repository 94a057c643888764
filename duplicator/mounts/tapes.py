"""The tape in a drive, while volumes are mounted: whether it is there, whose it is, giving it out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from duplicator.drives import DriveSpec
from duplicator.failures import failing_as
from duplicator.hostlink import HostSession, open_session
from duplicator.mounts.protocol import Note
from duplicator.mounts.refusals import refusal
from duplicator.plan import Deadlines, Place, Step
from duplicator.status import Status
from duplicator.tape_side import TapeSide
from duplicator.urls import NdmpUrl
from duplicator.volume_labels import VolumeLabel
from ndmp.aio.methods import TapeMethods
from ndmp.enums import Error, TapeOpenMode, TapeOperation
from ndmp.errors import NdmpError, ReplyError

__all__ = ["POLL", "PlaceOf", "Tapes"]

POLL: Final = 2.0
"""Seconds between two questions to what tells nothing by itself."""
_UNABLE: Final = (Error.NOT_SUPPORTED, Error.ILLEGAL_ARGS)

PlaceOf: TypeAlias = Callable[[NdmpUrl], Place]
"""Finds the password and the trust for a host."""


@dataclass(frozen=True, slots=True)
class Tapes:
    """The drives of some hosts; each use has a session of its own."""

    place_of: PlaceOf
    deadlines: Deadlines = field(default_factory=Deadlines)

    @asynccontextmanager
    async def session(self, drive: DriveSpec) -> AsyncIterator[HostSession]:
        """A session with the drive's host; what fails within is the job's error."""
        who = f"drive {drive.name} of host {drive.url.host} port {drive.url.port}"
        async with open_session(
            self.place_of(drive.url), self.deadlines, step=Step.WRITE_MOUNT, extended=False
        ) as session:
            with failing_as(Step.WRITE_MOUNT, who):
                yield session

    async def give_out(self, drive: DriveSpec, *, note: Note) -> None:
        """Have the drive unload its tape, if it has one: most drives hold it fast until then."""
        async with self.session(drive) as session:
            methods = TapeMethods(session, deadline=self.deadlines.tape)
            try:
                await self._take(methods, drive, note)
            except ReplyError as error:
                if error.error == Error.NO_TAPE_LOADED:
                    return
                if error.error != Error.IO:
                    raise
                note(f"drive {drive.name} cannot open its tape ({error.error.name}): it is taken out as it is")
                return
            await self._unload(methods, drive, note)

    async def ready(self, drive: DriveSpec, *, element: str) -> None:
        """Wait until the tape that was put into the drive's ``element`` can be used."""
        async with self.session(drive) as session:
            tape = TapeSide(session)
            try:
                await self._open(tape, drive)
            except ReplyError as error:
                if error.error not in (Error.NO_TAPE_LOADED, Error.DEVICE_BUSY):
                    raise
                raise refusal(Status.MEDIA_OPEN_ERROR, self._why(drive, element, error.error)) from error
            await tape.close()

    async def label(self, drive: DriveSpec) -> VolumeLabel | None:
        """Whose tape is in the drive; None when it is blank."""
        async with self.session(drive) as session:
            tape = TapeSide(session)
            await tape.mount()
            try:
                return await tape.recognise()
            finally:
                with suppress(NdmpError, TimeoutError):
                    await tape.close()

    async def _open(self, tape: TapeSide, drive: DriveSpec) -> None:
        """A tape that was given out, and stayed in its drive, is drawn in by command alone."""
        try:
            await tape.open(TapeOpenMode.READ)
        except ReplyError as error:
            if error.error == Error.NO_TAPE_LOADED:
                await self._draw_in(TapeMethods(tape.session, deadline=self.deadlines.tape), drive)
            await tape.mount()

    async def _draw_in(self, methods: TapeMethods, drive: DriveSpec) -> None:
        from scsi.ssc import LoadUnload  # not by every job: its start waits for it

        load = LoadUnload(load=True)
        with suppress(ReplyError):
            await methods.open(drive.url.path, TapeOpenMode.RAW)
            try:
                await methods.execute(load.encode(), timeout_ms=round(load.timeout * 1000))
            finally:
                await methods.close()

    async def _take(self, methods: TapeMethods, drive: DriveSpec, note: Note) -> None:
        end, told = time.monotonic() + self.deadlines.mount, False
        while True:
            try:
                return await methods.open(drive.url.path, TapeOpenMode.READ)
            except ReplyError as error:
                if error.error != Error.DEVICE_BUSY:
                    raise
                if time.monotonic() > end:
                    raise refusal(Status.MEDIA_OPEN_ERROR, self._why(drive, "", error.error)) from error
            if not told:
                note(f"drive {drive.name} is in use; it is waited for up to {self.deadlines.mount:g} s")
            told = True
            await asyncio.sleep(min(POLL, self.deadlines.mount))

    async def _unload(self, methods: TapeMethods, drive: DriveSpec, note: Note) -> None:
        try:
            await methods.move(TapeOperation.OFF)
        except ReplyError as error:
            if error.error not in _UNABLE:
                raise
            note(f"drive {drive.name} unloads nothing by itself ({error.error.name})")
        finally:
            with suppress(NdmpError, TimeoutError):
                await methods.close()

    def _why(self, drive: DriveSpec, element: str, error: Error) -> str:
        seconds = f"for {self.deadlines.mount:g} s"
        if error == Error.DEVICE_BUSY:
            return (
                f"drive {drive.name} ({drive.url.path}) is in use {seconds}: end what uses it, then run the job again"
            )
        return (
            f"drive {drive.name} ({drive.url.path}) has no tape {seconds} after the library put one into {element}: "
            f"if the tape went into another drive, correct the number {drive.number} in the configuration; "
            "else look at the drive"
        )
