"""Sense data in both formats, read and built (SPC-4 4.5). Reading never fails: the unknown is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Annotated, ClassVar, Final, TypeAlias

from scsi.asc import describe
from scsi.fields import OpenEnum, at, pack, structure, unpack

__all__ = [
    "FieldPointer",
    "Progress",
    "RetryCount",
    "SegmentPointer",
    "Sense",
    "SenseFormat",
    "SenseKey",
    "Specific",
]


class SenseKey(OpenEnum):
    """What kind of condition it is."""

    NO_SENSE = 0x0
    RECOVERED_ERROR = 0x1
    NOT_READY = 0x2
    MEDIUM_ERROR = 0x3
    HARDWARE_ERROR = 0x4
    ILLEGAL_REQUEST = 0x5
    UNIT_ATTENTION = 0x6
    DATA_PROTECT = 0x7
    BLANK_CHECK = 0x8
    VENDOR_SPECIFIC = 0x9
    COPY_ABORTED = 0xA
    ABORTED_COMMAND = 0xB
    VOLUME_OVERFLOW = 0xD
    MISCOMPARE = 0xE
    COMPLETED = 0xF


class SenseFormat(OpenEnum):
    """The response code: a format, and whether the condition is of this command or of an earlier one (deferred)."""

    FIXED = 0x70
    FIXED_DEFERRED = 0x71
    DESCRIPTORS = 0x72
    DESCRIPTORS_DEFERRED = 0x73


_FIXED: Final[tuple[int, ...]] = (SenseFormat.FIXED, SenseFormat.FIXED_DEFERRED)
_DESCRIPTORS: Final[tuple[int, ...]] = (SenseFormat.DESCRIPTORS, SenseFormat.DESCRIPTORS_DEFERRED)


@structure(3)
class FieldPointer:
    """Which field is wrong: of the CDB, or of the parameter list. ``bit`` is its highest one; None: whole bytes."""

    in_cdb: Annotated[bool, at(0, bit=6)]
    byte: Annotated[int, at(1, bytes=2)]
    bit_valid: Annotated[bool, at(0, bit=3)] = False
    bit_number: Annotated[int, at(0, bit=0, width=3)] = 0

    @property
    def bit(self) -> int | None:
        """The highest bit of the field."""
        return self.bit_number if self.bit_valid else None

    def __str__(self) -> str:
        place = f"byte {self.byte}" if self.bit is None else f"byte {self.byte} bit {self.bit}"
        return f"{place} of the {'CDB' if self.in_cdb else 'parameter list'}"


@structure(3)
class Progress:
    """How much is done, in 65536ths."""

    done: Annotated[int, at(1, bytes=2)]

    def __str__(self) -> str:
        return f"{100 * self.done / 65536:.1f}% done"


@structure(3)
class RetryCount:
    """Attempts that were made."""

    count: Annotated[int, at(1, bytes=2)]

    def __str__(self) -> str:
        return f"{self.count} retries"


@structure(3)
class SegmentPointer:
    """Where a copy went wrong: a segment's descriptor, or the parameter list."""

    in_segment: Annotated[bool, at(0, bit=5)]
    byte: Annotated[int, at(1, bytes=2)]
    bit_valid: Annotated[bool, at(0, bit=3)] = False
    bit_number: Annotated[int, at(0, bit=0, width=3)] = 0

    def __str__(self) -> str:
        return f"byte {self.byte} of the {'segment' if self.in_segment else 'parameter list'}"


Specific: TypeAlias = FieldPointer | Progress | RetryCount | SegmentPointer | bytes
"""What the sense key makes of its three bytes; bytes where no meaning is known."""

_SPECIFIC_BYTES: Final = 3
_LENGTH_AT: Final = 7
"""Where, in both formats, the length of what follows stands; flags and information of the fixed one lie before it."""
_VALID: Final = 0x80
_SPECIFIC: Final[Mapping[SenseKey, type[FieldPointer | Progress | RetryCount | SegmentPointer]]] = {
    SenseKey.NO_SENSE: Progress,
    SenseKey.RECOVERED_ERROR: RetryCount,
    SenseKey.NOT_READY: Progress,
    SenseKey.MEDIUM_ERROR: RetryCount,
    SenseKey.HARDWARE_ERROR: RetryCount,
    SenseKey.ILLEGAL_REQUEST: FieldPointer,
    SenseKey.COPY_ABORTED: SegmentPointer,
}


@structure(18)
class _Fixed:
    response: Annotated[int, at(0, bit=0, width=7)]
    key: Annotated[SenseKey, at(2, bit=0, width=4)]
    asc: Annotated[int, at(12, bytes=1)]
    ascq: Annotated[int, at(13, bytes=1)]
    unit: Annotated[int, at(14, bytes=1)]
    information: Annotated[int, at(3, bytes=4)]
    information_valid: Annotated[bool, at(0, bit=7)]
    command_specific: Annotated[int, at(8, bytes=4)]
    filemark: Annotated[bool, at(2, bit=7)]
    end_of_medium: Annotated[bool, at(2, bit=6)]
    wrong_length: Annotated[bool, at(2, bit=5)]
    specific: Annotated[bytes, at(15, bytes=3)]
    additional: Annotated[int, at(7, bytes=1)] = 10

    BYTES: ClassVar[int] = 18


