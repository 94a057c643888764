"""Volumes into drives by a library's robot, which an NDMP host has as a SCSI device."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar

from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.failures import failing_as
from duplicator.hostlink import HostSession, open_session
from duplicator.mounts.carrying import Carrier, drive_at, find_volume, place_words
from duplicator.mounts.protocol import Note
from duplicator.mounts.refusals import refusal
from duplicator.mounts.tapes import POLL, PlaceOf, Tapes
from duplicator.mounts.transport import NdmpTransport
from duplicator.plan import Deadlines, Step
from duplicator.status import Status
from ndmp.aio.methods import ScsiMethods
from ndmp.enums import Error
from ndmp.errors import NdmpError, ReplyError
from scsi.changer import Changer
from scsi.changer_survey import Inventory
from scsi.elements import Element, ElementType
from scsi.errors import AccessDenied, Busy, CommandTimeout, ReservationConflict, ScsiError, TransportLost
from scsi.patience import Patience

__all__ = ["RobotMounts"]

_STATUSES: Final = (
    (TransportLost, Status.CONNECTION_BROKEN),
    (CommandTimeout, Status.CONNECTION_TIMED_OUT),
    (Busy, Status.MEDIA_OPEN_ERROR),
    (ReservationConflict, Status.MEDIA_OPEN_ERROR),
    (AccessDenied, Status.MEDIA_OPEN_ERROR),
    (ScsiError, Status.MOUNT_FAILED),
)
_SILENT: Final[Note] = lambda _: None  # noqa: E731

T = TypeVar("T")


class RobotMounts:
    """Implements :class:`duplicator.mounts.protocol.Mounts` for the drives of one library.

    The robot is taken for a look or a few movements, and given back: others share it. One at a time in this process.
    """

    def __init__(
        self,
        library: LibrarySpec,
        *,
        drives: Sequence[DriveSpec],
        place_of: PlaceOf,
        deadlines: Deadlines | None = None,
        last_seen: Callable[[str], str] | None = None,
    ) -> None:
        """``drives``: all of the library. ``last_seen``: where the catalog saw a volume, in words, or nothing."""
        self._library = library
        self._drives = {drive.number: drive for drive in drives}
        self._place_of = place_of
        self._deadlines = deadlines or Deadlines()
        self._tapes = Tapes(place_of, self._deadlines)
        self._last_seen = last_seen
        self._turn = asyncio.Lock()
        self._who = f"library {library.name} at host {library.url.host} port {library.url.port}"

    async def mount(self, drive: DriveSpec, volume: str | None, *, note: Note) -> None:
        """See Mounts; a volume in another drive of the library is fetched from there, if nobody uses it."""
        target = await self._have(drive, volume, note)
        await self._tapes.ready(drive, element=place_words(target))
        note(f"{f'volume {volume}' if volume else 'the tape'} is in drive {drive.name}")

    async def dismount(self, drive: DriveSpec, *, note: Note) -> None:
        """See Mounts; the cartridge goes to the slot it came from, or to a free one."""
        if drive_at(await self._look(note), drive.number).full:
            await self._tapes.give_out(drive, note=note)
            await self._carry(lambda carrier: carrier.put_away(drive.number), note)

    async def inventory(self) -> Inventory:
        """See Mounts."""
        return await self._look(_SILENT)

    async def _have(self, drive: DriveSpec, volume: str | None, note: Note) -> Element:
        """Have a volume in a drive's element, which is returned; None: whatever is there."""
        inventory = await self._look(note)
        target = drive_at(inventory, drive.number)
        if volume is None:
            if not target.full:
                raise refusal(Status.NO_MEDIA, f"drive {drive.name} is empty, and no volume is named")
            return target
        wanted = find_volume(inventory, volume)
        if wanted is None:
            await self._check_unlabelled(drive, target, volume, inventory)
        elif wanted.address != target.address:
            await self._fetch(inventory, wanted, target, note)
            await self._carry(lambda carrier: carrier.bring(volume, drive.number), note)
        return target

    async def _check_unlabelled(self, drive: DriveSpec, target: Element, volume: str, inventory: Inventory) -> None:
        """The volume may be in the drive all the same, with a barcode that cannot be read; JobError if it is not."""
        if target.full and not target.barcode:
            label = await self._tapes.label(drive)
            if label is not None and label.volume == volume:
                return
        raise refusal(Status.NO_MEDIA, self._missing(volume, inventory))

    async def _fetch(self, inventory: Inventory, wanted: Element, target: Element, note: Note) -> None:
        """Have every drive that takes part give its tape out."""
        drives = inventory.of(ElementType.DRIVE)
        for number, element in enumerate(drives):
            taking_part = element.address == wanted.address or (element.address == target.address and element.full)
            if taking_part and number in self._drives:
                await self._tapes.give_out(self._drives[number], note=note)

    def _missing(self, volume: str, inventory: Inventory) -> str:
        words = f"volume {volume} is not in library {self._library.name}"
        if seen := self._last_seen(volume) if self._last_seen else "":
            words += f"; last seen: {seen}"
        unread = [place_words(each) for each in inventory.elements if each.full and not each.barcode]
        if unread:
            words += f"; it may be a cartridge whose barcode cannot be read: {', '.join(unread)}"
        return words

    async def _look(self, note: Note) -> Inventory:
        return await self._use(Changer.inventory, note)

    async def _carry(self, work: Callable[[Carrier], None], note: Note) -> None:
        loop = asyncio.get_running_loop()

        def tell(words: str) -> None:
            loop.call_soon_threadsafe(note, words)

        await self._use(lambda changer: work(Carrier(changer, tell)), note)

    async def _use(self, work: Callable[[Changer], T], note: Note) -> T:
        """Open the changer, do some work with it in a thread, and close it. JobError."""
        patience = Patience(seconds=self._deadlines.mount)
        async with self._turn, self._opened(note) as session:
            transport = NdmpTransport(session)
            try:
                return await _in_thread(lambda: work(Changer(transport, patience=patience)), transport)
            except ScsiError as failure:
                status = next(status for kind, status in _STATUSES if isinstance(failure, kind))
                raise refusal(status, f"{self._who}: {failure}") from failure

    @asynccontextmanager
    async def _opened(self, note: Note) -> AsyncIterator[HostSession]:
        place = self._place_of(self._library.url)
        async with open_session(place, self._deadlines, step=Step.WRITE_MOUNT, extended=False) as session:
            with failing_as(Step.WRITE_MOUNT, self._who):
                methods = ScsiMethods(session)
                await self._take(methods, note)
                try:
                    yield session
                finally:
                    with suppress(NdmpError, TimeoutError):
                        await methods.close()

    async def _take(self, methods: ScsiMethods, note: Note) -> None:
        """Open the changer; another session may have it, for its own movement."""
        end, told = time.monotonic() + self._deadlines.mount, False
        while True:
            try:
                return await methods.open(self._library.url.path)
            except ReplyError as error:
                if error.error != Error.DEVICE_BUSY:
                    raise
                if time.monotonic() > end:
                    raise refusal(Status.MEDIA_OPEN_ERROR, self._in_use()) from error
            if not told:
                note(f"{self._who} is in use; it is waited for up to {self._deadlines.mount:g} s")
            told = True
            await asyncio.sleep(min(POLL, self._deadlines.mount))

    def _in_use(self) -> str:
        seconds = f"{self._deadlines.mount:g} s"
        return f"{self._who} is in use by another session for {seconds}: end that session, then run the job again"


async def _in_thread(work: Callable[[], T], transport: NdmpTransport) -> T:
    """Run work that blocks. Cancelled, it is waited for: a movement is not left alone, and none is begun after it."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        transport.stop()
        await asyncio.wait((running,))
        if not running.cancelled():
            running.exception()  # seen, and of no interest to anybody
        raise
