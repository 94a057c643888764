"""SCSI service: a media changer, or a tape drive, by its commands (draft 3.3)."""

from __future__ import annotations

from collections.abc import Mapping

from ndmp.backends import CdbOutcome, ScsiAddress, ScsiBackend, TapeBackend, TapeHandle
from ndmp.enums import Error, TapeOpenMode
from ndmp.errors import ReplyError
from ndmp.messages.scsi import (
    ScsiClose,
    ScsiCloseReply,
    ScsiExecuteCdb,
    ScsiExecuteCdbReply,
    ScsiGetState,
    ScsiGetStateReply,
    ScsiOpen,
    ScsiOpenReply,
    ScsiResetDevice,
    ScsiResetDeviceReply,
)
from ndmp.services.commands import execute_cdb
from ndmp.services.routes import Route, Routes
from ndmp.services.slot import Slot

__all__ = ["ScsiService"]


class ScsiService:
    """Audits and acts for one session. Tape drives can be opened here too: without a rule of the tape service."""

    def __init__(
        self, changers: Mapping[str, ScsiBackend], slot: Slot, *, tapes: Mapping[str, TapeBackend] | None = None
    ) -> None:
        self._changers = changers
        self._tapes = tapes or {}
        self._slot = slot
        self.routes: Routes = {
            ScsiOpen: Route(self._open, blocking=True),
            ScsiClose: Route(self._close, blocking=True),
            ScsiGetState: Route(self._get_state, blocking=True),
            ScsiResetDevice: Route(self._reset_device, blocking=True),
            ScsiExecuteCdb: Route(self._execute_cdb, blocking=True),
        }

    def _open(self, request: ScsiOpen) -> ScsiOpenReply:
        self._slot.audit_empty()
        if request.device in self._changers:
            self._slot.scsi = self._changers[request.device].open()
        elif request.device in self._tapes:
            # Raw, since it must open without a tape in it, and commands may write.
            self._slot.scsi = _TapeByCommands(self._tapes[request.device].open(TapeOpenMode.RAW))
        else:
            raise ReplyError(Error.NO_DEVICE, request.device)
        return ScsiOpenReply(Error.NO_ERR)

    def _close(self, request: ScsiClose) -> ScsiCloseReply:
        handle = self._slot.require_scsi()
        self._slot.scsi = None
        handle.close()
        return ScsiCloseReply(Error.NO_ERR)

    def _get_state(self, request: ScsiGetState) -> ScsiGetStateReply:
        address = self._slot.require_scsi().address()
        return ScsiGetStateReply(Error.NO_ERR, address.controller, address.target, address.lun)

    def _reset_device(self, request: ScsiResetDevice) -> ScsiResetDeviceReply:
        self._slot.require_scsi().reset()
        return ScsiResetDeviceReply(Error.NO_ERR)

    def _execute_cdb(self, request: ScsiExecuteCdb) -> ScsiExecuteCdbReply:
        return execute_cdb(self._slot.require_scsi(), request, ScsiExecuteCdbReply)


class _TapeByCommands:
    """Implements :class:`ndmp.backends.ScsiHandle` on an open tape."""

    def __init__(self, tape: TapeHandle) -> None:
        self._tape = tape

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        return self._tape.execute(cdb, data_out=data_out, data_in_bytes=data_in_bytes, timeout=timeout)

    def address(self) -> ScsiAddress:
        raise ReplyError(Error.NOT_SUPPORTED, "where a tape drive sits is not told")

    def reset(self) -> None:
        raise ReplyError(Error.NOT_SUPPORTED, "a tape drive is not reset")

    def close(self) -> None:
        self._tape.close()
