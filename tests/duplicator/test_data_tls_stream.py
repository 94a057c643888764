"""A stream under TLS: batches, patience, and how it ends (docs/data-tls.md)."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise

import pytest

from duplicator.dataconn import DataConnection, Stopped
from tests.duplicator.datapath import DEADLINE, no_leaks, reset, stream
from tests.duplicator.listening import Listener, dial, woken_by_stop
from tests.duplicator.tls_ends import (
    OFFER,
    REQUIRE,
    TOKEN,
    all_of,
    assert_cut_off,
    joined,
    told,
)


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    for settings in (OFFER, REQUIRE):
        assert settings.tls
        assert settings.tls.identity
    with no_leaks():
        yield


# -- the stream ------------------------------------------------------------------------------------------------------


def test_an_end_without_a_word_is_not_the_end_of_the_stream() -> None:
    for leave in (lambda far: far.close(), lambda far: socket.socket.shutdown(far, socket.SHUT_WR), reset):
        for size in (0, 5, 40_000):
            with joined() as (near, far):
                far.sendall(bytes(size))
                taken = 0
                while taken < size:
                    taken += near.receive(memoryview(bytearray(1 << 20))) or 0
                leave(far)
                for _ in range(2):
                    assert_cut_off(lambda: near.receive(memoryview(bytearray(9))) is None)


def test_what_came_before_the_break_is_still_received() -> None:
    with joined() as (near, far):
        far.sendall(bytes(40_000))
        far.close()
        buffer = memoryview(bytearray(1 << 20))
        assert near.receive(buffer) == 40_000
        with pytest.raises(ConnectionAbortedError, match="cut off"):
            near.receive(buffer)
        assert near.peer_is_gone


def test_a_stream_may_be_empty() -> None:
    with joined() as (near, far):
        far.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            far.unwrap()
        assert all_of(near) == b""


def test_a_pause_inside_a_record_does_no_harm() -> None:
    content, buffer = stream(100_000), memoryview(bytearray(1 << 20))
    with Listener(REQUIRE) as near:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        tls = context.wrap_bio(incoming, outgoing)
        with dial(near.addresses[0]) as wire:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    wire.sendall(outgoing.read())
                    incoming.write(wire.recv(1 << 16))
            tls.write(bytes.fromhex(told(near.addresses[0])[TOKEN]))
            at = 0
            while at < len(content):
                at += tls.write(content[at:])
            with suppress(ssl.SSLWantReadError):
                tls.unwrap()
            sealed, received = outgoing.read(), b""
            cuts = [0, 300, 20_000, 20_003, len(sealed) - 1, len(sealed)]
            for start, end in pairwise(cuts):
                wire.sendall(sealed[start:end])
                near.done()
                while count := near.receive(buffer):
                    received += buffer[:count]
                assert count is None or end == len(sealed)
            assert (count, received) == (0, content)


def test_a_receive_fills_large_batches_and_has_patience_not_forever() -> None:
    with joined() as (near, far):
        assert near.receive(memoryview(bytearray(10))) is None
        sending = threading.Thread(target=lambda: far.sendall(bytes(8 << 20)))
        sending.start()
        for _ in range(8):
            assert near.receive(memoryview(bytearray(1 << 20))) == 1 << 20
        sending.join(DEADLINE)
        assert near.receive(memoryview(bytearray(10))) is None


def test_a_look_at_the_peer_takes_nothing_from_the_stream() -> None:
    with joined() as (near, far):
        assert not near.peer_is_gone
        far.sendall(b"abc")
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            assert not near.peer_is_gone
        assert near.receive(memoryview(bytearray(1))) == 1
        assert not near.peer_is_gone
        buffer = memoryview(bytearray(8))
        assert near.receive(buffer) == 2
        assert bytes(buffer[:2]) == b"bc"
        far.close()
        assert near.peer_is_gone


@pytest.mark.parametrize("call", ["receive", "send"])
def test_stop_wakes_whoever_waits(call: str) -> None:
    calls: dict[str, Callable[[DataConnection], object]] = {
        "receive": lambda near: near.receive(memoryview(bytearray(8))),
        "send": lambda near: near.send(memoryview(bytes(1 << 20))),
    }
    with joined() as (near, far):
        assert woken_by_stop(near, lambda: calls[call](near)) is Stopped
        near.close()
        if call == "send":  # what was cut off does not look complete
            assert_cut_off(lambda: far.recv(1 << 20))


def _sends_without_a_reader(near: DataConnection, most: int) -> int:
    """How many of ``most`` small sends end although the peer takes nothing."""
    ended = list[int]()

    def send() -> None:
        with suppress(Stopped):
            for number in range(most):
                near.send(memoryview(bytes(1000)))
                ended.append(number)

    sending, before = threading.Thread(target=send), -1
    sending.start()
    while sending.is_alive() and len(ended) > before:
        before = len(ended)
        sending.join(0.1)
    if sending.is_alive():
        near.stop()
        sending.join(DEADLINE)
    return len(ended)


def test_the_end_is_told_although_the_peer_takes_nothing_for_now() -> None:
    with joined() as (near, _):
        fitting = _sends_without_a_reader(near, 1_000_000)
    assert 10 < fitting < 1_000_000
    for count in range(fitting - 3, fitting + 1):
        with joined() as (near, far):
            if _sends_without_a_reader(near, count) == count:
                near.close()
                taken = 0
                while piece := far.recv(1 << 20):
                    taken += len(piece)
                assert taken == count * 1000


def test_a_stream_that_is_not_complete_does_not_look_so() -> None:
    with joined() as (near, far):
        near.send(memoryview(bytes(1000)))
        near.close(complete=False)
        assert_cut_off(lambda: far.recv(1 << 20))
