"""The drive of a command that names it by URL: its tapes are changed by whoever sits at the terminal."""

from __future__ import annotations

from functools import partial

from duplicator.brought import will_do
from duplicator.catalog import Catalog
from duplicator.cli.terminal import complain, is_watched, plain, stderr_console
from duplicator.drives import DriveSpec
from duplicator.mounts.operator import OperatorMounts
from duplicator.plan import Deadlines, Place
from duplicator.supply import ByHand

__all__ = ["ask_operator", "by_hand", "operator_of"]


def by_hand(tape: Place, deadlines: Deadlines, catalog: Catalog, *, volume: str | None = None) -> ByHand:
    """The volumes of one drive; ``volume``: the first to be written, see :class:`duplicator.supply.ByHand`."""
    return ByHand(*operator_of(tape, deadlines, catalog), volume)


def operator_of(tape: Place, deadlines: Deadlines, catalog: Catalog) -> tuple[DriveSpec, OperatorMounts]:
    """The drive, and who puts volumes into it."""
    drive = DriveSpec(tape.url.path, tape.url)
    mounts = OperatorMounts(
        [drive], place_of=lambda _: tape, deadlines=deadlines, ask=ask_operator, accept=partial(will_do, catalog)
    )
    return drive, mounts


def ask_operator(words: str) -> None:
    """Ask whoever sits there; the bell, since he may look elsewhere."""
    if is_watched():
        stderr_console().bell()
        complain(f"ndmpdup: please {plain(words)}")
