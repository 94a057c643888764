"""Records dialogues of ndmjob with itself: ``python -m tests.interop.record_ndmjob fixtures``.

Writes one file for each dialogue: a line a record, "<" from the host and ">" from the application, record mark first.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.peers import Segment, capture, dissect, ndmjob_daemon, network_namespace, require_peer

PORT = 20002
DIALOGUES = {
    "ndmjob_labels": [["-o", "init-labels", "-m", "VOL001"], ["-l", "-m", "VOL001"]],
    "ndmjob_mover": [["-o", "test-mover"]],
}


def record(directory: Path) -> None:
    """Hold every dialogue anew."""
    for name, commands in DIALOGUES.items():
        lines = [line for command in commands for line in dialogue(command)]
        (directory / f"{name}.hex").write_text("\n".join(lines) + "\n")


def dialogue(options: list[str]) -> Iterator[str]:
    """What both say while ndmjob runs with these options, against a host with an empty tape."""
    with tempfile.TemporaryDirectory() as made, network_namespace() as namespace:
        directory = Path(made)
        with (
            ndmjob_daemon(namespace, directory, PORT),
            capture(namespace, directory / "pcap", [PORT]) as running,
        ):
            server = f"127.0.0.1:{PORT}/4m,ndmp,ndmp"
            namespace.run([require_peer("ndmjob"), *options, "-T", server, "-f", "tape"], cwd=directory, check=False)
            segments = dissect(running.stop(), [PORT])
        yield f"# ndmjob {' '.join(options)}"
        yield from _records(segments)


def _records(segments: list[Segment]) -> Iterator[str]:
    unread: dict[str, bytes] = {"<": b"", ">": b""}
    for segment in segments:
        direction = "<" if segment.source.port == PORT else ">"
        unread[direction] += segment.payload
        while len(stream := unread[direction]) >= 4:
            length = 4 + (int.from_bytes(stream[:4], "big") & 0x7FFFFFFF)
            if len(stream) < length:
                break
            unread[direction] = stream[length:]
            yield f"{direction} {stream[:length].hex(' ', 4)}"
    assert not any(unread.values())


if __name__ == "__main__":
    try:
        record(Path(sys.argv[1]))
    except subprocess.CalledProcessError as error:
        sys.exit(str(error.stderr))
