"""Our NDMP host as a program of its own, with room for many sessions: ``python -m tests.bench.session_host URL``.

Serves one virtual tape; prints its port; ends with its input.
"""

from __future__ import annotations

import asyncio
import resource
import sys

from duplicator.adapters import VirtualTapeBackend
from duplicator.mover import SocketMovers
from ndmp.aio.server import HostServer, Limits
from ndmp.backends import Host
from ndmp.services.profile import NDMJOB
from scsi.virtual.url import parse_url

MANY = 10_000


async def serve(url: str) -> None:
    """Serve until the input ends."""
    host = Host("localhost", movers=SocketMovers(), tapes={"tape": VirtualTapeBackend(parse_url(url))})
    limits = Limits(sessions=MANY, sessions_per_address=MANY)
    server = HostServer(host, {"ndmp": b"ndmp"}.get, profile=NDMJOB, limits=limits)
    _, port = await server.start("127.0.0.1", 0)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve(sys.argv[1]))
