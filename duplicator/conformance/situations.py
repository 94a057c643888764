"""How a host is brought into each state; a tape is opened for reading wherever that will do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import Situation, Step
from duplicator.conformance.deviation import Unavailable
from duplicator.conformance.needs import (
    BACKUP,
    DATA,
    DATA_LISTEN,
    SCRATCH,
    SCSI,
    SCSI_DEVICE,
    TAPE,
    TAPE_DEVICE,
    VARIABLE,
)
from duplicator.conformance.steps import ask, connect_peer, keep, log_in, post, until
from ndmp.enums import (
    AddressType,
    DataState,
    Error,
    MoverMode,
    MoverPauseReason,
    MoverState,
    TapeOpenMode,
    TapeOperation,
)
from ndmp.messages.data import DataAbort, DataConnect, DataGetState, DataListen, DataStartBackup
from ndmp.messages.mover import (
    MoverAbort,
    MoverConnect,
    MoverGetState,
    MoverListen,
    MoverRead,
    MoverSetRecordSize,
    MoverSetWindow,
)
from ndmp.messages.notify import NotifyDataHalted, NotifyMoverHalted, NotifyMoverPaused
from ndmp.messages.scsi import ScsiOpen
from ndmp.messages.tape import TapeMtio, TapeOpen
from ndmp.types import Pval, wire_address
from ndmp.wire import Request

__all__ = [
    "ACTIVE",
    "DATA_ACTIVE",
    "DATA_CONNECTED",
    "DATA_HALTED",
    "DATA_LISTENING",
    "HALTED",
    "LISTENING",
    "LOGGED_IN",
    "NEW",
    "PAUSED",
    "READABLE",
    "RECORD",
    "ROBOT",
    "SIZED",
    "SMALL_BUFFER",
    "WINDOWED",
    "WRITABLE",
    "backup",
    "mover_connect",
    "open_tape",
    "rewind",
    "tape_name",
]

RECORD: Final = 32 * 1024
"""Bytes of a mover's record: a multiple of any block size in use."""
SMALL_BUFFER: Final = 4096
"""Bytes that our end of a data connection takes in unread, when the host is to be held up."""
_POLL: Final = 0.05


def tape_name(bench: Bench) -> str:
    """The tape of the session that steps talk to."""
    second = bench.target.permissions.second
    if bench.session is bench.sessions.get("second") and second is not None:
        return second.url.path
    return bench.target.permissions.tape or ""


def open_tape(mode: TapeOpenMode) -> Step:
    """Open the tape; a host may need a moment to let go of it after the check before."""

    async def step(bench: Bench) -> None:
        end = time.monotonic() + bench.target.deadline
        request = TapeOpen(tape_name(bench), mode)
        while time.monotonic() < end:
            answer = await bench.session.ask(request)
            if answer.error != Error.DEVICE_BUSY:
                bench.judge(answer, (Error.NO_ERR,), {})
                return
            await asyncio.sleep(_POLL)
        await bench.ask(request)

    return step


rewind: Final = ask(TapeMtio(TapeOperation.REW, 1))

NEW: Final = Situation("greeted")
LOGGED_IN: Final = NEW.then("logged in", log_in)

# -- tape ------------------------------------------------------------------------------------------------------------

READABLE: Final = LOGGED_IN.then(
    "tape open for reading", open_tape(TapeOpenMode.READ), rewind, needs=(TAPE, TAPE_DEVICE)
)
WRITABLE: Final = LOGGED_IN.then(
    "scratch tape open for writing, at its beginning",
    open_tape(TapeOpenMode.RDWR),
    rewind,
    needs=(TAPE, TAPE_DEVICE, SCRATCH, VARIABLE),
)

# -- mover -----------------------------------------------------------------------------------------------------------

SIZED: Final = READABLE.then("record size set", ask(MoverSetRecordSize(RECORD)))
WINDOWED: Final = SIZED.then("record size and window set", ask(MoverSetWindow(0, 4 * RECORD)))
LISTENING: Final = WINDOWED.then(
    "mover listens",
    ask(MoverListen(MoverMode.WRITE, AddressType.TCP)),
    keep("address", lambda reply: reply.address),
)
ACTIVE: Final = LISTENING.then("mover is active", connect_peer(), until(MoverGetState(), state=MoverState.ACTIVE))
PAUSED: Final = ACTIVE.then(
    "mover is paused",
    ask(MoverRead(8 * RECORD, RECORD)),
    post(NotifyMoverPaused, reason=MoverPauseReason.SEEK),
)
HALTED: Final = LISTENING.then("mover is halted", ask(MoverAbort()), post(NotifyMoverHalted))


def _calling(request: Callable[[Bench, Any], Request[Any]], buffer_bytes: int = 0) -> Step:
    """A request to connect to us, and the connection that it makes."""

    async def step(bench: Bench) -> None:
        address = await bench.listen(buffer_bytes=buffer_bytes)
        await bench.ask(request(bench, wire_address(address)))
        await bench.accept_peer()

    return step


def mover_connect(mode: MoverMode, *, buffer_bytes: int = 0) -> Step:
    """The mover connects to us."""
    return _calling(lambda _, address: MoverConnect(mode, address), buffer_bytes)


# -- data ------------------------------------------------------------------------------------------------------------

DATA_LISTENING: Final = LOGGED_IN.then(
    "data service listens",
    ask(DataListen(AddressType.TCP)),
    keep("address", lambda reply: reply.address),
    needs=(DATA, DATA_LISTEN),
)
data_connect: Final = _calling(lambda _, address: DataConnect(address))
DATA_CONNECTED: Final = LOGGED_IN.then("data service is connected", data_connect, needs=(DATA,))
DATA_HALTED: Final = DATA_CONNECTED.then("data service is halted", ask(DataAbort()), post(NotifyDataHalted))


def backup(*variables: Pval) -> Step:
    """Start the backup that the command line names, with these variables too."""

    async def step(bench: Bench) -> None:
        allowed = bench.target.permissions
        known = (Pval("FILESYSTEM", allowed.path or ""), *variables)
        await bench.ask(DataStartBackup(allowed.butype or "", known))

    return step


async def _is_active(bench: Bench) -> None:
    answer = await bench.ask(DataGetState())
    if bench.reply.state == DataState.HALTED:
        reason = "the backup of --path ends before it can be looked at: name a larger one"
        raise Unavailable(reason)
    bench.judge(answer, (Error.NO_ERR,), {"state": DataState.ACTIVE})


DATA_ACTIVE: Final = LOGGED_IN.then(
    "data service is active",
    _calling(lambda _, address: DataConnect(address), SMALL_BUFFER),
    backup(),
    _is_active,
    needs=(DATA, BACKUP),
)

# -- SCSI ------------------------------------------------------------------------------------------------------------

ROBOT: Final = LOGGED_IN.then(
    "changer open", ask(lambda bench: ScsiOpen(bench.target.permissions.scsi or "")), needs=(SCSI, SCSI_DEVICE)
)
