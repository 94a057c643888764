"""Images of real content for the demo: tar archives of files that this machine has."""

from __future__ import annotations

import io
import os
import stat
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

__all__ = ["DEMO_BYTES", "make_images"]

_MEGABYTE: Final = 1 << 20
_TARGETS: Final = {"programs.tar": 72 * _MEGABYTE, "shared.tar": 72 * _MEGABYTE, "parts.tar": 64 * _MEGABYTE}
DEMO_BYTES: Final = sum(_TARGETS.values())
"""At least so many bytes in all images together."""
_SHARES: Final = (0.5, 0.3, 0.15)
"""How much of an image goes into its first fragments; the rest is the last one."""
_LARGEST_FILE: Final = 8 * _MEGABYTE
_ROOTS: Final = ("/usr/bin", "/usr/lib", "/usr/share", "/usr", "/opt", "/etc")
_TAIL: Final = b"these bytes end the image within a record\n"


def make_images(unit: Path, *, record_bytes: int, scale: float = 1.0) -> list[str]:
    """Make the images in folder ``unit``; gives their names. ``scale``: of the usual size, for those in a hurry."""
    sources = _sources()
    for name, size in _TARGETS.items():
        _make_tar(unit / name, int(size * scale), sources)
    _end_within_a_record(unit / "shared.tar", record_bytes)
    _split(unit / "parts.tar")
    (unit / "empty").touch()
    return [*_TARGETS, "empty"]


def _sources() -> Iterator[tuple[str, Path]]:
    """Names and files without end: each file once, then again under other names."""
    files = list[Path]()
    for path in _readable_files():
        files.append(path)
        yield str(path).lstrip("/"), path
    for turn in count(1):
        if not files:
            raise FileNotFoundError("this machine has no file to make an image of")
        for path in files:
            yield f"again-{turn}{path}", path


def _readable_files() -> Iterator[Path]:
    seen = set[tuple[int, int]]()
    for root in (*_ROOTS, sysconfig.get_path("stdlib"), sys.prefix):
        for folder, folders, names in os.walk(root):
            folders.sort()
            for path in (Path(folder, name) for name in sorted(names)):
                if (key := _plain_file(path)) and key not in seen:
                    seen.add(key)
                    yield path


def _plain_file(path: Path) -> tuple[int, int] | None:
    """What tells the file from others; None for what is no small readable file with content."""
    try:
        found = path.lstat()
    except OSError:
        return None
    usable = stat.S_ISREG(found.st_mode) and 0 < found.st_size <= _LARGEST_FILE and os.access(path, os.R_OK)
    return (found.st_dev, found.st_ino) if usable else None


def _make_tar(target: Path, size: int, sources: Iterator[tuple[str, Path]]) -> None:
    with tarfile.open(target, "w") as archive:
        while archive.offset < size:
            name, path = next(sources)
            _add(archive, name, path)


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    try:
        content = path.read_bytes()
    except OSError:
        return  # it went away, or is not for us: the next one will do
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _end_within_a_record(image: Path, record_bytes: int) -> None:
    with image.open("ab") as file:
        file.write(_TAIL)
        if file.tell() % record_bytes == 0:
            file.write(_TAIL)


def _split(image: Path) -> None:
    """Make the file a folder of unequal parts, in the order of their names."""
    whole = image.rename(image.with_name(f".{image.name}"))
    image.mkdir()
    sizes = [int(whole.stat().st_size * share) for share in _SHARES]
    with whole.open("rb") as file:
        for index, size in enumerate([*sizes, None]):
            _copy_part(file, image / f"part.{index:03}", size)
    whole.unlink()


def _copy_part(source: io.BufferedReader, target: Path, size: int | None) -> None:
    with target.open("xb") as part:
        while size is None or size > 0:
            piece = source.read(_MEGABYTE if size is None else min(_MEGABYTE, size))
            if not piece:
                return
            part.write(piece)
            size = None if size is None else size - len(piece)
