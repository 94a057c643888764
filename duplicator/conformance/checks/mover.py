"""The mover before anything moves: preconditions, addresses, variables (draft 3.6). Nothing is written."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import SHOULD, Check, rows
from duplicator.conformance.checks.windows import SIZED_ONLY, row
from duplicator.conformance.deviation import Deviation
from duplicator.conformance.expectation import Want
from duplicator.conformance.situations import (
    ACTIVE,
    LISTENING,
    READABLE,
    RECORD,
    SIZED,
    WINDOWED,
    mover_connect,
)
from duplicator.conformance.steps import (
    ask,
    refused,
    until,
)
from ndmp.enums import (
    AddressType,
    Error,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
)
from ndmp.messages.mover import (
    MoverConnect,
    MoverGetState,
    MoverListen,
    MoverSetWindow,
)
from ndmp.types import (
    LocalAddress,
    TcpAddress,
    TcpAddresses,
    wire_address,
)

__all__ = ["CHECKS", "IDLE"]

E: Final = Error
READ, WRITE, NOACTION = MoverMode.READ, MoverMode.WRITE, MoverMode.NOACTION
TCP: Final = AddressType.TCP
_TCP_ADDRESS: Final = Want(
    "a TCP address", lambda address: isinstance(address, TcpAddresses) and bool(address.endpoints)
)
_ONE_PLAIN: Final = Want(
    "one TCP address without variables",
    lambda address: (
        isinstance(address, TcpAddresses) and len(address.endpoints) == 1 and not address.endpoints[0].environment
    ),
)
IDLE: Final = {
    "state": MoverState.IDLE,
    "pause_reason": MoverPauseReason.NA,
    "halt_reason": MoverHaltReason.NA,
    "bytes_moved": 0,
    "seek_position": 0,
    "bytes_left_to_read": 0,
}


async def _nobody(bench: Bench) -> None:
    """To where nobody listens."""
    address = await bench.listen()
    await bench.stop_listening()
    await bench.ask(MoverConnect(WRITE, wire_address(address)), (E.CONNECT,))


async def _several_addresses(bench: Bench) -> None:
    """Of two addresses the first one is good."""
    address = await bench.listen()
    spare = TcpAddress(address.host, 1)
    await bench.ask(MoverConnect(WRITE, wire_address(address, spare)))
    await bench.accept_peer()


async def _peer_is_us(bench: Bench) -> None:
    """The address in the state is our end of the data connection."""
    answer = await bench.ask(MoverGetState())
    ours = wire_address(bench.peer.local)
    if bench.reply.address != ours:
        raise Deviation(f"our end, port {bench.peer.local.port}", repr(bench.reply.address), answer=answer.entry)


CHECKS: Final[tuple[Check, ...]] = rows(
    "mover",
    row("state", "3.6.2.6", "MOVER_GET_STATE is answered", ask(MoverGetState())),
    row("state.idle", "3.6.1.1", "a new mover is idle, and all else is nothing", ask(MoverGetState(), **IDLE)),
    row(
        "state.window",
        "3.6.1.1, 3.6.2.2",
        "a new mover has no window",
        ask(MoverGetState(), window_offset=0, window_length=0),
    ),
    row("state.mode", "3.6.1.1", "a new mover's mode is NOACTION", ask(MoverGetState(), mode=NOACTION)),
    row("state.address", "3.6.1.1", "a new mover's address is LOCAL", ask(MoverGetState(), address=LocalAddress())),
    row(
        "listen.closed",
        "3.6.2.4",
        "MOVER_LISTEN is refused without a tape",
        ask(MoverListen(WRITE, TCP), E.DEV_NOT_OPEN),
        situation=SIZED_ONLY.then("record size and window set, no tape open", ask(MoverSetWindow(0, RECORD))),
    ),
    row(
        "connect.closed",
        "3.6.2.3",
        "MOVER_CONNECT is refused without a tape",
        ask(MoverConnect(WRITE, wire_address(TcpAddress("127.0.0.1", 1))), E.DEV_NOT_OPEN),
        situation=SIZED_ONLY.then("record size and window set, no tape open", ask(MoverSetWindow(0, RECORD))),
    ),
    row(
        "listen.unsized",
        "3.6.2.1, 3.6.2.4",
        "MOVER_LISTEN is refused without a record size",
        ask(MoverListen(WRITE, TCP), E.PRECONDITION),
        situation=READABLE,
    ),
    row(
        "listen.no-window",
        "3.6.2.4",
        "MOVER_LISTEN is refused without a window",
        ask(MoverListen(WRITE, TCP), E.PRECONDITION),
        situation=SIZED,
    ),
    row(
        "connect.no-window",
        "3.6.2.3",
        "MOVER_CONNECT is refused without a window",
        ask(MoverConnect(WRITE, wire_address(TcpAddress("127.0.0.1", 1))), E.PRECONDITION),
        situation=SIZED,
    ),
    row(
        "listen.mode",
        "3.6.2.4",
        "MOVER_LISTEN refuses mode NOACTION",
        ask(MoverListen(NOACTION, TCP), E.ILLEGAL_ARGS),
        situation=WINDOWED,
    ),
    row(
        "listen.mode.123",
        "3.6.2.4",
        "MOVER_LISTEN refuses mode 123",
        ask(MoverListen(MoverMode(123), TCP), E.ILLEGAL_ARGS),
        situation=WINDOWED,
    ),
    row(
        "listen.type",
        "3.6.2.4",
        "MOVER_LISTEN refuses address type 123",
        ask(MoverListen(WRITE, AddressType(123)), E.ILLEGAL_ARGS),
        situation=WINDOWED,
    ),
    row(
        "connect.mode",
        "3.6.2.3",
        "MOVER_CONNECT refuses mode NOACTION",
        ask(MoverConnect(NOACTION, wire_address(TcpAddress("127.0.0.1", 1))), E.ILLEGAL_ARGS),
        situation=WINDOWED,
    ),
    row(
        "connect.empty",
        "3.6.2.3",
        "MOVER_CONNECT refuses TCP without an address",
        refused(MoverConnect(WRITE, TcpAddresses(()))),
        situation=WINDOWED,
    ),
    row(
        "listen.permission",
        "3.6.2.4",
        "MOVER_LISTEN for writing refuses a tape that is open for reading",
        ask(MoverListen(READ, TCP), E.PERMISSION),
        situation=WINDOWED,
    ),
    row(
        "connect.permission",
        "3.6.2.3",
        "MOVER_CONNECT for writing refuses a tape that is open for reading",
        ask(MoverConnect(READ, wire_address(TcpAddress("127.0.0.1", 1))), E.PERMISSION),
        situation=WINDOWED,
    ),
    row(
        "listen",
        "3.6.2.4",
        "MOVER_LISTEN tells where",
        ask(MoverListen(WRITE, TCP), address=_TCP_ADDRESS),
        situation=WINDOWED,
    ),
    row(
        "listen.state",
        "2.11.6",
        "then the mover listens",
        ask(MoverGetState(), state=MoverState.LISTEN),
        situation=LISTENING,
    ),
    row(
        "listen.mode.shown",
        "3.6.1.1",
        "its mode is that of the request",
        ask(MoverGetState(), mode=WRITE),
        situation=LISTENING,
    ),
    row(
        "refused.state",
        "2.11.1",
        "a MOVER_LISTEN that is refused leaves the mover idle",
        ask(MoverListen(READ, TCP), E.PERMISSION),
        ask(MoverGetState(), state=MoverState.IDLE, window_length=4 * RECORD),
        situation=WINDOWED,
    ),
    row(
        "arrived",
        "2.11.6",
        "a peer's connection makes the mover active",
        until(MoverGetState(), state=MoverState.ACTIVE),
        situation=ACTIVE,
    ),
    row(
        "connect",
        "3.6.2.3",
        "MOVER_CONNECT connects, and the mover is active",
        mover_connect(WRITE),
        ask(MoverGetState(), state=MoverState.ACTIVE),
        situation=WINDOWED,
    ),
    row(
        "connect.several",
        "3.6.2.3",
        "of several addresses the first will do",
        _several_addresses,
        ask(MoverGetState(), state=MoverState.ACTIVE),
        situation=WINDOWED,
    ),
    row(
        "connect.nobody",
        "3.6.2.3",
        "MOVER_CONNECT to nobody is CONNECT, and the mover stays idle",
        _nobody,
        ask(MoverGetState(), state=MoverState.IDLE),
        situation=WINDOWED,
    ),
    row(
        "address",
        "3.6.1.1",
        "the address of an active mover is one, without variables",
        ask(MoverGetState(), address=_ONE_PLAIN),
        situation=ACTIVE,
    ),
    row("address.peer", "3.6.1.1", "it is that of the peer", _peer_is_us, situation=ACTIVE, level=SHOULD),
    row(
        "address.peer.connect",
        "3.6.1.1",
        "and so it is after MOVER_CONNECT",
        mover_connect(WRITE),
        ask(MoverGetState(), address=_ONE_PLAIN),
        situation=WINDOWED,
        level=SHOULD,
    ),
)
