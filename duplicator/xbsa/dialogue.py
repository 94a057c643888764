"""What is said on the sockets of the service, and how what goes wrong there becomes a CallError with words."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.local_sockets import Deadline, LineError, connect, peer_uid, read_line
from duplicator.xbsa.progress_file import ProgressError
from duplicator.xbsa.wire import Fault, WireError, unpack

__all__ = ["AGAIN", "expect", "hearing_manager", "open_socket", "reaching"]

AGAIN: Final = "end the transaction and try again; the service's log says more"


def open_socket(path: Path, deadline: Deadline) -> socket.socket:
    """A connection to a process of ours or of root; CallError when another user is there."""
    stream = connect(path, seconds=deadline.left() or 0.001)
    try:
        if (uid := peer_uid(stream)) not in (0, os.geteuid()):
            raise CallError(ReturnCode.AUTHENTICATION_FAILURE, f"{path} is served by user {uid}, whom we do not trust")
    except BaseException:
        stream.close()
        raise
    return stream


def expect(stream: socket.socket, *expected: type[Any], deadline: Deadline) -> Any:  # noqa: ANN401
    """The next message; a Fault becomes its CallError."""
    line, files = read_line(stream, deadline=deadline)
    for each in files:
        os.close(each)
    message = unpack(line, Fault, *expected)
    if isinstance(message, Fault):
        raise CallError(_code(message.code), message.text)
    return message


def _code(number: int) -> ReturnCode:
    known = number != ReturnCode.SUCCESS and number in ReturnCode.__members__.values()
    return ReturnCode(number) if known else ReturnCode.ABORT_SYSTEM_ERROR


@contextmanager
def reaching(service: Path) -> Iterator[None]:
    """Around a request."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        text = f"no service at {service}: run `ndmpdup xbsa serve`, or say where it is by NDMPDUP_XBSA_SERVICE"
        raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, text) from error
    except PermissionError as error:
        text = f"{service} is not for this user: {error.strerror}"
        raise CallError(ReturnCode.ACCESS_FAILURE, text) from error
    except (LineError, WireError, OSError) as error:
        text = f"the service at {service} gave no answer: {error}; is `ndmpdup xbsa serve` well, and of this version?"
        raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, text) from error


@contextmanager
def hearing_manager() -> Iterator[None]:
    """Around what is said to the stream's manager."""
    try:
        yield
    except (LineError, WireError, ProgressError, OSError) as error:
        raise CallError(ReturnCode.ABORT_SYSTEM_ERROR, f"the stream's manager: {error}; {AGAIN}") from error
