"""The data service: connections, variables, backups, recoveries, file history (draft 3.5, 4.1, 4.3)."""

from __future__ import annotations

from typing import Any, Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MAY, MUST, SHOULD, Check, Level, Situation, Step, rows
from duplicator.conformance.deviation import Deviation, Unavailable
from duplicator.conformance.expectation import Want, either
from duplicator.conformance.needs import BACKUP, DATA, DATA_LISTEN, FILEHIST, SCRATCH
from duplicator.conformance.requests import NOWHERE
from duplicator.conformance.situations import (
    DATA_ACTIVE,
    DATA_CONNECTED,
    DATA_HALTED,
    DATA_LISTENING,
    LOGGED_IN,
    backup,
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
    ButypeAttribute,
    DataHaltReason,
    DataOperation,
    DataState,
    EnvName,
    Error,
    RecoveryStatus,
)
from ndmp.messages.data import (
    DataAbort,
    DataConnect,
    DataGetEnv,
    DataGetState,
    DataListen,
    DataStartBackup,
    DataStartRecover,
    DataStartRecoverFilehist,
    DataStop,
    RecoverName,
)
from ndmp.messages.filehist import FhAddDir, FhAddFile, FhAddNode
from ndmp.messages.notify import LogFile, NotifyDataHalted, NotifyDataRead
from ndmp.types import ALL_ONES_64, LocalAddress, Pval, TcpAddresses, wire_address

__all__ = ["CHECKS"]

E: Final = Error
TCP: Final = AddressType.TCP
UNHEARD_OF: Final = Pval("NDMPDUP_UNHEARD_OF", "whatever")
_TCP_ADDRESS: Final = Want(
    "a TCP address", lambda address: isinstance(address, TcpAddresses) and bool(address.endpoints)
)
_ONE_PLAIN: Final = Want(
    "one TCP address without variables",
    lambda address: (
        isinstance(address, TcpAddresses) and len(address.endpoints) == 1 and not address.endpoints[0].environment
    ),
)
_IDLE: Final[dict[str, object]] = {
    "state": DataState.IDLE,
    "operation": DataOperation.NOACTION,
    "halt_reason": DataHaltReason.NA,
    "bytes_processed": 0,
    "read_offset": 0,
    "read_length": 0,
}
_SUCCESS: Final = DataHaltReason.SUCCESSFUL
_MANY_POSTS: Final = 30.0
"""Seconds for a whole backup."""


def _butype(bench: Bench) -> str:
    return bench.target.permissions.butype or (*bench.facts.butypes, NOWHERE)[0]


def _row(
    name: str,
    section: str,
    title: str,
    *steps: Step,
    situation: Situation = LOGGED_IN,
    level: Level = MUST,
    needs: tuple[Any, ...] = (),
    note: str = "",
) -> Check:
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


