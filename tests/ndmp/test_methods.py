"""The typed methods: each sends its request with its arguments in place, and gives what matters of the reply."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field
from typing import Any

from ndmp.aio.methods import ConfigMethods, DataMethods, MoverMethods, ScsiMethods, TapeMethods
from ndmp.enums import CdbFlag, Error, MoverMode, TapeOpenMode, TapeOperation
from ndmp.messages import config, data, mover, scsi, tape
from ndmp.types import LocalAddress, Pval
from ndmp.wire import REPLIES, Request, refusal

ONES = 0xFFFFFFFFFFFFFFFF
ENVIRONMENT = (Pval("LEVEL", "0"),)
NAME = data.RecoverName("/a", "/b", "", "", 1, 2)


@dataclass
class Listener:
    """Takes requests and answers with empty replies."""

    heard: list[tuple[Request[Any], float | None]] = field(default_factory=list)

    async def call(self, request: Request[Any], *, deadline: float | None = None) -> Any:  # noqa: ANN401
        self.heard.append((request, deadline))
        return refusal(REPLIES[request.wire_code, request.wire_version], Error.NO_ERR)


CALLS: list[tuple[Any, str, tuple[Any, ...], dict[str, Any], Request[Any], Any]] = [
    (ConfigMethods, "host_info", (), {}, config.ConfigGetHostInfo(), ...),
    (ConfigMethods, "server_info", (), {}, config.ConfigGetServerInfo(), ...),
    (ConfigMethods, "connection_types", (), {}, config.ConfigGetConnectionType(), ()),
    (ConfigMethods, "butypes", (), {}, config.ConfigGetButypeInfo(), ()),
    (ConfigMethods, "file_systems", (), {}, config.ConfigGetFsInfo(), ()),
    (ConfigMethods, "tapes", (), {}, config.ConfigGetTapeInfo(), ()),
    (ConfigMethods, "scsi_devices", (), {}, config.ConfigGetScsiInfo(), ()),
    (ScsiMethods, "open", ("ch0",), {}, scsi.ScsiOpen("ch0"), None),
    (ScsiMethods, "close", (), {}, scsi.ScsiClose(), None),
    (ScsiMethods, "state", (), {}, scsi.ScsiGetState(), ...),
    (ScsiMethods, "reset", (), {}, scsi.ScsiResetDevice(), None),
    (
        ScsiMethods,
        "execute",
        (b"\x12",),
        {"timeout_ms": 9, "read": 96},
        scsi.ScsiExecuteCdb(CdbFlag.DATA_IN, 9, 96, b"\x12", b""),
        ...,
    ),
    (TapeMethods, "open", ("st0", TapeOpenMode.RDWR), {}, tape.TapeOpen("st0", TapeOpenMode.RDWR), None),
    (TapeMethods, "close", (), {}, tape.TapeClose(), None),
    (TapeMethods, "state", (), {}, tape.TapeGetState(), ...),
    (TapeMethods, "move", (TapeOperation.REW,), {}, tape.TapeMtio(TapeOperation.REW, 1), 0),
    (TapeMethods, "move", (TapeOperation.FSF, 3), {}, tape.TapeMtio(TapeOperation.FSF, 3), 0),
    (TapeMethods, "read", (80,), {}, tape.TapeRead(80), b""),
    (TapeMethods, "write", (b"VOL1",), {}, tape.TapeWrite(b"VOL1"), 0),
    (
        TapeMethods,
        "execute",
        (b"\x15",),
        {"timeout_ms": 9, "written": b"ab"},
        tape.TapeExecuteCdb(CdbFlag.DATA_OUT, 9, 0, b"\x15", b"ab"),
        ...,
    ),
    (MoverMethods, "state", (), {}, mover.MoverGetState(), ...),
    (MoverMethods, "set_record_size", (65536,), {}, mover.MoverSetRecordSize(65536), None),
    (MoverMethods, "set_window", (), {}, mover.MoverSetWindow(0, ONES), None),
    (MoverMethods, "set_window", (10, 20), {}, mover.MoverSetWindow(10, 20), None),
    (MoverMethods, "listen", (MoverMode.WRITE,), {}, mover.MoverListen(MoverMode.WRITE, 1), LocalAddress()),
    (
        MoverMethods,
        "connect",
        (MoverMode.READ, LocalAddress()),
        {},
        mover.MoverConnect(MoverMode.READ, LocalAddress()),
        None,
    ),
    (MoverMethods, "read", (), {}, mover.MoverRead(0, ONES), None),
    (MoverMethods, "read", (10, 20), {}, mover.MoverRead(10, 20), None),
    (MoverMethods, "resume", (), {}, mover.MoverContinue(), None),
    (MoverMethods, "close", (), {}, mover.MoverClose(), None),
    (MoverMethods, "abort", (), {}, mover.MoverAbort(), None),
    (MoverMethods, "stop", (), {}, mover.MoverStop(), None),
    (DataMethods, "state", (), {}, data.DataGetState(), ...),
    (DataMethods, "listen", (), {}, data.DataListen(1), LocalAddress()),
    (DataMethods, "connect", (LocalAddress(),), {}, data.DataConnect(LocalAddress()), None),
    (DataMethods, "start_backup", ("tar", [*ENVIRONMENT]), {}, data.DataStartBackup("tar", ENVIRONMENT), None),
    (
        DataMethods,
        "start_recover",
        ("tar", [*ENVIRONMENT], [NAME]),
        {},
        data.DataStartRecover(ENVIRONMENT, (NAME,), "tar"),
        None,
    ),
    (
        DataMethods,
        "start_recover_filehist",
        ("tar", [*ENVIRONMENT], [NAME]),
        {},
        data.DataStartRecoverFilehist(ENVIRONMENT, (NAME,), "tar"),
        None,
    ),
    (DataMethods, "environment", (), {}, data.DataGetEnv(), ()),
    (DataMethods, "abort", (), {}, data.DataAbort(), None),
    (DataMethods, "stop", (), {}, data.DataStop(), None),
]
"""Interface, method, arguments; the request they make, and the result of an empty reply (...: the reply itself)."""


def test_each_method_sends_its_request() -> None:
    for interface, method, arguments, options, request, result in CALLS:
        listener = Listener()
        found = asyncio.run(getattr(interface(listener, deadline=7.0), method)(*arguments, **options))
        assert listener.heard == [(request, 7.0)], method
        empty = refusal(REPLIES[request.wire_code, request.wire_version], Error.NO_ERR)
        assert found == (empty if result is ... else result), method


def test_every_method_is_in_the_table() -> None:
    for interface in (ConfigMethods, ScsiMethods, TapeMethods, MoverMethods, DataMethods):
        methods = {name for name, _ in inspect.getmembers(interface, inspect.isfunction) if not name.startswith("_")}
        assert methods == {name for each, name, *_ in CALLS if each is interface}
