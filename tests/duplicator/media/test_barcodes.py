"""Labels of LTO cartridges, and Code 39's check character."""

from __future__ import annotations

import pytest

from duplicator.media.barcodes import MEDIA, parse_barcode
from duplicator.media.code39 import check_character
from duplicator.media.misreads import (
    CheckCharacterError,
    LabelCharacterError,
    LabelLengthError,
    MisreadError,
    UnknownMediaError,
)


def test_check_characters_that_others_published() -> None:
    """Scanner manuals show A+I+MI+D with W; makers of fonts show 12345ABCDE/ with T."""
    for text, check in (("A+I+MI+D", "W"), ("12345ABCDE/", "T")):
        assert check_character(text) == check


def test_check_characters_by_hand() -> None:
    """Sums of the values 0-9, A = 10 to Z = 35, - . space $ / + % from 36, modulo 43."""
    cases = [
        # A00001L8: 10 + 1 + 21 + 8 = 40
        ("A00001L8", "/"),
        # A00003L8: 42 is the last of them
        ("A00003L8", "%"),
        # A00004L8: 43 begins anew
        ("A00004L8", "0"),
        # 900000L8: 9 + 21 + 8 = 38, which is a space
        ("900000L8", " "),
    ]
    for text, check in cases:
        assert check_character(text) == check, text


def test_labels() -> None:
    cases = [
        # Text, volume, medium, native GB, write once, cleaning.
        ("ABC123L1", "ABC123", "L1", 100, False, False),
        ("000764L5", "000764", "L5", 1500, False, False),
        ("ABC123L9", "ABC123", "L9", 18000, False, False),
        ("ABC123LA", "ABC123", "LA", 30000, False, False),
        ("ABC123PA", "ABC123", "PA", 40000, False, False),
        ("000764M8", "000764", "M8", 9000, False, False),
        ("ABC123LT", "ABC123", "LT", 400, True, False),
        ("ABC123LU", "ABC123", "LU", 800, True, False),
        ("ABC123LV", "ABC123", "LV", 1500, True, False),
        ("ABC123LW", "ABC123", "LW", 2500, True, False),
        ("ABC123LX", "ABC123", "LX", 6000, True, False),
        ("ABC123LY", "ABC123", "LY", 12000, True, False),
        ("ABC123LZ", "ABC123", "LZ", 18000, True, False),
        ("CLNU01CU", "CLNU01", "CU", 0, False, True),
        ("CLN001CU", "CLN001", "CU", 0, False, True),
        # Some makers give cleaning tapes the identifier of a data medium.
        ("CLN001L1", "CLN001", "L1", 100, False, True),
        ("*ABC123L8*", "ABC123", "L8", 12000, False, False),
        ("A00001L8/", "A00001", "L8", 12000, False, False),
        ("*A00003L8%*", "A00003", "L8", 12000, False, False),
        ("900000L8 ", "900000", "L8", 12000, False, False),
    ]
    for text, volume, medium, capacity, worm, cleaning in cases:
        found = parse_barcode(text)
        assert (found.volume, found.media.id) == (volume, medium), text
        assert (found.media.capacity // 10**9, found.media.worm, found.cleaning) == (capacity, worm, cleaning), text
        assert found.text == volume + medium


def test_every_medium_is_known() -> None:
    expected = "CU L1 L2 L3 L4 L5 L6 L7 L8 L9 LA LT LU LV LW LX LY LZ M8 PA"
    assert " ".join(sorted(MEDIA)) == expected


def test_misreads() -> None:
    cases: list[tuple[str, type[MisreadError], str]] = [
        ("", LabelLengthError, "0 characters"),
        ("ABC12L8", LabelLengthError, "7 characters"),
        ("ABC1234L8Z", LabelLengthError, "10 characters"),
        ("4002293400011", LabelLengthError, "13 characters"),
        ("**", LabelLengthError, "0 characters"),
        ("*", LabelCharacterError, "one end only"),
        ("*ABC123L8", LabelCharacterError, "one end only"),
        ("ABC123L8*", LabelCharacterError, "one end only"),
        ("ABC*23L8", LabelCharacterError, "character 4 of 'ABC*23L8' is '*'"),
        ("abc123l8", LabelCharacterError, "full ASCII"),
        ("ABC123l8", LabelCharacterError, "lower case"),
        ("ABC-23L8", LabelCharacterError, "character 4"),
        # How some makers mark the tapes of their engineers.
        ("DG 001L7", LabelCharacterError, "character 3 of 'DG 001L7' is ' '"),
        ("ABC12\x00L8", LabelCharacterError, "character 6"),
        ("ÄBC123L8", LabelCharacterError, "character 1"),
        ("ABC123L0", UnknownMediaError, "'L0'"),
        ("ABC123LB", UnknownMediaError, "L1 L2 L3"),
        ("ABC123L", LabelLengthError, "7 characters"),
        # The same sum in another order is caught by its length only if one is missing; one wrong character always.
        ("A00002L8/", CheckCharacterError, "is '/', and should be '+'"),
        ("A00001L80", CheckCharacterError, "is '0', and should be '/'"),
        ("900000L80", CheckCharacterError, "should be ' '"),
    ]
    for text, error, words in cases:
        with pytest.raises(error) as caught:
            parse_barcode(text)
        assert type(caught.value) is error, text
        assert words in str(caught.value), (text, str(caught.value))


def test_whether_there_is_a_check_character() -> None:
    assert parse_barcode("A00001L8/", checked=True).text == "A00001L8"
    assert parse_barcode("A00001L8", checked=False).text == "A00001L8"
    cases: list[tuple[str, bool, type[MisreadError]]] = [
        ("A00001L8", True, CheckCharacterError),
        ("A00001L", True, LabelLengthError),
        ("A00001L8/", False, LabelLengthError),
    ]
    for text, checked, error in cases:
        with pytest.raises(error):
            parse_barcode(text, checked=checked)


def test_each_misread_has_a_word_of_its_own() -> None:
    kinds = [error.kind for error in MisreadError.__subclasses__()]
    assert len(set(kinds)) == len(kinds) == 9
