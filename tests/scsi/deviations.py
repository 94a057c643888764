"""Where emulated devices do otherwise than they should: each expected failure of a contract, and why it is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS", "SERVED_DEVIATIONS"]

_SHORT_TRANSFER: Final = (
    "of a block of another size than asked for, tgtd sends as many bytes as the sizes differ by; "
    "here that is less than the block"
)
_BY_QEMU: Final = "; QEMU hides how many came, so what is missing is read as zeros"

_MARKED: Final = "the kernel ends what was written with a filemark before it moves the tape"
_PHANTOM: Final = "a blank check with EOM and no residual passes for a block, by QEMU's adapter and the kernel's driver"

DEVIATIONS: Final[Mapping[tuple[str, str], str]] = {
    ("tgtd by iscsi", "TestDrive::test_what_is_written_is_read"): _SHORT_TRANSFER,
    ("tgtd by iscsi", "TestDrive::test_a_longer_block_is_truncated_and_passed"): _SHORT_TRANSFER,
    ("tgtd by sg", "TestDrive::test_what_is_written_is_read"): _SHORT_TRANSFER + _BY_QEMU,
    ("tgtd by sg", "TestDrive::test_a_longer_block_is_truncated_and_passed"): _SHORT_TRANSFER + _BY_QEMU,
    ("tgtd by st", "TestDrive::test_what_is_written_is_read"): _SHORT_TRANSFER + _BY_QEMU,
    ("tgtd by st", "TestDrive::test_a_longer_block_is_truncated_and_passed"): _SHORT_TRANSFER + _BY_QEMU,
    ("tgtd by st", "TestDrive::test_blank_tape"): _PHANTOM,
    ("tgtd by st", "TestDrive::test_overwriting_drops_everything_after"): _MARKED,
    ("tgtd by st", "TestDrive::test_space_blocks"): _MARKED,
    ("tgtd by st", "TestDrive::test_space_filemarks"): _MARKED,
    ("virtual by st", "TestDrive::test_overwriting_drops_everything_after"): _MARKED,
    ("virtual by st", "TestDrive::test_space_blocks"): _MARKED,
    ("virtual by st", "TestDrive::test_space_filemarks"): _MARKED,
}
"""By kind of device, way to it, and test. Every test that is not here passes, and these must fail."""

SERVED_DEVIATIONS: Final[Mapping[str, str]] = {
    "TestTape::test_a_short_record_comes_as_it_is": "tgtd takes no block of less than 4 bytes",
    "TestTape::test_a_long_record_is_cut_and_its_rest_is_gone": _SHORT_TRANSFER,
    "TestChanger::test_no_more_comes_back_than_asked_for": (
        "tgtd refuses a command that allows more than its host has room for (05/24/00)"
    ),
}
"""Of tgtd's devices as our host serves them, by the test of the contracts that makers of hosts run."""
