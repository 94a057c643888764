"""A device behind a transport: commands go in, conditions come out as exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scsi.cdb import Command
from scsi.completion import Completion, Status, condition_of, raise_for_status
from scsi.errors import CheckCondition, NoMedium, NotReady, UnitAttention
from scsi.inquiry import InquiryData, VitalPage, parse_serial
from scsi.sense import Sense, SenseKey
from scsi.spc import Inquiry, TestUnitReady
from scsi.transports.transport import Room, Transport

__all__ = ["Device"]

_ATTENTIONS: Final = 16
"""How many attentions may lie before one command: a device queues a handful."""
_INQUIRY_BYTES: Final = 96
_VITAL_BYTES: Final = 255
_RESULTS: Final = (SenseKey.NO_SENSE, SenseKey.RECOVERED_ERROR)
"""What sense of these keys tells belongs to a command that was carried out."""


class Device:
    """Sends commands. An attention that ``dismiss`` is told of and returns true for is no matter: sent again."""

    def __init__(self, transport: Transport, *, dismiss: Callable[[Sense], bool]) -> None:
        self._transport = transport
        self._dismiss = dismiss

    def run(self, command: Command, *, data_out: bytes | memoryview = b"", data_in: Room = 0) -> Completion:
        """Carry out a command; its completion, which may have sense of the keys NO SENSE and RECOVERED ERROR.

        Every other condition is raised, so is every sense of an earlier command.
        """
        for _ in range(_ATTENTIONS):
            done = self._transport.execute(command, data_out=data_out, data_in=data_in)
            if done.status != Status.CHECK_CONDITION:
                return raise_for_status(done)
            sense = Sense.parse(done.sense)
            if sense.key == SenseKey.UNIT_ATTENTION and self._dismiss(sense):
                continue
            if sense.deferred or sense.key not in _RESULTS:
                raise condition_of(sense)
            _require_result(sense)
            return done
        message = "one unit attention after another"
        raise UnitAttention(message)

    def pass_on(self, cdb: bytes, *, data_out: bytes, data_in: Room, timeout: float | None) -> Completion:
        """Carry out a stranger's command: its completion, whatever that is."""
        return self._transport.execute(cdb, data_out=data_out, data_in=data_in, timeout=timeout)

    def ask(self, command: Command) -> bytes:
        """The answer to a command that reads parameter data."""
        return self.run(command, data_in=command.transfer_bytes).data_in

    def ready(self) -> None:
        """Nothing if medium commands would work; else why not, as NotReady or NoMedium."""
        self.run(TestUnitReady())

    def is_ready(self) -> bool:
        """Whether medium commands would work."""
        try:
            self.ready()
        except (NoMedium, NotReady):
            return False
        return True

    def inquiry(self) -> InquiryData:
        """What the device is."""
        return InquiryData.parse(self.ask(Inquiry(_INQUIRY_BYTES)))

    def serial(self) -> str:
        """Its serial number; empty if it tells none."""
        try:
            return parse_serial(self.ask(Inquiry(_VITAL_BYTES, page=VitalPage.SERIAL, vital=True)))
        except CheckCondition:
            return ""

    def close(self) -> None:
        """Let the transport go."""
        self._transport.close()


def _require_result(sense: Sense) -> None:
    """CheckCondition where sense would pass for that of a command that was carried out, but was lost on the way."""
    if not sense.raw:
        message = "CHECK CONDITION without sense"
    elif not sense.whole:
        message = f"CHECK CONDITION with sense that is cut short: {sense.raw.hex()}"
    elif sense.silent:
        message = f"CHECK CONDITION with sense that says nothing: {sense.raw.hex()}"
    else:
        return
    condition = CheckCondition(message)
    condition.sense = sense.raw
    raise condition
