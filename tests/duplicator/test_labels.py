"""Labels against rows written column by column from the standard's tables, and against a little reader of our own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duplicator.labels import (
    NEVER,
    FileHeader,
    FileLabel1,
    FileLabel2,
    FileTrailer,
    LabelError,
    RawLabel,
    UserLabel,
    Vol1,
    header_labels,
    parse_header,
    parse_label,
    parse_trailer,
    trailer_labels,
)
from duplicator.volume_labels import VolumeKind, parse_volume, volume_label
from ndmp.enums import DigestAlgorithm

COPY = "0f8fad5b-d9cb-469f-a165-70867728950e"
HEADER = FileHeader(
    file_set="ND0001",
    sequence=1,
    copy_id=COPY,
    host="nas1.example",
    unit="lsu0",
    image="etc.tar",
    image_bytes=1_000_000,
    modified=1_767_225_599,
    fragment=0,
    fragments=1,
    fragment_name="",
    record_bytes=65536,
    created=1_767_225_600,  # 2026-01-01 00:00:00 UTC
)
TRAILER = FileTrailer(
    header=HEADER, blocks=16, size=1_000_000, algorithm=DigestAlgorithm.SHA256, digest=bytes(range(32))
)


def line(*columns: tuple[int, int, str]) -> bytes:
    """80 columns from (first, last, text), counted from 1 as the standard's tables do; the rest is space."""
    row = [" "] * 80
    for first, last, text in columns:
        assert len(text) == last - first + 1, text
        row[first - 1 : last] = text
    return "".join(row).encode("ascii")


VOL1 = line((1, 4, "VOL1"), (5, 10, "ND0001"), (25, 31, "NDMPDUP"), (80, 80, "4"))
HDR1 = line(
    (1, 4, "HDR1"),
    (5, 11, "ETC.TAR"),
    (22, 27, "ND0001"),
    (28, 31, "0001"),
    (32, 35, "0001"),
    (36, 39, "0001"),
    (40, 41, "00"),
    (42, 47, "026001"),
    (48, 53, "099365"),
    (55, 60, "000000"),
    (61, 67, "NDMPDUP"),
)
EOF1 = line(*[(1, 80, HDR1.decode()), (1, 4, "EOF1"), (55, 60, "000016")])
HDR2 = line((1, 4, "HDR2"), (5, 5, "F"), (6, 10, "65536"), (11, 15, "65536"), (51, 52, "00"))
EOF2 = line((1, 80, HDR2.decode()), (1, 4, "EOF2"))
UHL = [
    b"UHL1V=1;COPY=0F8FAD5B-D9CB-469F-A165-70867728950E;HOST=NAS1.EXAMPLE;UNIT=LSU0;IM",
    b"UHL2AGE=ETC.TAR;IMAGEBYTES=1000000;MODIFIED=1767225599;FRAGMENT=0;FRAGMENTS=1;NA",
    b"UHL3ME=;RECORD=65536;SEQUENCE=1;CREATED=1767225600;".ljust(80),
]
UTL = [
    b"UTL1" + UHL[0][4:],
    b"UTL2" + UHL[1][4:],
    b"UTL3ME=;RECORD=65536;SEQUENCE=1;CREATED=1767225600;BLOCKS=16;BYTES=1000000;ALGOR",
    b"UTL4ITHM=SHA256;DIGEST=000102030405060708090A0B0C0D0E0F101112131415161718191A1B1",
    b"UTL5C1D1E1F;".ljust(80),
]
HEADER_BLOCKS = [HDR1, HDR2, *UHL]
TRAILER_BLOCKS = [EOF1, EOF2, *UTL]


def independent_pairs(blocks: list[bytes]) -> dict[str, str]:
    """The scheme as docs/tape-format.md tells it, with nothing of the product."""
    text = "".join(block.decode()[4:] for block in blocks if block[:3] in (b"UHL", b"UTL")).rstrip(" ;")
    return {name: unquote(value.lower()) for name, value in (pair.split("=") for pair in text.split(";"))}


def test_hand_written_blocks() -> None:
    assert volume_label("ND0001") == VOL1
    assert header_labels(HEADER) == HEADER_BLOCKS
    assert trailer_labels(TRAILER) == TRAILER_BLOCKS
    assert parse_header(HEADER_BLOCKS) == HEADER
    assert parse_trailer(TRAILER_BLOCKS) == TRAILER


