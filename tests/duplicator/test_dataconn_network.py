"""Where data connections are offered and who may come: addresses, ports, peers, and this process itself."""

from __future__ import annotations

import queue
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Network

import pytest

from duplicator.data_tls import DataTls, TlsPolicy
from duplicator.dataconn import DataConnection
from duplicator.mover import SocketMovers
from duplicator.network import NetworkSettings, Offer
from ndmp.backends import DataEnd, DataHalted, MoverHalted
from ndmp.enums import DataHaltReason, Error, MoverHaltReason, MoverMode
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress
from tests.duplicator.datapath import DEADLINE, PROMPT, no_leaks
from tests.duplicator.listening import Listener, dial

HOME = IPv4Network("127.0.0.1/32")


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with no_leaks():
        yield


def is_refused(address: TcpAddress, source: str = "127.0.0.1") -> bool:
    """Whether a peer from there is turned away, or not even let in."""
    try:
        with dial(address, source) as peer:
            return peer.recv(1) == b""
    except ConnectionError:
        return True


def refusal_of(act: Callable[[], object]) -> str:
    """The text of the CONNECT error."""
    with pytest.raises(ReplyError) as refused:
        act()
    assert refused.value.error == Error.CONNECT
    return refused.value.text


# -- ports -----------------------------------------------------------------------------------------------------------


def free_ports(count: int, host: str) -> range:
    """Ports in a row that nobody uses at this address, outside what the system gives by itself."""
    turn = random.Random(host)
    while True:
        first = turn.randrange(20000, 30000)
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.create_server((host, port)))
            except OSError:
                continue
        return range(first, first + count)


def test_ports_come_from_the_range_until_none_is_free() -> None:
    host = "127.0.7.1"
    ports = free_ports(4, host)
    settings = NetworkSettings(ports=ports)
    with ExitStack() as stack:
        taken = [stack.enter_context(Listener(settings, host)).addresses[0].port for _ in ports]
        assert sorted(taken) == list(ports)
        text = refusal_of(lambda: DataConnection(settings).listen(host))
        assert host in text
        assert f"no data port of {ports.start} to {ports.stop - 1} is free" in text
    with Listener(settings, host) as again:
        assert again.addresses[0].port in ports


def test_ports_are_tried_in_a_random_order() -> None:
    host = "127.0.7.2"
    ports, first = free_ports(30, host), set[int]()
    for _ in range(8):
        with Listener(NetworkSettings(ports=ports), host) as near:
            first.add(near.addresses[0].port)
    assert len(first) > 1


# -- addresses -------------------------------------------------------------------------------------------------------


def offers(*pairs: str) -> tuple[Offer, ...]:
    """From ``offered`` or ``offered bound``."""
    return tuple(Offer(*map(IPv4Address, pair.split())) for pair in pairs)


def test_each_offer_has_a_listener_and_the_first_peer_wins() -> None:
    settings = NetworkSettings(offers=offers("127.0.8.2", "127.0.8.3"))
    for chosen in (0, 1):
        with Listener(settings) as near:
            assert [address.host for address in near.addresses] == ["127.0.8.2", "127.0.8.3"]
            with dial(near.addresses[chosen]) as peer:
                assert near.done() == TcpAddress(*peer.getsockname())
                for address in near.addresses:
                    with pytest.raises(ConnectionRefusedError):
                        dial(address)


def test_what_is_offered_may_differ_from_what_is_bound() -> None:
    with Listener(NetworkSettings(offers=offers("203.0.113.7 127.0.8.4"))) as near:
        (address,) = near.addresses
        assert address.host == "203.0.113.7"
        with dial(TcpAddress("127.0.8.4", address.port)) as peer:
            assert near.done() == TcpAddress(*peer.getsockname())


def test_an_offer_that_cannot_be_had_does_no_harm_to_the_others(caplog: pytest.LogCaptureFixture) -> None:
    with Listener(NetworkSettings(offers=offers("203.0.113.7", "127.0.8.5"))) as near:
        assert [address.host for address in near.addresses] == ["127.0.8.5"]
    assert "cannot listen on 203.0.113.7" in caplog.text
    settings = NetworkSettings(offers=offers("203.0.113.7", "203.0.113.8"))
    text = refusal_of(lambda: DataConnection(settings).listen("127.0.0.1"))
    assert "203.0.113.7" in text
    assert "203.0.113.8" in text


def test_offers_stand_in_for_a_control_connection_that_is_not_ipv4() -> None:
    with Listener(NetworkSettings(offers=offers("127.0.8.6")), "::1") as near:
        assert near.addresses[0].host == "127.0.8.6"


# -- peers -----------------------------------------------------------------------------------------------------------


def test_only_peers_are_let_in_and_the_others_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    settings = NetworkSettings(peers=(IPv4Network("127.0.9.0/28"), IPv4Network("127.0.10.1/32")))
    for host, is_peer in (("127.0.9.1", True), ("127.0.9.15", True), ("127.0.9.16", False), ("127.0.10.1", True)):
        with Listener(settings) as near:
            for stranger in ("127.0.0.1", "127.0.9.16"):
                assert is_refused(near.addresses[0], stranger)
            with dial(near.addresses[0], host) as peer:
                if is_peer:
                    assert near.done() == TcpAddress(*peer.getsockname())
                else:
                    assert peer.recv(1) == b""
                    assert near.outcome is None
    assert "127.0.9.16 is not among the peers" in caplog.text


def test_strangers_do_not_prolong_the_wait() -> None:
    with Listener(NetworkSettings(peers=(HOME,), accept_deadline=0.3)) as near:
        begun = time.monotonic()
        while near.outcome is None and time.monotonic() < begun + DEADLINE:
            assert is_refused(near.addresses[0], "127.0.9.1")
        assert isinstance(near.done(), TimeoutError)
        assert 0.2 < time.monotonic() - begun < 1


