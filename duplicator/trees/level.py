"""What an incremental backup adds to, and what is recorded for the next one."""

from __future__ import annotations

from collections.abc import Mapping

from duplicator.trees.dates import SECOND_NS, DumpDates
from duplicator.trees.selection import Since
from duplicator.trees.variables import BackupSettings
from ndmp.backends import BackupChannel
from ndmp.enums import LogType

__all__ = ["DumpLevel"]


class DumpLevel:
    """The level of one backup, whose scan begins at ``now_ns``."""

    def __init__(self, settings: BackupSettings, dates: DumpDates | None, *, now_ns: int) -> None:
        self._settings = settings
        self._dates = dates
        self._now_ns = now_ns

    def tell(self, channel: BackupChannel) -> None:
        """The variables that a later backup or recovery wants back."""
        if self._settings.is_dump:
            channel.set_variable("LEVEL", str(self._settings.level))
            channel.set_variable("DUMP_DATE", str(self._now_ns // SECOND_NS))

    def base(self, channel: BackupChannel) -> Since | None:
        """The backup that this one adds to; None: all files are taken."""
        if not self._settings.is_dump or self._settings.base_date == 0:
            return None
        try:
            found = self._recorded(channel)
        except (OSError, ValueError) as problem:
            channel.log(LogType.WARNING, f"the dump dates cannot be read ({problem}): all files are taken")
            return None
        if found and found.date_ns > self._now_ns:  # the clock was set back: what changed since may look older
            text = f"the backup at {found.date_ns // SECOND_NS} is ahead of this host's clock: all files are taken"
            channel.log(LogType.WARNING, text)
            return None
        return found

    def _recorded(self, channel: BackupChannel) -> Since | None:
        settings, dates = self._settings, self._dates
        if settings.base_date is not None:
            known = dates.at(settings.filesystem, settings.base_date) if dates else None
            return known or Since(settings.base_date * SECOND_NS)
        found = dates.newest_below(settings.filesystem, settings.level) if dates else None
        if settings.level and not found:
            text = f"no backup below level {settings.level} is recorded: all files are taken"
            channel.log(LogType.WARNING, text)
        return found

    def keep(self, channel: BackupChannel, directories: Mapping[str, int], missed: frozenset[str]) -> None:
        """Record the backup, which has ended well; without the record the next one takes more than it must."""
        if not self._settings.update or not self._dates:
            return
        try:
            self._dates.keep(self._settings.filesystem, self._settings.level, Since(self._now_ns, directories, missed))
        except OSError as problem:
            channel.log(LogType.ERROR, f"the dump date is not recorded: {problem}")
