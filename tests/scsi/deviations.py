"""Where emulated devices do otherwise than they should: each expected failure of a contract, and why it is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DEVIATIONS", "KEPT_BYTES", "SCALES", "SERVED_DEVIATIONS"]

_SHORT_TRANSFER: Final = (
    "of a block of another size than asked for, tgtd sends as many bytes as the sizes differ by; "
    "here that is less than the block"
)
_BY_QEMU: Final = "; QEMU hides how many came, so what is missing is read as zeros"

_MARKED: Final = "the kernel ends what was written with a filemark before it moves the tape"
_ONE_TOO_MANY: Final = (
    "backwards, scsi_debug takes the filemark that should stop it, or the place before the first block, for a block"
)
_TWO_FOR_ONE: Final = "backwards, scsi_debug takes two filemarks with nothing between for one"
_NONE_ERASES: Final = "scsi_debug drops what follows even when no filemark is to be written"
_NEVER_TELLS: Final = "tgtd's drive does not tell where it stands"
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
    ("tgtd by st", "TestDrive::test_space_blocks_up_to_the_end_of_data"): _MARKED,
    ("tgtd by st", "TestDrive::test_space_filemarks_with_nothing_between"): _MARKED,
    ("tgtd by st", "test_mt_tells_the_same"): _NEVER_TELLS,
    ("tgtd by st", "test_what_the_kernel_ends_with_a_filemark"): _NEVER_TELLS + ", so that it is rewound to go back",
    ("scsi_debug by sg", "TestDrive::test_no_filemarks_overwrite_nothing"): _NONE_ERASES,
    ("scsi_debug by sg", "TestDrive::test_space_blocks_back_beyond_the_first_of_a_file"): _ONE_TOO_MANY,
    ("scsi_debug by sg", "TestDrive::test_space_filemarks_with_nothing_between"): _TWO_FOR_ONE,
    ("scsi_debug by st", "TestDrive::test_no_filemarks_overwrite_nothing"): _NONE_ERASES,
    ("scsi_debug by st", "TestDrive::test_overwriting_drops_everything_after"): _MARKED,
    ("scsi_debug by st", "TestDrive::test_space_blocks_back_beyond_the_first_of_a_file"): _ONE_TOO_MANY,
    ("scsi_debug by st", "TestDrive::test_space_blocks_up_to_the_end_of_data"): _MARKED,
    ("scsi_debug by st", "TestDrive::test_space_filemarks_with_nothing_between"): _MARKED,
    ("virtual by st", "TestDrive::test_overwriting_drops_everything_after"): _MARKED,
    ("virtual by st", "TestDrive::test_space_blocks_up_to_the_end_of_data"): _MARKED,
    ("virtual by st", "TestDrive::test_space_filemarks_with_nothing_between"): _MARKED,
}
"""By kind of device, way to it, and test. Every test that is not here passes, and these must fail."""

KEPT_BYTES: Final[Mapping[str, int]] = {"scsi_debug": 4}
"""By kind of device: how many bytes it keeps of each block; of the others it sends zeros."""

SCALES: Final[Mapping[str, int]] = {"scsi_debug": 6}
"""By kind of device: how many times larger the blocks of the contract are, where none may have less than 512 bytes."""

SERVED_DEVIATIONS: Final[Mapping[str, str]] = {
    "TestTape::test_a_short_record_comes_as_it_is": "tgtd takes no block of less than 4 bytes",
    "TestTape::test_a_long_record_is_cut_and_its_rest_is_gone": _SHORT_TRANSFER,
    "TestChanger::test_no_more_comes_back_than_asked_for": (
        "tgtd refuses a command that allows more than its host has room for (05/24/00)"
    ),
}
"""Of tgtd's devices as our host serves them, by the test of the contracts that makers of hosts run."""
