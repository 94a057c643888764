"""The drive of a command that names it by URL: its tapes are changed by whoever sits at the terminal."""

from __future__ import annotations

from duplicator.catalog import Catalog, VolumeState
from duplicator.cli.terminal import complain, plain, stderr_console
from duplicator.drives import DriveSpec
from duplicator.labels import VolumeLabel
from duplicator.mounts.operator import OperatorMounts
from duplicator.plan import Deadlines, Place
from duplicator.supply import ByHand

__all__ = ["by_hand"]


def by_hand(tape: Place, deadlines: Deadlines, catalog: Catalog, *, volume: str | None = None) -> ByHand:
    """The volumes of one drive; ``volume``: the first to be written, see :class:`duplicator.supply.ByHand`."""

    def accept(label: VolumeLabel) -> bool:
        known = catalog.volume(label.volume)
        return label.ours and (known is None or known.state in (VolumeState.APPENDABLE, VolumeState.SCRATCH))

    drive = DriveSpec(tape.url.path, tape.url)
    mounts = OperatorMounts([drive], place_of=lambda _: tape, deadlines=deadlines, ask=_ask, accept=accept)
    return ByHand(drive, mounts, volume)


def _ask(words: str) -> None:
    """Ask whoever sits there; the bell, since he may look elsewhere."""
    if stderr_console().is_terminal:
        stderr_console().bell()
        complain(f"ndmpdup: please {plain(words)}")
