"""Sense data: bytes by hand from SPC-4's tables, and tgtd's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scsi import errors
from scsi.asc import MEANINGS, describe
from scsi.completion import Completion, Status, condition_of, raise_for_status, sense_of
from scsi.sense import FieldPointer, Progress, RetryCount, SegmentPointer, Sense, SenseFormat, SenseKey
from tests.scsi.hexes import b, recorded

Key = SenseKey
D = SenseFormat.DESCRIPTORS
PLAIN = {"command_specific": 0}

FIXED: tuple[tuple[str, Sense, str], ...] = (
    (
        "70 00 06 00000000 0a 00000000 29 00 00 000000",
        Sense(Key.UNIT_ATTENTION, 0x29, 0, **PLAIN),
        "unit attention: power on, reset or bus device reset occurred (06/29/00)",
    ),
    (
        "f0 00 80 00001000 0a 00000000 00 01 00 000000",
        Sense(Key.NO_SENSE, 0, 1, information=4096, filemark=True, **PLAIN),
        "no sense: filemark detected (00/00/01), filemark, information 4096",
    ),
    (
        "f0 00 20 fffffc18 0a 00000000 00 00 00 000000",
        Sense(Key.NO_SENSE, information=0xFFFFFC18, wrong_length=True, **PLAIN),
        "no sense: no additional sense information (00/00/00), wrong length, information 4294966296",
    ),
    (
        "71 00 43 00000000 0a 01020304 0c 00 30 80 00 05",
        Sense(
            Key.MEDIUM_ERROR,
            0x0C,
            0,
            format=SenseFormat.FIXED_DEFERRED,
            end_of_medium=True,
            unit=0x30,
            command_specific=0x01020304,
            specific=RetryCount(5),
        ),
        "medium error: write error (03/0c/00), of an earlier command, end of medium, unit 0x30, 5 retries",
    ),
    (
        "70 00 05 00000000 0a 00000000 24 00 00 cf 00 02",
        Sense(Key.ILLEGAL_REQUEST, 0x24, 0, specific=FieldPointer(True, 2, True, 7), **PLAIN),
        "illegal request: invalid field in CDB (05/24/00), byte 2 bit 7 of the CDB",
    ),
    (
        "70 00 05 00000000 0a 00000000 26 00 00 80 00 14",
        Sense(Key.ILLEGAL_REQUEST, 0x26, 0, specific=FieldPointer(False, 20), **PLAIN),
        "illegal request: invalid field in parameter list (05/26/00), byte 20 of the parameter list",
    ),
    (
        "70 00 02 00000000 0a 00000000 04 01 00 80 40 00",
        Sense(Key.NOT_READY, 4, 1, specific=Progress(0x4000), **PLAIN),
        "not ready: becoming ready (02/04/01), 25.0% done",
    ),
    (
        "70 00 0a 00000000 0a 00000000 0d 01 00 a0 00 09",
        Sense(Key.COPY_ABORTED, 0x0D, 1, specific=SegmentPointer(True, 9), **PLAIN),
        "copy aborted: third party device failure (0a/0d/01), byte 9 of the segment",
    ),
    (
        "70 00 0c 00000000 0a 00000000 fe 80 00 81 02 03",
        Sense(Key(0xC), 0xFE, 0x80, specific=b("81 02 03"), **PLAIN),
        "unknown 0xc: additional sense fe/80 (0c/fe/80), 810203",
    ),
)
DESCRIPTORS: tuple[tuple[str, Sense, str], ...] = (
    (
        "72 05 3b 0e 000000 00",
        Sense(Key.ILLEGAL_REQUEST, 0x3B, 0x0E, format=D),
        "illegal request: medium source element empty (05/3b/0e)",
    ),
    (
        "72 00 00 00 000000 10  00 0a 80 00 ffffffffffffff00  03 02 00 12",
        Sense(Key.NO_SENSE, format=D, information=(1 << 64) - 256, unit=0x12),
        "no sense: no additional sense information (00/00/00), information 18446744073709551360, unit 0x12",
    ),
    (
        "73 08 00 05 000000 14  01 0a 00 00 0000000000000007  02 06 00 00 a1 00 03 00",
        Sense(
            Key.BLANK_CHECK,
            0,
            5,
            format=SenseFormat.DESCRIPTORS_DEFERRED,
            command_specific=7,
            specific=b("a1 00 03"),
        ),
        "blank check: end of data detected (08/00/05), of an earlier command, a10003",
    ),
    (
        "72 00 00 02 000000 0a  04 02 00 c0  80 04 de ad be ef",
        Sense(Key.NO_SENSE, 0, 2, format=D, filemark=True, end_of_medium=True, others=((0x80, b("deadbeef")),)),
        "no sense: end of partition or medium detected (00/00/02), filemark, end of medium, descriptor 0x80 deadbeef",
    ),
)


@pytest.mark.parametrize(("words", "sense", "text"), FIXED + DESCRIPTORS, ids=lambda value: str(value)[:24])
def test_both_ways(words: str, sense: Sense, text: str) -> None:
    raw = b(words)
    read = Sense.parse(raw)
    assert read == sense
    assert read.raw == raw
    assert sense.encode() == raw
    assert str(sense) == text


def test_residue_has_its_sign() -> None:
    assert [Sense.parse(b(words)).residue for words, _, _ in FIXED[:3]] == [None, 4096, -1000]
    assert Sense.parse(b(DESCRIPTORS[1][0])).residue == -256


def test_block_devices_say_wrong_length_in_their_own_way() -> None:
    assert Sense.parse(b("72 00 00 00 000000 04  05 02 00 20")).wrong_length
    assert not Sense.parse(b("72 00 00 00 000000 04  05 02 00 c0")).end_of_medium


def test_an_end_in_the_middle() -> None:
    """What was cut off is not there; nothing is an error."""
    whole = b("f0 00 a3 00000005 0a 00000006 11 01 07 80 00 09")
    for size, wanted in (
        (3, Sense(Key.MEDIUM_ERROR, filemark=True, wrong_length=True)),
        (6, Sense(Key.MEDIUM_ERROR, filemark=True, wrong_length=True)),
        (7, Sense(Key.MEDIUM_ERROR, filemark=True, wrong_length=True, information=5)),
        (13, Sense(Key.MEDIUM_ERROR, 0x11, filemark=True, wrong_length=True, information=5, command_specific=6)),
        (
            17,
            Sense(
                Key.MEDIUM_ERROR, 0x11, 1, filemark=True, wrong_length=True, information=5, command_specific=6, unit=7
            ),
        ),
    ):
        assert Sense.parse(whole[:size]) == wanted, size
    # An additional length of 4: the device means nothing by what follows.
    assert Sense.parse(whole[:7] + b"\4" + whole[8:]) == Sense.parse(whole[:12])


def test_descriptors_that_make_no_sense_are_kept() -> None:
    twice = Sense.parse(b("72 01 17 01 000000 09  03 02 00 01  03 02 00 02  7f"))
    assert (twice.unit, twice.others) == (1, ((3, b("00 02")),))
    cut = Sense.parse(b("72 01 17 01 000000 0c  00 0a 80 00 00000000"))
    assert (cut.information, cut.others) == (None, ((0, b("80 00 00000000")),))


def test_unknown_forms() -> None:
    assert str(Sense.parse(b"")) == "sense of an unknown form: no bytes"
    assert str(Sense.parse(b("7f 12 34"))) == "sense of an unknown form: 7f1234"
    assert Sense.parse(b("00 00 05")).key == SenseKey.NO_SENSE


@given(st.binary(max_size=300))
def test_nothing_is_refused(raw: bytes) -> None:
    sense = Sense.parse(raw)
    assert sense.raw == raw
    assert str(sense)
    assert isinstance(condition_of(sense), errors.ScsiError)


def test_what_has_no_room_in_the_fixed_format() -> None:
    sense = Sense(Key.NO_SENSE, information=1 << 32, others=((0x80, b"x"),))
    assert sense.encode() == b("70 00 00 00000000 0a 00000000 00 00 00 000000")


def test_tgtd() -> None:
    answers = recorded("tgtd_changer.hex")
    for title, text in (
        (
            "TEST UNIT READY: the first command of a session",
            "unit attention: power on, reset or bus device reset occurred (06/29/00)",
        ),
        ("MOVE MEDIUM, slot 1001 to the full drive", "illegal request: medium destination element full (05/3b/0d)"),
        ("MOVE MEDIUM, empty slot 1002 to import/export", "illegal request: medium source element empty (05/3b/0e)"),
        ("MOVE MEDIUM, to an address that is none", "illegal request: invalid field in CDB (05/24/00)"),
        ("EXCHANGE MEDIUM", "illegal request: invalid command operation code (05/20/00)"),
    ):
        assert answers[title].status == Status.CHECK_CONDITION
        assert str(Sense.parse(answers[title].answer)) == text


def test_meanings() -> None:
    assert len(MEANINGS) >= 150
    for asc, ascq, text in (
        (0x53, 0x02, "medium removal prevented"),
        (0x28, 0x01, "import or export element accessed"),
        (0x40, 0x85, "diagnostic failure on component 0x85"),
        (0x4D, 0x07, "overlapped commands, task 0x07"),
        (0x70, 0x20, "decompression failed, algorithm 0x20"),
        (0x3B, 0x99, "additional sense 3b/99"),
    ):
        assert describe(asc, ascq) == text


CONDITIONS = (
    (0x1, 0x17, 0x01, errors.RecoveredError),
    (0x2, 0x3A, 0x00, errors.NoMedium),
    (0x2, 0x3A, 0x02, errors.NoMedium),
    (0x2, 0x04, 0x01, errors.BecomingReady),
    (0x2, 0x04, 0x03, errors.NotReady),
    (0x3, 0x11, 0x00, errors.MediumError),
    (0x4, 0x15, 0x01, errors.HardwareError),
    (0x5, 0x20, 0x00, errors.UnknownCommand),
    (0x5, 0x21, 0x01, errors.NoSuchElement),
    (0x5, 0x24, 0x00, errors.InvalidField),
    (0x5, 0x26, 0x00, errors.IllegalRequest),
    (0x5, 0x39, 0x00, errors.SavingNotSupported),
    (0x5, 0x3B, 0x0D, errors.DestinationFull),
    (0x5, 0x3B, 0x0E, errors.SourceEmpty),
    (0x5, 0x53, 0x02, errors.RemovalPrevented),
    (0x5, 0x53, 0x03, errors.RemovalPrevented),
    (0x6, 0x28, 0x00, errors.UnitAttention),
    (0x7, 0x27, 0x00, errors.WriteProtected),
    (0x7, 0x30, 0x0C, errors.WriteOnce),
    (0x8, 0x00, 0x05, errors.BlankCheck),
    (0xB, 0x47, 0x00, errors.CommandAborted),
    (0xD, 0x00, 0x02, errors.EndOfMedium),
    (0xE, 0x1D, 0x00, errors.CheckCondition),
    (0xC, 0xFF, 0xFF, errors.CheckCondition),
    (0x0, 0x00, 0x01, errors.CheckCondition),
)


@pytest.mark.parametrize(("key", "asc", "ascq", "kind"), CONDITIONS)
def test_a_sense_becomes_its_condition(key: int, asc: int, ascq: int, kind: type[errors.ScsiError]) -> None:
    raw = b(f"70 00 {key:02x} 00000000 0a 00000000 {asc:02x} {ascq:02x} 00 000000")
    with pytest.raises(kind) as raised:
        raise_for_status(Completion(Status.CHECK_CONDITION, sense=raw))
    assert type(raised.value) is kind
    assert raised.value.sense == raw
    assert f"({key:02x}/{asc:02x}/{ascq:02x})" in str(raised.value)
    assert sense_of(raised.value).raw == raw


def test_a_wrong_field_is_pointed_at() -> None:
    for words, place in (("cd 00 04", (4, 5)), ("c0 00 04", (4, None)), ("00 00 00", (None, None))):
        raised = condition_of(Sense.parse(b(f"70 00 05 00000000 0a 00000000 24 00 00 {words}")))
        assert isinstance(raised, errors.InvalidField)
        assert (raised.byte, raised.bit) == place
    assert sense_of(errors.InvalidField("why", byte=4, bit=5)).encode()[15:] == b("cd 00 04")
    assert sense_of(errors.InvalidField("why", byte=4)).encode()[15:] == b("c0 00 04")


def test_a_condition_becomes_its_sense() -> None:
    for condition, words in (
        (errors.NoMedium("x"), "02 3a 00"),
        (errors.CdbLengthError("x"), "05 24 00"),
        (errors.RemovalPrevented("x"), "05 53 02"),
        (errors.EndOfMedium("x"), "0d 00 00"),
        (errors.FieldError("x"), "04 44 00"),
        (errors.CorruptLibrary("x"), "04 44 00"),
    ):
        raw = sense_of(condition).encode()
        assert bytes((raw[2], raw[12], raw[13])) == b(words), condition


def test_other_statuses() -> None:
    for status in (Status.GOOD, Status.CONDITION_MET):
        done = Completion(status, b"data")
        assert raise_for_status(done) is done
    for number, kind in (
        (0x08, errors.Busy),
        (0x18, errors.ReservationConflict),
        (0x28, errors.Busy),
        (0x40, errors.CommandAborted),
        (0x30, errors.CheckCondition),
        (0x22, errors.CheckCondition),
    ):
        with pytest.raises(kind):
            raise_for_status(Completion(Status(number)))