def test_columns_of_single_labels() -> None:
    first = parse_label(line((1, 80, EOF1.decode()), (28, 31, "0002"), (32, 35, "0123"), (42, 47, " 99059")))
    assert isinstance(first, FileLabel1)
    assert (first.id, first.file_id, first.file_set) == ("EOF1", "ETC.TAR", "ND0001")
    assert (first.section, first.sequence, first.blocks) == (2, 123, 16)
    assert (first.created, first.expires) == (date(1999, 2, 28), date(2099, 12, 31))
    second = parse_label(line((1, 80, HDR2.decode()), (6, 10, "32760"), (11, 15, "00080"), (16, 17, "3P")))
    assert second == FileLabel2("HDR2", "F", 32760, 80, system="3P")
    assert parse_label(VOL1) == Vol1("ND0001")
    assert parse_label(line((1, 4, "UTLA"), (5, 7, "ABC"))) == UserLabel("UTL", "A", "ABC".ljust(76))
    stranger = line((1, 4, "HDR3"), (5, 9, "a b#c"))
    assert parse_label(stranger) == RawLabel(stranger)


def test_encoding_gives_back_what_was_read() -> None:
    for block in (VOL1, *HEADER_BLOCKS, *TRAILER_BLOCKS, line((1, 4, "UVL1"))):
        assert parse_label(block).encode() == block


def test_dates() -> None:
    cases = [
        (date(2000, 1, 1), "000001"),
        (date(2024, 12, 31), "024366"),
        (date(2026, 11, 22), "026326"),
        (date(1999, 12, 31), " 99365"),
        (NEVER, "099365"),
    ]
    for day, text in cases:
        block = header_labels(replace(HEADER, expires=day))[0]
        assert block[47:53].decode() == text
        label = parse_label(block)
        assert isinstance(label, FileLabel1)
        assert label.expires == day


def test_created_and_expires_keep_their_places() -> None:
    block = header_labels(replace(HEADER, created=1_772_323_200, expires=date(2027, 3, 1)))[0]
    assert (block[41:47], block[47:53]) == (b"026060", b"027060")


def test_large_numbers_wrap_in_the_columns_and_are_whole_in_the_user_labels() -> None:
    header = replace(HEADER, sequence=10_000, record_bytes=100_000, image_bytes=10**13)
    trailer = replace(TRAILER, header=header, blocks=2_000_007, size=2_000_007 * 100_000)
    blocks = trailer_labels(trailer)
    assert (blocks[0][31:35], blocks[0][54:60]) == (b"0000", b"000007")
    assert blocks[1][5:15] == b"0000000000"
    pairs = independent_pairs(blocks)
    assert (pairs["SEQUENCE"], pairs["BLOCKS"], pairs["RECORD"]) == ("10000", "2000007", "100000")
    assert parse_trailer(blocks) == trailer


def test_record_of_five_digits_stays_in_hdr2() -> None:
    assert header_labels(replace(HEADER, record_bytes=99_999))[1][5:15] == b"9999999999"


def test_file_identifier() -> None:
    cases = [
        ("etc.tar", b"ETC.TAR          "),
        ("Tägliche Sicherun", b"T_GLICHE_SICHERUN"),
        ("backup-2026-11-22-host", b"BACKUP-2_"),
    ]
    for name, expected in cases:
        assert header_labels(replace(HEADER, image=name))[0][4:21].startswith(expected)
    a, b = (header_labels(replace(HEADER, image=f"backup-2026-11-22-host{n}"))[0][4:21] for n in (1, 2))
    assert a != b


def test_end_of_volume_group() -> None:
    trailer = replace(TRAILER, continues=True, size=16 * 65536, digest=b"", algorithm=DigestAlgorithm.NONE)
    blocks = trailer_labels(trailer)
    assert (blocks[0][:4], blocks[1][:4]) == (b"EOV1", b"EOV2")
    assert parse_trailer(blocks) == trailer


LATER = replace(
    HEADER, section=2, sequence=1, later_volume="ND0002", first_sequence=7, offset=16 * 65536, attempt=3, fragment=0
)


