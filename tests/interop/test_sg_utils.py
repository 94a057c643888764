"""sg3-utils reads what the virtual drive answers, and says of it what was meant."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scsi.virtual.target import DriveSession
from tests.peers import require_peer
from tests.scsi.target_bench import drive_target, good, run

DEADLINE = 30.0
BLOCK = bytes(1 << 20)
WRITE, MARK, REWIND = "0a 00 100000 00", "10 00 000001 00", "01 00*5"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DriveSession]:
    """A tape of 10 MiB with two blocks of 1 MiB and a filemark, at its end."""
    with drive_target(tmp_path, capacity=10 << 20, early_warning=1 << 20) as target:
        made = target.session()
        for _ in range(2):
            good(made, WRITE, BLOCK)
        good(made, MARK)
        yield made


def tell(program: str, *arguments: str) -> str:
    """What a program prints, on one line."""
    command = [require_peer(program), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=DEADLINE)
    return " ".join(done.stdout.split())


SENSES = (
    ("08 00 000200 00", "Blank Check", "End-of-data detected Info fld=0x200 [512]"),
    ("11 00 000005 00", "Blank Check", "End-of-data detected Info fld=0x5 [5]"),
    ("11 00 fffffd 00", "No Sense", "Filemark detected Info fld=0x3 [3] FMK"),
    ("11 01 fffffe 00", "No Sense", "Beginning-of-partition/medium detected Info fld=0x2 [2] EOM"),
    ("08 00 200000 00", "No Sense", "No additional sense information Info fld=0x100000 [1048576] ILI"),
    ("08 03 000001 00", "Illegal Request", "Invalid field in cdb Sense Key Specific: Error in Command: byte 1 bit 1"),
    ("11 07 000001 00", "Illegal Request", "Invalid field in cdb Sense Key Specific: Error in Command: byte 1 bit 3"),
    ("0b 00*5", "Illegal Request", "Invalid command operation code"),
    ("1b 00*5", "", ""),
    ("08 00 000200 00", "Not Ready", "Medium not present"),
)


def test_senses(host: DriveSession) -> None:
    for words, key, meaning in SENSES:
        sense = run(host, words).sense
        assert bool(sense) == bool(key), words
        if sense:
            said = tell("sg_decode_sense", "--nospace", sense.hex())
            assert said == f"Fixed format, current; Sense key: {key} Additional sense: {meaning}", words


PAGES = (
    (
        "sg_inq",
        "--inhex",
        "12 00 00 00 60 00",
        ("RMB=1", "[SPC-4]", "Protect=1", "type: tape", "TAPE DRIVE Product revision"),
    ),
    ("sg_vpd", "--inhex", "12 01 80 00 ff 00", ("Unit serial number: S01234567800",)),
    ("sg_vpd", "--inhex", "12 01 83 00 ff 00", ("vendor id: VIRTUAL vendor specific: TAPE DRIVE S01234567800",)),
    ("sg_vpd", "--inhex", "12 01 b0 00 ff 00", ("Sequential-access device capabilities VPD page (SSC): WORM=1",)),
    ("sg_vpd", "--inhex", "12 01 b5 00 ff 00", ("method: 2, info_len: 4, LBP_W_C=1, LBP_R_C=1, RBDP_C=0",)),
    ("sg_logs", "--in", "4d 00 40 00 00 0000 00ff 00", ("0x17 Volume statistics", "0x31 Tape capacity")),
    (
        "sg_logs",
        "--in",
        "4d 00 4c 00 00 0000 0400 00",
        (
            "from BOP to EOD: 2 MB",
            "from BOP to EW of current partition: 9 MB",
            "from EW to EOP of current partition: 1 MB",
            "from BOP to current position: 2 MB",
        ),
    ),
    ("sg_logs", "--in", "4d 00 51 00 00 0000 0400 00", ("MACC=1 CMPR=0 WRTP=0", "DINIT=1", "MTHRD=1 MOUNTED=1")),
    ("sg_logs", "--in", "4d 00 52 00 00 0000 0400 00", ("TapeAlert response page", "40h: 0")),
    (
        "sg_logs",
        "--in",
        "4d 00 57 00 00 0000 0400 00",
        (
            "Page valid: 1",
            "native capacity [MB]: 10",
            "used native capacity [MB]: 2",
            "barcode: VT0001L8 Write protect: 0",
        ),
    ),
    ("sg_logs", "--in", "4d 00 6e 00 00 0000 0400 00", ("Read warning: 0", "Media life: 0")),
    (
        "sg_logs",
        "--in",
        "4d 00 71 00 00 0000 0400 00",
        ("remaining capacity (in MiB): 8", "maximum capacity (in MiB): 10"),
    ),
    (
        "sg_read_attr",
        "--in",
        "8c 00*9 00000400 00 00",
        ("Remaining capacity in partition [MiB]: 8", "Medium density code: 0x5e", "Barcode: VT0001L8"),
    ),
)


@pytest.mark.parametrize(("program", "option", "words", "said"), PAGES, ids=lambda value: str(value)[:30])
def test_pages(
    host: DriveSession, tmp_path: Path, program: str, option: str, words: str, said: tuple[str, ...]
) -> None:
    answer = tmp_path / "answer.hex"
    answer.write_text(good(host, words).hex(" "))
    kind = ["--pdt=1"] if program == "sg_logs" else []
    text = tell(program, *kind, f"{option}={answer}")
    for part in said:
        assert part in text, (part, text)
