"""Every additional sense code with every key, in every format: the exception that a table by hand has for it."""

from __future__ import annotations

from collections.abc import Callable

from scsi import errors
from scsi.asc import MEANINGS, describe
from scsi.completion import Completion, Status, condition_of, is_deferred, raise_for_status
from scsi.device import Device
from scsi.errors import ScsiError
from scsi.sense import Sense
from scsi.spc import Inquiry
from scsi.transports.transport import Room, Transport
from tests.scsi.faults import BY_KEY, EXACTLY, conditions, descriptors, fixed

CODES = sorted({*MEANINGS, 0x4085, 0x4D07, 0x7020, 0x8282, 0xFFFF})
TOOK = (errors.BlankCheck, errors.EndOfMedium, errors.IllegalRequest, errors.WriteProtected)
"""What an earlier command cannot be told any more: it was taken, and what it wrote is not there."""


def raised(raw: bytes) -> ScsiError:
    """What a check condition with this sense raises."""
    try:
        raise_for_status(Completion(Status.CHECK_CONDITION, sense=raw))
    except ScsiError as condition:
        return condition
    raise AssertionError(raw.hex())


def test_every_code_with_every_key() -> None:
    for key in range(16):
        for code in CODES:
            asc, ascq = divmod(code, 256)
            want = EXACTLY.get((key, asc, ascq), BY_KEY[key])
            for build in (fixed, descriptors):
                now, before = raised(build(key, asc, ascq)), raised(build(key, asc, ascq, deferred=True))
                where = (key, asc, ascq)
                assert type(now) is want, where
                assert type(before) is (errors.MediumError if issubclass(want, TOOK) else want), where
                assert (is_deferred(now), is_deferred(before)) == (False, True)
                for condition in (now, before):
                    assert describe(asc, ascq) in str(condition), where
                    assert f"({key:02x}/{asc:02x}/{ascq:02x})" in str(condition), where
                assert "of an earlier command" not in str(now)
                assert "of an earlier command" in str(before)


def test_the_table_of_faults_has_every_code() -> None:
    listed = {each.asc << 8 | each.ascq for each in conditions()}
    assert set(MEANINGS) - listed == set()
    for each in conditions():
        if each.kind is not None:
            assert EXACTLY.get((each.key, each.asc, each.ascq), BY_KEY[each.key]) is each.kind, each


def test_what_to_do_about_encryption_is_said() -> None:
    for each in conditions():
        condition = condition_of(Sense.parse(fixed(each.key, each.asc, each.ascq)))
        assert isinstance(condition, errors.EncryptionError) == ("set the key and mode" in str(condition)), each


class Cutting:
    """A device that answers every command with a sense that is cut."""

    def __init__(self, sense: bytes) -> None:
        self._sense = sense

    def execute(self, *_: object, data_out: bytes | memoryview = b"", data_in: Room = 0, **__: object) -> Completion:
        return Completion(Status.CHECK_CONDITION, sense=self._sense)

    def close(self) -> None:
        return


def outcome(sense: bytes) -> ScsiError | None:
    """What a command comes to; None if it was carried out."""
    transport: Transport = Cutting(sense)
    try:
        Device(transport, dismiss=lambda _: False).run(Inquiry(96))
    except ScsiError as condition:
        return condition
    return None


def test_sense_that_is_cut_passes_for_no_success() -> None:
    """A result needs all that tells of it; a failure is one as soon as its key is there."""
    builds: tuple[tuple[Callable[..., bytes], int, slice, int], ...] = (
        (fixed, 3, slice(12, 14), 7),
        (descriptors, 2, slice(2, 4), 12),
    )
    for build, key_there, code, whole in builds:
        for each in conditions():
            sense = build(each.key, each.asc, each.ascq)
            for size in range(len(sense) + 1):
                came, where = outcome(sense[:size]), (each, build.__name__, size)
                if size < key_there:
                    assert type(came) is errors.CheckCondition, where
                elif each.key in (0, 1):
                    told = size >= whole and (each.key or any(sense[:size][code]))
                    assert type(came) is (type(None) if told else errors.CheckCondition), where
                elif size >= code.stop:
                    assert type(came) is EXACTLY.get((each.key, each.asc, each.ascq), BY_KEY[each.key]), where
                else:
                    assert isinstance(came, ScsiError), where


def test_sense_that_says_nothing_is_no_success() -> None:
    for raw in (b"", bytes(18), bytes(252), fixed(0, 0, 0), descriptors(0, 0, 0), b"\x7f" + bytes(17), b"\xff" * 96):
        came = outcome(raw)
        assert type(came) in (errors.CheckCondition,), raw.hex()
        assert came.sense == raw
