"""What sessions cost: our host beside ndmjob's, in one network namespace: ``python -m tests.bench.sessions``.

The two take turns in every round with the same client, so that a ratio is between neighbours in time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.peers import Namespace, network_namespace
from tests.peers.namespace import end_process, read_line
from tests.peers.requirements import require_peer

__all__ = ["Cost", "Server", "Workload", "idle_bytes", "measure", "our_host", "their_daemon"]

_CLIENT: Final = (sys.executable, "-m", "tests.bench.session_client")
_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_PORT: Final = 10000
REQUESTS: Final = {"CONFIG_GET_SERVER_INFO": 0x108, "CONFIG_GET_HOST_INFO": 0x100, "MOVER_GET_STATE": 0xA00}


@dataclass(frozen=True)
class Server:
    """A program that serves in a namespace."""

    namespace: Namespace
    port: int
    process: subprocess.Popen[bytes]

    def processes(self) -> list[int]:
        """Itself and its children; those that ended stay, as nobody waits for them."""
        pid = self.process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]

    def cpu_seconds(self) -> float:
        """What all its processes have used."""
        return sum(map(_cpu_seconds, self.processes()))

    def pss_bytes(self) -> int:
        """Memory of all its processes, shared pages divided among those that share them."""
        return sum(map(_pss_bytes, self.processes()))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def _pss_bytes(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except ProcessLookupError:  # it has ended
        return 0
    return 1024 * next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


@dataclass(frozen=True)
class Workload:
    """One way to ask."""

    request: str
    connections: int
    ahead: int
    """Requests under way on each connection."""


@dataclass(frozen=True)
class Cost:
    """What one run of a workload has shown; CPU time in microseconds a request."""

    rate: float
    server_cpu: float
    client_cpu: float


@contextmanager
def our_host(namespace: Namespace, folder: Path) -> Iterator[Server]:
    """Our host with one virtual tape."""
    command = [sys.executable, "-m", "tests.bench.session_host", f"virtual:{folder / 'T1'}?capacity=16M&sync=no"]
    process = namespace.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield Server(namespace, int(read_line(process.stdout)), process)
    finally:
        end_process(process)


@contextmanager
def their_daemon(namespace: Namespace, folder: Path) -> Iterator[Server]:
    """ndmjob as a daemon that logs nothing; a process a session."""
    (folder / "tape").write_bytes(b"")
    # This kind of daemon ends when its input does, so it cannot outlive us.
    process = namespace.popen(
        [require_peer("ndmjob"), "-d0", "-o", "test-daemon", "-p", str(_PORT)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        namespace.connect("127.0.0.1", _PORT).close()
        yield Server(namespace, _PORT, process)
    finally:
        end_process(process)


def measure(server: Server, workload: Workload, seconds: float) -> Cost:
    """Run a workload for so long."""
    before = server.cpu_seconds()
    sizes = (workload.connections, REQUESTS[workload.request], workload.ahead, seconds)
    told = server.namespace.run([*_CLIENT, str(server.port), "rate", *map(str, sizes)]).stdout.split()
    rate, client_cpu = map(float, told)
    return Cost(rate, (server.cpu_seconds() - before) / (rate * seconds) * 1e6, client_cpu)


def idle_bytes(server: Server, sessions: int) -> float:
    """Memory that each of so many sessions takes that are logged in and ask nothing."""
    namespace = server.namespace
    # The first few also load code.
    for number, count in enumerate((8, sessions)):
        before = server.pss_bytes()
        client = namespace.popen(
            [*_CLIENT, str(server.port), "idle", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert client.stdout is not None
            assert read_line(client.stdout, timeout=120.0) == str(count)
            if number:
                return (server.pss_bytes() - before) / count
        finally:
            end_process(client)
    raise AssertionError


def _table(costs: dict[Workload, list[tuple[Cost, Cost]]]) -> str:
    lines = [
        "| requests a second | connections | under way | ours | ndmjob | ours / ndmjob | CPU: ours, ndmjob, client |",
        "|---|---|---|---|---|---|---|",
    ]
    for workload, pairs in costs.items():
        ours, theirs = zip(*pairs, strict=True)
        ratios = [our.rate / their.rate for our, their in pairs]
        cpu = [statistics.median(c.server_cpu for c in side) for side in (ours, theirs)]
        client = statistics.median(c.client_cpu for c in ours)
        lines.append(
            f"| {workload.request} | {workload.connections} | {workload.ahead} | {_spread([c.rate for c in ours])} "
            f"| {_spread([c.rate for c in theirs])} | {_spread(ratios, 2)} | {cpu[0]:.0f}, {cpu[1]:.0f}, {client:.0f} |"
        )
    return "\n".join(lines)


def _spread(values: list[float], digits: int = 0) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=float, default=1.0, help="of one workload in one round")
    arguments.add_argument("--sessions", type=int, default=1000, help="idle sessions of our host; ndmjob has a tenth")
    chosen = arguments.parse_args()
    workloads = [Workload(request, connections, 1) for request in REQUESTS for connections in (1, 16)]
    workloads += [Workload(request, 16, 8) for request in REQUESTS]
    costs: dict[Workload, list[tuple[Cost, Cost]]] = {workload: [] for workload in workloads}
    with (
        tempfile.TemporaryDirectory() as folder,
        network_namespace() as namespace,
        our_host(namespace, Path(folder)) as ours,
        their_daemon(namespace, Path(folder)) as theirs,
    ):
        memory = idle_bytes(ours, chosen.sessions), idle_bytes(theirs, chosen.sessions // 10)
        for _ in range(chosen.rounds):
            for workload in workloads:
                pair = measure(ours, workload, chosen.seconds), measure(theirs, workload, chosen.seconds)
                costs[workload].append(pair)
    sys.stdout.write(f"{chosen.rounds} rounds\n\n{_table(costs)}\n\n")
    sys.stdout.write(f"An idle session takes {memory[0] / 1024:.1f} KiB here, {memory[1] / 1024:.0f} KiB in ndmjob.\n")


if __name__ == "__main__":
    main()
