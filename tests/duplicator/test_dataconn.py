"""The TCP stream between two movers: how it is made, and how it is given up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network

import pytest

from duplicator.dataconn import DataConnection, NetworkSettings, Stopped
from duplicator.mover import SocketMovers
from ndmp.enums import Error, MoverMode
from ndmp.errors import ReplyError
from ndmp.types import TcpAddress
from scsi.errors import NoMedium
from tests.duplicator.datapath import DEADLINE, PROMPT, feeding, no_leaks, reset, stream, take_all
from tests.duplicator.listening import Listener, dial, woken_by_stop


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with no_leaks():
        yield


@contextmanager
def connection(**settings: float) -> Iterator[DataConnection]:
    """A data connection, not made yet."""
    made = DataConnection(NetworkSettings(**settings))
    try:
        yield made
    finally:
        made.stop()
        made.close()


@contextmanager
def listening() -> Iterator[tuple[socket.socket, TcpAddress]]:
    """Somebody to connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        yield listener, TcpAddress(*listener.getsockname())


@contextmanager
def silent() -> Iterator[TcpAddress]:
    """An address that never answers: its backlog is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield TcpAddress(*listener.getsockname())


def refusing() -> TcpAddress:
    """An address where nobody is."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return TcpAddress(*taken.getsockname())


@contextmanager
def joined(**settings: float) -> Iterator[tuple[DataConnection, socket.socket]]:
    """A connection and its far end."""
    with connection(**settings) as near, listening() as (listener, address):
        assert near.connect([address]) == address
        far = listener.accept()[0]
        far.settimeout(DEADLINE)
        with far:
            yield near, far


def test_the_first_address_that_answers_is_taken() -> None:
    nobody, odd = refusing(), TcpAddress("127.0.0.1", 70000)
    with listening() as (listener, address), silent() as quiet:
        for addresses in ([address], [nobody, address], [odd, nobody, address], [quiet, address], [address, quiet]):
            with connection(connect_deadline=0.4) as near:
                assert near.connect(addresses) == address
                listener.accept()[0].close()


def test_an_address_that_is_silent_leaves_time_for_the_others() -> None:
    with silent() as quiet, listening() as (_, address), connection(connect_deadline=1) as near:
        begun = time.monotonic()
        assert near.connect([quiet, address]) == address
        assert 0.4 < time.monotonic() - begun < 0.9


def test_nobody_answers_is_a_connect_error_that_names_them_all() -> None:
    nobody = refusing()
    with silent() as quiet, connection(connect_deadline=0.2) as near:
        begun = time.monotonic()
        with pytest.raises(ReplyError) as refused:
            near.connect([quiet, nobody, TcpAddress("127.0.0.1", 1 << 31), quiet])
        assert 0.1 < time.monotonic() - begun < 1
    assert refused.value.error == Error.CONNECT
    for part in (f"{nobody.port}: [Errno 111]", f"{quiet.port}: no peer within", f"{1 << 31}: "):
        assert part in refused.value.text


def test_a_host_that_cannot_listen_says_so() -> None:
    for host in ("::1", "not an address", "203.0.113.77", ""):
        with pytest.raises(ReplyError) as refused:
            DataConnection(NetworkSettings()).listen(host)
        assert refused.value.error == Error.CONNECT


def test_a_mover_that_cannot_be_made_leaves_nothing_open() -> None:
    def no_device() -> object:
        raise NoMedium("nothing is open")

    for addresses in ([refusing()], []):
        mover = SocketMovers().mover(MoverMode.READ, 80, no_device, print, "::1")  # type: ignore[arg-type]
        with pytest.raises(ReplyError) as refused:
            mover.connect(addresses)
        assert refused.value.error == Error.CONNECT
        mover.stop()
        with no_leaks(), pytest.raises(ReplyError):
            SocketMovers().mover(MoverMode.READ, 80, no_device, print, "::1").listen()  # type: ignore[arg-type]


def test_connecting_is_given_up_at_once() -> None:
    errors = list[ReplyError]()
    with silent() as quiet:
        mover = SocketMovers(NetworkSettings(connect_deadline=60)).mover(
            MoverMode.READ,
            80,
            lambda: pytest.fail("not connected"),
            print,
            "127.0.0.1",
        )

        def connect() -> None:
            try:
                mover.connect([quiet])
            except ReplyError as error:
                errors.append(error)

        connecting = threading.Thread(target=connect)
        connecting.start()
        connecting.join(0.05)
        assert connecting.is_alive()
        mover.stop()
        connecting.join(PROMPT)
        assert not connecting.is_alive()
    assert [error.error for error in errors] == [Error.CONNECT]


def test_bytes_pass_both_ways_and_ends_are_seen() -> None:
    content, buffer = stream(300_000), memoryview(bytearray(100_000))
    with joined() as (near, far), feeding(far, [content]):
        received = b""
        while count := near.receive(buffer):
            received += buffer[:count]
        assert (count, received) == (0, content)
        near.send(memoryview(content[:50_000]))
        near.close()
        assert take_all(far) == content[:50_000]


def test_a_receive_has_patience_not_forever() -> None:
    buffer = memoryview(bytearray(1000))
    with joined() as (near, far):
        assert near.receive(buffer) is None
        far.sendall(b"abc")
        assert near.receive(buffer) == 3
        assert bytes(buffer[:3]) == b"abc"
        assert not near.peer_is_gone
        far.close()
        assert near.receive(buffer) == 0
        assert near.peer_is_gone


def test_a_reset_is_an_error_both_ways() -> None:
    with joined() as (near, far):
        far.sendall(b"abc")
        reset(far)
        buffer = memoryview(bytearray(1000))
        assert near.receive(buffer) == 3  # what came before the break is not the whole stream
        with pytest.raises(ConnectionResetError):
            near.receive(buffer)
        with pytest.raises(BrokenPipeError):
            near.send(buffer)


CALLS: dict[str, Callable[[DataConnection], object]] = {
    "accept": lambda near: near.accept(),
    "receive": lambda near: near.receive(memoryview(bytearray(8))),
    "send": lambda near: near.send(memoryview(bytes(1 << 20))),
}


@pytest.mark.parametrize("call", CALLS)
def test_stop_wakes_whoever_waits(call: str) -> None:
    with ExitStack() as stack:
        if call == "accept":
            near = stack.enter_context(connection())
            near.listen("127.0.0.1")
        else:
            near, _ = stack.enter_context(joined())
        assert woken_by_stop(near, lambda: CALLS[call](near)) is Stopped
        with pytest.raises(Stopped):
            CALLS["accept" if call == "accept" else "receive"](near)


def test_stop_and_close_may_be_repeated_in_any_order() -> None:
    for order in ("sc", "cs", "sscc", "ccss"):
        with joined() as (near, _):
            for step in order:
                near.stop() if step == "s" else near.close()


def test_who_has_connected_has_arrived_however_late_the_accepting_thread_is() -> None:
    for _ in range(50):
        with connection() as listener, ExitStack() as stack:
            address = listener.listen("127.0.0.1")[0]
            assert not listener.has_arrived(), "nobody came"
            stack.enter_context(socket.create_connection((address.host, address.port), timeout=DEADLINE))
            accepting = threading.Thread(target=listener.accept)
            accepting.start()
            stack.callback(accepting.join, DEADLINE)
            assert listener.has_arrived()


def test_who_is_turned_away_has_not_arrived() -> None:
    with Listener(NetworkSettings(peers=(IPv4Network("127.0.0.9"),))) as listener, dial(listener.addresses[0]):
        assert not listener.has_arrived()
