"""Trees to back up, and what differs between two of them: by diff, and by what diff does not look at."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections import defaultdict
from pathlib import Path

from tests.peers import require_peer

__all__ = ["FILES", "differences", "make_tree", "paths_below"]

FILES = 2000
"""Regular files of a made tree, names of hard links counted."""

_LARGE_BYTES = 4_000_037
_HOLE_BYTES = 600_000
_TIME = 1_700_000_000
_DIRECTORIES = ("plain", "With Space", "grüße", "100%", "a=b", "deep/" + "/".join(f"level-{n:02d}" for n in range(20)))


def make_tree(root: Path, *, files: int = FILES) -> Path:
    """Make a tree of ``files`` regular files with all that is hard about names, links and modes; returns it."""
    root.mkdir(parents=True)
    _odd_files(root)
    odd = sum(path.is_file() and not path.is_symlink() for path in root.iterdir())
    for number in range(files - odd):
        directory = root / _DIRECTORIES[number % len(_DIRECTORIES)] / f"part {number % 7}"
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"file-{number:04d}"
        path.write_bytes(contents(path.name, number * 37 % 3001))
        path.chmod((0o600, 0o644, 0o755, 0o440)[number % 4])
    (root / "empty directory").mkdir(mode=0o700)
    _set_times(root)
    return root


def contents(seed: str, size: int) -> bytes:
    """Bytes that do not compress, the same in every run."""
    return hashlib.shake_128(seed.encode()).digest(size)


def _odd_files(root: Path) -> None:
    for name, size in {
        "large.bin": _LARGE_BYTES,
        "empty": 0,
        "l" * 255: 12,
        "größe.txt": 600,
        "two words": 1024,
        "percent%20": 512,
        "équals=sign": 511,
        "original": 5000,
    }.items():
        (root / name).write_bytes(contents(name, size))
    with (root / "hole").open("wb") as hole:
        hole.write(contents("before", 100))
        hole.seek(_HOLE_BYTES)
        hole.write(contents("behind", 100))
    os.link(root / "original", root / "second name")
    for name, target in {
        "link": "two words",
        "dangling link": "nowhere/to be found",
        "long link": "x" * 180,
        "link to directory": "plain",
    }.items():
        (root / name).symlink_to(target)


def _set_times(root: Path) -> None:
    """Each file another time, directories last: what is made in them changes theirs."""
    for number, path in enumerate(sorted(root.rglob("*"), reverse=True)):
        os.utime(path, (_TIME + number, _TIME + number), follow_symlinks=False)
    os.utime(root, (_TIME, _TIME))


def paths_below(root: Path) -> set[str]:
    """Every path of a tree as file histories write it: "/" is the tree itself."""
    return {"/"} | {"/" + path.relative_to(root).as_posix() for path in root.rglob("*")}


def differences(left: Path, right: Path) -> list[str]:
    """What differs between two trees in names, contents, kinds, modes, owners, times and links."""
    command = [require_peer("diff"), "--recursive", "--no-dereference", str(left), str(right)]
    diff = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = diff.stdout.splitlines() + diff.stderr.splitlines()
    one, other = _attributes(left), _attributes(right)
    found += [
        f"{path}: {one[path]} and {other[path]}" for path in one.keys() & other.keys() if one[path] != other[path]
    ]
    if _links(left) != _links(right):
        found.append("the hard links differ")
    return found


def _attributes(root: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in root.rglob("*"):
        status = path.lstat()
        mode = stat.S_IFMT(status.st_mode) if path.is_symlink() else status.st_mode
        found[path.relative_to(root).as_posix()] = (oct(mode), status.st_uid, status.st_gid, int(status.st_mtime))
    return found


def _links(root: Path) -> set[frozenset[str]]:
    """Groups of names of one file."""
    names = defaultdict(set)
    for path in root.rglob("*"):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            names[status.st_ino].add(path.relative_to(root).as_posix())
    return {frozenset(group) for group in names.values()}
