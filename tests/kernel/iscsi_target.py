"""A virtual library for programs of others, by iSCSI on the loopback interface: a harness, not a product.

``python -m tests.kernel.iscsi_target DIR [--port N]``: drives are logical units from 0 on, the changer is behind them.
A line on the standard output tells the port. RFC 7143 without digests, discovery, or recovery from errors.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from scsi.virtual.changer import Changer
from scsi.virtual.drive_answers import Identity
from scsi.virtual.library import Library, open_library
from scsi.virtual.target import DriveTarget
from tests.kernel.iscsi_login import SEGMENT_BYTES, Login
from tests.kernel.iscsi_pdus import Pdu, PeerError, frame, receive
from tests.kernel.iscsi_session import Session
from tests.kernel.iscsi_units import Nexus, Unit

__all__ = ["TARGET", "Portal", "units_of"]

TARGET: Final = "iqn.2026-11.test.ndmpdup:virtual"
LOOPBACK: Final = "127.0.0.1"
LOGIN_WITHIN: Final = 10.0
OLD_SESSION_ENDS_WITHIN: Final = 10.0


class Portal:
    """Logs initiators in; ``serve`` takes a connection of one, in a thread of its own."""

    def __init__(self, units: Mapping[int, Unit]) -> None:
        self._units = units
        self._sessions = list[Session]()
        self._streams = dict[tuple[str, bytes], tuple[socket.socket, threading.Thread]]()
        self._number = 0
        self._lock = threading.Lock()

    def serve(self, stream: socket.socket) -> None:
        """Serve an initiator until it goes; what it does wrong is told on the standard error."""
        with stream:
            try:
                if session := self._logged_in(stream):
                    session.run()
            except PeerError as failure:
                sys.stderr.write(f"{failure}\n")

    def _logged_in(self, stream: socket.socket) -> Session | None:
        with self._lock:
            self._number += 1
            login = Login(TARGET, self._number & 0xFFFF or 1)
        status_number = 0
        while not login.done and not login.refused:
            pdu = receive(stream, longest_segment=SEGMENT_BYTES, idle=LOGIN_WITHIN, within=LOGIN_WITHIN)
            status_number += 1
            _answer(stream, login, pdu, status_number)
        if login.refused:
            return None
        self._replace(login.initiator, login.part, stream)
        numbers = (status_number + 1, login.first_command)
        return Session(stream, Nexus(self._units), login.parameters, numbers=numbers, every=self._sessions)

    def _replace(self, initiator: str, part: bytes, stream: socket.socket) -> None:
        """A new session of the same name and ISID ends the one before (RFC 7143 6.3.5)."""
        with self._lock:
            old = self._streams.get((initiator, part))
            self._streams[initiator, part] = (stream, threading.current_thread())
        if old is not None:
            with contextlib.suppress(OSError):
                old[0].shutdown(socket.SHUT_RDWR)
            old[1].join(OLD_SESSION_ENDS_WITHIN)


def units_of(library: Library, ending: contextlib.ExitStack) -> Mapping[int, Unit]:
    """The drives and the changer of a library, by number; the drives are closed when it is ``ending``."""
    settings, units = library.configuration, dict[int, Unit]()
    for number in range(settings.drives):
        bay = library.drive(number)
        drive = bay.open(empty=True)
        ending.callback(drive.close)
        identity = Identity(settings.drive_serial(number), settings.drive_vendor, settings.drive_product)
        units[number] = Unit.of_drive(DriveTarget(bay, drive, identity))
    return {**units, settings.drives: Unit.of_changer(Changer(library))}


def _answer(stream: socket.socket, login: Login, pdu: Pdu, status_number: int) -> None:
    response, text = login.answer(pdu, status_number)
    try:
        stream.sendall(frame(response, text))
    except OSError as failure:
        raise PeerError(f"the initiator takes no login: {failure}") from failure


@contextlib.contextmanager
def _serving(directory: Path) -> Iterator[Portal]:
    with contextlib.ExitStack() as ending:
        library = ending.enter_context(open_library(directory, sync=False))
        yield Portal(units_of(library, ending))


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="iscsi_target", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _end)
    with _serving(options.directory) as portal, socket.create_server((LOOPBACK, options.port)) as door:
        sys.stdout.write(f"{door.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            stream, _ = door.accept()
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=partial(portal.serve, stream), daemon=True).start()


if __name__ == "__main__":
    main()
