"""The data channel: every byte in order by either way, and a broken one is never taken for the end."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import json
import os
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from duplicator.xbsa.channel import (
    SLOT_BYTES,
    SLOTS,
    ChannelBroken,
    ReceivingEnd,
    SendingEnd,
    attach_receiving,
    attach_sending,
    offer_receiving,
    offer_sending,
)
from duplicator.xbsa.local_sockets import Deadline, listen, read_line, send_line

SOON = 10.0
TOKEN = "0" * 64
RING = SLOTS * SLOT_BYTES


@pytest.fixture(params=[True, False], ids=["shared-memory", "socket"])
def shared(request: pytest.FixtureRequest) -> bool:
    found: bool = request.param
    return found


@contextmanager
def ends(
    folder: Path, *, shared: bool, restore: bool = True, seconds: float = SOON
) -> Iterator[tuple[SendingEnd, ReceivingEnd]]:
    """Both ends, the application's attached by the socket; ``restore``: it receives."""
    made: list[SendingEnd | ReceivingEnd] = []

    def attach() -> None:
        way = attach_receiving if restore else attach_sending
        made.append(way(folder / "data", TOKEN, shared_memory=shared, start=SOON, seconds=seconds))

    with listen(folder / "data") as listener:
        attaching = threading.Thread(target=attach)
        attaching.start()
        stream, _ = listener.accept()
        hello = json.loads(read_line(stream, deadline=Deadline(SOON))[0])
        assert hello == {"is": "DataHello", "token": TOKEN, "shared_memory": shared}
        ours = (offer_sending if restore else offer_receiving)(stream, shared_memory=shared, seconds=seconds)
        attaching.join()
    (folder / "data").unlink()
    pair = (ours, made[0]) if restore else (made[0], ours)
    try:
        yield pair  # type: ignore[misc]  (which is which follows from ``restore``)
    finally:
        for each in pair:
            each.close()


def receive_all(end: ReceivingEnd, buffer_bytes: int) -> bytes:
    """Everything up to the end marker."""
    buffer = memoryview(bytearray(buffer_bytes))
    whole = bytearray()
    while count := end.receive(buffer):
        whole += buffer[:count]
    return bytes(whole)


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Work in another thread, which has ended when the block has; gives what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (looked at by the test)
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield raised
    finally:
        thread.join(SOON)
        assert not thread.is_alive()


def send_much(end: SendingEnd) -> None:
    """More than any channel holds."""
    for _ in range(100 * SLOTS):
        end.send(memoryview(bytes(SLOT_BYTES)))


SIZES = (0, 1, SLOT_BYTES - 1, SLOT_BYTES, SLOT_BYTES + 1, RING, RING + 1, 3 * RING + 12345)


@pytest.mark.parametrize("restore", [True, False], ids=["restore", "backup"])
@pytest.mark.parametrize("size", SIZES)
def test_every_byte_in_order(tmp_path: Path, shared: bool, restore: bool, size: int) -> None:
    content = random.Random(size).randbytes(size)
    with ends(tmp_path, shared=shared, restore=restore) as (sender, receiver):

        def send() -> None:
            sender.send(memoryview(content))
            sender.finish()

        with beside(send) as raised:
            assert hashlib.sha256(receive_all(receiver, 100_000)).digest() == hashlib.sha256(content).digest()
        assert (raised, sender.sent, receiver.total) == ([], size, size)
        assert receiver.receive(memoryview(bytearray(1))) == 0


@pytest.mark.parametrize("buffer_bytes", [1000, SLOT_BYTES, RING + 1])
def test_slots_of_any_filling(tmp_path: Path, shared: bool, buffer_bytes: int) -> None:
    choice = random.Random(7)
    pieces = [choice.randbytes(choice.choice((1, 100, SLOT_BYTES - 1, SLOT_BYTES))) for _ in range(5 * SLOTS)]
    with ends(tmp_path, shared=shared) as (sender, receiver):

        def send() -> None:
            for piece in pieces:
                room = sender.room()
                room[: len(piece)] = piece
                sender.put(len(piece))
            sender.finish()

        with beside(send) as raised:
            assert receive_all(receiver, buffer_bytes) == b"".join(pieces)
        assert raised == []


def test_what_was_sent_before_the_sender_left_is_whole(tmp_path: Path, shared: bool) -> None:
    with ends(tmp_path, shared=shared) as (sender, receiver):
        sender.send(memoryview(b"abc" * 1000))
        sender.finish()
        sender.close()
        assert receive_all(receiver, 64) == b"abc" * 1000


def test_the_sender_leaves_without_the_end(tmp_path: Path, shared: bool) -> None:
    with ends(tmp_path, shared=shared) as (sender, receiver):
        sender.send(memoryview(b"abc"))
        sender.close()
        buffer = memoryview(bytearray(10))
        assert receiver.receive(buffer) == 3
        for _ in range(2):
            with pytest.raises(ChannelBroken, match="gone"):
                receiver.receive(buffer)


def test_the_receiver_leaves(tmp_path: Path, shared: bool) -> None:
    with ends(tmp_path, shared=shared) as (sender, receiver):
        receiver.close()
        with pytest.raises(ChannelBroken, match="gone"):
            send_much(sender)


def test_silence_has_a_deadline(tmp_path: Path, shared: bool) -> None:
    with ends(tmp_path, shared=shared, seconds=0.2) as (sender, receiver):
        with pytest.raises(ChannelBroken, match=r"says nothing for 0\.2 s"):
            receiver.receive(memoryview(bytearray(10)))
        with pytest.raises(ChannelBroken, match=r"says nothing for 0\.2 s"):
            send_much(sender)


