"""What a drive tells of itself and of its tape, gathered for `ndmpdup tape URL status`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from duplicator.cli.tape_opening import opened_drive, opened_transport, place_document, place_of, place_text
from duplicator.cli.terminal import size_text
from scsi import drive_reports
from scsi.device import Device
from scsi.devices import ST_SCHEME
from scsi.drive import BlockChecks, ScsiDrive
from scsi.drive_reports import TapeAlert
from scsi.errors import NoMedium, NotReady, WriteProtected
from scsi.inquiry import InquiryData
from scsi.media import DENSITIES, DensityCode
from scsi.positions import BlockLimits
from scsi.protection import ProtectionMethod
from scsi.tape import Capacity, Position, TapeDrive
from scsi.tape_modes import BlockDescriptor

__all__ = ["DriveReport", "TapeReport", "alert_documents", "alert_name", "density_text", "report_of"]

_CLEANING: Final = (TapeAlert.CLEAN_NOW, TapeAlert.CLEAN_PERIODIC)
_PROTECTIONS: Final = {
    ProtectionMethod.NONE: "by the drive alone",
    ProtectionMethod.CRC32C: "on their way too, by CRC32C",
    ProtectionMethod.REED_SOLOMON: "on their way too, by a Reed-Solomon CRC",
}


@dataclass(frozen=True, slots=True)
class TapeReport:
    """A loaded tape; None is what the drive does not tell."""

    position: Position | None
    write_protected: bool
    write_once: bool | None
    capacity: Capacity
    format: BlockDescriptor | None = None


@dataclass(frozen=True, slots=True)
class DriveReport:
    """A drive, and its ``tape`` or why there is none; ``alerts`` are None where nothing can tell them.

    ``protection`` is how it can check blocks on their way.
    """

    identity: InquiryData | None
    serial: str
    tape: TapeReport | None
    missing: str
    alerts: Sequence[TapeAlert] | None = None
    limits: BlockLimits | None = None
    protection: ProtectionMethod | None = None

    @property
    def cleaning(self) -> bool | None:
        """Whether the drive asks for a cleaning cartridge; None: it cannot tell."""
        return None if self.alerts is None else any(alert in self.alerts for alert in _CLEANING)

    def rows(self) -> list[tuple[str, str]]:
        """Names and values for people."""
        return [*self._drive_rows(), *self._tape_rows()]

    def document(self) -> dict[str, Any]:
        """The report for `--json`; null is what the drive does not tell."""
        identity, limits = self.identity, self.limits
        return {
            "vendor": identity.vendor if identity else None,
            "product": identity.product if identity else None,
            "revision": identity.revision if identity else None,
            "serial": self.serial or None,
            "block_limits": {"smallest": limits.smallest, "largest": limits.largest} if limits else None,
            "alerts": alert_documents(self.alerts),
            "cleaning_wanted": self.cleaning,
            "block_protection": self.protection.name if self.protection else None,
            "loaded": self.tape is not None,
            "tape": _tape_document(self.tape) if self.tape else None,
        }

    def _drive_rows(self) -> list[tuple[str, str]]:
        rows = []
        if self.identity:
            rows.append(("drive", f"{self.identity.vendor} {self.identity.product} {self.identity.revision}"))
        if self.serial:
            rows.append(("serial", self.serial))
        if self.limits:
            rows.append(("blocks taken", f"{self.limits.smallest} to {self.limits.largest} bytes"))
        if self.protection is not None:
            rows.append(("blocks checked", _PROTECTIONS.get(self.protection, str(int(self.protection)))))
        if self.alerts is not None:
            rows.append(("alerts", ", ".join(map(alert_name, self.alerts)) or "none"))
            rows.append(("cleaning", "wanted" if self.cleaning else "not wanted"))
        return rows

    def _tape_rows(self) -> list[tuple[str, str]]:
        tape = self.tape
        if tape is None:
            return [("tape", f"none: {self.missing}")]
        rows = [("tape", "loaded"), ("position", place_text(tape.position))]
        if tape.format:
            rows.append(("block size", f"{tape.format.block_bytes} bytes" if tape.format.block_bytes else "variable"))
            rows.append(("density", density_text(tape.format.density)))
        rows.append(("write protected", "yes" if tape.write_protected else "no"))
        if tape.write_once is not None:
            rows.append(("write once (WORM)", "yes" if tape.write_once else "no"))
        if tape.capacity.total_bytes:
            left, total = size_text(tape.capacity.remaining_bytes), size_text(tape.capacity.total_bytes)
            rows.append(("capacity", f"{left} left of {total}"))
        return rows


def report_of(url: str) -> DriveReport:
    """Ask a drive; its alerts are cleared by that."""
    if not url.startswith(ST_SCHEME):
        return _ask(url)
    try:
        return _ask_kernel(url, read_only=False)
    except WriteProtected:
        return _ask_kernel(url, read_only=True)


def _ask_kernel(url: str, *, read_only: bool) -> DriveReport:
    """What the kernel's tape driver tells."""
    with opened_drive(url, read_only=read_only) as drive:
        return DriveReport(None, "", _report_on_tape(drive) if drive.loaded else None, "no tape is loaded")


def _ask(url: str) -> DriveReport:
    with opened_transport(url) as transport:
        device = Device(transport, dismiss=lambda _: True)
        identity, serial = device.inquiry(), device.serial()
        alerts, limits = sorted(drive_reports.alerts(device)), drive_reports.block_limits(device)
        tape, missing = None, ""
        try:
            device.ready()
            tape = _report_on_tape(ScsiDrive(transport, read_only=True, checks=BlockChecks.UNTOUCHED), device)
        except (NoMedium, NotReady) as reason:
            missing = str(reason)
        return DriveReport(
            identity, serial, tape, missing, alerts, limits, protection=drive_reports.offered_protection(device)
        )


def _report_on_tape(drive: TapeDrive, device: Device | None = None) -> TapeReport:
    """What there is to tell of the tape in a drive; ``device`` is the same drive, if it takes commands."""
    return TapeReport(
        place_of(drive),
        drive_reports.is_write_protected(device) if device else drive.write_protected,
        drive_reports.is_write_once(device) if device else None,
        drive.capacity(),
        drive_reports.block_descriptor(device) if device else None,
    )


def density_text(code: int) -> str:
    """A density in words, and its code."""
    density = DENSITIES.get(DensityCode(code))
    if density is None:
        return f"{code:#04x}, which has no name here" if code else "the drive's own (0x00)"
    return f"{density.description} ({density.name}, {code:#04x})"


def alert_name(alert: TapeAlert) -> str:
    """A flag in words; its number if it has no name here."""
    return alert.name.lower().replace("_", " ")


def alert_documents(alerts: Sequence[TapeAlert] | None) -> list[dict[str, Any]] | None:
    """Flags for `--json`."""
    return None if alerts is None else [{"flag": int(alert), "name": alert_name(alert)} for alert in alerts]


def _tape_document(tape: TapeReport) -> dict[str, Any]:
    known = tape.capacity.total_bytes > 0
    return {
        "position": place_document(tape.position),
        "block_bytes": tape.format.block_bytes if tape.format else None,
        "density_code": tape.format.density if tape.format else None,
        "density": density_text(tape.format.density) if tape.format else None,
        "write_protected": tape.write_protected,
        "write_once": tape.write_once,
        "capacity_bytes": tape.capacity.total_bytes if known else None,
        "remaining_bytes": tape.capacity.remaining_bytes if known else None,
    }
