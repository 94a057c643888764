"""Services that work with each other: mover to mover, mover and data service of a session (draft D.6, 3.6.2.3)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import MUST, Check, Step, rows
from duplicator.conformance.deviation import Unavailable
from duplicator.conformance.needs import BACKUP, DATA, LOCAL, SCRATCH, SECOND, TAPE
from duplicator.conformance.situations import LOGGED_IN, RECORD, WRITABLE, backup, open_tape, rewind
from duplicator.conformance.steps import ask, keep, on, post, until
from duplicator.conformance.tapes import RECORDED, mark, read, read_mark, stream
from ndmp.enums import (
    AddressType,
    DataHaltReason,
    DataState,
    Error,
    MoverHaltReason,
    MoverMode,
    MoverPauseReason,
    MoverState,
    TapeOpenMode,
)
from ndmp.messages.data import DataConnect, DataGetState
from ndmp.messages.mover import (
    MoverAbort,
    MoverClose,
    MoverConnect,
    MoverGetState,
    MoverListen,
    MoverRead,
    MoverSetRecordSize,
    MoverSetWindow,
    MoverStop,
)
from ndmp.messages.notify import NotifyDataHalted, NotifyMoverHalted, NotifyMoverPaused
from ndmp.types import ALL_ONES_64, LocalAddress

__all__ = ["CHECKS"]

E: Final = Error
TCP: Final = AddressType.TCP
CLOSED: Final = MoverHaltReason.CONNECT_CLOSED


def _windowed(size: int = RECORD) -> tuple[Step, ...]:
    return ask(MoverSetRecordSize(size)), ask(MoverSetWindow(0, ALL_ONES_64))


def _second(*steps: Step) -> Step:
    return on("second", *steps)


def _destination(size: int = RECORD) -> Step:
    """A scratch tape of the second host, and a mover that waits for the stream."""
    return _second(
        open_tape(TapeOpenMode.RDWR),
        rewind,
        *_windowed(size),
        ask(MoverListen(MoverMode.READ, TCP)),
        keep("address", lambda reply: reply.address),
    )


async def _connect_source(bench: Bench) -> None:
    await bench.ask(MoverConnect(MoverMode.WRITE, bench.kept["address"]))


async def _connect_destination(bench: Bench) -> None:
    await bench.ask(MoverConnect(MoverMode.READ, bench.kept["address"]))


def _is_on_tape(size: int, records: int) -> Step:
    """The copy, in records of this size."""
    whole = stream(6 * RECORD)
    whole += bytes(-len(whole) % size)
    return _second(
        ask(MoverStop()),
        mark(),
        rewind,
        *(read(whole[at : at + size]) for at in range(0, records * size, size)),
        read_mark,
    )


_COPIED: Final = (
    ask(MoverRead(0, ALL_ONES_64)),
    post(NotifyMoverPaused, reason=MoverPauseReason.EOF),
    ask(MoverClose()),
    post(NotifyMoverHalted, reason=CLOSED),
    _second(post(NotifyMoverHalted, reason=CLOSED)),
)
_MOVED: Final = _second(ask(MoverGetState(), bytes_moved=6 * RECORD))

_MOVERS = rows(
    "pair",
    Check(
        "mover",
        "D.6, 3.6.2.3",
        MUST,
        "a tape file is copied from mover to mover",
        RECORDED,
        (_destination(), *_windowed(), _connect_source, *_COPIED, _MOVED, _is_on_tape(RECORD, 6)),
        (SECOND,),
    ),
    Check(
        "mover.source-listens",
        "3.6.2.3, 3.6.2.4",
        MUST,
        "it is the same when the source listens",
        RECORDED,
        (
            *_windowed(),
            ask(MoverListen(MoverMode.WRITE, TCP)),
            keep("address", lambda reply: reply.address),
            _second(open_tape(TapeOpenMode.RDWR), rewind, *_windowed(), _connect_destination),
            until(MoverGetState(), state=MoverState.ACTIVE),
            *_COPIED,
            _MOVED,
            _is_on_tape(RECORD, 6),
        ),
        (SECOND,),
    ),
    Check(
        "mover.blocks",
        "3.6.2.1",
        MUST,
        "the destination writes records of its own size, the last one filled up",
        RECORDED,
        (_destination(RECORD + 1024), *_windowed(), _connect_source, *_COPIED, _MOVED, _is_on_tape(RECORD + 1024, 6)),
        (SECOND,),
    ),
    Check(
        "mover.abort",
        "D.8.3, D.8.4",
        MUST,
        "an abort of the source ends the destination too",
        RECORDED,
        (
            _destination(),
            *_windowed(),
            _connect_source,
            ask(MoverAbort()),
            post(NotifyMoverHalted, reason=MoverHaltReason.ABORTED),
            _second(post(NotifyMoverHalted), ask(MoverGetState(), state=MoverState.HALTED)),
        ),
        (SECOND,),
    ),
    Check(
        "mover.window",
        "3.6.1.1, D.6",
        MUST,
        "a window of the destination holds the source up, and the next one lets it go on",
        RECORDED,
        (
            _second(
                open_tape(TapeOpenMode.RDWR),
                rewind,
                ask(MoverSetRecordSize(RECORD)),
                ask(MoverSetWindow(0, 2 * RECORD)),
                ask(MoverListen(MoverMode.READ, TCP)),
                keep("address", lambda reply: reply.address),
            ),
            *_windowed(),
            _connect_source,
            ask(MoverRead(0, ALL_ONES_64)),
            _second(post(NotifyMoverPaused), ask(MoverGetState(), bytes_moved=2 * RECORD)),
        ),
        (SECOND,),
    ),
)

# -- LOCAL -----------------------------------------------------------------------------------------------------------


async def _fits(bench: Bench) -> None:
    """The transfer ends, and not with the tape."""
    posts = bench.session.posts
    kinds = (NotifyMoverHalted, NotifyMoverPaused)
    await bench.session.wait(lambda: any(isinstance(each, kinds) for each, _ in posts), "the end of the transfer")
    if any(isinstance(each, NotifyMoverPaused) for each, _ in posts):
        reason = "the backup of --path does not fit on the tape"
        raise Unavailable(reason)


_LOCAL_SET: Final = WRITABLE.then(
    "mover of the session waits for LOCAL",
    *_windowed(),
    ask(MoverListen(MoverMode.READ, AddressType.LOCAL)),
    needs=(DATA, LOCAL),
)
_LOCAL = rows(
    "local",
    Check(
        "listen",
        "3.6.2.4",
        MUST,
        "a mover listens for the data service of its session",
        WRITABLE,
        (*_windowed(), ask(MoverListen(MoverMode.READ, AddressType.LOCAL), address=LocalAddress())),
        (DATA, LOCAL),
    ),
    Check(
        "connect",
        "3.5.2.1, 2.11.5",
        MUST,
        "the data service of the session connects, and both tell LOCAL",
        _LOCAL_SET,
        (
            ask(DataConnect(LocalAddress())),
            ask(DataGetState(), state=DataState.CONNECTED, address=LocalAddress()),
            until(MoverGetState(), state=MoverState.ACTIVE),
            ask(MoverGetState(), address=LocalAddress()),
        ),
    ),
    Check(
        "connect.nobody",
        "3.5.2.1",
        MUST,
        "a data service does not connect to a mover that does not listen",
        LOGGED_IN,
        (ask(DataConnect(LocalAddress()), E.CONNECT, E.ILLEGAL_STATE, E.ILLEGAL_ARGS),),
        (DATA, LOCAL, TAPE),
        note="The draft names CONNECT; ILLEGAL_STATE and ILLEGAL_ARGS say as much where nobody listens.",
    ),
    Check(
        "backup",
        "D.1",
        MUST,
        "a backup goes to the tape of its own session",
        _LOCAL_SET,
        (
            ask(DataConnect(LocalAddress())),
            backup(),
            _fits,
            post(NotifyDataHalted, reason=DataHaltReason.SUCCESSFUL),
            post(NotifyMoverHalted, reason=CLOSED),
        ),
        (BACKUP, SCRATCH),
    ),
)

CHECKS: Final[tuple[Check, ...]] = (*_MOVERS, *_LOCAL)
