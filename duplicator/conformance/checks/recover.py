"""Recoveries from the suite, of what is not there (draft 3.5.2.4, 3.5.2.5, 4.1.5, 4.2.2)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import SHOULD, Check, Step, rows
from duplicator.conformance.checks.backup import back_up, halted
from duplicator.conformance.checks.data import butype, row
from duplicator.conformance.deviation import Deviation
from duplicator.conformance.needs import BACKUP, FILEHIST, SCRATCH
from duplicator.conformance.situations import (
    DATA_CONNECTED,
)
from duplicator.conformance.steps import (
    ask,
    peer_closed,
    post,
)
from ndmp.enums import (
    DataHaltReason,
    DataOperation,
    DataState,
    RecoveryStatus,
)
from ndmp.messages.data import (
    DataAbort,
    DataConnect,
    DataGetEnv,
    DataGetState,
    DataStartRecover,
    DataStartRecoverFilehist,
    DataStop,
    RecoverName,
)
from ndmp.messages.notify import LogFile, NotifyDataHalted, NotifyDataRead
from ndmp.types import ALL_ONES_64, wire_address

__all__ = ["CHECKS"]

_ABSENT: Final = "/ndmpdup-conformance/is-not-there"


async def _image(bench: Bench) -> None:
    """A backup to read back, and its variables."""
    await back_up()(bench)
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
        await bench.ask(kind(bench.kept["environment"], (name,), butype(bench)))

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


CHECKS: Final[tuple[Check, ...]] = rows(
    "recover",
    row(
        "read",
        "3.5.2.4, 4.1.5",
        "a recovery over TCP asks for what it wants to read",
        _recovery(DataStartRecover),
        post(NotifyDataRead),
        situation=_IMAGE,
        needs=(SCRATCH,),
    ),
    row(
        "state",
        "3.5.1.1",
        "it is active, and tells what it asked for last",
        _recovery(DataStartRecover),
        post(NotifyDataRead),
        ask(DataGetState(), state=DataState.ACTIVE, operation=DataOperation.RECOVER),
        situation=_IMAGE,
        needs=(SCRATCH,),
    ),
    row(
        "absent",
        "3.5.2.4, 4.1.1",
        "a path that is not in the backup does not halt it in error",
        _recovery(DataStartRecover),
        _feed,
        halted(),
        situation=_IMAGE,
        needs=(SCRATCH,),
    ),
    row(
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
    row(
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
    row(
        "history",
        "3.5.2.5, 4.1.5",
        "file history alone is read from the stream too",
        _recovery(DataStartRecoverFilehist),
        post(NotifyDataRead),
        ask(DataGetState(), operation=DataOperation.RECOVER_FILEHIST),
        situation=_IMAGE,
        needs=(FILEHIST,),
    ),
    row(
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
