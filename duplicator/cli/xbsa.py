"""`ndmpdup xbsa`: what its commands share."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from duplicator.cli.endings import Interrupted, UsageProblem
from duplicator.cli.terminal import complain, plain

if TYPE_CHECKING:
    from types import FrameType

    from duplicator.xbsa import FoundObject, Session

__all__ = [
    "PIPE",
    "Host",
    "Service",
    "copy_all",
    "find_object",
    "load_progress",
    "object_document",
    "opened_session",
    "xbsa",
]

PIPE: Final = "-"
_PIECE_BYTES: Final = 4 << 20
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Service = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        envvar="NDMPDUP_XBSA_SERVICE",
        help="Your folder of the service. Default: that of xbsa.toml, else where `ndmpdup xbsa serve` has it.",
        show_default=False,
    ),
]
Host = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Objects of this client host. Default: this machine.", show_default=False),
]


def xbsa() -> None:
    """Objects of applications (XBSA): kept by the service, on disk and on tape.

    An object is named by its path, which begins with a slash, and each version of it by its copy id. You see your own.

    \b
    Examples:
      ndmpdup xbsa put /db/full dump.sql
      pg_dump db | ndmpdup xbsa put /db/full
      ndmpdup xbsa ls '/db/*'
      ndmpdup xbsa get /db/full dump.sql
    """


@contextmanager
def opened_session(
    service: Path | None, host: str | None, *, source: str | None = None, policy: str | None = None
) -> Iterator[Session]:
    """A session with these settings, where they are given; it ends well on signals too. XbsaError, Interrupted."""
    from duplicator import xbsa as library

    given = {
        "NDMPDUP_XBSA_SERVICE": str(service.absolute()) if service else None,
        "NDMPDUP_XBSA_SOURCE": source,
        "NBBSA_CLIENT_HOST": host,
        "NBBSA_POLICY": policy,
    }
    environment = {name: value for name, value in given.items() if value}
    with _unwinding(), library.session(environment=environment, told=_tell_wait) as session:
        yield session


def find_object(session: Session, text: str) -> FoundObject:
    """The object with this copy id, or the newest one with this path; UsageProblem when there is none."""
    from duplicator.xbsa import ReturnCode, XbsaError

    try:
        return session.object(int(text)) if text.isdecimal() else session.newest(text)
    except XbsaError as error:
        if error.code is ReturnCode.OBJECT_NOT_FOUND:
            raise UsageProblem(str(error)) from error
        raise


def object_document(found: FoundObject) -> dict[str, Any]:
    """An object for --json."""
    return {
        "copy_id": found.copy_id,
        "path": found.path,
        "space": found.space,
        "created": found.created.isoformat(),
        "size": found.size,
        "copy_type": found.copy_type.name.lower(),
        "object_type": found.object_type.name.lower(),
        "resource_type": found.resource_type,
        "description": found.description,
        "owner": found.owner,
        "app_owner": found.app_owner,
        "info": found.info.hex(),
        "most_recent": found.most_recent,
    }


def load_progress() -> None:
    """Load what shows progress, before a stream runs: in the midst of loading, an interrupt may be lost."""
    import duplicator.cli.tape_copy  # noqa: F401


def copy_all(source: BufferedIOBase, target: Callable[[memoryview], object]) -> int:
    """Copy all bytes, with progress on standard error; how many. :func:`load_progress` comes first."""
    from duplicator.cli.tape_copy import progress

    room, size = memoryview(bytearray(_PIECE_BYTES)), 0
    with progress() as note:
        # Not readinto: that waits for a full buffer, and a signal in the middle would be heard of when it is full.
        while count := source.readinto1(room):
            target(room[:count])
            note(count)
            size += count
    return size


class _Signalled(BaseException):
    """No Exception: the calls of XBSA turn those into codes."""

    def __init__(self, number: int) -> None:
        self.number = number


def _tell_wait(text: str) -> None:
    complain(f"waiting: {plain(text)}")


@contextmanager
def _unwinding() -> Iterator[None]:
    """Let signals unwind what runs, so that nothing half done stays.

    Ctrl-C too: a KeyboardInterrupt that comes while a module loads makes Python end as if killed, however it is caught.
    """

    def interrupt(number: int, _frame: FrameType | None) -> None:
        raise _Signalled(number)

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    except _Signalled as signalled:
        raise Interrupted(signalled.number) from None
    finally:
        for number, usual in before.items():
            signal.signal(number, usual)
