"""The data backend of this product: exported directory trees."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from duplicator.trees.backup import TreeBackup
from duplicator.trees.dates import DumpDates
from duplicator.trees.exports import Exports
from duplicator.trees.level import DumpLevel
from duplicator.trees.recover import TreeRecovery
from duplicator.trees.retell import retell
from duplicator.trees.targets import Targets
from duplicator.trees.variables import DEFAULTS, DUMP, TAR, BackupSettings, RecoverSettings
from ndmp.backends import (
    BackupChannel,
    BackupRun,
    BackupType,
    FileSystem,
    RecoverChannel,
    RecoverRun,
    WantedPath,
)
from ndmp.enums import ButypeAttribute, Error
from ndmp.errors import ReplyError

__all__ = ["TreeBackend"]

_SHARED: Final = (
    ButypeAttribute.RECOVER_FILELIST
    | ButypeAttribute.BACKUP_DIRECT
    | ButypeAttribute.RECOVER_DIRECT
    | ButypeAttribute.BACKUP_UTF8
    | ButypeAttribute.RECOVER_UTF8
    | ButypeAttribute.BACKUP_FH_FILE
    | ButypeAttribute.BACKUP_FH_DIR
    | ButypeAttribute.RECOVER_FILEHIST
    | ButypeAttribute.RECOVER_FH_FILE
    | ButypeAttribute.RECOVER_FH_DIR
)


class TreeBackend:
    """Implements :class:`ndmp.backends.DataBackend` for directory trees.

    ``state``: a directory for dump dates; without one there are no levels above 0. TreeError for what cannot be
    offered. ``clock`` gives nanoseconds since 1970.
    """

    def __init__(self, trees: Sequence[Path], state: Path | None, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._exports = Exports(trees)
        self._dates = DumpDates(state) if state else None
        self._clock = clock

    @property
    def butypes(self) -> Sequence[BackupType]:
        """See DataBackend."""
        dump = _SHARED | ButypeAttribute.RECOVER_INCREMENTAL
        if self._dates:
            dump |= ButypeAttribute.BACKUP_INCREMENTAL
        return (
            BackupType(TAR, DEFAULTS[TAR], _SHARED | ButypeAttribute.BACKUP_FILELIST),
            BackupType(DUMP, DEFAULTS[DUMP], dump),
        )

    def file_systems(self) -> Sequence[FileSystem]:
        """See DataBackend."""
        return self._exports.file_systems(f"{DUMP},{TAR}")

    def backup(self, butype: str, environment: Mapping[str, str]) -> BackupRun:
        """See DataBackend."""
        settings = BackupSettings.parse(butype, environment)
        if settings.level and settings.base_date is None and not self._dates:
            raise ReplyError(Error.ILLEGAL_ARGS, f"LEVEL={settings.level}: this host keeps no dump dates")
        tree, names = self._exports.locate(settings.filesystem)
        settings = settings.at(os.path.join(tree, *names))
        os.close(self._exports.open(settings.filesystem))

        def run(channel: BackupChannel) -> None:
            root = self._exports.open(settings.filesystem)
            try:
                level = DumpLevel(settings, self._dates, now_ns=self._clock())
                TreeBackup(channel, settings, root=root, level=level).run()
            finally:
                os.close(root)

        return run

    def recover(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        """See DataBackend."""
        settings = RecoverSettings.parse(butype, environment)
        Targets(wanted, self._exports.locate, recursive=settings.recursive)  # audits the list

        def run(channel: RecoverChannel) -> None:
            targets = Targets(wanted, self._exports.locate, recursive=settings.recursive)
            TreeRecovery(channel, settings, targets).run()

        return run

    def recover_history(self, butype: str, environment: Mapping[str, str], wanted: Sequence[WantedPath]) -> RecoverRun:
        """See DataBackend. Directories and nodes can be told of this program's own archives only."""
        hist = RecoverSettings.parse(butype, environment).history_to_tell
        targets = Targets(wanted, None, recursive=True)

        def run(channel: RecoverChannel) -> None:
            retell(channel, hist, targets)

        return run
