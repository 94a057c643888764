"""Bytes into lines, and lines into labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duplicator.media.framing import Framing
from duplicator.media.lines import LineSplitter
from duplicator.media.misreads import (
    AffixMissingError,
    CheckCharacterError,
    CutOffError,
    LabelCharacterError,
    LabelLengthError,
    LineTooLongError,
    MisreadError,
    NotAsciiError,
    OtherSymbologyError,
)


def test_line_ends() -> None:
    cases: list[tuple[bytes, list[bytes], bytes]] = [
        (b"", [], b""),
        (b"A\r", [b"A"], b""),
        (b"A\n", [b"A"], b""),
        (b"A\r\nB\r\n", [b"A", b"B"], b""),
        (b"A\n\rB\n\r", [b"A", b"B"], b""),
        (b"\r\n\r\rA\rB", [b"A"], b"B"),
        # A check character can be a space.
        (b"900000L8 \r", [b"900000L8 "], b""),
        (b"\x00\xff\r", [b"\x00\xff"], b""),
        (b"12345678\r", [b"12345678"], b""),
    ]
    for received, lines, begun in cases:
        splitter = LineSplitter(limit=9)
        assert list(splitter.feed(received)) == lines, received
        assert splitter.begun == begun, received


def test_a_line_over_the_limit_is_one_misread() -> None:
    splitter = LineSplitter(limit=4)
    assert list(splitter.feed(b"123456789" * 1000)) == []
    assert splitter.begun == b"1234"
    wrong, line = splitter.feed(b"\rABCD\r")
    assert isinstance(wrong, LineTooLongError)
    assert "more than 4 characters" in str(wrong)
    assert line == b"ABCD"


def test_a_line_that_is_given_up() -> None:
    splitter = LineSplitter(limit=4)
    cases = [(b"AB", CutOffError, "'AB'"), (b"ABCDE", LineTooLongError, "'ABCD'")]
    for received, error, words in cases:
        list(splitter.feed(received))
        wrong = splitter.give_up()
        assert type(wrong) is error
        assert words in str(wrong)
        assert list(splitter.feed(b"\rZ\r")) == [b"Z"]


@given(st.lists(st.binary(max_size=80)))
def test_lines_do_not_depend_on_how_they_are_cut(chunks: list[bytes]) -> None:
    def seen(pieces: list[bytes]) -> list[bytes | str]:
        splitter = LineSplitter()
        lines = [line for piece in pieces for line in splitter.feed(piece)]
        return [line if isinstance(line, bytes) else str(line) for line in [*lines, splitter.begun]]

    whole = b"".join(chunks)
    assert seen(chunks) == seen([whole]) == seen([bytes([byte]) for byte in whole])


def test_what_scanners_put_around() -> None:
    cases = [
        (Framing(), b"A00001L8"),
        (Framing(), b"*A00001L8*"),
        (Framing(), b"]A0A00001L8"),
        (Framing(), b"]A0*A00001L8*"),
        (Framing(), b"]A1A00001L8/"),
        (Framing(), b"]A3A00001L8"),
        (Framing(), b"]A4A00001L8"),
        (Framing(), b"]A5A00001L8/"),
        (Framing(), b"]A7A00001L8"),
        (Framing(prefix="\x02", suffix="\x03"), b"\x02A00001L8\x03"),
        (Framing(prefix="S1:"), b"S1:]A0A00001L8"),
        (Framing(suffix="#"), b"A00001L8/#"),
        (Framing(checked=True), b"A00001L8/"),
        # The scanner has looked at the check character, and kept it.
        (Framing(checked=True), b"]A3A00001L8"),
    ]
    for framing, line in cases:
        assert framing.read(line).text == "A00001L8", line


def test_what_is_no_label() -> None:
    cases: list[tuple[Framing, bytes, type[MisreadError], str]] = [
        (Framing(), b"A0000\xc31L8", NotAsciiError, "byte 6"),
        (Framing(), b"\x80", NotAsciiError, "\\x80"),
        (Framing(), b"]E04002293400011", OtherSymbologyError, "UPC/EAN"),
        (Framing(), b"]C0A00001L8", OtherSymbologyError, "Code 128"),
        (Framing(), b"]z0A00001L8", OtherSymbologyError, "another kind"),
        (Framing(), b"]A1A00001L8", CheckCharacterError, "no check character"),
        (Framing(), b"]A3A00001L8/", LabelLengthError, "9 characters"),
        (Framing(), b"]A0", LabelLengthError, "0 characters"),
        (Framing(), b"]A", LabelCharacterError, "']'"),
        (Framing(), b"A00001]A0", LabelCharacterError, "character 7"),
        (Framing(checked=True), b"A00001L8", CheckCharacterError, "no check character"),
        (Framing(checked=True), b"]A0A00001L8", CheckCharacterError, "no check character"),
        (Framing(prefix="\x02"), b"A00001L8", AffixMissingError, "prefix '\\x02'"),
        (Framing(suffix="\x03"), b"A00001L8", AffixMissingError, "suffix '\\x03'"),
        (Framing(prefix="X", suffix="X"), b"X", LabelLengthError, "0 characters"),
    ]
    for framing, line, error, words in cases:
        with pytest.raises(error) as caught:
            framing.read(line)
        assert type(caught.value) is error, line
        assert words in str(caught.value), (line, str(caught.value))


@given(st.binary(max_size=64))
def test_any_line_is_a_label_or_a_misread(line: bytes) -> None:
    try:
        found = Framing().read(line)
    except MisreadError:
        return
    assert found.text.encode() in line
