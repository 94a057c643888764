"""The data service: connections, and what starts an operation (draft 3.5, 4.1.1)."""

from __future__ import annotations

from typing import Any, Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MAY, MUST, SHOULD, Check, Level, Situation, Step, rows
from duplicator.conformance.deviation import Deviation
from duplicator.conformance.expectation import Want
from duplicator.conformance.needs import DATA, DATA_LISTEN, FILEHIST
from duplicator.conformance.requests import NOWHERE
from duplicator.conformance.situations import (
    DATA_ACTIVE,
    DATA_CONNECTED,
    DATA_HALTED,
    DATA_LISTENING,
    LOGGED_IN,
)
from duplicator.conformance.steps import (
    ask,
    close_peer,
    connect_peer,
    halted_after_reply,
    no_post,
    peer_closed,
    post,
    refused,
    until,
)
from ndmp.enums import (
    AddressType,
    DataHaltReason,
    DataOperation,
    DataState,
    Error,
)
from ndmp.messages.data import (
    DataAbort,
    DataConnect,
    DataGetState,
    DataListen,
    DataStartBackup,
    DataStartRecover,
    DataStartRecoverFilehist,
    DataStop,
    RecoverName,
)
from ndmp.messages.notify import NotifyDataHalted
from ndmp.types import ALL_ONES_64, LocalAddress, TcpAddresses, wire_address

__all__ = ["CALLED", "CHECKS", "IDLE", "butype", "row"]

E: Final = Error
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
IDLE: Final[dict[str, object]] = {
    "state": DataState.IDLE,
    "operation": DataOperation.NOACTION,
    "halt_reason": DataHaltReason.NA,
    "bytes_processed": 0,
    "read_offset": 0,
    "read_length": 0,
}


def butype(bench: Bench) -> str:
    """A backup type that the host has."""
    return bench.target.permissions.butype or (*bench.facts.butypes, NOWHERE)[0]


def row(
    name: str,
    section: str,
    title: str,
    *steps: Step,
    situation: Situation = LOGGED_IN,
    level: Level = MUST,
    needs: tuple[Any, ...] = (),
    note: str = "",
) -> Check:
    """A check of the data service; it begins with a login unless told otherwise."""
    return Check(name, section, level, title, situation, steps, (DATA, *needs), note)


# -- connections -----------------------------------------------------------------------------------------------------


async def _nobody(bench: Bench) -> None:
    """To where nobody listens."""
    address = await bench.listen()
    await bench.stop_listening()
    await bench.ask(DataConnect(wire_address(address)), (E.CONNECT,))


async def _peer_is_us(bench: Bench) -> None:
    answer = await bench.ask(DataGetState())
    if bench.reply.address != wire_address(bench.peer.local):
        raise Deviation(f"our end, port {bench.peer.local.port}", repr(bench.reply.address), answer=answer.entry)


async def _estimates(bench: Bench) -> None:
    """What is not estimated has its bit, and is not all ones without it."""
    answer = await bench.ask(DataGetState())
    state = bench.reply
    for bit, name, unknown in ((1, "est_bytes_remain", ALL_ONES_64), (2, "est_time_remain", 0xFFFFFFFF)):
        if not state.unsupported & bit and getattr(state, name) == unknown:
            came = f"{name} all ones, without its bit in `unsupported`"
            raise Deviation(f"{name}, or its bit", came, sent=answer.sent, answer=answer.entry)


