"""Reads exported tapes by docs/tape-format.md and the .tap specification, with no code of the product."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

__all__ = ["LabelledFile", "first_files", "labelled_files", "read_tap", "user_text"]

Object = bytes | None
"""A block, or None for a tape mark."""


@dataclass(frozen=True)
class LabelledFile:
    """A tape file: labels, data blocks, labels."""

    header: list[str]
    blocks: list[bytes]
    trailer: list[str]


def read_tap(tap: Path) -> list[Object]:
    """The objects of a file in SIMH's tape format up to its end-of-medium mark, which has to be there."""
    content, at, objects = tap.read_bytes(), 0, list[Object]()
    while True:
        (length,) = struct.unpack_from("<I", content, at)
        at += 4
        if length == 0xFFFFFFFF:
            assert at == len(content), "something follows the end of the medium"
            return objects
        if length == 0:
            objects.append(None)
            continue
        objects.append(content[at : at + length])
        at += length + length % 2
        assert struct.unpack_from("<I", content, at) == (length,)
        at += 4


def labelled_files(objects: Iterable[Object]) -> tuple[str, list[LabelledFile]]:
    """The volume label and the tape files of a whole volume, which has to end in two tape marks."""
    groups = _groups(objects)
    assert groups[0], "the tape is blank"
    volume = groups[0].pop(0)
    if groups == [[], []]:
        return volume.decode("ascii"), []
    assert groups[-1] == [], "the volume does not end in two tape marks"
    groups.pop()
    assert len(groups) % 3 == 0, f"{len(groups)} groups between tape marks"
    files = [
        LabelledFile(_text(groups[first]), groups[first + 1], _text(groups[first + 2]))
        for first in range(0, len(groups), 3)
    ]
    return volume.decode("ascii"), files


def first_files(objects: Sequence[Object], count: int) -> list[LabelledFile]:
    """The first tape files of a volume, whatever follows them."""
    ends = [number for number, each in enumerate(objects) if each is None]
    assert len(ends) >= 3 * count, f"the volume has {len(ends)} tape marks, too few for {count} files"
    _, files = labelled_files([*objects[: ends[3 * count - 1] + 1], None])
    return files


def _groups(objects: Iterable[Object]) -> list[list[bytes]]:
    """What lies before each tape mark."""
    groups: list[list[bytes]] = [[]]
    for each in objects:
        if each is None:
            groups.append([])
        else:
            groups[-1].append(each)
    assert groups.pop() == [], "blocks after the last tape mark"
    return groups


def _text(labels: Sequence[bytes]) -> list[str]:
    assert all(len(label) == 80 for label in labels)
    return [label.decode("ascii") for label in labels]


def user_text(labels: Sequence[str], kind: str) -> dict[str, str]:
    """The values in the user labels of a group (section 3)."""
    users = [label for label in labels if label.startswith(kind)]
    assert [label[3] for label in users] == [*"123456789:;<=>?ABC"][: len(users)]
    pairs = "".join(label[4:] for label in users).rstrip(" ").split(";")
    assert pairs.pop() == ""
    split = [pair.split("=", 1) for pair in pairs]
    values = {key: unquote_to_bytes(value.lower()).decode() for key, value in split}
    assert len(values) == len(split), "a key stands twice"
    return values
