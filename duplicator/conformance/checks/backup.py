"""Backups into the suite, and their file history (draft 3.5.2.3, 3.5.2.7, 4.3)."""

from __future__ import annotations

from typing import Final

from duplicator.conformance.bench import Bench
from duplicator.conformance.check import SHOULD, Check, Step, rows
from duplicator.conformance.checks.data import CALLED, IDLE, row
from duplicator.conformance.deviation import Deviation, Unavailable
from duplicator.conformance.expectation import either
from duplicator.conformance.needs import BACKUP
from duplicator.conformance.situations import (
    DATA_ACTIVE,
    DATA_CONNECTED,
    backup,
)
from duplicator.conformance.steps import (
    ask,
    close_peer,
    peer_closed,
    post,
)
from ndmp.enums import (
    ButypeAttribute,
    DataHaltReason,
    DataOperation,
    DataState,
    EnvName,
    Error,
)
from ndmp.messages.data import (
    DataAbort,
    DataGetEnv,
    DataGetState,
    DataStop,
)
from ndmp.messages.filehist import FhAddDir, FhAddFile, FhAddNode
from ndmp.messages.notify import NotifyDataHalted
from ndmp.types import Pval

__all__ = ["CHECKS", "back_up", "halted"]

E: Final = Error
UNHEARD_OF: Final = Pval("NDMPDUP_UNHEARD_OF", "whatever")
_SUCCESS: Final = DataHaltReason.SUCCESSFUL
_MANY_POSTS: Final = 30.0
"""Seconds for a whole backup."""


def halted(**fields: object) -> Step:
    """The end of an operation, which may take a while."""

    async def step(bench: Bench) -> None:
        await bench.post(NotifyDataHalted, fields, deadline=max(bench.target.deadline, _MANY_POSTS))

    return step


def back_up(*variables: Pval) -> Step:
    """A whole backup, taken in by us; what came is kept as ``image``."""

    async def step(bench: Bench) -> None:
        await backup(*variables)(bench)
        bench.kept["image"] = await bench.peer.receive_all()
        await halted(reason=_SUCCESS)(bench)

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


CHECKS: Final[tuple[Check, ...]] = rows(
    "backup",
    row(
        "active",
        "3.5.2.3",
        "a backup that has begun is active",
        ask(DataGetState(), state=DataState.ACTIVE, operation=DataOperation.BACKUP),
        situation=DATA_ACTIVE,
    ),
    row(
        "whole",
        "3.5.2.3, 4.1.1",
        "a backup ends successfully, and its connection is closed",
        back_up(),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "halted",
        "3.5.1.1",
        "then the data service is halted: SUCCESSFUL",
        back_up(),
        ask(DataGetState(), state=DataState.HALTED, halt_reason=_SUCCESS),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "operation",
        "3.5.1.1",
        "the operation is told until DATA_STOP",
        back_up(),
        ask(DataGetState(), operation=DataOperation.BACKUP),
        ask(DataStop()),
        ask(DataGetState(), **IDLE),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "counted",
        "3.5.1.1",
        "bytes_processed is what came",
        back_up(),
        _counted,
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "variables",
        "3.5.2.3, 3.5.2.7",
        "variables that nobody knows do no harm, and come back",
        back_up(UNHEARD_OF),
        _variables_come_back,
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "separator",
        "3.5.2.3",
        "the path separator is among the variables",
        back_up(),
        _separator,
        situation=DATA_CONNECTED,
        level=SHOULD,
        needs=(BACKUP,),
    ),
    row(
        "environment.stop",
        "3.5.2.8",
        "DATA_STOP forgets the variables",
        back_up(),
        ask(DataStop()),
        ask(DataGetEnv(), E.ILLEGAL_STATE),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "abort",
        "3.5.2.9",
        "a backup that is aborted closes its connection",
        ask(DataAbort()),
        peer_closed,
        post(NotifyDataHalted, reason=DataHaltReason.ABORTED),
        situation=DATA_ACTIVE,
    ),
    row(
        "lost",
        "2.11.5",
        "a peer that leaves during a backup halts it",
        close_peer,
        halted(reason=either(DataHaltReason.CONNECT_ERROR, DataHaltReason.INTERNAL_ERROR, DataHaltReason.ABORTED)),
        situation=DATA_ACTIVE,
    ),
    row(
        "lost.reason",
        "3.5.1.1",
        "with CONNECT_ERROR",
        close_peer,
        halted(reason=DataHaltReason.CONNECT_ERROR),
        situation=DATA_ACTIVE,
    ),
    row(
        "listened",
        "3.5.2.2",
        "a data service that listened backs up as well",
        back_up(),
        situation=CALLED,
        needs=(BACKUP,),
    ),
    row(
        "history.file",
        "2.5.3, 4.3.1",
        "HIST=f gives a history by files",
        _promised(ButypeAttribute.BACKUP_FH_FILE),
        back_up(Pval("HIST", "f")),
        _history(FhAddFile),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "history.directory",
        "2.5.3, 4.3.2",
        "HIST=d gives a history by directories and nodes",
        _promised(ButypeAttribute.BACKUP_FH_DIR),
        back_up(Pval("HIST", "d")),
        _history(FhAddDir),
        _history(FhAddNode),
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "history.dots",
        "4.3.2",
        "a history by directories begins with . and .. of the root",
        _promised(ButypeAttribute.BACKUP_FH_DIR),
        back_up(Pval("HIST", "d")),
        _dots,
        situation=DATA_CONNECTED,
        needs=(BACKUP,),
    ),
    row(
        "history.none",
        "3.2.5",
        "HIST=n gives none",
        back_up(Pval("HIST", "n")),
        _no_history,
        situation=DATA_CONNECTED,
        level=SHOULD,
        needs=(BACKUP,),
    ),
)
