"""What is an image in a unit, names that lead out of it, listings, errors."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from duplicator.units import MAX_FRAGMENTS, DirectoryUnits, UnitError, refusal
from ndmp.backends import FileServiceBackend, FragmentInfo, ImageInfo
from ndmp.enums import DigestAlgorithm, Error
from tests.duplicator.units.asking import names, read_all, refused

NONE = DigestAlgorithm.NONE

BAD_NAMES = ("..", "../x", "/etc/passwd", "a/b", "", ".", ".hidden", "a\0b", "x" * 256, "é" * 128, "./plain", "plain/")


# What is an image


def make_strangers(root: Path) -> list[str]:
    """Entries that are no image; those after the first two need a look inside."""
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
    os.symlink(root.parent / "secret", root / "link-out")
    os.symlink(root.parent / "outside", root / "link-out-folder")
    os.symlink("../secret", root / "link-relative")
    (root / "aimed-at").write_bytes(b"inside")
    os.symlink("aimed-at", root / "link-inside")
    os.symlink("nowhere", root / "link-broken")
    (root / "empty").mkdir()
    (root / "nested" / "deeper").mkdir(parents=True)
    (root / "with-link").mkdir()
    (root / "with-link" / "a").write_bytes(b"a")
    os.symlink(root.parent / "secret", root / "with-link" / "b")
    (root / "with-fifo").mkdir()
    os.mkfifo(root / "with-fifo" / "f")
    (root / "only-hidden").mkdir()
    (root / "only-hidden" / ".x").write_bytes(b"x")
    return sorted(entry.name for entry in root.iterdir() if entry.name != "aimed-at")


@pytest.mark.timeout(20)
def test_strangers_are_no_images(root: Path, units: FileServiceBackend) -> None:
    strangers = make_strangers(root)
    assert len(strangers) == 12
    for name in strangers:
        refused(Error.BAD_FILE, units.image, "lsu", name)
        refused(Error.BAD_FILE, units.open_read, "lsu", name, 0, NONE)
    assert names(units) == ["aimed-at"]


def test_images_and_their_fragments(root: Path, units: FileServiceBackend) -> None:
    (root / "plain").write_bytes(b"12345")
    os.utime(root / "plain", ns=(0, 1_700_000_000_999_999_999))
    (root / "parts").mkdir()
    for name, content in (("b", b"22"), ("B", b"1"), (".note", b"no fragment"), ("é", b"333")):
        (root / "parts" / name).write_bytes(content)
        os.utime(root / "parts" / name, (1_000, 1_000))
    os.utime(root / "parts" / "b", (5_000_000_000, 5_000_000_000))
    (root / ".hidden").write_bytes(b"no image")
    parts = ImageInfo("parts", 5_000_000_000, tuple(FragmentInfo(*f) for f in (("B", 1), ("b", 2), ("é", 3))))
    plain = ImageInfo("plain", 1_700_000_000, (FragmentInfo("", 5),))
    assert list(units.images("lsu", "", 10)) == [parts, plain]
    assert (units.image("lsu", "parts"), units.image("lsu", "plain")) == (parts, plain)
    for number, content in enumerate((b"1", b"22", b"333")):
        handle = units.open_read("lsu", "parts", number, NONE)
        assert read_all(handle, 8) == content
        handle.close(keep=True)


def test_a_time_before_1970_is_0(root: Path, units: FileServiceBackend) -> None:
    (root / "old").write_bytes(b"")
    os.utime(root / "old", (-100, -100))
    assert units.image("lsu", "old").modified == 0


def test_an_image_has_a_limit_of_fragments(root: Path, units: FileServiceBackend) -> None:
    (root / "many").mkdir()
    (root / "first").write_bytes(b"")
    for number in range(MAX_FRAGMENTS):
        os.link(root / "first", root / "many" / f"{number:05}")
    assert len(units.image("lsu", "many").fragments) == 10_000
    os.link(root / "first", root / "many" / "one more")
    refused(Error.BAD_FILE, units.image, "lsu", "many")
    assert names(units) == ["first"]


def test_fragment_numbers(root: Path, units: FileServiceBackend) -> None:
    (root / "plain").write_bytes(b"x")
    (root / "parts").mkdir()
    for name in "ab":
        (root / "parts" / name).write_bytes(b"x")
    for image, number in (("plain", 1), ("plain", -1), ("parts", 2), ("parts", -1), ("parts", 10_000)):
        refused(Error.ILLEGAL_ARGS, units.open_read, "lsu", image, number, NONE)


# Names


def test_names_never_leave_the_unit(root: Path, units: FileServiceBackend) -> None:
    (root / "plain").write_bytes(b"x")
    (root / ".hidden").write_bytes(b"x")
    before = sorted(root.parent.rglob("*"))
    for name in BAD_NAMES:
        refused(Error.ILLEGAL_ARGS, units.image, "lsu", name)
        refused(Error.ILLEGAL_ARGS, units.open_read, "lsu", name, 0, NONE)
        refused(Error.ILLEGAL_ARGS, units.open_write, "lsu", name, 0, "", 1, NONE)
        refused(Error.ILLEGAL_ARGS, units.open_write, "lsu", "new", 0, name or "/", 1, NONE)
        refused(Error.ILLEGAL_ARGS, units.commit, "lsu", name, 1)
        refused(Error.ILLEGAL_ARGS, units.discard, "lsu", name)
    assert sorted(root.parent.rglob("*")) == before


def test_what_is_not_there(units: FileServiceBackend) -> None:
    refused(Error.FILE_NOT_FOUND, units.image, "lsu", "nothing")
    refused(Error.FILE_NOT_FOUND, units.open_read, "lsu", "nothing", 0, NONE)
    refused(Error.FILE_NOT_FOUND, units.commit, "lsu", "nothing", 1)
    for unit in ("other", "../unit", "", "/"):
        refused(Error.FILE_NOT_FOUND, units.images, unit, "", 1)
        refused(Error.FILE_NOT_FOUND, units.image, unit, "x")
        refused(Error.FILE_NOT_FOUND, units.open_read, unit, "x", 0, NONE)
        refused(Error.FILE_NOT_FOUND, units.open_write, unit, "x", 0, "", 1, NONE)
        refused(Error.FILE_NOT_FOUND, units.commit, unit, "x", 1)
        refused(Error.FILE_NOT_FOUND, units.discard, unit, "x")


def test_names_that_are_no_utf8(root: Path, units: FileServiceBackend) -> None:
    raw = os.fsencode(root)
    Path(os.fsdecode(raw + b"/\xff\xfe")).write_bytes(b"odd")
    os.mkdir(raw + b"/caf\xe9")
    Path(os.fsdecode(raw + b"/caf\xe9/\xe9")).write_bytes(b"inner")
    assert names(units) == ["caf\udce9", "\udcff\udcfe"]
    assert units.image("lsu", "caf\udce9").fragments == (FragmentInfo("\udce9", 5),)
    handle = units.open_read("lsu", "\udcff\udcfe", 0, NONE)
    assert read_all(handle, 8) == b"odd"
    handle.close(keep=False)


# Listings


def test_pages(root: Path, units: FileServiceBackend) -> None:
    wanted = sorted((f"i{number}" for number in range(25)), key=str.encode)
    for name in wanted:
        (root / name).write_bytes(b"")
        (root / f"{name}-empty").mkdir()  # each page must go on past what is no image
    pages: list[list[str]] = [names(units, limit=4)]
    while pages[-1]:
        pages.append(names(units, pages[-1][-1], 4))
    assert [len(page) for page in pages] == [4] * 6 + [1, 0]
    assert [name for page in pages for name in page] == wanted
    assert names(units, "i1", 1) == ["i10"]
    assert names(units, "zz") == names(units, limit=0) == []


def test_names_sort_by_bytes(root: Path, units: FileServiceBackend) -> None:
    # UTF-16 order and string order of surrogate escapes differ from byte order here.
    raw = [b"Z", b"a", b"\xc3\xa9", b"\xef\xbf\xbd", b"\xf0\x9f\x98\x80", b"\xff"]
    for name in raw:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"")
    assert [name.encode("utf-8", "surrogateescape") for name in names(units)] == raw
    assert len(names(units, "\udcff")) == 0
    assert names(units, "\ufffd") == ["\U0001f600", "\udcff"]


def test_listings_at_the_same_time(root: Path, units: FileServiceBackend) -> None:
    for number in range(1500):
        (root / f"{number:04}").write_bytes(b"")
    found: list[int] = []

    def list_often() -> None:
        found.extend(len(names(units, limit=2000)) for _ in range(5))

    threads = [threading.Thread(target=list_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [1500] * 20


def test_units_by_name(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("b", "a")}
    for folder in folders.values():
        folder.mkdir()
    with DirectoryUnits(folders) as units:
        found = units.units()
        room = os.statvfs(tmp_path)
    assert [unit.name for unit in found] == ["a", "b"]
    assert found[0].total_bytes == room.f_blocks * room.f_frsize
    assert 0 < found[0].free_bytes <= found[0].total_bytes
    assert found[0].writable
    assert units.writable


def test_a_unit_must_be_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_bytes(b"x")
    for name, folder, text in (
        ("lsu", "file", "lsu: .*file: Not a directory"),
        ("lsu", "gone", "lsu: .*gone: No such file"),
        ("a/b", "folder", "'a/b'"),
        ("", "folder", "''"),
    ):
        with pytest.raises(UnitError, match=text):
            DirectoryUnits({name: tmp_path / folder})
    os.symlink(tmp_path / "folder", tmp_path / "link")
    with DirectoryUnits({"lsu": tmp_path / "link"}) as units:
        assert names(units) == ["x"]


# Errors


def test_errors_of_the_system() -> None:
    table = {
        errno.ENOENT: Error.FILE_NOT_FOUND,
        errno.ELOOP: Error.BAD_FILE,
        errno.ENOTDIR: Error.BAD_FILE,
        errno.ENXIO: Error.BAD_FILE,
        errno.EACCES: Error.PERMISSION,
        errno.EPERM: Error.PERMISSION,
        errno.EROFS: Error.PERMISSION,
        errno.EEXIST: Error.FSE_IMAGE_EXISTS,
        errno.ENOTEMPTY: Error.FSE_IMAGE_EXISTS,
        errno.ENOSPC: Error.FSE_NO_SPACE,
        errno.EDQUOT: Error.FSE_NO_SPACE,
        errno.EMFILE: Error.NO_MEM,
        errno.EIO: Error.IO,
        errno.ESTALE: Error.IO,
    }
    for number, expected in table.items():
        assert refusal(OSError(number, "text", "/srv/private/path"), "image").error == expected, number
    assert refusal(OSError("no number"), "image").error == Error.IO
    text = refusal(OSError(errno.EIO, "x", "/srv/private/path"), "image 'a'").text
    assert text == "image 'a': Input/output error"
