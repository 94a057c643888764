"""A whole NDMP tape server: a drive of our own (tape_drive.py), and the library around it. See docs/hosts.md.

    python examples/host.py --port 10000 --user backup --password-file FILE

What is on the tape is gone when the program ends.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from tape_drive import Drive

from duplicator.mover import SocketMovers
from ndmp.aio.server import HostServer
from ndmp.backends import Host


async def serve(port: int, user: str, secret: bytes) -> None:
    """Serve on this machine until SIGINT or SIGTERM."""
    host = Host("example", movers=SocketMovers(), tapes={"drive": Drive()}, vendor="Example", product="List tapes")
    server = HostServer(host, {user: secret}.get)
    address, taken = await server.start("127.0.0.1", port)
    sys.stdout.write(f"{address}:{taken}\n")
    sys.stdout.flush()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()
    await server.stop()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True, help="0 takes a free one")
    options.add_argument("--user", required=True)
    options.add_argument("--password-file", type=Path, required=True)
    given = options.parse_args()
    password = given.password_file.read_bytes().strip()
    if not password:
        options.error("the password file is empty")
    asyncio.run(serve(given.port, given.user, password))
