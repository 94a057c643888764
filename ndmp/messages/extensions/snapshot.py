"""NetApp's snapshot management, class 0x2050, interface 1, as far as its bodies are public.

The numbers of the others are in :class:`ndmp.enums.SnapshotMessage`; they pass as strangers. Errors are those of
:class:`ndmp.enums.Error` that begin with SNAPSHOT.
"""

from __future__ import annotations

from typing import Final

from ndmp.enums import Error, SnapshotMessage
from ndmp.wire import Reply, Request, Text, reply, request

__all__ = [
    "SNAPSHOT_CLASS",
    "SNAPSHOT_VERSIONS",
    "SnapshotCreate",
    "SnapshotCreateReply",
    "SnapshotDelete",
    "SnapshotDeleteReply",
]

SNAPSHOT_CLASS: Final = 0x2050
SNAPSHOT_VERSIONS: Final = (1,)


@request(SnapshotMessage.CREATE)
class SnapshotCreate(Request["SnapshotCreateReply"]):
    """Make a snapshot of the file system at this path."""

    path: Text
    name: Text


@reply(SnapshotMessage.CREATE)
class SnapshotCreateReply(Reply):
    """Accepted, or why not."""

    error: Error


@request(SnapshotMessage.DELETE)
class SnapshotDelete(Request["SnapshotDeleteReply"]):
    """Delete a snapshot."""

    name: Text


@reply(SnapshotMessage.DELETE)
class SnapshotDeleteReply(Reply):
    """Accepted, or why not."""

    error: Error
