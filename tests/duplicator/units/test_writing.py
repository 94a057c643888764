"""Images taken into a unit: sizes, staging, commit, sessions."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from duplicator.units import DirectoryUnits
from ndmp.backends import FileServiceBackend, FragmentInfo
from ndmp.enums import DigestAlgorithm, Error
from tests.duplicator.units.asking import put, refused, staged, store

NONE, SHA256 = DigestAlgorithm.NONE, DigestAlgorithm.SHA256


def shown(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))


def test_a_plain_image(root: Path, units: FileServiceBackend) -> None:
    content = bytes(range(256)) * 9 + b"tail"
    handle = units.open_write("lsu", "new", 0, "", len(content), SHA256)
    assert (handle.status().size, handle.status().bytes_moved) == (2308, 0)
    put(handle, content[:1024])
    status = handle.status()
    assert (status.bytes_moved, status.digest) == (1024, hashlib.sha256(content[:1024]).digest())
    put(handle, content[1024:])
    status = handle.status()
    assert (status.size, status.bytes_moved, status.changed) == (2308, 2308, False)
    assert status.digest == hashlib.sha256(content).digest()
    handle.close(keep=True)
    handle.close(keep=True)
    assert shown(root) == []
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in staged(root)] == [0o700]
    units.commit("lsu", "new", 1)
    assert [entry.name for entry in root.iterdir()] == ["new"]
    assert (root / "new").read_bytes() == content
    assert (root / "new").stat().st_nlink == 1


def test_a_directory_image(root: Path, units: FileServiceBackend) -> None:
    for number, (name, content) in reversed(list(enumerate((("a", b"1" * 600), ("b", b""), ("c\udce9", b"3"))))):
        store(units, "new", number, name, content)
        assert list(units.images("lsu", "", 10)) == []
        refused(Error.FILE_NOT_FOUND, units.image, "lsu", "new")
    units.commit("lsu", "new", 3)
    assert [entry.name for entry in root.iterdir()] == ["new"]
    assert units.image("lsu", "new").fragments == tuple(
        FragmentInfo(*row) for row in (("a", 600), ("b", 0), ("c\udce9", 1))
    )
    assert (root / "new" / "a").read_bytes() == b"1" * 600


def test_an_empty_image(root: Path, units: FileServiceBackend) -> None:
    store(units, "new", 0, "", b"")
    units.commit("lsu", "new", 1)
    assert (root / "new").read_bytes() == b""


def test_bytes_past_the_announced_size(root: Path, units: FileServiceBackend) -> None:
    # (size, runs of two records of 4 bytes, what is stored; None: the last run is refused)
    table: list[tuple[int, list[bytes], bytes | None]] = [
        (8, [b"abcdefgh"], b"abcdefgh"),
        (5, [b"abcde\0\0\0"], b"abcde"),
        (4, [b"abcd\0\0\0\0", bytes(8)], b"abcd"),
        (0, [bytes(8)], b""),
        (5, [b"abcde\0\0x"], None),
        (5, [b"abcdef\0\0"], None),
        (4, [b"abcd\0\0\0\0", b"\0\0\0\0\0\0\0x"], None),
        (0, [b"x" + bytes(7)], None),
    ]
    for at, (size, runs, expected) in enumerate(table):
        handle = units.open_write("lsu", f"new{at}", 0, "", size, SHA256)
        for run in runs[:-1]:
            assert handle.write_records(memoryview(run), 4).records == 2
        before = handle.status()
        if expected is None:
            refused(Error.IO, handle.write_records, memoryview(runs[-1]), 4)
            assert handle.status() == before
            handle.close(keep=False)
            continue
        assert handle.write_records(memoryview(runs[-1]), 4).records == 2
        assert handle.status().bytes_moved == size
        assert handle.status().digest == hashlib.sha256(expected).digest()
        handle.close(keep=True)
        units.commit("lsu", f"new{at}", 1)
        assert (root / f"new{at}").read_bytes() == expected


def test_keeping_needs_every_byte(root: Path, units: FileServiceBackend) -> None:
    handle = units.open_write("lsu", "new", 0, "", 513, NONE)
    put(handle, b"x" * 512)
    refused(Error.ILLEGAL_STATE, handle.close, keep=True)
    refused(Error.ILLEGAL_STATE, units.commit, "lsu", "new", 1)
    store(units, "new", 0, "", b"again")  # the number is free again
    units.commit("lsu", "new", 1)
    assert (root / "new").read_bytes() == b"again"


def test_discarded_fragments_leave_the_choice_of_names(root: Path, units: FileServiceBackend) -> None:
    for number, name in ((0, "a"), (0, ""), (3, "b"), (0, "")):
        handle = units.open_write("lsu", "new", number, name, 1, NONE)
        put(handle, b"x")
        handle.close(keep=False)
    store(units, "new", 0, "z", b"kept")
    units.commit("lsu", "new", 1)
    assert [entry.name for entry in (root / "new").iterdir()] == ["z"]


def test_commit_needs_every_fragment(root: Path, units: FileServiceBackend) -> None:
    store(units, "new", 0, "a", b"1")
    store(units, "new", 2, "c", b"3")
    handle = units.open_write("lsu", "new", 1, "b", 1, NONE)
    refused(Error.DEVICE_BUSY, units.commit, "lsu", "new", 3)
    refused(Error.DEVICE_BUSY, units.discard, "lsu", "new")
    handle.close(keep=False)
    for fragments in (0, 1, 2, 3, 10_001):
        refused(Error.ILLEGAL_STATE, units.commit, "lsu", "new", fragments)
    assert shown(root) == []
    store(units, "new", 1, "b", b"2")
    units.commit("lsu", "new", 3)
    assert sorted(entry.name for entry in (root / "new").iterdir()) == ["a", "b", "c"]


def test_names_and_numbers_of_fragments(root: Path, units: FileServiceBackend) -> None:
    # (fragments kept before, number, name, error); an image read back must have the same fragments in the same order.
    table: list[tuple[list[tuple[int, str]], int, str, Error]] = [
        ([], -1, "a", Error.ILLEGAL_ARGS),
        ([], 10_000, "a", Error.ILLEGAL_ARGS),
        ([], 1, "", Error.ILLEGAL_ARGS),
        ([], 0, "a/b", Error.ILLEGAL_ARGS),
        ([], 0, ".a", Error.ILLEGAL_ARGS),
        ([(0, "")], 1, "", Error.ILLEGAL_ARGS),
        ([(0, "")], 1, "a", Error.ILLEGAL_ARGS),
        ([(0, "a")], 1, "", Error.ILLEGAL_ARGS),
        ([(0, "b")], 1, "a", Error.ILLEGAL_ARGS),
        ([(5, "b")], 4, "c", Error.ILLEGAL_ARGS),
        ([(0, "a")], 1, "a", Error.ILLEGAL_ARGS),
        ([(1, "a")], 0, "a", Error.ILLEGAL_ARGS),
        ([(0, "\U0001f600")], 1, "\ufffd", Error.ILLEGAL_ARGS),
        ([(0, "a")], 0, "b", Error.DEVICE_BUSY),
        ([(0, "")], 0, "", Error.DEVICE_BUSY),
    ]
    for at, (kept, number, name, error) in enumerate(table):
        for other, other_name in kept:
            store(units, f"new{at}", other, other_name, b"x")
        refused(error, units.open_write, "lsu", f"new{at}", number, name, 1, NONE)
        units.discard("lsu", f"new{at}")
        assert staged(root) == [], at
    handle = units.open_write("lsu", "last", 9_999, "z", 0, NONE)
    handle.close(keep=False)


def test_a_size_with_no_room(root: Path, units: FileServiceBackend) -> None:
    free = units.units()[0].free_bytes
    for size in (2 * free, 2**63, 2**64 - 2):
        refused(Error.FSE_NO_SPACE, units.open_write, "lsu", "new", 0, "", size, NONE)
    assert list(root.iterdir()) == []


def test_images_that_are_there(root: Path, units: FileServiceBackend) -> None:
    (root / "file").write_bytes(b"mine")
    (root / "folder").mkdir()
    os.symlink("nowhere", root / "link")
    os.mkfifo(root / "fifo")
    for name in ("file", "folder", "link", "fifo"):
        for fragment in ("", "a"):
            refused(Error.FSE_IMAGE_EXISTS, units.open_write, "lsu", name, 0, fragment, 1, NONE)
    assert staged(root) == []


def test_an_image_that_came_in_between(root: Path, units: FileServiceBackend) -> None:
    makers: dict[str, Callable[[Path], object]] = {
        "file": lambda path: path.write_bytes(b"mine"),
        "folder": lambda path: path.mkdir(),
        "link": lambda path: path.symlink_to("nowhere"),
    }
    for kind, make in makers.items():
        for fragment in ("", "a"):
            image = f"{kind}{fragment}"
            store(units, image, 0, fragment, b"other")
            make(root / image)
            before = (root / image).lstat()
            refused(Error.FSE_IMAGE_EXISTS, units.commit, "lsu", image, 1)
            assert (root / image).lstat() == before
            units.discard("lsu", image)
            assert (root / image).lstat() == before
    assert staged(root) == []


def test_one_writer_at_a_time(root: Path, units: FileServiceBackend) -> None:
    handle = units.open_write("lsu", "new", 0, "a", 1, NONE)
    refused(Error.DEVICE_BUSY, units.open_write, "lsu", "new", 0, "a", 1, NONE)
    refused(Error.DEVICE_BUSY, units.open_write, "lsu", "new", 1, "b", 1, NONE)
    other = units.open_write("lsu", "other", 0, "", 1, NONE)
    put(handle, b"x")
    handle.close(keep=True)
    other.close(keep=False)
    refused(Error.DEVICE_BUSY, units.open_write, "lsu", "new", 0, "a", 1, NONE)
    units.commit("lsu", "new", 1)
    refused(Error.FILE_NOT_FOUND, units.commit, "lsu", "new", 1)
    refused(Error.FSE_IMAGE_EXISTS, units.open_write, "lsu", "new", 0, "a", 1, NONE)


def test_two_hosts_on_one_unit(root: Path, units: FileServiceBackend) -> None:
    with DirectoryUnits({"lsu": root}) as second:
        for fragment, image in (("", "plain"), ("a", "folder")):
            store(units, image, 0, fragment, b"first")
            store(second, image, 0, fragment, b"second")
            units.commit("lsu", image, 1)
            refused(Error.FSE_IMAGE_EXISTS, second.commit, "lsu", image, 1)
    assert (root / "plain").read_bytes() == (root / "folder" / "a").read_bytes() == b"first"
    assert staged(root) == []


def test_discard(root: Path, units: FileServiceBackend) -> None:
    (root / "stays").write_bytes(b"x")
    units.discard("lsu", "stays")
    units.discard("lsu", "never")
    store(units, "new", 0, "a", b"x")
    store(units, "new", 1, "b\udcff", b"x")
    units.discard("lsu", "new")
    assert [entry.name for entry in root.iterdir()] == ["stays"]
    refused(Error.FILE_NOT_FOUND, units.commit, "lsu", "new", 2)


def test_close_removes_what_was_not_committed(root: Path) -> None:
    with DirectoryUnits({"lsu": root}) as units:
        store(units, "new", 0, "a", b"x")
        assert len(staged(root)) == 1
    assert list(root.iterdir()) == []


def test_images_are_removed_and_what_is_none_is_left_alone(root: Path, units: FileServiceBackend) -> None:
    (root / "file").write_bytes(b"x")
    (root / "folder").mkdir()
    (root / "folder" / "a").write_bytes(b"x")
    for name in ("file", "folder"):
        units.remove("lsu", name)
    (root / "link").symlink_to(root.parent / "secret")
    (root / "way").symlink_to(root.parent / "outside")
    (root / "empty").mkdir()
    os.mkfifo(root / "fifo")
    (root / "tree").mkdir()
    (root / "tree" / "inner").symlink_to(root.parent / "outside")
    for name in ("link", "way", "empty", "fifo", "tree"):
        refused(Error.BAD_FILE, units.remove, "lsu", name)
    for name in (".", "..", "../outside", ".incoming-x"):
        refused(Error.ILLEGAL_ARGS, units.remove, "lsu", name)
    assert sorted(os.listdir(root)) == ["empty", "fifo", "link", "tree", "way"]
    assert (root.parent / "secret").read_bytes() == (root.parent / "outside" / "secret").read_bytes()


def test_a_removal_that_broke_off_leaves_no_image(
    root: Path, units: FileServiceBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "new").mkdir()
    (root / "new" / "a").write_bytes(b"x")
    (root / "new" / "b").write_bytes(b"x")

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", broken)
        units.remove("lsu", "new")
    assert list(units.images("lsu", "", 9)) == []
    assert len(staged(root)) == 1
    with DirectoryUnits({"lsu": root}):
        assert list(root.iterdir()) == []


def test_a_unit_that_is_not_writable(root: Path) -> None:
    (root / ".incoming-old").mkdir()
    with DirectoryUnits({"lsu": root}, writable=False) as units:
        assert not units.writable
        assert not units.units()[0].writable
        refused(Error.PERMISSION, units.open_write, "lsu", "new", 0, "", 1, NONE)
        (root / "image").write_bytes(b"x")
        refused(Error.PERMISSION, units.remove, "lsu", "image")
        (root / "image").unlink()
    assert [entry.name for entry in root.iterdir()] == [".incoming-old"]


def test_a_writer_does_not_read(units: FileServiceBackend) -> None:
    handle = units.open_write("lsu", "new", 0, "", 1, NONE)
    refused(Error.PERMISSION, handle.read_records, memoryview(bytearray(512)), 512)
    refused(Error.PERMISSION, handle.space_records, 1)
    handle.close(keep=False)
    refused(Error.FSE_ALGORITHM, units.open_write, "lsu", "odd", 0, "", 1, DigestAlgorithm(9))
