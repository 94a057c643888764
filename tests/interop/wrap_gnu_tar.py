"""A backup program for ndmjob's data agent: GNU tar, and lines of file history on descriptor 3.

ndmjob runs ``wrap_tar -c|-x|-t -I#3 -E NAME=VALUE... [ORIGINAL @OFFSET DESTINATION]...``; the image goes through the
standard streams. What is wanted by its offset is read alone: its header first, then as much as that announces.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO
from urllib.parse import quote_from_bytes

BLOCK = 512
KINDS = {0o040000: "d", 0o100000: "-", 0o120000: "l"}
"""ndmjob's letters for the kinds of files."""


def main(arguments: list[str]) -> None:
    """Back up, list or restore, as the arguments say."""
    # Defaults come last.
    environment = dict(word.split("=", 1) for word in reversed(arguments) if "=" in word)
    with open(3, "w", buffering=1) as index:
        if "-c" in arguments:
            backup(Path(environment["FILESYSTEM"]), index, node_history=environment["HIST"] == "d")
        elif wanted := [at for at, word in enumerate(arguments) if word[0] == "@" and word[1:].isdigit()]:
            for at in wanted:
                restore_one(int(arguments[at][1:]), Path(arguments[at + 1]), sys.stdin.buffer, index)
        else:
            index.write("DR 0 -1\n")
            restore(["-x", "-C", environment["PREFIX"]] if "-x" in arguments else ["-t"])


def backup(root: Path, index: TextIO, *, node_history: bool) -> None:
    """Write the tree below ``root`` as GNU tar does, and the history as that tells of its blocks."""
    command = ["tar", "-c", "-f", "-", "-C", str(root), "-vR", "--quoting-style=literal", "--index-file=/dev/stderr"]
    with subprocess.Popen([*command, "."], stderr=subprocess.PIPE) as tar:
        assert tar.stderr is not None
        for line in tar.stderr:
            block, _, name = line.removeprefix(b"block ").rstrip(b"\n").partition(b": ")
            if name.startswith(b"."):
                path = os.path.join(os.fsencode(root), name.rstrip(b"/"))
                index.writelines(lines(path, b"/" + name[2:].rstrip(b"/"), int(block) * BLOCK, node_history))
    if tar.returncode:
        sys.exit(f"tar ended with {tar.returncode}")


def lines(path: bytes, name: bytes, at: int, node_history: bool) -> Iterator[str]:
    """The file history of one file."""
    found = os.lstat(path)
    kind, mode = KINDS[found.st_mode & 0o170000], found.st_mode & 0o7777
    owner = f"u{found.st_uid} g{found.st_gid}"
    stat = f"@{at} f{kind} m{mode:04o} l{found.st_nlink} s{found.st_size} {owner} tm{int(found.st_mtime)}"
    if not node_history:
        yield f"HF {quote_from_bytes(name)} {stat} i{found.st_ino}\n"
        return
    if kind == "d":
        parent = found.st_ino if name == b"/" else os.lstat(os.path.dirname(path)).st_ino
        yield f"HD {found.st_ino} . {found.st_ino}\nHD {found.st_ino} .. {parent}\n"
        for child in os.scandir(path):
            yield f"HD {found.st_ino} {quote_from_bytes(child.name)} {child.inode()}\n"
    yield f"HN {found.st_ino} {stat}\n"


def restore(options: Sequence[str]) -> None:
    """Have tar read the whole image."""
    # ndmjob leaves the pipe open after the image: what ends it is the archive's own end.
    subprocess.run(["tar", "-f", "-", *options], check=True, stdout=subprocess.DEVNULL)


def restore_one(at: int, destination: Path, image: BinaryIO, index: TextIO) -> None:
    """Fetch one regular file from where the history saw it."""
    index.write(f"DR {at} {BLOCK}\n")
    entry = tarfile.TarInfo.frombuf(image.read(BLOCK), "utf-8", "surrogateescape")
    destination.parent.mkdir(parents=True, exist_ok=True)
    index.write(f"DR {at + BLOCK} {entry.size}\n")
    destination.write_bytes(image.read(entry.size))
    destination.chmod(entry.mode)
    os.utime(destination, (entry.mtime, entry.mtime))
    index.write(f"Lx restored%20{entry.size}%20bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
