"""Run in a network namespace of its own: what a data connection says of a peer that vanishes, or that only waits.

Arguments: plain or tls; waiting (to receive), sending, or full (sending, and the peer takes nothing); gone or there.
Prints the seconds until the connection failed and why, or "alive".
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable

from duplicator.data_tls import DataTls, TlsPolicy
from duplicator.dataconn import DataConnection, NetworkSettings, Stopped

LIMIT = 6.0
"""Seconds; the shortest for which the system's clocks are fine enough."""


def pair(kind: str) -> tuple[DataConnection, DataConnection]:
    """Two ends of one connection."""
    tls = DataTls(TlsPolicy.REQUIRE) if kind == "tls" else None
    near, far = (DataConnection(NetworkSettings(silence_limit=LIMIT, tls=tls)) for _ in range(2))
    addresses = near.listen("127.0.0.1")
    calling = threading.Thread(target=far.connect, args=(addresses,))
    calling.start()
    near.accept()
    calling.join()
    return near, far


def use(near: DataConnection, manner: str) -> None:
    """Wait for the peer, for ever."""
    if manner == "waiting":
        while near.receive(memoryview(bytearray(10))) is None:
            pass
    else:
        while True:
            near.send(memoryview(bytes(100_000)))


def take(far: DataConnection) -> None:
    """Receive until told to stop."""
    try:
        while True:
            far.receive(memoryview(bytearray(1 << 20)))
    except (Stopped, OSError):
        return


def after(seconds: float, act: Callable[[], object]) -> None:
    """Do it then, unless all is over."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()


def main(kind: str, manner: str, fate: str) -> None:
    """See above."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    near, far = pair(kind)  # far stays open to the end
    if manner == "sending":
        threading.Thread(target=take, args=(far,), daemon=True).start()
    after(2 * LIMIT + 5, near.stop)
    if fate == "gone":
        after(1, lambda: subprocess.run(["ip", "link", "set", "lo", "down"], check=True))
    begun = time.monotonic()
    try:
        use(near, manner)
    except Stopped:
        sys.stdout.write("alive\n")
    except OSError as error:
        sys.stdout.write(f"{time.monotonic() - begun:.1f} {error}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
