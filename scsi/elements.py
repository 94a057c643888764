"""What a media changer tells of its elements: the data of READ ELEMENT STATUS (SMC-3), read and built."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Final

from scsi.errors import FieldError
from scsi.fields import OpenEnum, at, pack, size_of, structure, unpack
from scsi.inquiry import Designator

__all__ = ["Element", "ElementStatus", "ElementType", "MediumType", "VolumeTag", "build_status", "parse_status"]


class ElementType(OpenEnum):
    """What an element is; ALL in a command only."""

    ALL = 0
    ARM = 1
    SLOT = 2
    IMPORT_EXPORT = 3
    DRIVE = 4


class MediumType(OpenEnum):
    """What kind of cartridge an element holds."""

    UNSPECIFIED = 0
    DATA = 1
    CLEANING = 2
    DIAGNOSTICS = 3
    WORM = 4
    MICROCODE = 5


@structure(36)
class VolumeTag:
    """A cartridge's label, and its number in a set."""

    label: Annotated[str, at(0, bytes=32)] = ""
    sequence: Annotated[int, at(34, bytes=2)] = 0


@structure(12)
class Element:
    """One element. ``access``: the arm can reach it; ``trouble``: ``asc`` and ``ascq`` say what is wrong with it.

    ``source`` is the slot that its cartridge came from, if ``source_valid``. ``import_enabled``, ``export_enabled`` and
    ``by_operator`` (an operator put the cartridge there) are those of import/export elements, bus numbers and
    ``designator`` those of drives. A tag is None where none was asked for, empty where there is no label.
    """

    type: ElementType
    address: Annotated[int, at(0, bytes=2)]
    full: Annotated[bool, at(2, bit=0)] = False
    by_operator: Annotated[bool, at(2, bit=1)] = False
    trouble: Annotated[bool, at(2, bit=2)] = False
    access: Annotated[bool, at(2, bit=3)] = False
    export_enabled: Annotated[bool, at(2, bit=4)] = False
    import_enabled: Annotated[bool, at(2, bit=5)] = False
    asc: Annotated[int, at(4, bytes=1)] = 0
    ascq: Annotated[int, at(5, bytes=1)] = 0
    lun: Annotated[int, at(6, bit=0, width=3)] = 0
    lun_valid: Annotated[bool, at(6, bit=4)] = False
    bus_address_valid: Annotated[bool, at(6, bit=5)] = False
    other_bus: Annotated[bool, at(6, bit=7)] = False
    bus_address: Annotated[int, at(7, bytes=1)] = 0
    medium: Annotated[MediumType, at(9, bit=0, width=3)] = MediumType.UNSPECIFIED
    disabled: Annotated[bool, at(9, bit=3)] = False
    inverted: Annotated[bool, at(9, bit=6)] = False
    source_valid: Annotated[bool, at(9, bit=7)] = False
    source: Annotated[int, at(10, bytes=2)] = 0
    tag: VolumeTag | None = None
    alternate_tag: VolumeTag | None = None
    designator: Designator | None = None

    @property
    def barcode(self) -> str:
        """The label of the cartridge, empty if there is none."""
        return self.tag.label if self.tag else ""


@structure(8)
class _Report:
    first: Annotated[int, at(0, bytes=2)]
    elements: Annotated[int, at(2, bytes=2)]
    bytes_behind: Annotated[int, at(5, bytes=3)]


@structure(8)
class _Page:
    type: Annotated[ElementType, at(0, bit=0, width=4)]
    descriptor_bytes: Annotated[int, at(2, bytes=2)]
    bytes_behind: Annotated[int, at(5, bytes=3)]
    tags: Annotated[bool, at(1, bit=7)] = False
    alternate_tags: Annotated[bool, at(1, bit=6)] = False


_HEADER_BYTES: Final = 8
_TAG_BYTES: Final = 36
_DESIGNATOR_HEAD_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class ElementStatus:
    """What was reported. ``bytes_available`` of the whole report, so that the next allocation can hold it."""

    first: int
    available: int
    bytes_available: int
    elements: Sequence[Element]


def build_status(elements: Iterable[Element], *, allocation_bytes: int) -> bytes:
    """The report on elements, in their order; cut so that no descriptor is cut, while its counts tell of all.

    The elements of one type lie together and agree in what they have of tags.
    """
    chosen = list(elements)
    pages = [_build_page(kind, list(page)) for kind, page in groupby(chosen, key=lambda element: element.type)]
    size = sum(len(head) + sum(map(len, descriptors)) for head, descriptors in pages)
    first = min((element.address for element in chosen), default=0)
    report = bytearray(pack(_Report(first, len(chosen), size)))
    for head, descriptors in pages:
        room = allocation_bytes - len(report) - len(head)
        whole = min(len(descriptors), max(0, room) // len(descriptors[0]))
        if whole:
            report += head + b"".join(descriptors[:whole])
        if whole < len(descriptors):
            break
    return bytes(report[:allocation_bytes])


def parse_status(raw: bytes) -> ElementStatus:
    """Read a report, whole or cut short; a descriptor that is cut is left out. FieldError if it is no report."""
    report = unpack(_Report, raw)
    end = min(len(raw), _HEADER_BYTES + report.bytes_behind)
    elements = tuple(_parse_pages(raw[_HEADER_BYTES:end]))
    return ElementStatus(report.first, report.elements, _HEADER_BYTES + report.bytes_behind, elements)


def _build_page(kind: ElementType, elements: Sequence[Element]) -> tuple[bytes, Sequence[bytes]]:
    descriptors = [_build_descriptor(element) for element in elements]
    longest = max(map(len, descriptors))
    padded = [descriptor.ljust(longest, b"\0") for descriptor in descriptors]
    tags, alternate = elements[0].tag is not None, elements[0].alternate_tag is not None
    return pack(_Page(kind, longest, longest * len(padded), tags, alternate)), padded


def _build_descriptor(element: Element) -> bytes:
    parts = [pack(element), *(pack(tag) for tag in (element.tag, element.alternate_tag) if tag)]
    parts.append(element.designator.encode() if element.designator else bytes(_DESIGNATOR_HEAD_BYTES))
    return b"".join(parts)


def _parse_pages(raw: bytes) -> Iterator[Element]:
    while len(raw) >= _HEADER_BYTES:
        page = unpack(_Page, raw)
        if page.descriptor_bytes < size_of(Element) + _TAG_BYTES * (page.tags + page.alternate_tags):
            raise FieldError(f"descriptors of {page.descriptor_bytes} bytes have no room for an element")
        end = _HEADER_BYTES + page.bytes_behind
        body, raw = raw[_HEADER_BYTES:end], raw[end:]
        for start in range(0, len(body) - page.descriptor_bytes + 1, page.descriptor_bytes):
            yield _parse_descriptor(page, body[start : start + page.descriptor_bytes])


def _parse_descriptor(page: _Page, raw: bytes) -> Element:
    tail, tags = raw[size_of(Element) :], list[VolumeTag | None]()
    for present in (page.tags, page.alternate_tags):
        tags.append(unpack(VolumeTag, tail) if present else None)
        tail = tail[_TAG_BYTES:] if present else tail
    element = unpack(Element, raw, type=page.type, tag=tags[0], alternate_tag=tags[1])
    if page.type == ElementType.DRIVE and len(tail) > _DESIGNATOR_HEAD_BYTES and tail[3]:
        return dataclasses.replace(element, designator=Designator.parse(tail))
    return element
