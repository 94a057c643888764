"""Drives and changers behind commands or the kernel's tape driver, by device URL, as backends of :mod:`ndmp`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from duplicator.adapters import DriveTape, as_replies
from ndmp.backends import CdbOutcome, ScsiAddress, TapeStatus
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from scsi.completion import Completion
from scsi.device import Device
from scsi.devices import SG_SCHEME, ST_SCHEME, open_drive, open_transport
from scsi.drive import ScsiDrive
from scsi.errors import DeviceUrlError, NoMedium, NotReady, PositionUnknown, ScsiError, UnitAttention
from scsi.inquiry import DeviceType
from scsi.tape import Capacity, Position, TapeDrive
from scsi.transports.iscsi_url import ISCSI_SCHEME
from scsi.transports.transport import MAX_TRANSFER_BYTES, Transport

__all__ = ["DeviceChanger", "DeviceChangerBackend", "DeviceTape", "DeviceTapeBackend"]

_UNPROVEN: Final = (NoMedium, NotReady, PositionUnknown, UnitAttention)
"""After these only a movement to a known place, or opening the tape anew, makes the position known."""
_FOR_EVER: Final = 7 * 24 * 3600.0
"""Seconds; a command that takes longer has no end."""
_UNKNOWN_CAPACITY: Final = Capacity(0, 0)
_SG_FOLDER, _ST_FOLDER = Path("/sys/class/scsi_generic"), Path("/sys/class/scsi_tape")
_LENGTHS: Final = {0: 6, 1: 10, 2: 10, 4: 16, 5: 12}
"""Bytes of a command by the first three bits of its code (SAM-5 5.2); those of makers have no rule."""
_UNKNOWN_ADDRESS: Final = ScsiAddress(-1, -1, -1)


class DeviceTape(DriveTape):
    """A tape in a drive that may take its time: the status is what was known after the last use of the drive."""

    def __init__(self, drive: TapeDrive, release: Callable[[], None]) -> None:
        """``release`` is called once, when the drive is closed."""
        super().__init__(drive)
        self._release: Callable[[], None] | None = release
        self._place: Position | None = None
        self._capacity = _UNKNOWN_CAPACITY
        self._protected = False
        self._look()

    def require_tape(self, *, writable: bool) -> None:
        """NO_TAPE_LOADED, WRITE_PROTECT."""
        self.test_ready()
        with as_replies():
            protected = self._drive.write_protected
        if writable and protected:
            raise ReplyError(Error.WRITE_PROTECT, "the tape in the drive is write protected")

    def write_filemarks(self, count: int) -> None:
        """See TapeHandle."""
        super().write_filemarks(count)
        self._look()

    def rewind(self) -> None:
        """See TapeHandle."""
        super().rewind()
        self._look()

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        """See CdbTarget."""
        drive = self._drive
        if not isinstance(drive, ScsiDrive):
            raise ReplyError(Error.NOT_SUPPORTED, "the kernel's tape driver passes no SCSI commands; serve sg: instead")
        _require_whole(cdb)
        with self._working():
            done = drive.pass_on(cdb, data_out=data_out, data_in=_room(data_in_bytes), timeout=timeout or _FOR_EVER)
        return _outcome(done)

    def status(self) -> TapeStatus:
        """See TapeHandle; nothing is asked of the drive."""
        place, capacity = self._place, self._capacity
        return TapeStatus(
            file_num=_known(place.file_number) if place else None,
            block_num=_known(place.block_in_file) if place else None,
            total_bytes=capacity.total_bytes or None,
            remaining_bytes=capacity.remaining_bytes if capacity.total_bytes else None,
            write_protected=self._protected,
        )

    def close(self) -> None:
        """See TapeHandle; a second time does nothing."""
        release, self._release = self._release, None
        if release is not None:
            try:
                super().close()
            finally:
                release()

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            with as_replies():
                yield
        except ReplyError as failure:
            # To ask where the tape stands would prove it, before the client has learnt that it may be another one.
            self._place = None if isinstance(failure.__cause__, _UNPROVEN) else self._find_place()
            raise
        self._place = self._find_place()

    def _find_place(self) -> Position | None:
        try:
            return self._drive.position()
        except ScsiError:
            return None

    def _look(self) -> None:
        """What does not change with every record; a drive without a tape tells nothing."""
        self._place = self._find_place()
        with suppress(ScsiError):
            self._protected = self._drive.write_protected
            self._capacity = self._drive.capacity()


class DeviceTapeBackend:
    """Implements :class:`ndmp.backends.TapeBackend` on a drive by URL, for one session at a time.

    It is opened for a session and closed after it, so that others can use it in between.
    """

    def __init__(self, url: str) -> None:
        """Look at what is there; ScsiError when nothing is, or it cannot be used."""
        self._url = url
        self._in_use = threading.Lock()
        self.model, self.capabilities = _look_at_st(url) if _is_st(url) else _identify(url, DeviceType.TAPE)

    def open(self, mode: TapeOpenMode) -> DeviceTape:
        """See TapeBackend."""
        if not self._in_use.acquire(blocking=False):
            raise ReplyError(Error.DEVICE_BUSY, "another session has the drive")
        try:
            tape = DeviceTape(self._open(read_only=mode == TapeOpenMode.READ), self._in_use.release)
        except BaseException:
            self._in_use.release()
            raise
        try:
            if mode != TapeOpenMode.RAW:
                tape.require_tape(writable=mode == TapeOpenMode.RDWR)
        except BaseException:
            tape.close()
            raise
        return tape

    def _open(self, *, read_only: bool) -> TapeDrive:
        with as_replies():
            if _is_st(self._url):
                return open_drive(self._url, read_only=read_only)
            return ScsiDrive(open_transport(self._url), read_only=read_only)


class DeviceChanger:
    """Implements :class:`ndmp.backends.ScsiHandle` on the way to a changer."""

    def __init__(self, transport: Transport, address: ScsiAddress, release: Callable[[], None]) -> None:
        self._transport = transport
        self._address = address
        self._release: Callable[[], None] | None = release

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        """See CdbTarget."""
        _require_whole(cdb)
        with as_replies():
            room = _room(data_in_bytes)
            return _outcome(self._transport.execute(cdb, data_out=data_out, data_in=room, timeout=timeout or _FOR_EVER))

    def address(self) -> ScsiAddress:
        """See ScsiHandle."""
        if self._address == _UNKNOWN_ADDRESS:
            raise ReplyError(Error.NOT_SUPPORTED, "the changer is on no bus of this machine")
        return self._address

    def reset(self) -> None:
        """See ScsiHandle."""
        raise ReplyError(Error.NOT_SUPPORTED, "there is no way to reset this changer alone")

    def close(self) -> None:
        """See ScsiHandle; a second time does nothing."""
        release, self._release = self._release, None
        if release is not None:
            try:
                with as_replies():
                    self._transport.close()
            finally:
                release()


class DeviceChangerBackend:
    """Implements :class:`ndmp.backends.ScsiBackend` on a changer by URL, for one session at a time."""

    def __init__(self, url: str) -> None:
        """Look at what is there; ScsiError when nothing is, or it cannot be used."""
        self._url = url
        self._in_use = threading.Lock()
        self.shared = url.startswith(ISCSI_SCHEME)
        self.model, self.capabilities = _identify(url, DeviceType.CHANGER)

    def open(self) -> DeviceChanger:
        """See ScsiBackend."""
        if not self._in_use.acquire(blocking=False):
            raise ReplyError(Error.DEVICE_BUSY, "another session has the changer")
        try:
            with as_replies():
                return DeviceChanger(open_transport(self._url), _address(self._url), self._in_use.release)
        except BaseException:
            self._in_use.release()
            raise


def _identify(url: str, wanted: DeviceType) -> tuple[str, Sequence[tuple[str, str]]]:
    """Model, and what else is told; DeviceUrlError if it is another kind of device."""
    transport = open_transport(url)
    try:
        device = Device(transport, dismiss=lambda _: True)
        found, serial = device.inquiry(), device.serial()
    finally:
        transport.close()
    if found.device_type != wanted:
        raise DeviceUrlError(f"{url}: {found.vendor} {found.product} is no {wanted.name.lower()}")
    return f"{found.vendor} {found.product}", ((("SERIAL_NUMBER", serial),) if serial else ())


def _is_st(url: str) -> bool:
    return url.startswith(ST_SCHEME)


def _look_at_st(url: str) -> tuple[str, Sequence[tuple[str, str]]]:
    """Likewise, as the kernel's tape driver shows it; a drive without a tape can be served too."""
    with suppress(NoMedium, NotReady):
        open_drive(url, read_only=True).close()
    node = Path(url.removeprefix(ST_SCHEME))
    try:
        words = [(_ST_FOLDER / node.name / "device" / name).read_text().strip() for name in ("vendor", "model")]
    except OSError:
        return f"tape drive {node}", ()
    return " ".join(words), ()


def _address(url: str) -> ScsiAddress:
    """Where the kernel has a device of the generic driver: host, channel, target and unit are its folder's name."""
    try:
        folder = os.readlink(_SG_FOLDER / Path(url.removeprefix(SG_SCHEME)).name / "device")
        controller, _, target, lun = map(int, Path(folder).name.split(":"))
    except (OSError, ValueError):
        return _UNKNOWN_ADDRESS
    return ScsiAddress(controller, target, lun)


def _require_whole(cdb: bytes) -> None:
    """ILLEGAL_ARGS for a command that is cut short: some ways to a device would fill it up with zeros."""
    if len(cdb) < _LENGTHS.get(cdb[0] >> 5 if cdb else 0, 1):
        raise ReplyError(Error.ILLEGAL_ARGS, f"a command of {len(cdb)} bytes is cut short")


def _room(data_in_bytes: int) -> int:
    return min(data_in_bytes, MAX_TRANSFER_BYTES)


def _outcome(done: Completion) -> CdbOutcome:
    return CdbOutcome(done.status, done.data_in, done.bytes_out, done.sense)


def _known(number: int) -> int | None:
    return number if number >= 0 else None