_CONNECTED_AS_LISTENER: Final = DATA_LISTENING.then(
    "data service was called", connect_peer(), until(DataGetState(), state=DataState.CONNECTED)
)
_CONNECTIONS = rows(
    "data",
    _row("state", "3.5.2.6", "DATA_GET_STATE is answered", ask(DataGetState())),
    _row("state.idle", "3.5.1.1", "a new data service is idle, and all else is nothing", ask(DataGetState(), **_IDLE)),
    _row("state.address", "3.5.1.1", "its address is LOCAL", ask(DataGetState(), address=LocalAddress())),
    _row("state.estimates", "3.5.1.1", "what is not estimated says so", _estimates),
    _row(
        "listen",
        "3.5.2.2, 3.5.2",
        "DATA_LISTEN is supported, and tells where",
        ask(DataListen(TCP), address=_TCP_ADDRESS),
        note="Who has a data service has all of its messages.",
    ),
    _row(
        "listen.type",
        "3.5.2.2",
        "DATA_LISTEN refuses address type 123",
        ask(DataListen(AddressType(123)), E.ILLEGAL_ARGS),
        needs=(DATA_LISTEN,),
    ),
    _row(
        "listen.state",
        "2.11.5",
        "then the data service listens",
        ask(DataGetState(), state=DataState.LISTEN),
        situation=DATA_LISTENING,
    ),
    _row(
        "arrived",
        "2.11.5",
        "a peer's connection makes it connected",
        ask(DataGetState(), state=DataState.CONNECTED),
        situation=_CONNECTED_AS_LISTENER,
    ),
    _row(
        "arrived.address",
        "3.5.1.1",
        "then its address is one, without variables",
        ask(DataGetState(), address=_ONE_PLAIN),
        situation=_CONNECTED_AS_LISTENER,
    ),
    _row(
        "connect",
        "3.5.2.1",
        "DATA_CONNECT connects",
        ask(DataGetState(), state=DataState.CONNECTED),
        situation=DATA_CONNECTED,
    ),
    _row(
        "connect.address",
        "3.5.1.1",
        "then the address is one, without variables",
        ask(DataGetState(), address=_ONE_PLAIN),
        situation=DATA_CONNECTED,
    ),
    _row("connect.peer", "3.5.1.1", "that of the peer", _peer_is_us, situation=DATA_CONNECTED, level=SHOULD),
    _row(
        "connect.nobody",
        "3.5.2.1",
        "DATA_CONNECT to nobody is CONNECT",
        _nobody,
        ask(DataGetState(), state=DataState.IDLE),
    ),
    _row(
        "connect.empty",
        "3.5.2.1",
        "DATA_CONNECT refuses TCP without an address",
        refused(DataConnect(TcpAddresses(()))),
    ),
    *(
        _row(
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
    _row(
        "abort.connection",
        "3.5.1.1",
        "DATA_ABORT closes the data connection",
        ask(DataAbort()),
        peer_closed,
        situation=DATA_CONNECTED,
    ),
    _row(
        "abort.order",
        "2.11.5",
        "the notification of a halt comes after the reply",
        halted_after_reply(DataAbort(), NotifyDataHalted),
        situation=DATA_CONNECTED,
        level=MAY,
        note="The draft does not say which is first.",
    ),
    _row("abort.once", "2.11.5", "a halt is told once", no_post(NotifyDataHalted), situation=DATA_HALTED),
    _row(
        "stop",
        "3.5.2.8, 3.5.1.1",
        "DATA_STOP makes it idle, and resets everything",
        ask(DataStop()),
        ask(DataGetState(), **_IDLE),
        situation=DATA_HALTED,
    ),
    _row(
        "stop.address",
        "3.5.1.1",
        "and its address",
        ask(DataStop()),
        ask(DataGetState(), address=LocalAddress()),
        situation=DATA_HALTED,
    ),
    _row(
        "stop.again",
        "2.11.5",
        "then it can be used again",
        ask(DataStop()),
        ask(DataListen(TCP)),
        situation=DATA_HALTED,
        needs=(DATA_LISTEN,),
    ),
    _row(
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
    _row(
        "backup.type",
        "3.5.2.3",
        "DATA_START_BACKUP refuses an unknown type",
        ask(DataStartBackup(NOWHERE, ()), E.ILLEGAL_ARGS),
        ask(DataGetState(), state=DataState.CONNECTED),
        situation=DATA_CONNECTED,
    ),
    _row(
        "recover.type",
        "3.5.2.4",
        "DATA_START_RECOVER refuses an unknown type",
        ask(DataStartRecover((), (RecoverName("/a", "/a", "", "", 0, 0),), NOWHERE), E.ILLEGAL_ARGS),
        situation=DATA_CONNECTED,
    ),
    _row(
        "recover.nothing",
        "3.5.2.4",
        "DATA_START_RECOVER refuses an empty list",
        ask(lambda bench: DataStartRecover((), (), _butype(bench)), E.ILLEGAL_ARGS),
        situation=DATA_CONNECTED,
        note="At least one member shall be supplied.",
    ),
    _row(
        "history.type",
        "3.5.2.5",
        "DATA_START_RECOVER_FILEHIST refuses an unknown type",
        ask(DataStartRecoverFilehist((), (RecoverName("/a", "/a", "", "", 0, 0),), NOWHERE), E.ILLEGAL_ARGS),
        situation=DATA_CONNECTED,
        needs=(FILEHIST,),
    ),
)

# -- backups ---------------------------------------------------------------------------------------------------------


def _halted(**fields: object) -> Step:
    """The end of an operation, which may take a while."""

    async def step(bench: Bench) -> None:
        await bench.post(NotifyDataHalted, fields, deadline=max(bench.target.deadline, _MANY_POSTS))

    return step


def _back_up(*variables: Pval) -> Step:
    """A whole backup, taken in by us; what came is kept as ``image``."""

    async def step(bench: Bench) -> None:
        await backup(*variables)(bench)
        bench.kept["image"] = await bench.peer.receive_all()
        await _halted(reason=_SUCCESS)(bench)

    return step


async def _counted(bench: Bench) -> None:
    await bench.ask(DataGetState(), fields={"bytes_processed": len(bench.kept["image"])})


async def _variables_come_back(bench: Bench) -> None:
    """All variables of the request, with one that nobody knows, and the path separator."""
    answer = await bench.ask(DataGetEnv())
    came = {pair.name: pair.value for pair in bench.reply.environment}
    wanted = {UNHEARD_OF.name: UNHEARD_OF.value, "FILESYSTEM": bench.target.permissions.path}
    for name, value in wanted.items():
        if came.get(name) != value:
            raise Deviation(f"{name}={value!r}", repr(came.get(name)), sent=answer.sent, answer=answer.entry)


async def _separator(bench: Bench) -> None:
    answer = await bench.ask(DataGetEnv())
    if EnvName.PATHNAME_SEPARATOR not in {pair.name for pair in bench.reply.environment}:
        raise Deviation("PATHNAME_SEPARATOR", "none", sent=answer.sent, answer=answer.entry)


def _promised(*attributes: ButypeAttribute) -> Step:
    """The type says that it can do this; else there is nothing to check."""

    async def step(bench: Bench) -> None:
        if not bench.facts.butype_attributes & sum(attributes):
            reason = f"the backup type does not promise {attributes[0].name}"
            raise Unavailable(reason)

    return step


def _history(*kinds: type) -> Step:
    """Entries of these kinds came, all of them before the end."""

    async def step(bench: Bench) -> None:
        names = " or ".join(kind.__name__ for kind in kinds)
        told = [message for message, _ in bench.session.posts if isinstance(message, kinds)]
        if not told:
            raise Deviation(f"{names} before the end of the backup", "none")

    return step


async def _dots(bench: Bench) -> None:
    """A history by directories begins with . and .. of the root, which have one node (4.3.2)."""
    entries = [entry for message, _ in bench.session.posts if isinstance(message, FhAddDir) for entry in message.dirs]
    names = [getattr(entry.names[0], "path", "") if entry.names else "" for entry in entries[:2]]
    if names != [".", ".."]:
        raise Deviation("entries . and .. first", repr(names))
    if any(entry.node != entry.parent for entry in entries[:2]):
        raise Deviation("the root's own node for both", repr([(entry.node, entry.parent) for entry in entries[:2]]))


async def _no_history(bench: Bench) -> None:
    for message, entry in bench.session.posts:
        if isinstance(message, FhAddFile | FhAddDir | FhAddNode):
            raise Deviation("no file history", entry.line, answer=entry)


_BACKUPS = rows(
    "backup",
    _row(
        "active",
        "3.5.2.3",
        "a backup that has begun is active",
        ask(DataGetState(), state=DataState.ACTIVE, operation=DataOperation.BACKUP),
        situation=DATA_ACTIVE,
    ),
    _row(
        "whole",
        "3.5.2.3, 4.1.1",
        "a backup ends successfully, and its connection is closed",
        _back_up(),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "halted",
        "3.5.1.1",
        "then the data service is halted: SUCCESSFUL",
        _back_up(),
        ask(DataGetState(), state=DataState.HALTED, halt_reason=_SUCCESS),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "operation",
        "3.5.1.1",
        "the operation is told until DATA_STOP",
        _back_up(),
        ask(DataGetState(), operation=DataOperation.BACKUP),
        ask(DataStop()),
        ask(DataGetState(), **_IDLE),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "counted",
        "3.5.1.1",
        "bytes_processed is what came",
        _back_up(),
        _counted,
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "variables",
        "3.5.2.3, 3.5.2.7",
        "variables that nobody knows do no harm, and come back",
        _back_up(UNHEARD_OF),
        _variables_come_back,
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "separator",
        "3.5.2.3",
        "the path separator is among the variables",
        _back_up(),
        _separator,
        situation=DATA_CONNECTED,
        level=SHOULD,
        needs=(BACKUP,),
    ),
    _row(
        "environment.stop",
        "3.5.2.8",
        "DATA_STOP forgets the variables",
        _back_up(),
        ask(DataStop()),
        ask(DataGetEnv(), E.ILLEGAL_STATE),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "abort",
        "3.5.2.9",
        "a backup that is aborted closes its connection",
        ask(DataAbort()),
        peer_closed,
        post(NotifyDataHalted, reason=DataHaltReason.ABORTED),
        situation=DATA_ACTIVE,
    ),
    _row(
        "lost",
        "2.11.5",
        "a peer that leaves during a backup halts it",
        close_peer,
        _halted(reason=either(DataHaltReason.CONNECT_ERROR, DataHaltReason.INTERNAL_ERROR, DataHaltReason.ABORTED)),
        situation=DATA_ACTIVE,
    ),
    _row(
        "lost.reason",
        "3.5.1.1",
        "with CONNECT_ERROR",
        close_peer,
        _halted(reason=DataHaltReason.CONNECT_ERROR),
        situation=DATA_ACTIVE,
    ),
    _row(
        "listened",
        "3.5.2.2",
        "a data service that listened backs up as well",
        _back_up(),
        situation=_CONNECTED_AS_LISTENER,
        needs=(BACKUP,),
    ),
    _row(
        "history.file",
        "2.5.3, 4.3.1",
        "HIST=f gives a history by files",
        _promised(ButypeAttribute.BACKUP_FH_FILE),
        _back_up(Pval("HIST", "f")),
        _history(FhAddFile),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "history.directory",
        "2.5.3, 4.3.2",
        "HIST=d gives a history by directories and nodes",
        _promised(ButypeAttribute.BACKUP_FH_DIR),
        _back_up(Pval("HIST", "d")),
        _history(FhAddDir),
        _history(FhAddNode),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "history.dots",
        "4.3.2",
        "a history by directories begins with . and .. of the root",
        _promised(ButypeAttribute.BACKUP_FH_DIR),
        _back_up(Pval("HIST", "d")),
        _dots,
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    _row(
        "history.none",
        "3.2.5",
        "HIST=n gives none",
        _back_up(Pval("HIST", "n")),
        _no_history,
        situation=DATA_CONNECTED,
        level=SHOULD,
        needs=(BACKUP,),
    ),
)

# -- recoveries ------------------------------------------------------------------------------------------------------

_ABSENT: Final = "/ndmpdup-conformance/is-not-there"


async def _image(bench: Bench) -> None:
    """A backup to read back, and its variables."""
    await _back_up()(bench)
    await bench.ask(DataGetEnv())
    bench.kept["environment"] = bench.reply.environment
    await bench.ask(DataStop())
    bench.session.posts.clear()
    address = await bench.listen()
    await bench.ask(DataConnect(wire_address(address)))
    await bench.accept_peer()


_IMAGE: Final = DATA_CONNECTED.then("data service is connected, and a backup was taken", _image, needs=(BACKUP,))


def _recovery(kind: type[DataStartRecover] | type[DataStartRecoverFilehist]) -> Step:
    """Ask for a path that is in no backup."""

    async def step(bench: Bench) -> None:
        name = RecoverName(_ABSENT, bench.target.permissions.path or "", "", "", ALL_ONES_64, ALL_ONES_64)
        await bench.ask(kind(bench.kept["environment"], (name,), _butype(bench)))

    return step


async def _last_read(bench: Bench) -> None:
    """What the state tells is what the notification said."""
    read = bench.reply
    await bench.ask(DataGetState(), fields={"read_offset": read.offset, "read_length": read.length})


async def _feed(bench: Bench) -> None:
    """Give a recovery what it asks for, until it halts."""
    image = bench.kept["image"]
    session = bench.session
    while not any(isinstance(message, NotifyDataHalted) for message, _ in session.posts):
        await session.wait(
            lambda: any(isinstance(message, NotifyDataRead | NotifyDataHalted) for message, _ in session.posts),
            "NotifyDataRead or NotifyDataHalted",
        )
        for message, entry in [each for each in session.posts if isinstance(each[0], NotifyDataRead)]:
            session.posts.remove((message, entry))
            bench.kept["read"] = message
            end = min(message.offset + message.length, len(image))  # type: ignore[attr-defined]
            await bench.peer.send(image[message.offset : end], patient=False)  # type: ignore[attr-defined]
            if end >= len(image):
                await bench.peer.close()


async def _told_not_found(bench: Bench) -> None:
    told = [(message, entry) for message, entry in bench.session.posts if isinstance(message, LogFile)]
    if not any(message.name == _ABSENT and message.status == RecoveryStatus.NOT_FOUND for message, _ in told):
        raise Deviation(f"LOG_FILE {_ABSENT}, NOT_FOUND", "; ".join(entry.line for _, entry in told) or "none")


_RECOVERIES = rows(
    "recover",
    _row(
        "read",
        "3.5.2.4, 4.1.5",
        "a recovery over TCP asks for what it wants to read",
        _recovery(DataStartRecover),
        post(NotifyDataRead),
        situation=_IMAGE,
        needs=(SCRATCH,),
    ),
    _row(
        "state",
        "3.5.1.1",
        "it is active, and tells what it asked for last",
        _recovery(DataStartRecover),
        post(NotifyDataRead),
        ask(DataGetState(), state=DataState.ACTIVE, operation=DataOperation.RECOVER),
        situation=_IMAGE,
        needs=(SCRATCH,),
    ),
    _row(
        "absent",
        "3.5.2.4, 4.1.1",
        "a path that is not in the backup does not halt it in error",
        _recovery(DataStartRecover),
        _feed,
        _halted(),
        situation=_IMAGE,
        needs=(SCRATCH,),
    ),
    _row(
        "absent.told",
        "4.2.2",
        "LOG_FILE tells that it was not found, under its original path",
        _recovery(DataStartRecover),
        _feed,
        _told_not_found,
        situation=_IMAGE,
        level=SHOULD,
        needs=(SCRATCH,),
    ),
    _row(
        "abort",
        "3.5.2.9",
        "a recovery can be aborted",
        _recovery(DataStartRecover),
        ask(DataAbort()),
        post(NotifyDataHalted, reason=DataHaltReason.ABORTED),
        peer_closed,
        situation=_IMAGE,
        needs=(SCRATCH,),
    ),
    _row(
        "history",
        "3.5.2.5, 4.1.5",
        "file history alone is read from the stream too",
        _recovery(DataStartRecoverFilehist),
        post(NotifyDataRead),
        ask(DataGetState(), operation=DataOperation.RECOVER_FILEHIST),
        situation=_IMAGE,
        needs=(FILEHIST,),
    ),
    _row(
        "history.offset",
        "3.5.1.1",
        "read_offset and read_length are those of the last NOTIFY_DATA_READ",
        _recovery(DataStartRecoverFilehist),
        post(NotifyDataRead),
        _last_read,
        situation=_IMAGE,
        needs=(FILEHIST,),
    ),
)

CHECKS: Final[tuple[Check, ...]] = (*_CONNECTIONS, *_STARTS, *_BACKUPS, *_RECOVERIES)
