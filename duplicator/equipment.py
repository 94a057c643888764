"""The drives and libraries of a configuration, as the jobs of this process use them."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from typing import Final

from duplicator.brought import will_do
from duplicator.catalog import Catalog
from duplicator.config import AgentSpec, Config, TapeUnit, place_of
from duplicator.config.model import DriveSpec as DriveEntry
from duplicator.drives import DriveSpec, LibrarySpec
from duplicator.inventories import note_inventory
from duplicator.mounts.operator import OperatorMounts
from duplicator.mounts.protocol import Mounts, Note
from duplicator.mounts.robot import RobotMounts
from duplicator.plan import Deadlines, Place
from duplicator.status import JobError
from duplicator.urls import NdmpUrl

__all__ = ["Equipment"]

_log: Final = logging.getLogger(__name__)


class Equipment:
    """Drives by their names, with what mounts their tapes; ``agent`` is this process.

    ``ask`` is told what an operator is to do. JobError NO_CREDENTIALS for a host that the agent has no password for.
    """

    def __init__(
        self,
        config: Config,
        agent: AgentSpec,
        catalog: Catalog,
        *,
        deadlines: Deadlines | None = None,
        ask: Note | None = None,
    ) -> None:
        self._config = config
        self._agent = agent
        self._catalog = catalog
        self._deadlines = deadlines or Deadlines()
        self._ask = ask
        self._mounts: dict[str, Mounts] = {}
        self._places: dict[NdmpUrl, Place] = {}

    def drives(self, unit: TapeUnit) -> list[DriveSpec]:
        """The drives of a tape unit that this agent can use, in the order of the configuration."""
        found = []
        for entry in self._config.drives_of(unit):
            with suppress(JobError):  # another agent has the credentials
                found.append(self._drive(entry))
        return found

    def drive(self, name: str) -> DriveSpec:
        """One drive."""
        return self._drive(self._config.drives[name])

    def place(self, drive: DriveSpec) -> Place:
        """Where a job opens the drive."""
        return self._places[drive.url]

    def mounts(self, drive: DriveSpec) -> Mounts:
        """What brings volumes into the drive."""
        key = f"library {drive.library}" if drive.library else f"drive {drive.name}"
        if key not in self._mounts:
            self._mounts[key] = self._robot(drive.library) if drive.library else self._operator(drive)
        return self._mounts[key]

    async def take_inventory(self) -> None:
        """Look what lies where in all libraries, for the catalog; one that cannot be asked now is passed over."""
        for name, library in self._config.libraries.items():
            try:
                drives = [self.drive(drive) for drive in library.drives]
                found = await self.mounts(drives[0]).inventory() if drives else None
            except JobError as error:
                _log.warning("library %s: no inventory: %s", name, error)
                continue
            if found is not None:
                note_inventory(self._catalog, name, drives, found)

    def _drive(self, entry: DriveEntry) -> DriveSpec:
        url = self._place(entry.host, entry.device).url
        return DriveSpec(entry.name, url, entry.library, self._config.element_of(entry) or 0)

    def _place(self, host: str, path: str) -> Place:
        place = place_of(self._config, host, path=path, agent=self._agent)
        self._places[place.url] = place
        return place

    def _robot(self, name: str) -> RobotMounts:
        entry = self._config.libraries[name]
        library = LibrarySpec(name, self._place(entry.host, entry.device).url)
        drives = [self.drive(drive) for drive in entry.drives]
        return RobotMounts(
            library,
            drives=drives,
            place_of=self._places.__getitem__,
            deadlines=self._deadlines,
            last_seen=self._last_seen,
        )

    def _operator(self, drive: DriveSpec) -> OperatorMounts:
        return OperatorMounts(
            [drive],
            place_of=self._places.__getitem__,
            deadlines=self._deadlines,
            ask=self._ask,
            accept=partial(will_do, self._catalog),
        )

    def _last_seen(self, volume: str) -> str:
        known = self._catalog.volume(volume)
        return known.location if known else ""
