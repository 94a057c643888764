"""The harness itself: namespaces, ndmjob and captures do what the tests built on them rely on."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import (
    Namespace,
    NdmjobDaemon,
    capture,
    dissect,
    every_byte_dissected,
    ndmjob_daemon,
    network_namespace,
    require_peer,
)
from tests.peers.namespace import read_line

PORT = 10000
OPEN = bytes.fromhex("8000001c 00000001 67000000 00000000 00000900 00000000 00000000 00000004")
GOODBYE = bytes.fromhex("80000018 00000002 67000000 00000000 00000902 00000000 00000000")


def receive(connection: socket.socket, length: int) -> bytes:
    """Return exactly ``length`` bytes; the socket's own deadline holds."""
    received = b""
    while len(received) < length:
        chunk = connection.recv(length - len(received))
        assert chunk, f"closed after {len(received)} of {length} bytes"
        received += chunk
    return received


def test_ndmjob_greets(ndmjob: NdmjobDaemon) -> None:
    with ndmjob.connect() as connection:
        greeting = receive(connection, 48)
    assert greeting[:8] == bytes.fromhex("8000002c 00000001")
    assert greeting[12:] == bytes.fromhex(
        "00000000 00000502 00000000 00000000 00000000 00000004 00000005 48656c6c 6f000000"
    )
    assert ndmjob.tape.read_bytes() == b""


def test_ndmjob_is_not_there_after_stop(ndmjob: NdmjobDaemon) -> None:
    with ndmjob.connect() as session:
        receive(session, 48)
        ndmjob.stop()
        assert session.recv(1) == b"", "the session must end with the daemon"
    with pytest.raises(TimeoutError, match="nobody listens"):
        ndmjob.namespace.connect("127.0.0.1", ndmjob.port, timeout=0.1)


def test_a_new_daemon_has_an_empty_unlocked_tape(namespace: Namespace, tmp_path: Path) -> None:
    (tmp_path / "tape").write_bytes(b"old")
    (tmp_path / "tape.lck").touch()
    (tmp_path / "tape.pos").symlink_to("32")
    with ndmjob_daemon(namespace, tmp_path, PORT, tape_limit=300_000) as daemon:
        assert daemon.tape.read_bytes() == b""
        assert sorted(path.name for path in tmp_path.iterdir()) == ["ndmjob.log", "tape"]


def test_a_namespace_is_a_network_of_its_own() -> None:
    with network_namespace() as one, network_namespace() as other:
        listener = one.popen(
            [sys.executable, "-c", "import socket; socket.create_server(('127.0.0.2', 10000)).accept()"]
        )
        one.connect("127.0.0.2", PORT).close()
        with pytest.raises(TimeoutError):
            other.connect("127.0.0.2", PORT, timeout=0.1)
        assert listener.wait(timeout=10) == 0
        links = one.run([require_peer("ip"), "-brief", "link"]).stdout
        assert [line.split()[0] for line in links.splitlines()] == ["lo"]


def test_a_namespace_ends_what_runs_in_it() -> None:
    with network_namespace() as namespace:
        # The child is not a direct child of the tests, and neither heeds a polite request.
        stubborn = namespace.popen(
            ["sh", "-c", "trap '' TERM; sleep 300 & echo $!; wait; wait"], stdout=subprocess.PIPE
        )
        assert stubborn.stdout is not None
        child = int(read_line(stubborn.stdout))
        descriptor = os.pidfd_open(child)
        namespace.close(timeout=0.1)
    assert stubborn.returncode is not None
    assert ends(descriptor)


def ends(descriptor: int) -> bool:
    """Whether the process behind a pidfd has ended, or does so soon; closes the descriptor."""
    ended = bool(select.select([descriptor], [], [], 5)[0])
    os.close(descriptor)
    return ended


def test_a_program_in_a_namespace_dies_with_the_tests() -> None:
    """A child of ours starts a program in a namespace and is killed: the program must not live on."""
    script = (
        "import signal\n"
        "from tests.peers import network_namespace\n"
        "with network_namespace() as namespace:\n"
        "    program = namespace.popen(['sh', '-c', 'echo up; exec sleep 300'], stdout=-1)\n"
        "    program.stdout.readline()\n"
        "    print(program.pid, namespace.holder_pid, flush=True)\n"
        "    signal.pause()\n"
    )
    root = Path(__file__).parents[2]
    tests = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, bufsize=0, cwd=root)
    assert tests.stdout is not None
    pids = [int(word) for word in read_line(tests.stdout).split()]
    descriptors = [os.pidfd_open(pid) for pid in pids]
    tests.kill()
    tests.wait(timeout=5)
    tests.stdout.close()
    assert [ends(descriptor) for descriptor in descriptors] == [True, True]


def test_a_capture_holds_the_first_packet_and_the_last(ndmjob: NdmjobDaemon, tmp_path: Path) -> None:
    with capture(ndmjob.namespace, tmp_path / "lo.pcapng", [PORT]) as running, ndmjob.connect() as connection:
        receive(connection, 48)
        connection.sendall(OPEN)
        receive(connection, 32)
        connection.sendall(GOODBYE)
        receive(connection, 28)
        pcap = running.stop()
    codes = [pdu.header.code for segment in dissect(pcap, [PORT]) for pdu in segment.pdus if pdu.header]
    assert codes == [0x502, 0x900, 0x900, 0x902, 0x902]
    report = every_byte_dissected(pcap, [PORT])
    assert (report.problems, report.pdus, report.connections) == ([], 5, 1)


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_peer_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setattr("tests.peers.requirements.SEARCH_PATH", "/nowhere")
    monkeypatch.setenv("NDMPDUP_REQUIRE_PEERS", required)
    with pytest.raises(outcome, match="ndmjob is missing: apt-get install amanda-common"):
        require_peer("ndmjob")