def test_connections_go_to_peers_only() -> None:
    settings = NetworkSettings(peers=(HOME,))
    with socket.create_server(("127.0.9.1", 0)) as stranger, socket.create_server(("127.0.0.1", 0)) as friend:
        addresses = [TcpAddress(*each.getsockname()) for each in (stranger, friend)]
        near = DataConnection(settings)
        assert near.connect(addresses) == addresses[1]
        near.close()
        text = refusal_of(lambda: DataConnection(settings).connect(addresses[:1]))
        assert text == f"127.0.9.1 port {addresses[0].port}: not among the peers allowed here"
        stranger.settimeout(0)
        with pytest.raises(BlockingIOError):
            stranger.accept()


# -- this process ----------------------------------------------------------------------------------------------------

CALL = """
import socket, sys
with socket.socket(socket.AF_UNIX) as peer:
    peer.connect(bytes.fromhex(sys.argv[1]))
    sys.exit(peer.recv(1) != b"")
"""
ANSWER = """
import socket
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(b"")
    listener.listen()
    print(listener.getsockname().hex(), flush=True)
    input()
"""


def test_only_this_process_can_connect_locally(caplog: pytest.LogCaptureFixture) -> None:
    near, far = DataConnection(NetworkSettings()), DataConnection(NetworkSettings(peers=(HOME,)))
    name, outcomes = near.listen_local(), list[TcpAddress | None]()
    assert name[:1] == b"\0"  # nothing in the file system
    accepting = threading.Thread(target=lambda: outcomes.append(near.accept()))
    accepting.start()
    try:
        assert subprocess.run([sys.executable, "-c", CALL, name.hex()], timeout=DEADLINE).returncode == 0
        assert not outcomes
        assert "not among the peers" in caplog.text
        far.connect_local(name)
        accepting.join(DEADLINE)
        assert outcomes == [None]
        far.send(memoryview(b"abc"))
        far.close()
        buffer = memoryview(bytearray(8))
        assert (near.receive(buffer), bytes(buffer[:3]), near.receive(buffer)) == (3, b"abc", 0)
    finally:
        near.stop()
        accepting.join(DEADLINE)
        near.close()


def test_a_local_name_that_is_not_ours_is_refused() -> None:
    assert "refused" in refusal_of(lambda: DataConnection(NetworkSettings()).connect_local(b"\0ndmpdup nobody"))
    command = [sys.executable, "-c", ANSWER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout
        name = bytes.fromhex(stranger.stdout.readline())
        assert "another process" in refusal_of(lambda: DataConnection(NetworkSettings()).connect_local(name))
        stranger.communicate("\n", timeout=DEADLINE)


# -- giving up -------------------------------------------------------------------------------------------------------

TLS = DataTls(TlsPolicy.REQUIRE)
INVITING = (("NDMPDUP_TLS_SHA256", "ab" * 32), ("NDMPDUP_TLS_TOKEN", "cd" * 32))


def _listening(end: DataEnd, stack: ExitStack) -> None:
    end.listen()


def _listening_with_a_silent_guest(end: DataEnd, stack: ExitStack) -> None:
    for address in end.listen():
        stack.enter_context(dial(address))


def _listening_locally(end: DataEnd, stack: ExitStack) -> None:
    end.listen_local()


def _connecting(end: DataEnd, stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(3):  # the backlog is full, nobody is answered any more
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    end.connect([TcpAddress(*listener.getsockname(), INVITING)])


def _connecting_to_one_who_says_nothing(end: DataEnd, stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    end.connect([TcpAddress(*listener.getsockname(), INVITING)])


@pytest.mark.parametrize("kind", ["mover", "data path"])
@pytest.mark.parametrize(
    "phase",
    [
        _listening,
        _listening_with_a_silent_guest,
        _listening_locally,
        _connecting,
        _connecting_to_one_who_says_nothing,
    ],
)
def test_every_wait_for_a_peer_ends_at_once(kind: str, phase: Callable[[DataEnd, ExitStack], None]) -> None:
    told, refusals = list[object](), list[ReplyError]()
    factory = SocketMovers(NetworkSettings(connect_deadline=60, handshake_deadline=60, tls=TLS))
    end: DataEnd
    if kind == "mover":
        end = factory.mover(MoverMode.READ, 80, lambda: pytest.fail("no device"), told.append, "127.0.0.1")
    else:
        end = factory.data_path(told.append, "127.0.0.1")
    with ExitStack() as stack:

        def wait() -> None:
            try:
                phase(end, stack)
            except ReplyError as error:
                refusals.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.1)
        begun = time.monotonic()
        end.stop()
        waiting.join(PROMPT)
        assert not waiting.is_alive()
        assert time.monotonic() - begun < PROMPT
    assert not told
    assert [error.error for error in refusals] == ([Error.CONNECT] if "connecting" in phase.__name__ else [])


def test_a_local_peer_that_never_comes_is_a_connect_error() -> None:
    factory = SocketMovers(NetworkSettings(accept_deadline=0.05))
    told: queue.Queue[object] = queue.Queue()
    factory.mover(MoverMode.READ, 80, lambda: pytest.fail("no device"), told.put, "127.0.0.1").listen_local()
    text = "data connection: no peer within 0.05 s"
    assert told.get(timeout=DEADLINE) == MoverHalted(MoverHaltReason.CONNECT_ERROR, text)
    factory.data_path(told.put, "127.0.0.1").listen_local()
    assert told.get(timeout=DEADLINE) == DataHalted(DataHaltReason.CONNECT_ERROR, text)
