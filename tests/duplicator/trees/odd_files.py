"""A directory full of what backups trip over."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["TIMES", "fill"]

TIMES: Sequence[tuple[str, int]] = (
    ("nanoseconds", 1_600_000_000_123_456_789),
    ("before 1970", -86_400_000_000_000 - 500_000_000),
    ("whole seconds", 1_500_000_000_000_000_000),
    ("the year 2100", 4_102_444_800_000_000_001),
)
LONG = "l" * 200
LONG_FOLDER = "d" * 200
NAMES = ("plain", "with\nnewline", " space ", "-dash", "t\\ab", "ümläut", "bytes \udcff\udc80", "=equals", LONG)


def fill(root: Path) -> None:
    """Every kind of file and attribute that this user can make."""
    for name in NAMES:
        (root / name).write_bytes(name.encode("utf-8", "surrogateescape") * 3)
        (root / f"{name} -> ").symlink_to(f"to/{name}")
    for name, time_ns in TIMES:
        (root / name).write_bytes(b"")
        os.utime(root / name, ns=(time_ns, time_ns))
    for size in (0, 1, 511, 512, 513, 10_240, 300_000):
        (root / f"size {size}").write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    deep = root
    for _ in range(8):
        deep = deep / LONG_FOLDER
        deep.mkdir()
        (deep / "f").write_bytes(b"deep")
    _modes(root, 0o400, 0o644, 0o755, 0o1777)
    _links(root)
    os.mkfifo(root / "pipe", 0o640)
    os.setxattr(root / "plain", "user.note", b"\x00\xff=%\n")
    os.setxattr(root / "plain", "user.a=b%3D", b"odd name")
    (root / "closed").mkdir()
    (root / "closed" / "inside").write_bytes(b"in")
    (root / "closed").chmod(0o500)
    if os.geteuid() == 0:
        _root_only(root)
    os.utime(root, ns=(10**18 + 1, 10**18 + 1))


def _links(root: Path) -> None:
    (root / "first name").write_bytes(b"one file")
    os.link(root / "first name", root / "second name")
    (root / "sub").mkdir()
    os.link(root / "first name", root / "sub" / "third name")
    os.link(root / "plain -> ", root / "sub" / "same link", follow_symlinks=False)


def _modes(root: Path, *modes: int) -> None:
    for mode in modes:
        (root / f"mode {mode:o}").write_bytes(b"m")
        (root / f"mode {mode:o}").chmod(mode)


def _root_only(root: Path) -> None:
    _modes(root, 0o000, 0o2755, 0o4755, 0o7777)
    os.chown(root / "size 1", 12345, 2_000_000_000)
    os.chown(root / "plain -> ", 3, 4, follow_symlinks=False)
    os.mknod(root / "null", 0o020666, os.makedev(1, 3))
    os.mknod(root / "loop", 0o060660, os.makedev(7, 200))
    os.chown(root / "sub", 5, 6)
