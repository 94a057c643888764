"""Our NDMP host as a program of its own, so that it can run in a namespace: ``python -m tests.interop.ndmp_host URL``.

Serves one virtual tape under the device name "tape" in the profile of ndmjob; prints its port; ends with its input.
"""

from __future__ import annotations

import asyncio
import sys

from duplicator.adapters import VirtualTapeBackend
from duplicator.mover import SocketMovers
from ndmp.aio.server import HostServer
from ndmp.backends import Host
from ndmp.services.profile import NDMJOB
from scsi.virtual.url import parse_url


async def serve(url: str) -> None:
    """Serve until the input ends."""
    host = Host("localhost", movers=SocketMovers(), tapes={"tape": VirtualTapeBackend(parse_url(url))})
    server = HostServer(host, {"ndmp": b"ndmp"}.get, profile=NDMJOB)
    _, port = await server.start("127.0.0.1", 0)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