def test_a_later_section_names_its_file_and_itself() -> None:
    """The columns are those of the file as it began; where this section lies is in the user labels."""
    blocks = header_labels(LATER)
    first = line(*[(1, 80, HDR1.decode()), (28, 31, "0002"), (32, 35, "0007")])
    assert blocks[0] == first
    pairs = independent_pairs(blocks)
    assert (pairs["VOLUME"], pairs["SEQUENCE"], pairs["FIRST"]) == ("nd0002", "1", "7")
    assert (pairs["OFFSET"], pairs["TRY"]) == ("1048576", "3")
    assert parse_header(blocks) == LATER
    assert (LATER.volume, HEADER.volume) == ("ND0002", "ND0001")


def test_longest_names_fit() -> None:
    name = "\U0001f4fc" * 63 + "xyz"
    header = replace(
        HEADER,
        host="h" * 253,
        unit=name,
        image=name,
        fragment_name=name,
        image_bytes=2**64 - 1,
        modified=2**64 - 1,
        fragment=2**64 - 2,
        fragments=2**64 - 1,
        sequence=2**64 - 1,
        record_bytes=2**32 - 1,
    )
    trailer = replace(TRAILER, header=header, blocks=2**64 - 1, size=2**64 - 1)
    assert parse_header(header_labels(header)) == header
    assert parse_trailer(trailer_labels(trailer)) == trailer
    order = "123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
    numbers = "".join(chr(block[3]) for block in trailer_labels(trailer)[2:])
    assert numbers == order[: len(numbers)]
    assert len(numbers) > 35


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60).filter(
    lambda name: not name.startswith(".")
)
u64 = st.integers(0, 2**64 - 1)


@st.composite
def later_sections(draw: st.DrawFn) -> dict[str, Any]:
    section = draw(st.integers(1, 9999))
    if section == 1:
        return {}
    volume = draw(st.from_regex("[A-Z0-9]{1,6}", fullmatch=True))
    first = draw(st.integers(1, 2**40))
    return {"section": section, "later_volume": volume, "first_sequence": first, "offset": draw(u64)}


