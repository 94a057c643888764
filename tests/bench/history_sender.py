"""A data server that only tells file history: ``PORT_FILE ENTRIES``; it greets who connects, tells all, and ends."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from ndmp.connection import Connection
from ndmp.enums import ConnectionReason, FileStatUnsupported, FileType, FsType
from ndmp.messages.filehist import FhAddFile, FhFile, FileStat, UnixName
from ndmp.messages.notify import NotifyConnectionStatus

ENTRIES_A_POST = 100


def file(number: int) -> FhFile:
    """A file as a backup of Unix files has it."""
    stat = FileStat(FileStatUnsupported(0), FsType.UNIX, FileType.REG, 1, 2, 3, 0, 0, 0o644, 4096, 1)
    return FhFile((UnixName(f"/srv/files/department/project/file-{number:06}"),), (stat,), number, number * 4096)


def main(port_file: Path, entries: int) -> None:
    """Serve one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        draft = port_file.with_suffix(".new")
        draft.write_text(str(listening.getsockname()[1]))
        os.replace(draft, port_file)
        peer, _ = listening.accept()
    connection = Connection()
    with peer:
        peer.sendall(connection.send_post(NotifyConnectionStatus(ConnectionReason.CONNECTED, 4, ""), now=0))
        whole, rest = divmod(entries, ENTRIES_A_POST)
        post = FhAddFile(tuple(map(file, range(ENTRIES_A_POST))))
        wire = connection.send_post(post, now=0)
        for _ in range(whole):
            peer.sendall(wire)
        if rest:
            peer.sendall(connection.send_post(FhAddFile(tuple(map(file, range(rest)))), now=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
