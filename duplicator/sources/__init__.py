"""Where the bytes of a copy come from: one implementation of :class:`Source` for each way to move them."""

from __future__ import annotations

from duplicator.sources.file_service import FileServiceSource
from duplicator.sources.source import OpenSource, Sent, Source, SourceFragment, SourceImage
from duplicator.sources.tape import TapeSource

__all__ = ["FileServiceSource", "OpenSource", "Sent", "Source", "SourceFragment", "SourceImage", "TapeSource"]