@st.composite
def trailers(draw: st.DrawFn) -> FileTrailer:
    fragments = draw(st.integers(1, 2**64 - 1))
    header = FileHeader(
        file_set=draw(st.from_regex("[A-Z0-9]{1,6}", fullmatch=True)),
        sequence=draw(st.integers(1, 2**40)),
        copy_id=str(draw(st.uuids())),
        host=draw(names),
        unit=draw(names),
        image=draw(names),
        image_bytes=draw(u64),
        modified=draw(u64),
        fragment=draw(st.integers(0, fragments - 1)),
        fragments=fragments,
        fragment_name=draw(st.just("") | names),
        record_bytes=draw(st.integers(1, 2**32 - 1)),
        created=draw(st.integers(0, 4_102_444_799)),
        **draw(later_sections()),
        attempt=draw(st.integers(1, 2**64 - 1)),
        expires=draw(st.dates(date(1970, 1, 1), NEVER)),
    )
    blocks, continues = draw(u64), draw(st.booleans())
    room = blocks * header.record_bytes
    return FileTrailer(
        header=header,
        blocks=blocks,
        size=room if continues else draw(st.integers(0, room)),
        algorithm=draw(st.sampled_from(DigestAlgorithm)),
        digest=draw(st.binary(max_size=32)),
        continues=continues,
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(trailers())
def test_round_trip_and_independent_reader(trailer: FileTrailer) -> None:
    header = trailer.header
    a_characters = set(" !\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
    for blocks in (header_labels(header), trailer_labels(trailer)):
        assert all(len(block) == 80 and set(block.decode()) <= a_characters for block in blocks)
        pairs = independent_pairs(blocks)
        assert (pairs["COPY"], pairs["IMAGE"], pairs["NAME"]) == (header.copy_id, header.image, header.fragment_name)
        assert int(pairs["CREATED"]) == header.created
    assert pairs["DIGEST"] == trailer.digest.hex()
    assert parse_header(header_labels(header)) == header
    assert parse_trailer(trailer_labels(trailer)) == trailer


def edit(block: bytes, first: int, text: str) -> bytes:
    return block[: first - 1] + text.encode() + block[first - 1 + len(text) :]


def test_malformed_labels_are_refused() -> None:
    cases = [
        (HDR1[:79], "80 bytes"),
        (HDR1 + b" ", "80 bytes"),
        (b"", "80 bytes"),
        (edit(HDR1, 70, "\n"), "printable"),
        (edit(HDR1, 28, "00A1"), "file section"),
        (edit(HDR1, 32, "   1"), "file sequence"),
        (edit(HDR1, 42, "026367"), "creation date"),
        (edit(HDR1, 42, "026366"), "creation date"),
        (edit(HDR1, 42, "026000"), "creation date"),
        (edit(HDR1, 48, "126001"), "century"),
        (edit(EOF1, 55, "-00001"), "block count"),
        (edit(HDR2, 6, "6553X"), "block length"),
    ]
    for block, words in cases:
        with pytest.raises(LabelError, match=words):
            parse_label(block)


def test_damaged_groups_are_refused() -> None:
    extra = b"UHL4X=1;".ljust(80)
    groups = [
        ([], "begin with HDR1"),
        (HEADER_BLOCKS[1:], "begin with HDR1"),
        ([HDR1, EOF2, *UHL], "begin with HDR1"),
        ([VOL1, *HEADER_BLOCKS], "begin with HDR1"),
        (TRAILER_BLOCKS, "begin with HDR1"),
        ([HDR1, HDR2], "KEY=value"),
        ([HDR1, HDR2, UHL[0], UHL[2]], "gap"),
        ([HDR1, HDR2, UHL[0], UHL[0], UHL[1], UHL[2]], "gap, repeat"),
        ([HDR1, HDR2, UHL[1], UHL[0], UHL[2]], "disorder"),
        ([HDR1, HDR2, *UHL[:2]], "KEY=value"),
        ([HDR1, HDR2, line((1, 4, "HDR3")), *UHL], "no UHL"),
        ([HDR1, HDR2, *UHL, UTL[0]], "no UHL"),
        ([*HEADER_BLOCKS, *[extra] * 60], "at most"),
        ([*HEADER_BLOCKS, b"UHL4IMAGE=OTHER;".ljust(80)], "KEY=value"),
        ([HDR1, HDR2, edit(UHL[0], 5, "V=2"), *UHL[1:]], "scheme '2'"),
        ([HDR1, HDR2, edit(UHL[0], 9, "XOPY"), *UHL[1:]], "lack COPY"),
        ([HDR1, HDR2, edit(UHL[0], 14, "GGGG"), *UHL[1:]], "uuid"),
        ([HDR1, HDR2, edit(UHL[0], 74, "/"), *UHL[1:]], "slash"),
        ([HDR1, HDR2, edit(UHL[0], 74, "%FF"), *UHL[1:]], "UTF-8"),
        ([HDR1, HDR2, edit(UHL[0], 74, "%G1"), *UHL[1:]], "KEY=value"),
        ([HDR1, HDR2, *UHL[:2], edit(UHL[2], 16, "70000")], "HDR2 and the user labels disagree: block_length"),
        ([edit(HDR1, 32, "0002"), HDR2, *UHL], "HDR1 and the user labels disagree: sequence"),
        ([edit(HDR1, 42, "026002"), HDR2, *UHL], "disagree: created"),
        ([edit(HDR1, 22, "nd#001"), HDR2, *UHL], "volume id"),
    ]
    for blocks, words in groups:
        with pytest.raises(LabelError, match=words):
            parse_header(blocks)
    twice = b"UHL3ME=;RECORD=65536;SEQUENCE=1;CREATED=1767225600;COPY=X;".ljust(80)
    with pytest.raises(LabelError, match="twice"):
        parse_header([HDR1, HDR2, UHL[0], UHL[1], twice])
    for blocks, words in [
        ([edit(EOF1, 55, "000017"), EOF2, *UTL], "disagree: blocks"),
        ([EOF1, EOF2, *UTL[:3], edit(UTL[3], 10, "MD5ABC"), UTL[4]], "algorithm"),
        ([EOF1, EOF2, *UTL[:4], edit(UTL[4], 5, "G")], "digest"),
        ([EOF1, EOF2, *UTL[:2], UTL[2].replace(b"=1000000;", b"=9000000;"), *UTL[3:]], "more bytes"),
    ]:
        with pytest.raises(LabelError, match=words):
            parse_trailer(blocks)


def test_unknown_keys_are_passed_over() -> None:
    longer = b"UHL3ME=;RECORD=65536;SEQUENCE=1;CREATED=1767225600;LATER=%20;".ljust(80)
    assert parse_header([HDR1, HDR2, UHL[0], UHL[1], longer]) == HEADER


def test_values_that_no_label_can_hold_are_refused() -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"file_set": "nd0001"}, "volume id"),
        ({"file_set": "ND00001"}, "volume id"),
        ({"image": ""}, "0 bytes"),
        ({"image": "é" * 128}, "256 bytes"),
        ({"image": "\udcff"}, "UTF-8"),
        ({"image": ".."}, "dot"),
        ({"fragment_name": "a/b"}, "slash"),
        ({"sequence": 0}, "sequence"),
        ({"section": 10_000}, "section"),
        ({"section": 2}, "later section"),
        ({"offset": 1}, "later section"),
        ({"later_volume": "ND0002"}, "later section"),
        ({"section": 2, "later_volume": "nd0002", "first_sequence": 1}, "volume id"),
        ({"attempt": 0}, "attempts"),
        ({"fragment": 1}, "no fragment 1 of 1"),
        ({"record_bytes": 0}, "record size"),
        ({"record_bytes": 2**32}, "record size"),
        ({"image_bytes": 2**64}, "64 bits"),
        ({"created": 4_102_444_800}, "creation time"),
        ({"copy_id": COPY.upper()}, "uuid"),
    ]
    for change, words in cases:
        with pytest.raises(LabelError, match=words):
            replace(HEADER, **change)
    with pytest.raises(LabelError, match="year 2100"):
        header_labels(replace(HEADER, expires=date(2100, 1, 1)))
    with pytest.raises(LabelError, match="whole record"):
        replace(TRAILER, continues=True)
    with pytest.raises(LabelError, match="32 bytes"):
        replace(TRAILER, digest=bytes(33))
    with pytest.raises(LabelError, match="user labels"):
        header_labels(replace(HEADER, host="Ä" * 127, unit="Ä" * 127, image="Ä" * 127, fragment_name="Ä" * 127))


