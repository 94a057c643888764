"""Whatever a host sends, the virtual drive answers, and stays a drive that works."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scsi import ssc
from scsi.cdb import cdb_bytes_of, commands
from scsi.completion import Status
from scsi.densities import parse_densities
from scsi.sense import Sense
from tests.scsi.hexes import b
from tests.scsi.target_bench import ANY, drive_target, good

CODES = sorted({code for code, _ in commands(tape=True)})
# Few different bytes, so that fields are often right.
BYTE = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 8, 0x0A, 0x10, 0x4A, 0x80, 0xF0, 0xFF])


@st.composite
def sent(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A CDB of the right length and data for it."""
    code = draw(st.sampled_from(CODES))
    body = draw(st.lists(BYTE, min_size=cdb_bytes_of(code) - 1, max_size=cdb_bytes_of(code) - 1))
    return bytes((code, *body)), bytes(draw(st.lists(BYTE, max_size=64)))


def test_any_commands(tmp_path: Path) -> None:
    with drive_target(tmp_path) as target:

        @settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(sent(), min_size=1, max_size=8))
        def dialogue(exchanges: list[tuple[bytes, bytes]]) -> None:
            first, second = target.session(), target.session()
            for number, (cdb, data_out) in enumerate(exchanges):
                host = second if number % 3 == 2 else first
                done = host.execute(cdb, data_in_bytes=1000, data_out=data_out)
                assert len(done.data_in) <= 1000
                assert done.bytes_out <= len(data_out)
                assert bool(done.sense) == (done.status == Status.CHECK_CONDITION)
                assert not done.sense or Sense.parse(done.sense).encode() == done.sense
            first.close()
            second.close()
            fresh = target.session()
            good(fresh, "1b 00 00 00 01 00")
            target.reset()
            fresh.execute(b("00 00*5"), data_in_bytes=ANY)
            good(fresh, "0a 00 000003 00", b"abc")
            good(fresh, "01 00*5")
            assert good(fresh, "08 00 000003 00") == b"abc"

        dialogue()


@given(st.binary(max_size=200))
def test_any_densities(raw: bytes) -> None:
    assert len(parse_densities(raw)) <= len(raw) // 52


@given(st.integers(-(1 << 23), (1 << 23) - 1))
def test_any_count(count: int) -> None:
    assert ssc.Space6.over(ssc.SpaceCode.BLOCKS, count).count == count