@structure(8)
class _Head:
    response: Annotated[int, at(0, bit=0, width=7)]
    key: Annotated[SenseKey, at(1, bit=0, width=4)]
    asc: Annotated[int, at(2, bytes=1)]
    ascq: Annotated[int, at(3, bytes=1)]
    additional: Annotated[int, at(7, bytes=1)] = 0

    BYTES: ClassVar[int] = 8


class _Kind(OpenEnum):
    INFORMATION = 0x00
    COMMAND_SPECIFIC = 0x01
    SPECIFIC = 0x02
    UNIT = 0x03
    STREAM = 0x04
    BLOCK = 0x05


_WORD_BYTES: Final = 12
_FILEMARK, _END_OF_MEDIUM, _WRONG_LENGTH = 0x80, 0x40, 0x20


@dataclass(frozen=True, slots=True)
class Sense:
    """A condition as a device tells it. ``unit`` is the part to be replaced, ``wrong_length`` SCSI's ILI.

    ``information`` is unsigned; where it is a residue :attr:`residue` has its sign. ``others`` are descriptors without
    a meaning here: type and bytes. ``raw`` is what was read.
    """

    key: SenseKey
    asc: int = 0
    ascq: int = 0
    _: KW_ONLY
    format: SenseFormat = SenseFormat.FIXED
    information: int | None = None
    command_specific: int | None = None
    filemark: bool = False
    end_of_medium: bool = False
    wrong_length: bool = False
    unit: int = 0
    specific: Specific | None = None
    others: tuple[tuple[int, bytes], ...] = ()
    raw: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Sense:
        """Read what there is; any bytes, none included. An unknown response code leaves all but ``raw`` unread."""
        response = SenseFormat(raw[0] & 0x7F) if raw else SenseFormat(0)
        if response in _FIXED:
            return _from_fixed(raw, response)
        if response in _DESCRIPTORS:
            return _from_descriptors(raw, response)
        return cls(SenseKey.NO_SENSE, format=response, raw=bytes(raw))

    def encode(self) -> bytes:
        """The bytes in ``format``. The fixed one has no room for ``others`` nor for information over 32 bits."""
        return bytes(_to_descriptors(self)) if self.format in _DESCRIPTORS else _to_fixed(self)

    @property
    def deferred(self) -> bool:
        """Whether an earlier command is meant."""
        return self.format in (SenseFormat.FIXED_DEFERRED, SenseFormat.DESCRIPTORS_DEFERRED)

    @property
    def whole(self) -> bool:
        """Whether all was read by which a command tells what it did; what was built is whole."""
        size = len(self.raw)
        if self.format in _DESCRIPTORS:
            return not size or (size > _LENGTH_AT and size >= _Head.BYTES + self.raw[_LENGTH_AT])
        return self.format in _FIXED and (not size or size >= _LENGTH_AT)

    @property
    def silent(self) -> bool:
        """Whether nothing is told: neither key nor code nor flags."""
        told = (self.key, self.asc, self.ascq, self.filemark, self.end_of_medium, self.wrong_length)
        return not any(told)

    @property
    def residue(self) -> int | None:
        """``information`` as a signed number: what was asked for less what there was."""
        if self.information is None:
            return None
        half = 1 << (63 if self.format in _DESCRIPTORS else 31)
        return self.information - 2 * half if self.information >= half else self.information

    def __str__(self) -> str:
        if self.format not in _FIXED + _DESCRIPTORS:
            return f"sense of an unknown form: {self.raw.hex() or 'no bytes'}"
        numbers = f"{self.key:02x}/{self.asc:02x}/{self.ascq:02x}"
        name = self.key.name.lower().replace("_", " ")
        return ", ".join([f"{name}: {describe(self.asc, self.ascq)} ({numbers})", *self._details()])

    def _details(self) -> Iterator[str]:
        for present, text in (
            (self.deferred, "of an earlier command"),
            (self.filemark, "filemark"),
            (self.end_of_medium, "end of medium"),
            (self.wrong_length, "wrong length"),
            (self.information is not None, f"information {self.information}"),
            (self.unit != 0, f"unit {self.unit:#04x}"),
        ):
            if present:
                yield text
        if self.specific is not None:
            yield self.specific.hex() if isinstance(self.specific, bytes) else str(self.specific)
        yield from (f"descriptor {kind:#04x} {payload.hex()}" for kind, payload in self.others)