def test_whose_volume() -> None:
    netbackup = (b"VOL1A00001" + bytes(1014))[:1024]
    bareos = bytes(12) + b"BB02" + bytes(64496)
    cases = [
        (VOL1, VolumeKind.OURS, "ND0001"),
        (edit(VOL1, 25, "OTHER  "), VolumeKind.ANSI, "ND0001"),
        (line((1, 4, "VOL1"), (5, 10, "C00001"), (80, 80, "3")), VolumeKind.ANSI, "C00001"),
        (edit(VOL1, 5, "nd-001"), VolumeKind.ANSI, "nd-001"),
        (netbackup, VolumeKind.NETBACKUP, "A00001"),
        (b"AMANDA: TAPESTART DATE 20261122 TAPE T1\n".ljust(32768, b"\0"), VolumeKind.AMANDA, ""),
        (bareos, VolumeKind.BAREOS, ""),
        (b"\xe5\xd6\xd3\xf1" + b"\x40" * 76, VolumeKind.IBM, ""),
        (bytes(257) + b"ustar\x0000" + bytes(247), VolumeKind.TAR, ""),
        (VOL1 + b" ", VolumeKind.UNKNOWN, ""),
        (HDR1, VolumeKind.UNKNOWN, ""),
        (b"", VolumeKind.UNKNOWN, ""),
        (bytes(80), VolumeKind.UNKNOWN, ""),
    ]
    for block, kind, volume in cases:
        label = parse_volume(block)
        assert (label.kind, label.volume, label.ours) == (kind, volume, kind is VolumeKind.OURS), block[:20]


def test_volume_ids() -> None:
    for volume in ("A", "0", "ND0001"):
        assert parse_volume(volume_label(volume)).volume == volume
    for volume in ("", "ND00001", "nd0001", "ND-001", "ND 01", "ND0001\n"):
        with pytest.raises(LabelError, match="volume id"):
            volume_label(volume)
