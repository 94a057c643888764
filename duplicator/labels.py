"""What this product writes into ANSI labels: volumes, and one tape file for each fragment of an image.

docs/tape-format.md shows the tape block by block. Nothing here touches a tape: blocks in, values out, and back.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from duplicator.ansi import (
    LABEL_BYTES,
    PRODUCT,
    USER_NUMBERS,
    USER_TEXT_COLUMNS,
    FileLabel1,
    FileLabel2,
    Label,
    LabelError,
    RawLabel,
    UserLabel,
    Vol1,
    check_volume_id,
    parse_label,
)
from ndmp.enums import DigestAlgorithm

__all__ = [
    "LABEL_BYTES",
    "NEVER",
    "FileHeader",
    "FileLabel1",
    "FileLabel2",
    "FileTrailer",
    "Label",
    "LabelError",
    "RawLabel",
    "UserLabel",
    "Vol1",
    "check_volume_id",
    "header_labels",
    "is_begun_header",
    "parse_header",
    "parse_label",
    "parse_trailer",
    "trailer_labels",
]

NEVER: Final = date(2099, 12, 31)
"""Expiration date of a file that is kept: the last day the columns can hold."""
_HDR2_LENGTH_LIMIT = 100_000
_U64 = (1 << 64) - 1


def _check(condition: bool, text: str) -> None:
    if not condition:
        raise LabelError(text)


def _check_name(name: str, what: str) -> None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise LabelError(f"{what} is not valid UTF-8") from None
    _check(1 <= size <= 255, f"{what} has {size} bytes, not 1 to 255")
    _check(not set(name) & {"/", "\0"}, f"{what} contains a slash or NUL")
    _check(not name.startswith("."), f"{what} starts with a dot")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileHeader:
    """What is known before the fragment's bytes: one tape file, from HDR1 to the tape mark.

    ``sequence`` counts the tape files of a volume from 1. ``section`` counts the parts of a fragment that spans
    volumes; those after the first tell their own ``later_volume``, the ``first_sequence`` of their file on volume
    ``file_set``, and at which ``offset`` of the fragment they begin. ``attempt`` counts how often the copy was begun.
    ``created`` and ``modified`` are seconds since 1970; names follow docs/fse.md section 2.
    """

    file_set: str
    sequence: int
    copy_id: str
    host: str
    unit: str
    image: str
    image_bytes: int
    modified: int
    fragment: int
    fragments: int
    fragment_name: str
    record_bytes: int
    created: int
    section: int = 1
    later_volume: str = ""
    first_sequence: int = 0
    offset: int = 0
    attempt: int = 1
    expires: date = NEVER

    def __post_init__(self) -> None:
        check_volume_id(self.file_set)
        check_volume_id(self.volume)
        for name, what in ((self.host, "host"), (self.unit, "unit"), (self.image, "image name")):
            _check_name(name, what)
        if self.fragment_name:
            _check_name(self.fragment_name, "fragment name")
        uuid = re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", self.copy_id)
        _check(uuid is not None, "the copy id is not a uuid in lower case")
        _check(1 <= self.sequence <= _U64, "the file sequence does not start at 1")
        _check(1 <= self.section <= 9999, "the file section is not 1 to 9999")
        _check(1 <= self.attempt <= _U64, "the attempts do not start at 1")
        later = bool(self.later_volume), self.first_sequence > 0, self.section > 1
        _check(len(set(later)) == 1 and (self.section > 1 or not self.offset), "only a later section continues a file")
        _check(0 <= self.fragment < self.fragments <= _U64, f"no fragment {self.fragment} of {self.fragments}")
        _check(1 <= self.record_bytes <= 0xFFFFFFFF, "the record size is not 1 to 4294967295")
        numbers = self.image_bytes, self.modified, self.offset, self.first_sequence
        _check(all(0 <= n <= _U64 for n in numbers), "a number is not of 64 bits")
        _check(0 <= self.created < 4_102_444_800, "the creation time is not from 1970 to 2099")

    @property
    def volume(self) -> str:
        """The volume that this section is on."""
        return self.later_volume or self.file_set


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrailer:
    """What is known after the fragment's bytes, and the header again: a trailer group describes its file alone.

    ``size``: bytes between the labels without the padding of the last record. ``continues``: EOV in place of EOF.
    The digest is that of the whole fragment, so only the last section has one.
    """

    header: FileHeader
    blocks: int
    size: int
    algorithm: DigestAlgorithm
    digest: bytes
    continues: bool = False

    def __post_init__(self) -> None:
        _check(0 <= self.blocks <= _U64, "the block count is not of 64 bits")
        room = self.blocks * self.header.record_bytes
        _check(0 <= self.size <= room, "more bytes than the blocks can hold")
        _check(not self.continues or self.size == room, "a section that continues does not end with a whole record")
        _check(self.algorithm in tuple(DigestAlgorithm), "unknown digest algorithm")
        _check(len(self.digest) <= 32, "the digest has more than 32 bytes")


_SCHEME = "1"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789!\"&'()*+,-./:<>?_")
_PAIRS = re.compile("((?:[A-Z]+=(?:[A-Z0-9!\"&'()*+,\\-./:<>?_]|%[0-9A-F]{2})*;)+) *")


def _quote(text: str) -> str:
    return "".join(chr(byte).upper() if byte in _PLAIN else f"%{byte:02X}" for byte in text.encode())


def _unquote(text: str) -> str:
    try:
        return unquote_to_bytes(text.lower()).decode()
    except UnicodeDecodeError:
        raise LabelError(f"user labels: {text!r} is not UTF-8") from None


def _whole(text: str) -> int:
    if not re.fullmatch("[0-9]{1,20}", text):
        raise LabelError(f"user labels: {text!r} is not a number of at most 20 digits")
    return int(text)


def _read_digest(text: str) -> bytes:
    if not re.fullmatch("([0-9A-F]{2}){0,32}", text):
        raise LabelError(f"user labels: {text!r} is not a digest")
    return bytes.fromhex(text)


def _read_algorithm(text: str) -> DigestAlgorithm:
    if text not in DigestAlgorithm.__members__:
        raise LabelError(f"user labels: unknown digest algorithm {text!r}")
    return DigestAlgorithm[text]


@dataclass(frozen=True, slots=True)
class _Key:
    attribute: str
    write: Callable[[Any], str]
    read: Callable[[str], Any]


_HEADER_KEYS = {
    "COPY": _Key("copy_id", _quote, _unquote),
    "HOST": _Key("host", _quote, _unquote),
    "UNIT": _Key("unit", _quote, _unquote),
    "IMAGE": _Key("image", _quote, _unquote),
    "IMAGEBYTES": _Key("image_bytes", str, _whole),
    "MODIFIED": _Key("modified", str, _whole),
    "FRAGMENT": _Key("fragment", str, _whole),
    "FRAGMENTS": _Key("fragments", str, _whole),
    "NAME": _Key("fragment_name", _quote, _unquote),
    "RECORD": _Key("record_bytes", str, _whole),
    "SEQUENCE": _Key("sequence", str, _whole),
    "CREATED": _Key("created", str, _whole),
}
_LATER_KEYS = {
    "VOLUME": _Key("later_volume", str, str),
    "FIRST": _Key("first_sequence", str, _whole),
    "OFFSET": _Key("offset", str, _whole),
}
"""Only in sections after the first."""
_TRY_KEYS = {"TRY": _Key("attempt", str, _whole)}
"""Only where the copy was begun more than once."""
_TRAILER_KEYS = {
    "BLOCKS": _Key("blocks", str, _whole),
    "BYTES": _Key("size", str, _whole),
    "ALGORITHM": _Key("algorithm", lambda algorithm: algorithm.name, _read_algorithm),
    "DIGEST": _Key("digest", lambda digest: digest.hex().upper(), _read_digest),
}


def _header_keys(section: int, *, retried: bool) -> dict[str, _Key]:
    return _HEADER_KEYS | (_LATER_KEYS if section > 1 else {}) | (_TRY_KEYS if retried else {})


def _header_pairs(header: FileHeader) -> str:
    return _pairs(_header_keys(header.section, retried=header.attempt > 1), header)


def _pairs(keys: dict[str, _Key], value: FileHeader | FileTrailer) -> str:
    return "".join(f"{name}={key.write(getattr(value, key.attribute))};" for name, key in keys.items())


def _user_labels(kind: str, text: str) -> list[bytes]:
    slices = [text[i : i + USER_TEXT_COLUMNS] for i in range(0, len(text), USER_TEXT_COLUMNS)]
    _check(len(slices) <= len(USER_NUMBERS), f"the names need more than {len(USER_NUMBERS)} user labels")
    return [UserLabel(kind, number, part).encode() for number, part in zip(USER_NUMBERS, slices, strict=False)]


def _read_user_labels(kind: str, labels: Sequence[Label]) -> dict[str, str]:
    user = [label for label in labels if isinstance(label, UserLabel) and label.id == kind]
    _check(len(user) == len(labels), f"a label that is no {kind} among the user labels")
    numbers = "".join(label.number for label in user)
    _check(numbers == USER_NUMBERS[: len(user)], f"{kind} labels are numbered {numbers!r}: a gap, repeat or disorder")
    match = _PAIRS.fullmatch("".join(label.text for label in user))
    if match is None:
        raise LabelError(f"{kind} labels do not hold KEY=value; pairs")
    pairs = [pair.partition("=")[::2] for pair in match[1].removesuffix(";").split(";")]
    _check(len({name for name, _ in pairs}) == len(pairs), f"{kind} labels name a key twice")
    found = dict(pairs)
    _check(found.get("V") == _SCHEME, f"{kind} labels follow scheme {found.get('V')!r}, only {_SCHEME} is known")
    return found


def _values(keys: dict[str, _Key], pairs: dict[str, str]) -> dict[str, Any]:
    missing = [name for name in keys if name not in pairs]
    _check(not missing, f"user labels lack {', '.join(missing)}")
    return {key.attribute: key.read(pairs[name]) for name, key in keys.items()}


def _file_id(image: str) -> str:
    readable = re.sub("[^A-Z0-9._-]", "_", image.upper())
    return readable if len(readable) <= 17 else f"{readable[:8]}_{zlib.crc32(image.encode()):08X}"


def _label1(kind: str, header: FileHeader, blocks: int = 0) -> FileLabel1:
    return FileLabel1(
        id=f"{kind}1",
        file_id=_file_id(header.image),
        file_set=header.file_set,
        section=header.section,
        sequence=(header.first_sequence or header.sequence) % 10_000,
        created=datetime.fromtimestamp(header.created, UTC).date(),
        expires=header.expires,
        blocks=blocks % 1_000_000,
    )


def _label2(kind: str, header: FileHeader) -> FileLabel2:
    length = header.record_bytes if header.record_bytes < _HDR2_LENGTH_LIMIT else 0
    return FileLabel2(f"{kind}2", "F", length, length)


def header_labels(header: FileHeader) -> list[bytes]:
    """HDR1, HDR2 and UHL blocks, to be written in this order before a tape mark."""
    text = f"V={_SCHEME};{_header_pairs(header)}"
    return [_label1("HDR", header).encode(), _label2("HDR", header).encode(), *_user_labels("UHL", text)]


def trailer_labels(trailer: FileTrailer) -> list[bytes]:
    """EOF1 (EOV1), EOF2 (EOV2) and UTL blocks, to be written in this order between two tape marks."""
    kind = "EOV" if trailer.continues else "EOF"
    text = f"V={_SCHEME};{_header_pairs(trailer.header)}{_pairs(_TRAILER_KEYS, trailer)}"
    first = _label1(kind, trailer.header, trailer.blocks).encode()
    return [first, _label2(kind, trailer.header).encode(), *_user_labels("UTL", text)]


def _open_group(blocks: Sequence[bytes], kinds: tuple[str, ...]) -> tuple[FileLabel1, FileLabel2, list[Label]]:
    limit = 2 + len(USER_NUMBERS)
    _check(len(blocks) <= limit, f"{len(blocks)} labels in one group, at most {limit} are allowed")
    labels = [parse_label(block) for block in blocks]
    match labels:
        case [FileLabel1() as first, FileLabel2() as second, *rest] if first.id[:3] == second.id[:3] in kinds:
            return first, second, rest
    raise LabelError(f"the group does not begin with {' or '.join(f'{kind}1 and {kind}2' for kind in kinds)}")


def _read_header(first: FileLabel1, second: FileLabel2, pairs: dict[str, str], blocks: int = 0) -> FileHeader:
    values = _values(_header_keys(first.section, retried="TRY" in pairs), pairs)
    header = FileHeader(file_set=first.file_set, section=first.section, expires=first.expires or NEVER, **values)
    kind = first.id[:3]
    expected = replace(_label1(kind, header, blocks), file_id=first.file_id, expires=first.expires)
    for found, right in ((first, expected), (second, _label2(kind, header))):
        wrong = [f.name for f in fields(right) if getattr(found, f.name) != getattr(right, f.name)]
        _check(not wrong, f"{found.id} and the user labels disagree: {', '.join(wrong)}")
    return header


def parse_header(blocks: Sequence[bytes]) -> FileHeader:
    """Read the header group of one tape file, without VOL1; LabelError when it is not ours or damaged."""
    first, second, rest = _open_group(blocks, ("HDR",))
    return _read_header(first, second, _read_user_labels("UHL", rest))


def parse_trailer(blocks: Sequence[bytes]) -> FileTrailer:
    """Read the trailer group of one tape file; LabelError when it is not ours or damaged."""
    first, second, rest = _open_group(blocks, ("EOF", "EOV"))
    pairs = _read_user_labels("UTL", rest)
    values = _values(_TRAILER_KEYS, pairs)
    header = _read_header(first, second, pairs, values["blocks"])
    return FileTrailer(header=header, continues=first.id == "EOV1", **values)


def is_begun_header(blocks: Sequence[bytes]) -> bool:
    """Whether this is the beginning of a header group of ours that was never finished."""
    try:
        labels = [parse_label(block) for block in blocks]
    except LabelError:
        return False
    match labels:
        case [FileLabel1(id="HDR1", implementation=implementation), *rest] if implementation == PRODUCT:
            kinds = [label.id for label in rest if isinstance(label, FileLabel2 | UserLabel)]
            return len(kinds) == len(rest) and kinds == ["HDR2", *["UHL"] * (len(rest) - 1)][: len(rest)]
    return False
