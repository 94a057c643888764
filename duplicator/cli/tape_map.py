"""The map of a virtual cartridge, with the names that its labels give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from duplicator.ansi import LABEL_BYTES, FileLabel1, Label, LabelError, RawLabel, UserLabel, Vol1, parse_label
from duplicator.cli.terminal import size_text
from scsi.errors import AccessDenied, DeviceBusy
from scsi.virtual.drive import open_cartridge
from scsi.virtual.image import MapRun, RunKind, cartridge_header, cartridge_map

__all__ = ["STOPS_AT", "Stretch", "TapeMap", "map_document", "map_rows", "read_map"]

STOPS_AT: Final = ("object", "file", "count", "block")
"""Headings of the columns with numbers."""
_MOST_LABELS: Final = 64
"""A run with more blocks of a label's size is no label group."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Equal objects from object ``first`` on, and the labels among them in words."""

    first: int
    run: MapRun
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TapeMap:
    """What is on a cartridge. ``labels_read``: False when a drive held it, so that only its map could be read."""

    stretches: tuple[Stretch, ...]
    capacity_bytes: int
    labels_read: bool

    @property
    def used_bytes(self) -> int:
        """Bytes of all blocks."""
        return sum(stretch.run.count * stretch.run.block_bytes for stretch in self.stretches)


def read_map(path: Path) -> TapeMap:
    """The map of cartridge DIR/BARCODE; a ScsiError when there is none, or it is damaged."""
    stretches = _stretches(cartridge_map(path))
    capacity = cartridge_header(path).capacity_bytes
    try:
        return TapeMap(_with_labels(path, stretches), capacity, labels_read=True)
    except (DeviceBusy, AccessDenied):
        return TapeMap(stretches, capacity, labels_read=False)


def _stretches(runs: Sequence[MapRun]) -> tuple[Stretch, ...]:
    """Runs that only a commit parts are one stretch."""
    found, first = list[Stretch](), 0
    for _, group in groupby(runs, key=lambda run: (run.kind, run.block_bytes)):
        same = list(group)
        count = sum(run.count for run in same)
        found.append(Stretch(first, MapRun(same[0].file_number, same[0].kind, count, same[0].block_bytes)))
        first += count
    return tuple(found)


def _with_labels(path: Path, stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    drive = open_cartridge(path, read_only=True)
    try:
        found = list[Stretch]()
        for stretch in stretches:
            words: tuple[str, ...] = ()
            if stretch.run.block_bytes == LABEL_BYTES and stretch.run.count <= _MOST_LABELS:
                block = bytearray(LABEL_BYTES * stretch.run.count)
                drive.locate(stretch.first)
                drive.read_blocks(memoryview(block), LABEL_BYTES)
                words = _in_words(block)
            found.append(Stretch(stretch.first, stretch.run, words))
        return tuple(found)
    finally:
        drive.close()


def _in_words(blocks: bytearray) -> tuple[str, ...]:
    """The labels in words, user labels by number alone; nothing if a block is none."""
    try:
        labels = [
            parse_label(bytes(blocks[start : start + LABEL_BYTES])) for start in range(0, len(blocks), LABEL_BYTES)
        ]
    except LabelError:
        return ()
    if isinstance(labels[0], RawLabel):
        return ()
    named = [_name(label) for label in labels if not isinstance(label, UserLabel)]
    user = [f"{label.id}{label.number}" for label in labels if isinstance(label, UserLabel)]
    if len(user) > 1:
        user = [f"{user[0]}-{user[-1][-1]}"]
    return (*named, *user)


def _name(label: Label) -> str:
    match label:
        case Vol1():
            return f"VOL1 {label.volume}"
        case FileLabel1():
            return f"{label.id} {label.file_id} (file {label.sequence})"
        case RawLabel():
            return label.block[:4].decode("ascii")
        case _:
            return label.id


def map_rows(found: TapeMap) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows of the map as a table."""
    rows = [_row(stretch) for stretch in found.stretches]
    if found.used_bytes == 0 and not rows:
        rows = [("0", "0", "blank", "", "", "", "")]
    headings = ("object", "file", "what", "count", "block", "bytes", "labels")
    if not found.labels_read:
        headings = (*headings[:-1], "labels (not read: the cartridge is in use)")
    return headings, rows


def _row(stretch: Stretch) -> tuple[str, ...]:
    run = stretch.run
    place = (str(stretch.first), str(run.file_number))
    if run.kind is RunKind.FILEMARKS:
        return (*place, "filemark" if run.count == 1 else "filemarks", str(run.count), "", "", "")
    what = "labels" if stretch.labels else "records"
    size = size_text(run.count * run.block_bytes)
    return (*place, what, str(run.count), str(run.block_bytes), size, ", ".join(stretch.labels))


def map_document(found: TapeMap) -> dict[str, Any]:
    """The map for `--json`."""
    return {
        "capacity_bytes": found.capacity_bytes,
        "used_bytes": found.used_bytes,
        "labels_read": found.labels_read,
        "runs": [
            {
                "first_object": stretch.first,
                "file": stretch.run.file_number,
                "kind": stretch.run.kind.value,
                "count": stretch.run.count,
                "block_bytes": stretch.run.block_bytes,
                "labels": list(stretch.labels),
            }
            for stretch in found.stretches
        ],
    }
