"""NDMP's interfaces as typed methods, over anything that sends requests: a :class:`ndmp.aio.client.Client`, say.

Every method may raise what ``call`` raises: ReplyError when the host refuses, ConnectionLost, TimeoutError.
Where a request has no method, ``call`` takes its message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ndmp.enums import AddressType, CdbFlag, MoverMode, TapeOpenMode, TapeOperation
from ndmp.messages.config import (
    ButypeInfo,
    ConfigGetButypeInfo,
    ConfigGetConnectionType,
    ConfigGetFsInfo,
    ConfigGetHostInfo,
    ConfigGetHostInfoReply,
    ConfigGetScsiInfo,
    ConfigGetServerInfo,
    ConfigGetServerInfoReply,
    ConfigGetTapeInfo,
    DeviceInfo,
    FsInfo,
    ScsiDeviceInfo,
)
from ndmp.messages.data import (
    DataAbort,
    DataConnect,
    DataGetEnv,
    DataGetState,
    DataGetStateReply,
    DataListen,
    DataStartBackup,
    DataStartRecover,
    DataStartRecoverFilehist,
    DataStop,
    RecoverName,
)
from ndmp.messages.mover import (
    MoverAbort,
    MoverClose,
    MoverConnect,
    MoverContinue,
    MoverGetState,
    MoverGetStateReply,
    MoverListen,
    MoverRead,
    MoverSetRecordSize,
    MoverSetWindow,
    MoverStop,
)
from ndmp.messages.scsi import (
    ScsiClose,
    ScsiExecuteCdb,
    ScsiExecuteCdbReply,
    ScsiGetState,
    ScsiGetStateReply,
    ScsiOpen,
    ScsiResetDevice,
)
from ndmp.messages.tape import (
    TapeClose,
    TapeExecuteCdb,
    TapeExecuteCdbReply,
    TapeGetState,
    TapeGetStateReply,
    TapeMtio,
    TapeOpen,
    TapeRead,
    TapeWrite,
)
from ndmp.types import ALL_ONES_64, Address, Pval
from ndmp.wire import Reply, Request

__all__ = ["Caller", "ConfigMethods", "DataMethods", "MoverMethods", "ScsiMethods", "TapeMethods"]

R = TypeVar("R", bound=Reply)


class Caller(Protocol):
    """Sends a request and gives its reply."""

    async def call(self, request: Request[R], *, deadline: float | None = None) -> R:
        """See :meth:`ndmp.aio.client.Client.call`."""
        ...


class _Methods:
    """One interface of one connection; ``deadline`` in seconds for each answer, None for the caller's own."""

    def __init__(self, caller: Caller, *, deadline: float | None = None) -> None:
        self._caller = caller
        self._deadline = deadline

    async def _call(self, request: Request[R]) -> R:
        return await self._caller.call(request, deadline=self._deadline)


class ConfigMethods(_Methods):
    """What a host is and has (draft 3.2)."""

    async def host_info(self) -> ConfigGetHostInfoReply:
        """The machine and its system."""
        return await self._call(ConfigGetHostInfo())

    async def server_info(self) -> ConfigGetServerInfoReply:
        """The product and its ways to log in."""
        return await self._call(ConfigGetServerInfo())

    async def connection_types(self) -> tuple[AddressType, ...]:
        """Kinds of data connection."""
        return (await self._call(ConfigGetConnectionType())).address_types

    async def butypes(self) -> tuple[ButypeInfo, ...]:
        """Kinds of backup."""
        return (await self._call(ConfigGetButypeInfo())).butypes

    async def file_systems(self) -> tuple[FsInfo, ...]:
        """What can be backed up."""
        return (await self._call(ConfigGetFsInfo())).file_systems

    async def tapes(self) -> tuple[DeviceInfo, ...]:
        """Tape drives, by model."""
        return (await self._call(ConfigGetTapeInfo())).tapes

    async def scsi_devices(self) -> tuple[ScsiDeviceInfo, ...]:
        """Media changers, by model."""
        return (await self._call(ConfigGetScsiInfo())).changers


class ScsiMethods(_Methods):
    """One SCSI device (draft 3.3)."""

    async def open(self, device: str) -> None:
        """Take the device."""
        await self._call(ScsiOpen(device))

    async def close(self) -> None:
        """Give it back."""
        await self._call(ScsiClose())

    async def state(self) -> ScsiGetStateReply:
        """Its address on the bus."""
        return await self._call(ScsiGetState())

    async def reset(self) -> None:
        """Reset it."""
        await self._call(ScsiResetDevice())

    async def execute(self, cdb: bytes, *, timeout_ms: int, read: int = 0, written: bytes = b"") -> ScsiExecuteCdbReply:
        """Run a command that reads up to ``read`` bytes or writes some; CHECK CONDITION is in the reply."""
        return await self._call(ScsiExecuteCdb(_flags(read, written), timeout_ms, read, cdb, written))


