"""The contract of a media changer: ndmp.backends.ScsiBackend and ScsiHandle (draft 3.3)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ndmp.backends import CdbOutcome, ScsiBackend, ScsiHandle
from ndmp.contracts.asking import may_refuse
from ndmp.enums import Error

__all__ = ["ScsiContract"]

_TEST_UNIT_READY: Final = bytes(6)
_INQUIRY: Final = bytes.fromhex("12 00 00 00 24 00")
_NO_COMMAND: Final = bytes.fromhex("1f 00 00 00 00 00")
"""An operation code that SPC keeps free."""
_GOOD: Final = 0
_CHECK_CONDITION: Final = 2
_CHANGER: Final = 0x08
_ATTENTIONS: Final = 8
"""Unit attentions that a device may have to tell before it is ready."""


@contextmanager
def _opened(changer: ScsiBackend) -> Iterator[ScsiHandle]:
    handle = changer.open()
    try:
        yield handle
    finally:
        handle.close()


def _execute(handle: ScsiHandle, cdb: bytes, *, data_out: bytes = b"", data_in_bytes: int = 0) -> CdbOutcome:
    return handle.execute(cdb, data_out=data_out, data_in_bytes=data_in_bytes, timeout=60.0)


class ScsiContract(ABC):
    """Subclass it and give :meth:`changer`; docs/hosts.md says how to run it."""

    device_type: int = _CHANGER
    """SCSI's peripheral device type."""

    @abstractmethod
    def changer(self) -> ScsiBackend:
        """A free media changer, ready for use. Each test asks once."""

    def test_it_has_a_model_and_capabilities_in_pairs(self) -> None:
        changer = self.changer()
        assert changer.model, "the model is shown by CONFIG_GET_SCSI_INFO"
        assert isinstance(changer.shared, bool)
        assert all(isinstance(text, str) for pair in changer.capabilities for text in pair)
        assert all(len(pair) == 2 for pair in changer.capabilities)

    def test_a_changer_in_use_is_busy_or_shared(self) -> None:
        changer = self.changer()
        with _opened(changer) as first:
            with may_refuse(Error.DEVICE_BUSY):
                changer.open().close()
            self._becomes_ready(first)
        with _opened(changer) as again:
            self._becomes_ready(again)

    def test_closing_twice_does_no_harm(self) -> None:
        changer = self.changer()
        first = changer.open()
        first.close()
        first.close()
        with _opened(changer) as again:
            self._becomes_ready(again)

    def test_it_becomes_ready(self) -> None:
        with _opened(self.changer()) as handle:
            self._becomes_ready(handle)
            answer = handle.execute(_TEST_UNIT_READY, data_out=b"", data_in_bytes=0, timeout=None)
            assert (answer.status, answer.data_in) == (_GOOD, b""), "also without a timeout"

    def test_it_says_what_it_is(self) -> None:
        with _opened(self.changer()) as handle:
            answer = _execute(handle, _INQUIRY, data_in_bytes=36)
            assert answer.status == _GOOD
            assert len(answer.data_in) == 36, "standard INQUIRY data has 36 bytes or more"
            assert answer.data_in[0] & 0x1F == self.device_type, f"device type {answer.data_in[0] & 0x1F:#x}"

    def test_no_more_comes_back_than_asked_for(self) -> None:
        with _opened(self.changer()) as handle:
            whole = _execute(handle, _INQUIRY, data_in_bytes=36).data_in
            assert _execute(handle, _INQUIRY, data_in_bytes=5).data_in == whole[:5]
            assert _execute(handle, _INQUIRY, data_in_bytes=4096).data_in[:36] == whole, "nor is it filled up"
            assert len(_execute(handle, _INQUIRY, data_in_bytes=4096).data_in) == 36, "the command says 36"

    def test_a_check_condition_is_no_failure(self) -> None:
        with _opened(self.changer()) as handle:
            self._becomes_ready(handle)
            answer = _execute(handle, _NO_COMMAND)
            assert answer.status == _CHECK_CONDITION
            assert answer.sense, "the sense comes with it"
            assert answer.sense[0] & 0x7F in (0x70, 0x72), "sense as the device gave it"
            assert _execute(handle, _TEST_UNIT_READY).status == _GOOD, "and it is told once"

    def test_a_command_that_is_too_short_harms_nobody(self) -> None:
        with _opened(self.changer()) as handle:
            self._becomes_ready(handle)
            with may_refuse(Error.ILLEGAL_ARGS, Error.IO):
                assert _execute(handle, b"\x12").status != _GOOD
            assert _execute(handle, _TEST_UNIT_READY).status == _GOOD

    def test_where_it_sits_is_told_or_not_supported(self) -> None:
        with _opened(self.changer()) as handle, may_refuse(Error.NOT_SUPPORTED):
            address = handle.address()
            for number in (address.controller, address.target, address.lun):
                assert -1 <= number < 1 << 15, f"{number} is no short"

    def test_a_reset_leaves_it_usable_or_is_not_supported(self) -> None:
        with _opened(self.changer()) as handle:
            with may_refuse(Error.NOT_SUPPORTED):
                handle.reset()
            self._becomes_ready(handle)

    def _becomes_ready(self, handle: ScsiHandle) -> None:
        statuses = [_execute(handle, _TEST_UNIT_READY).status]
        while statuses[-1] == _CHECK_CONDITION and len(statuses) < _ATTENTIONS:
            statuses.append(_execute(handle, _TEST_UNIT_READY).status)
        assert statuses[-1] == _GOOD, f"TEST UNIT READY answers {statuses}"