def test_close_ends_a_wait_of_another_thread(tmp_path: Path, shared: bool) -> None:
    with ends(tmp_path, shared=shared, seconds=600) as (sender, receiver):
        waits = threading.Event()

        def fill() -> None:
            waits.set()
            send_much(sender)

        with beside(fill) as raised:
            assert waits.wait(SOON)
            sender.close()
        assert [type(each) for each in raised] == [ChannelBroken]
    with ends(tmp_path, shared=shared, seconds=600) as (sender, receiver):
        begun = threading.Event()

        def wait() -> None:
            begun.set()
            receiver.receive(memoryview(bytearray(1)))

        with beside(wait) as raised:
            assert begun.wait(SOON)
            receiver.close()
        assert [type(each) for each in raised] == [ChannelBroken]


def test_nothing_stays_open(tmp_path: Path, shared: bool) -> None:
    # What other tests raised has frames that hold slots.
    gc.collect()
    before = os.listdir("/proc/self/fd")
    with ends(tmp_path, shared=shared) as (sender, receiver):
        maps = Path("/proc/self/maps").read_text()
        assert ("memfd:xbsa" in maps) == shared
        sender.finish()
        assert receive_all(receiver, 10) == b""
    assert os.listdir("/proc/self/fd") == before
    assert "memfd:xbsa" not in Path("/proc/self/maps").read_text()


# Peers that do not keep to it. Their frames are written out here.


@contextmanager
def bad_service(folder: Path, answer: Callable[[socket.socket], None]) -> Iterator[ReceivingEnd]:
    """An application's end on a service that answers like this."""
    serving: list[socket.socket] = []

    def serve() -> None:
        serving.append(listener.accept()[0])
        read_line(serving[0], deadline=Deadline(SOON))
        answer(serving[0])

    with ExitStack() as stack:
        listener = stack.enter_context(listen(folder / "data"))
        with beside(serve) as raised:
            stack.callback(lambda: serving[0].close())
            end = attach_receiving(folder / "data", TOKEN, shared_memory=True, start=SOON, seconds=SOON)
        stack.callback(end.close)
        assert raised == []
        yield end


def channel_line(kind: str, slots: int = 0, slot_bytes: int = 0) -> bytes:
    """The line before the frames."""
    return json.dumps({"is": "Channel", "kind": kind, "slots": slots, "slot_bytes": slot_bytes}).encode() + b"\n"


END = 1 << 63


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([3, b"abc", END + 4], "ends after 4 bytes, and 3 have come"),
        ([END + 1], "ends after 1 bytes, and 0 have come"),
        ([5, b"abc"], "gone"),
        ([b"\0\0\0"], "gone"),
    ],
)
def test_frames_that_contradict_themselves(tmp_path: Path, frames: list[int | bytes], text: str) -> None:
    def answer(stream: socket.socket) -> None:
        stream.sendall(channel_line("socket"))
        for frame in frames:
            stream.sendall(struct.pack(">Q", frame) if isinstance(frame, int) else frame)
        stream.shutdown(socket.SHUT_WR)

    with bad_service(tmp_path, answer) as end, pytest.raises(ChannelBroken, match=text):
        receive_all(end, 10)


def memory(size: int, seals: int) -> int:
    """Shared memory of a service."""
    file = os.memfd_create("xbsa-test", os.MFD_ALLOW_SEALING)
    os.ftruncate(file, size)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
    return file


FIXED = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
MEMORIES = (
    (4096, 2, 2048, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL),
    (4096, 2, 2048, 0),
    (4096, 3, 2048, FIXED),
    (8192, 2, 2048, FIXED),
    (4096, 0, 4096, FIXED),
    (4096, 4096, 1, FIXED),
    (4096, -1, -4096, FIXED),
    (4096, 1 << 40, 1 << 40, FIXED),
)


@pytest.mark.parametrize(("size", "slots", "slot_bytes", "seals"), MEMORIES)
def test_memory_that_could_end_this_process_is_refused(
    tmp_path: Path, size: int, slots: int, slot_bytes: int, seals: int
) -> None:
    def answer(stream: socket.socket) -> None:
        file = memory(size, seals)
        line = channel_line("shared-memory", slots, slot_bytes)
        send_line(stream, line, deadline=Deadline(SOON), descriptor=file)
        os.close(file)

    before = os.listdir("/proc/self/fd")
    with pytest.raises(ChannelBroken, match="shared memory"), bad_service(tmp_path, answer):
        pass
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([2049], "a slot of 2049 bytes"),
        ([0], "a slot of 0 bytes"),
        ([1, 1, 1], "more slots came than there are"),
        ([1, END + 2], "ends after 2 bytes, and 1 have come"),
    ],
)
def test_slots_that_are_not_there(tmp_path: Path, frames: list[int], text: str) -> None:
    def answer(stream: socket.socket) -> None:
        file = memory(4096, FIXED)
        line = channel_line("shared-memory", 2, 2048)
        send_line(stream, line, deadline=Deadline(SOON), descriptor=file)
        os.close(file)
        stream.sendall(b"".join(struct.pack(">Q", frame) for frame in frames))

    with bad_service(tmp_path, answer) as end, pytest.raises(ChannelBroken, match=text):
        receive_all(end, 10)


def test_an_application_that_frees_what_it_did_not_get(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        sender = offer_sending(ours, shared_memory=True, seconds=SOON)
        theirs.sendall(bytes([200]))
        with pytest.raises(ChannelBroken, match="frees slots"):
            send_much(sender)
        sender.close()


def test_a_refused_token(tmp_path: Path) -> None:
    refused = bad_service(tmp_path, lambda stream: stream.shutdown(socket.SHUT_RDWR))
    with pytest.raises(ChannelBroken, match="no data channel: the other end closed"), refused:
        pass
