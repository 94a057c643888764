"""Sockets that only their owner can reach, on paths of any length, and lines on them."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from duplicator.xbsa.local_sockets import Deadline, LineError, connect, listen, peer_uid, read_line, send_line

SOON = 10.0


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


@pytest.mark.parametrize("depth", [1, 20])
def test_owner_only_whatever_the_umask_and_the_length(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["a-folder-of-a-long-path"] * depth)
    folder.mkdir(parents=True)
    before = os.umask(0)
    try:
        listener = listen(folder / "request")
    finally:
        os.umask(before)
    with listener:
        assert stat.S_IMODE((folder / "request").stat().st_mode) == 0o600
        with connect(folder / "request", seconds=SOON) as ours, listener.accept()[0] as theirs:
            assert peer_uid(ours) == peer_uid(theirs) == os.geteuid()
            send_line(ours, b"hello\n", deadline=Deadline(SOON))
            assert read_line(theirs, deadline=Deadline(SOON)) == (b"hello\n", [])


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    with listen(tmp_path / "s"), pytest.raises(OSError, match="in use"):
        listen(tmp_path / "s")


def test_nobody_listens(tmp_path: Path) -> None:
    listen(tmp_path / "s").close()
    with pytest.raises(ConnectionRefusedError):
        connect(tmp_path / "s", seconds=SOON)
    with pytest.raises(FileNotFoundError):
        connect(tmp_path / "t", seconds=SOON)


def test_a_line_and_nothing_behind_it(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with ours, theirs:
        ours.sendall(b"one\ntwo\nrest")
        assert [read_line(theirs, deadline=Deadline(SOON))[0] for _ in range(2)] == [b"one\n", b"two\n"]
        assert theirs.recv(100) == b"rest"


def test_a_line_in_pieces(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with ours, theirs:
        pieces = [b"x" * 70_000, b"y" * 70_000, b"\n"]
        sending = threading.Thread(target=lambda: [ours.sendall(piece) for piece in pieces])
        sending.start()
        assert read_line(theirs, deadline=Deadline(SOON))[0] == b"".join(pieces)
        sending.join()


def test_lines_that_are_none(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with theirs:
        with ours:
            ours.sendall(b"x" * 11)
            with pytest.raises(LineError, match="more than 10 bytes"):
                read_line(theirs, deadline=Deadline(SOON), limit=10)
            with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
                read_line(theirs, deadline=Deadline(0.05))
            ours.sendall(b"half")
        with pytest.raises(LineError, match="closed"):
            read_line(theirs, deadline=Deadline(SOON))


def test_nobody_takes_it(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with ours, theirs, pytest.raises(TimeoutError):
        send_line(ours, b"x" * (1 << 24) + b"\n", deadline=Deadline(0.2))


def test_an_open_file_comes_along(pair: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    ours, theirs = pair
    (tmp_path / "f").write_bytes(b"content")
    with ours, theirs:
        with open(tmp_path / "f", "rb") as file:
            send_line(ours, b"here\n", deadline=Deadline(SOON), descriptor=file.fileno())
        line, files = read_line(theirs, deadline=Deadline(SOON))
        assert (line, len(files)) == (b"here\n", 1)
        assert not os.get_inheritable(files[0])
        with open(files[0], "rb") as file:
            assert file.read() == b"content"


def test_files_of_a_bad_line_are_closed(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    with ours, theirs:
        send_line(ours, b"x" * 20 + b"\n", deadline=Deadline(SOON), descriptor=ours.fileno())
        before = os.listdir("/proc/self/fd")
        with pytest.raises(LineError):
            read_line(theirs, deadline=Deadline(SOON), limit=10)
        assert os.listdir("/proc/self/fd") == before
