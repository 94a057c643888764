"""One request of each kind that the core of NDMP has, harmless where it stands alone; and what their bodies are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ndmp.enums import AddressType, CdbFlag, MoverMode, TapeOpenMode, TapeOperation
from ndmp.messages import config as c
from ndmp.messages import connect as n
from ndmp.messages import data as d
from ndmp.messages import mover as m
from ndmp.messages import scsi as s
from ndmp.messages import tape as t
from ndmp.types import LocalAddress
from ndmp.wire import Request

__all__ = ["CORE", "DATA", "EVERYWHERE", "MOVER", "NOWHERE", "SCSI", "TAPE", "TEST_UNIT_READY"]

NOWHERE: Final = "no-such-device"
"""A name that no device has."""
TEST_UNIT_READY: Final = bytes(6)

EVERYWHERE: Final[Mapping[str, Request[Any]]] = {
    "CONNECT_SERVER_AUTH": n.ConnectServerAuth(n.AuthTextAttributes()),
    "CONFIG_GET_HOST_INFO": c.ConfigGetHostInfo(),
    "CONFIG_GET_CONNECTION_TYPE": c.ConfigGetConnectionType(),
    "CONFIG_GET_EXT_LIST": c.ConfigGetExtList(),
    "CONFIG_SET_EXT_LIST": c.ConfigSetExtList(()),
}
"""What every host has, but for what is allowed before login."""
TAPE: Final[Mapping[str, Request[Any]]] = {
    "CONFIG_GET_TAPE_INFO": c.ConfigGetTapeInfo(),
    "TAPE_OPEN": t.TapeOpen(NOWHERE, TapeOpenMode.READ),
    "TAPE_CLOSE": t.TapeClose(),
    "TAPE_GET_STATE": t.TapeGetState(),
    "TAPE_MTIO": t.TapeMtio(TapeOperation.TUR, 1),
    "TAPE_WRITE": t.TapeWrite(b"block"),
    "TAPE_READ": t.TapeRead(512),
    "TAPE_EXECUTE_CDB": t.TapeExecuteCdb(CdbFlag(0), 1000, 0, TEST_UNIT_READY, b""),
}
MOVER: Final[Mapping[str, Request[Any]]] = {
    "MOVER_GET_STATE": m.MoverGetState(),
    "MOVER_LISTEN": m.MoverListen(MoverMode.WRITE, AddressType.TCP),
    "MOVER_CONTINUE": m.MoverContinue(),
    "MOVER_ABORT": m.MoverAbort(),
    "MOVER_STOP": m.MoverStop(),
    "MOVER_SET_WINDOW": m.MoverSetWindow(0, 65536),
    "MOVER_READ": m.MoverRead(0, 65536),
    "MOVER_CLOSE": m.MoverClose(),
    "MOVER_SET_RECORD_SIZE": m.MoverSetRecordSize(32768),
    "MOVER_CONNECT": m.MoverConnect(MoverMode.WRITE, LocalAddress()),
}
SCSI: Final[Mapping[str, Request[Any]]] = {
    "CONFIG_GET_SCSI_INFO": c.ConfigGetScsiInfo(),
    "SCSI_OPEN": s.ScsiOpen(NOWHERE),
    "SCSI_CLOSE": s.ScsiClose(),
    "SCSI_GET_STATE": s.ScsiGetState(),
    "SCSI_RESET_DEVICE": s.ScsiResetDevice(),
    "SCSI_EXECUTE_CDB": s.ScsiExecuteCdb(CdbFlag(0), 1000, 0, TEST_UNIT_READY, b""),
}
DATA: Final[Mapping[str, Request[Any]]] = {
    "CONFIG_GET_BUTYPE_INFO": c.ConfigGetButypeInfo(),
    "CONFIG_GET_FS_INFO": c.ConfigGetFsInfo(),
    "DATA_GET_STATE": d.DataGetState(),
    "DATA_START_BACKUP": d.DataStartBackup(NOWHERE, ()),
    "DATA_START_RECOVER": d.DataStartRecover((), (), NOWHERE),
    "DATA_START_RECOVER_FILEHIST": d.DataStartRecoverFilehist((), (), NOWHERE),
    "DATA_ABORT": d.DataAbort(),
    "DATA_GET_ENV": d.DataGetEnv(),
    "DATA_STOP": d.DataStop(),
    "DATA_LISTEN": d.DataListen(AddressType.TCP),
    "DATA_CONNECT": d.DataConnect(LocalAddress()),
}
CORE: Final[Mapping[str, Request[Any]]] = {**EVERYWHERE, **TAPE, **MOVER, **SCSI, **DATA}
"""All that a host must not answer before login."""
