"""Captures of the loopback interface of a namespace, complete from the first packet to the last."""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.namespace import Namespace, end_process, read_line
from tests.peers.requirements import require_peer

__all__ = ["Capture", "capture"]

MARKER_PORT = 9  # the discard service
_SEND_MARKER = (
    "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(sys.argv[1].encode(), ('127.0.0.1', 9))"
)


@dataclass(frozen=True)
class Capture:
    """A capture that runs until ``stop``."""

    namespace: Namespace
    path: Path
    process: subprocess.Popen[bytes]

    def stop(self, *, timeout: float = 15.0) -> Path:
        """End the capture once all packets up to now are in the file, and return the file."""
        if self.process.poll() is None:
            self._wait_for_marker(timeout)
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=timeout)
        return self.path

    def _wait_for_marker(self, timeout: float) -> None:
        marker = secrets.token_hex(16)
        self.namespace.run([sys.executable, "-I", "-S", "-c", _SEND_MARKER, marker])
        deadline = time.monotonic() + timeout
        while marker.encode() not in self.path.read_bytes()[-65536:]:
            if time.monotonic() > deadline:
                raise TimeoutError("dumpcap did not write the last packet")
            time.sleep(0.05)


@contextlib.contextmanager
def capture(namespace: Namespace, path: Path, ports: Sequence[int]) -> Iterator[Capture]:
    """Capture the TCP traffic of ``ports`` into ``path``; it has begun when this returns."""
    wanted = " or ".join([*(f"tcp port {port}" for port in ports), f"udp port {MARKER_PORT}"])
    process = namespace.popen(
        [require_peer("dumpcap"), "-q", "-p", "-i", "lo", "-f", wanted, "-w", path], stderr=subprocess.PIPE
    )
    try:
        _wait_until_capturing(process)
        running = Capture(namespace, path, process)
        yield running
        running.stop()
    finally:
        end_process(process)


def _wait_until_capturing(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    said = []
    while not (line := read_line(process.stderr)).startswith("File:"):
        said.append(line)
        if process.poll() is not None:
            raise RuntimeError("dumpcap: " + " ".join(said))
