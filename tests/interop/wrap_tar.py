"""A backup program for ndmjob's data agent: tar, and lines of file history on descriptor 3.

ndmjob runs ``wrap_tar -c|-x|-t -I#3 -E NAME=VALUE... [ORIGINAL @OFFSET DESTINATION]...``; the image goes through the
standard streams. Times, owners and inodes are constants, so that a backup of the same tree is the same image.
"""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

TIME = 0x60000000
BLOCK = 512


def main(arguments: list[str]) -> None:
    """Back up, list or restore, as the arguments say."""
    # Defaults come last.
    environment = dict(word.split("=", 1) for word in reversed(arguments) if "=" in word)
    wanted = {word: arguments[at + 2] for at, word in enumerate(arguments[:-2]) if arguments[at + 1].startswith("@")}
    root = Path(environment["FILESYSTEM"])
    with open(3, "w", buffering=1) as index:
        if "-c" in arguments:
            backup(root, sys.stdout.buffer, index, history=environment.get("HIST", "n")[0])
        else:
            index.write("DR 0 -1\n")
            restore(root, wanted, sys.stdin.buffer, index, extract="-x" in arguments)


def backup(root: Path, image: BinaryIO, index: TextIO, *, history: str) -> None:
    """Write the tree below ``root`` as tar; history is by file, by directory and node, or none."""
    index.write(f"Lx backing%20up%20{len(list(root.rglob('*')))}%20entries\n")
    numbers = {path: number for number, path in enumerate([root, *sorted(root.rglob("*"))], start=2)}
    at = 0
    for path in numbers:
        entry = header(path, root)
        index.writelines(lines(path, numbers, entry, at, history))
        member = entry.tobuf(tarfile.USTAR_FORMAT) + (path.read_bytes() if path.is_file() else b"")
        image.write(member + bytes(-len(member) % BLOCK))
        at += len(member) + -len(member) % BLOCK
    image.write(bytes(2 * BLOCK))


def header(path: Path, root: Path) -> tarfile.TarInfo:
    """What tar says of a file."""
    entry = tarfile.TarInfo("./" + path.relative_to(root).as_posix())
    entry.type = tarfile.DIRTYPE if path.is_dir() else tarfile.REGTYPE
    entry.size = 0 if path.is_dir() else path.stat().st_size
    entry.mode, entry.mtime = (0o755 if path.is_dir() else 0o640), TIME
    return entry


def lines(path: Path, numbers: dict[Path, int], entry: tarfile.TarInfo, at: int, history: str) -> Iterator[str]:
    """The file history of one file."""
    kind, number = ("d" if entry.isdir() else "-"), numbers[path]
    stat = f"f{kind} m{entry.mode:04o} l1 s{entry.size} u1001 g1002 ta{TIME + 1} tm{TIME} tc{TIME + 2}"
    name = "/" + entry.name[2:].replace("%", "%25").replace(" ", "%20")
    if history in "fy":
        yield f"HF {name.rstrip('.')} @{at} {stat} i{number}\n"
    if history == "d":
        if entry.isdir():
            yield f"HD {number} . {number}\nHD {number} .. {numbers.get(path.parent, number)}\n"
            yield from (f"HD {number} {child.name} {numbers[child]}\n" for child in sorted(path.iterdir()))
        yield f"HN {number} @{at} {stat}\n"


def restore(root: Path, wanted: dict[str, str], image: BinaryIO, index: TextIO, *, extract: bool) -> None:
    """Read an image to its end, extract what is wanted or tell what there is."""
    # The data connection stays open after the image: what ends it is the archive's own end.
    with tarfile.open(fileobj=image, mode="r|", bufsize=20 * BLOCK) as archive:
        for entry in archive:
            name = "/" + entry.name.removeprefix("./").rstrip(".")
            if not extract:
                index.write(f"HF {name.replace(' ', '%20')} @{entry.offset} fd s{entry.size}\n")
            elif entry.isreg() and (not wanted or name in wanted):
                destination = root / wanted.get(name, name).lstrip("/")
                destination.parent.mkdir(parents=True, exist_ok=True)
                destination.write_bytes(archive.extractfile(entry).read())  # type: ignore[union-attr]
    index.write("Lx done\n")


if __name__ == "__main__":
    main(sys.argv[1:])
