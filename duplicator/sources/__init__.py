"""Where the bytes of a copy come from: one implementation of :class:`Source` for each way to move them."""

from __future__ import annotations

from duplicator.sources.file_service import FileServiceSource
from duplicator.sources.here import DirectorySource, RelaySource
from duplicator.sources.source import OpenSource, Sent, Source, SourceFragment, SourceImage
from duplicator.sources.tape import TapeSource
from duplicator.sources.tape_file import TapeFileSource
from duplicator.sources.tape_here import TapeRelaySource
from duplicator.sources.tree import TreeSource

__all__ = [
    "DirectorySource",
    "FileServiceSource",
    "OpenSource",
    "RelaySource",
    "Sent",
    "Source",
    "SourceFragment",
    "SourceImage",
    "TapeFileSource",
    "TapeRelaySource",
    "TapeSource",
    "TreeSource",
]