CALLED: Final = DATA_LISTENING.then(
    "data service was called", connect_peer(), until(DataGetState(), state=DataState.CONNECTED)
)
_CONNECTIONS = rows(
    "data",
    row("state", "3.5.2.6", "DATA_GET_STATE is answered", ask(DataGetState())),
    row("state.idle", "3.5.1.1", "a new data service is idle, and all else is nothing", ask(DataGetState(), **IDLE)),
    row("state.address", "3.5.1.1", "its address is LOCAL", ask(DataGetState(), address=LocalAddress())),
    row("state.estimates", "3.5.1.1", "what is not estimated says so", _estimates),
    row(
        "listen",
        "3.5.2.2, 3.5.2",
        "DATA_LISTEN is supported, and tells where",
        ask(DataListen(TCP), address=_TCP_ADDRESS),
        note="Who has a data service has all of its messages.",
    ),
    row(
        "listen.type",
        "3.5.2.2",
        "DATA_LISTEN refuses address type 123",
        ask(DataListen(AddressType(123)), E.ILLEGAL_ARGS),
        needs=(DATA_LISTEN,),
    ),
    row(
        "listen.state",
        "2.11.5",
        "then the data service listens",
        ask(DataGetState(), state=DataState.LISTEN),
        situation=DATA_LISTENING,
    ),
    row(
        "arrived",
        "2.11.5",
        "a peer's connection makes it connected",
        ask(DataGetState(), state=DataState.CONNECTED),
        situation=CALLED,
    ),
    row(
        "arrived.address",
        "3.5.1.1",
        "then its address is one, without variables",
        ask(DataGetState(), address=_ONE_PLAIN),
        situation=CALLED,
    ),
    row(
        "connect",
        "3.5.2.1",
        "DATA_CONNECT connects",
        ask(DataGetState(), state=DataState.CONNECTED),
        situation=DATA_CONNECTED,
    ),
    row(
        "connect.address",
        "3.5.1.1",
        "then the address is one, without variables",
        ask(DataGetState(), address=_ONE_PLAIN),
        situation=DATA_CONNECTED,
    ),
    row("connect.peer", "3.5.1.1", "that of the peer", _peer_is_us, situation=DATA_CONNECTED, level=SHOULD),
    row(
        "connect.nobody",
        "3.5.2.1",
        "DATA_CONNECT to nobody is CONNECT",
        _nobody,
        ask(DataGetState(), state=DataState.IDLE),
    ),
    row(
        "connect.empty",
        "3.5.2.1",
        "DATA_CONNECT refuses TCP without an address",
        refused(DataConnect(TcpAddresses(()))),
    ),
    *(
        row(
            f"abort.{name}",
            "2.11.5, 3.5.2.9, 4.1.1",
            f"DATA_ABORT in {name} halts the data service, and a notification says so",
            ask(DataAbort()),
            post(NotifyDataHalted, reason=DataHaltReason.ABORTED),
            ask(DataGetState(), state=DataState.HALTED, halt_reason=DataHaltReason.ABORTED),
            situation=situation,
        )
        for name, situation in (("LISTEN", DATA_LISTENING), ("CONNECTED", DATA_CONNECTED), ("ACTIVE", DATA_ACTIVE))
    ),
    row(
        "abort.connection",
        "3.5.1.1",
        "DATA_ABORT closes the data connection",
        ask(DataAbort()),
        peer_closed,
        situation=DATA_CONNECTED,
    ),
    row(
        "abort.order",
        "2.11.5",
        "the notification of a halt comes after the reply",
        halted_after_reply(DataAbort(), NotifyDataHalted),
        situation=DATA_CONNECTED,
        level=MAY,
        note="The draft does not say which is first.",
    ),
    row("abort.once", "2.11.5", "a halt is told once", no_post(NotifyDataHalted), situation=DATA_HALTED),
    row(
        "stop",
        "3.5.2.8, 3.5.1.1",
        "DATA_STOP makes it idle, and resets everything",
        ask(DataStop()),
        ask(DataGetState(), **IDLE),
        situation=DATA_HALTED,
    ),
    row(
        "stop.address",
        "3.5.1.1",
        "and its address",
        ask(DataStop()),
        ask(DataGetState(), address=LocalAddress()),
        situation=DATA_HALTED,
    ),
    row(
        "stop.again",
        "2.11.5",
        "then it can be used again",
        ask(DataStop()),
        ask(DataListen(TCP)),
        situation=DATA_HALTED,
        needs=(DATA_LISTEN,),
    ),
    row(
        "lost",
        "2.11.5",
        "a peer that leaves halts the data service: CONNECT_ERROR",
        close_peer,
        post(NotifyDataHalted, reason=DataHaltReason.CONNECT_ERROR),
        situation=DATA_CONNECTED,
        level=SHOULD,
        note="A host may notice only when it has something to send.",
    ),
)

# -- what starts an operation ----------------------------------------------------------------------------------------

_STARTS = rows(
    "start",
    row(
        "backup.type",
        "3.5.2.3",
        "DATA_START_BACKUP refuses an unknown type",
        ask(DataStartBackup(NOWHERE, ()), E.ILLEGAL_ARGS),
        ask(DataGetState(), state=DataState.CONNECTED),
        situation=DATA_CONNECTED,
    ),
    row(
        "recover.type",
        "3.5.2.4",
        "DATA_START_RECOVER refuses an unknown type",
        ask(DataStartRecover((), (RecoverName("/a", "/a", "", "", 0, 0),), NOWHERE), E.ILLEGAL_ARGS),
        situation=DATA_CONNECTED,
    ),
    row(
        "recover.nothing",
        "3.5.2.4",
        "DATA_START_RECOVER refuses an empty list",
        ask(lambda bench: DataStartRecover((), (), butype(bench)), E.ILLEGAL_ARGS),
        situation=DATA_CONNECTED,
        note="At least one member shall be supplied.",
    ),
    row(
        "history.type",
        "3.5.2.5",
        "DATA_START_RECOVER_FILEHIST refuses an unknown type",
        ask(DataStartRecoverFilehist((), (RecoverName("/a", "/a", "", "", 0, 0),), NOWHERE), E.ILLEGAL_ARGS),
        situation=DATA_CONNECTED,
        needs=(FILEHIST,),
    ),
)


CHECKS: Final[tuple[Check, ...]] = (*_CONNECTIONS, *_STARTS)