def _from_fixed(raw: bytes, response: SenseFormat) -> Sense:
    end = min(len(raw), 8 + raw[7]) if len(raw) > 7 else len(raw)
    parts = unpack(_Fixed, raw[:end].ljust(_Fixed.BYTES, b"\0"))
    return Sense(
        parts.key,
        parts.asc,
        parts.ascq,
        format=response,
        information=parts.information if parts.information_valid and end >= 7 else None,
        command_specific=parts.command_specific if end >= 12 else None,
        filemark=parts.filemark,
        end_of_medium=parts.end_of_medium,
        wrong_length=parts.wrong_length,
        unit=parts.unit,
        specific=_specific(parts.key, parts.specific) if end >= _Fixed.BYTES else None,
        raw=bytes(raw),
    )


def _to_fixed(sense: Sense) -> bytes:
    information = sense.information if sense.information is not None and sense.information < 1 << 32 else None
    specific = (sense.command_specific or 0) & 0xFFFFFFFF
    return pack(
        _Fixed(
            response=sense.format,
            key=sense.key,
            asc=sense.asc,
            ascq=sense.ascq,
            unit=sense.unit,
            information=information or 0,
            information_valid=information is not None,
            command_specific=specific,
            filemark=sense.filemark,
            end_of_medium=sense.end_of_medium,
            wrong_length=sense.wrong_length,
            specific=_specific_bytes(sense.specific),
        )
    )


def _from_descriptors(raw: bytes, response: SenseFormat) -> Sense:
    head = unpack(_Head, raw[: _Head.BYTES].ljust(_Head.BYTES, b"\0"))
    found, others = dict[int, bytes](), list[tuple[int, bytes]]()
    for kind, payload in _split(raw[_Head.BYTES : _Head.BYTES + head.additional]):
        if kind in found or kind not in _PAYLOAD_BYTES or len(payload) != _PAYLOAD_BYTES[_Kind(kind)]:
            others.append((kind, payload))
        else:
            found[kind] = payload
    information = found.get(_Kind.INFORMATION, bytes(10))
    command_specific = found.get(_Kind.COMMAND_SPECIFIC)
    flags = found.get(_Kind.STREAM, bytes(2))[1] | found.get(_Kind.BLOCK, bytes(2))[1] & _WRONG_LENGTH
    return Sense(
        head.key,
        head.asc,
        head.ascq,
        format=response,
        information=int.from_bytes(information[2:], "big") if information[0] & _VALID else None,
        command_specific=None if command_specific is None else int.from_bytes(command_specific[2:], "big"),
        filemark=bool(flags & _FILEMARK),
        end_of_medium=bool(flags & _END_OF_MEDIUM),
        wrong_length=bool(flags & _WRONG_LENGTH),
        unit=found.get(_Kind.UNIT, bytes(2))[1],
        specific=_specific(head.key, found.get(_Kind.SPECIFIC, bytes(6))[2:5]),
        others=tuple(others),
        raw=bytes(raw),
    )


_PAYLOAD_BYTES: Final[Mapping[_Kind, int]] = {
    _Kind.INFORMATION: 10,
    _Kind.COMMAND_SPECIFIC: 10,
    _Kind.SPECIFIC: 6,
    _Kind.UNIT: 2,
    _Kind.STREAM: 2,
    _Kind.BLOCK: 2,
}


def _split(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and payload of each descriptor; of the last one what there is of it."""
    while len(raw) >= 2:
        end = 2 + raw[1]
        yield raw[0], bytes(raw[2:end])
        raw = raw[end:]


def _to_descriptors(sense: Sense) -> bytearray:
    listed = [(int(kind), payload) for kind, payload in _payloads(sense)] + list(sense.others)
    tail = b"".join(bytes((kind, len(payload))) + payload for kind, payload in listed)
    head = _Head(response=sense.format, key=sense.key, asc=sense.asc, ascq=sense.ascq, additional=len(tail))
    return bytearray(pack(head) + tail)


def _payloads(sense: Sense) -> Iterator[tuple[_Kind, bytes]]:
    if sense.information is not None:
        yield _Kind.INFORMATION, bytes((_VALID, 0)) + sense.information.to_bytes(8, "big")
    if sense.command_specific is not None:
        yield _Kind.COMMAND_SPECIFIC, bytes(2) + sense.command_specific.to_bytes(8, "big")
    if sense.specific is not None:
        yield _Kind.SPECIFIC, bytes(2) + _specific_bytes(sense.specific) + bytes(1)
    if sense.unit:
        yield _Kind.UNIT, bytes((0, sense.unit))
    flags = _FILEMARK * sense.filemark | _END_OF_MEDIUM * sense.end_of_medium | _WRONG_LENGTH * sense.wrong_length
    if flags:
        yield _Kind.STREAM, bytes((0, flags))


def _specific(key: SenseKey, raw: bytes) -> Specific | None:
    if not raw[0] & _VALID:
        return None
    kind = _SPECIFIC.get(key)
    return unpack(kind, raw) if kind else bytes(raw)


def _specific_bytes(specific: Specific | None) -> bytes:
    if specific is None:
        return bytes(_SPECIFIC_BYTES)
    raw = specific if isinstance(specific, bytes) else pack(specific)
    return bytes((raw[0] | _VALID,)) + raw[1:]