class TapeMethods(_Methods):
    """One tape drive (draft 3.4)."""

    async def open(self, device: str, mode: TapeOpenMode) -> None:
        """Take the drive."""
        await self._call(TapeOpen(device, mode))

    async def close(self) -> None:
        """Give it back, after the implicit filemark if one is due."""
        await self._call(TapeClose())

    async def state(self) -> TapeGetStateReply:
        """Position and space."""
        return await self._call(TapeGetState())

    async def move(self, operation: TapeOperation, count: int = 1) -> int:
        """Move the tape or write filemarks; gives how much of ``count`` was not done."""
        return (await self._call(TapeMtio(operation, count))).resid_count

    async def read(self, count: int) -> bytes:
        """One block of at most ``count`` bytes; ReplyError(EOF) at a filemark, (EOM) at the end of the data."""
        return (await self._call(TapeRead(count))).block

    async def write(self, block: bytes) -> int:
        """Write one block; gives the bytes written. ReplyError(EOM) once at early warning: write again."""
        return (await self._call(TapeWrite(block))).count

    async def execute(self, cdb: bytes, *, timeout_ms: int, read: int = 0, written: bytes = b"") -> TapeExecuteCdbReply:
        """Run a command, see :meth:`ScsiMethods.execute`."""
        return await self._call(TapeExecuteCdb(_flags(read, written), timeout_ms, read, cdb, written))


class MoverMethods(_Methods):
    """The mover (draft 3.6). Offsets and lengths in bytes of the stream."""

    async def state(self) -> MoverGetStateReply:
        """State and progress."""
        return await self._call(MoverGetState())

    async def set_record_size(self, length: int) -> None:
        """Set the bytes of a record; clears the window."""
        await self._call(MoverSetRecordSize(length))

    async def set_window(self, offset: int = 0, length: int = ALL_ONES_64) -> None:
        """Allow a stretch of the stream; all of it unless told."""
        await self._call(MoverSetWindow(offset, length))

    async def listen(self, mode: MoverMode, address_type: AddressType = AddressType.TCP) -> Address:
        """Offer a data connection; where to connect."""
        return (await self._call(MoverListen(mode, address_type))).address

    async def connect(self, mode: MoverMode, address: Address) -> None:
        """Connect to a peer that listens."""
        await self._call(MoverConnect(mode, address))

    async def read(self, offset: int = 0, length: int = ALL_ONES_64) -> None:
        """Send part of the stream; all of it unless told."""
        await self._call(MoverRead(offset, length))

    async def resume(self) -> None:
        """Go on after a pause (MOVER_CONTINUE)."""
        await self._call(MoverContinue())

    async def close(self) -> None:
        """Close the data connection of a paused mover."""
        await self._call(MoverClose())

    async def abort(self) -> None:
        """End the transfer at once."""
        await self._call(MoverAbort())

    async def stop(self) -> None:
        """From HALTED to IDLE."""
        await self._call(MoverStop())


class DataMethods(_Methods):
    """The data service (draft 3.5)."""

    async def state(self) -> DataGetStateReply:
        """State and progress."""
        return await self._call(DataGetState())

    async def listen(self, address_type: AddressType = AddressType.TCP) -> Address:
        """Offer a data connection; where to connect."""
        return (await self._call(DataListen(address_type))).address

    async def connect(self, address: Address) -> None:
        """Connect to a peer that listens."""
        await self._call(DataConnect(address))

    async def start_backup(self, butype: str, environment: Iterable[Pval]) -> None:
        """Back up into the data connection."""
        await self._call(DataStartBackup(butype, tuple(environment)))

    async def start_recover(self, butype: str, environment: Iterable[Pval], names: Iterable[RecoverName]) -> None:
        """Recover from the data connection."""
        await self._call(DataStartRecover(tuple(environment), tuple(names), butype))

    async def start_recover_filehist(
        self, butype: str, environment: Iterable[Pval], names: Iterable[RecoverName]
    ) -> None:
        """Recover the file history alone."""
        await self._call(DataStartRecoverFilehist(tuple(environment), tuple(names), butype))

    async def environment(self) -> tuple[Pval, ...]:
        """All variables of the operation."""
        return (await self._call(DataGetEnv())).environment

    async def abort(self) -> None:
        """End the operation at once."""
        await self._call(DataAbort())

    async def stop(self) -> None:
        """From HALTED to IDLE."""
        await self._call(DataStop())


def _flags(read: int, written: bytes) -> CdbFlag:
    """The direction of a command's data."""
    return (CdbFlag.DATA_IN if read else CdbFlag(0)) | (CdbFlag.DATA_OUT if written else CdbFlag(0))
