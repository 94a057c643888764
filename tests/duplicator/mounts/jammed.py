"""A host whose robot fails as a test says, and may keep the cartridge in its gripper."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from duplicator.adapters import ChangerHandle, VirtualChangerBackend, library_tapes
from duplicator.mover import SocketMovers
from ndmp.aio.server import HostServer
from ndmp.backends import CdbOutcome, Host
from scsi.elements import Element, ElementType, VolumeTag, build_status, parse_status
from scsi.virtual.library import Library
from scsi.virtual.library_url import open_library_url, parse_library_url
from tests.duplicator.processes import SECRET, USER

__all__ = ["ARM", "JammingChanger", "serving"]

ARM = 1
_HIDDEN = 17
"""The second import/export element stands for the gripper: the library itself cannot stop half way."""
_MOVE, _STATUS = 0xA5, 0xB8
_ROOM = 0xFFFF


class JammingChanger(VirtualChangerBackend):
    """``jams`` says of each movement that comes what becomes of it; ``moves`` are all that came.

    As most do, its drives hold a tape fast until they have given it out.
    """

    def __init__(self, library: Library) -> None:
        super().__init__(library)
        self.library = library
        self.jams: list[str] = []
        """Empty: it is done. The others fail: the cartridge ``stays``, it is ``gripped``, or it is ``there``."""
        self.moves: list[tuple[int, int]] = []
        self.begins: Callable[[], None] = lambda: None
        """Called in a thread of the host as a movement begins, which waits for it."""

    def open(self) -> ChangerHandle:
        """See ScsiBackend."""
        return _Jamming(self, super().open())


class _Jamming(ChangerHandle):
    def __init__(self, jamming: JammingChanger, changer: ChangerHandle) -> None:
        self._jamming = jamming
        self._inner = changer

    def execute(self, cdb: bytes, *, data_out: bytes, data_in_bytes: int, timeout: float | None) -> CdbOutcome:
        """See CdbTarget."""
        if cdb[0] == _MOVE:
            return self._move(cdb)
        if cdb[0] == _STATUS:
            return self._tell(cdb, data_in_bytes)
        return self._inner.execute(cdb, data_out=data_out, data_in_bytes=data_in_bytes, timeout=timeout)

    def close(self) -> None:
        """See ScsiHandle."""
        self._inner.close()

    def _move(self, cdb: bytes) -> CdbOutcome:
        source, destination = (int.from_bytes(cdb[start : start + 2], "big") for start in (4, 6))
        self._jamming.moves.append((source, destination))
        self._jamming.begins()
        if self._is_held(source):
            return _refused("05", "5302")  # illegal request: medium removal prevented
        jam = self._jamming.jams.pop(0) if self._jamming.jams else ""
        if jam != "stays":
            start = _HIDDEN if source == ARM else source
            end = _HIDDEN if jam == "gripped" else destination
            command = cdb[:4] + start.to_bytes(2, "big") + end.to_bytes(2, "big") + cdb[8:]
            done = self._inner.execute(command, data_out=b"", data_in_bytes=0, timeout=None)
            if not jam or done.status:
                return done
        return _refused("04", "1501")  # hardware error: mechanical positioning error

    def _is_held(self, address: int) -> bool:
        library = self._jamming.library
        drives = library.configuration.ranges()[ElementType.DRIVE]
        return address in drives and library.drive(drives.index(address)).loaded

    def _tell(self, cdb: bytes, data_in_bytes: int) -> CdbOutcome:
        """The arm holds what is in the hidden element, of which nothing is told."""
        everything = bytes([cdb[0], cdb[1] & 0xF0, 0, 0, 0xFF, 0xFF, 0]) + _ROOM.to_bytes(3, "big") + bytes(2)
        told = self._inner.execute(everything, data_out=b"", data_in_bytes=_ROOM, timeout=None)
        elements = parse_status(told.data_in).elements
        hidden = next(each for each in elements if each.address == _HIDDEN)
        kind, first = cdb[1] & 0x0F, int.from_bytes(cdb[2:4], "big")
        wanted = [_as_seen(each, hidden) for each in elements if kind in (0, each.type) and each.address >= first]
        return CdbOutcome(0, build_status(wanted, allocation_bytes=data_in_bytes))


def _refused(key: str, code: str) -> CdbOutcome:
    """CHECK CONDITION with fixed sense, in hex."""
    return CdbOutcome(2, sense=bytes.fromhex(f"7000 {key} 00000000 0a 00000000 {code} 00 000000"))


def _as_seen(element: Element, hidden: Element) -> Element:
    if element.address == _HIDDEN:
        return dataclasses.replace(element, full=False, tag=VolumeTag(), source_valid=False)
    if element.type == ElementType.ARM:
        return dataclasses.replace(hidden, type=ElementType.ARM, address=element.address)
    return element


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[tuple[JammingChanger, str]]:
    """The changer, and the address of the host that has it, with its drives, in this process."""
    url = f"virtual-library:{directory}?drives=2&slots=4&cartridges=3&capacity=1M&sync=no"
    with open_library_url(parse_library_url(url)) as library:
        changer = JammingChanger(library)
        host = Host("jammed", movers=SocketMovers(), tapes=library_tapes("lib", library), changers={"lib": changer})
        server = HostServer(host, {USER: SECRET.encode()}.get)
        address, port = await server.start("127.0.0.1", 0)
        try:
            yield changer, f"{address}:{port}"
        finally:
            await server.stop()
