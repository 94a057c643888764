"""Ends of data connections under TLS: ours, and sockets in the hands of a test."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from duplicator.data_tls import DataTls, TlsPolicy
from duplicator.dataconn import DataConnection
from duplicator.network import NetworkSettings
from ndmp.types import TcpAddress
from tests.duplicator.listening import Listener, dial

__all__ = [
    "CUT_OFF",
    "FINGERPRINT",
    "OFF",
    "OFFER",
    "REQUIRE",
    "TOKEN",
    "all_of",
    "assert_cut_off",
    "calling",
    "invited_client",
    "joined",
    "strange_client",
    "told",
]

OFF, OFFER, REQUIRE = (
    NetworkSettings(connect_deadline=5, tls=DataTls(policy) if policy else None)
    for policy in (None, TlsPolicy.OFFER, TlsPolicy.REQUIRE)
)
FINGERPRINT, TOKEN = "NDMPDUP_TLS_SHA256", "NDMPDUP_TLS_TOKEN"


@contextmanager
def calling(settings: NetworkSettings = REQUIRE) -> Iterator[DataConnection]:
    """A data connection that is to connect."""
    near = DataConnection(settings)
    try:
        yield near
    finally:
        near.stop()
        near.close()


def told(address: TcpAddress) -> dict[str, str]:
    """The address environment."""
    return dict(address.environment)


def strange_client(address: TcpAddress) -> ssl.SSLSocket:
    """TLS by the standard library, to the last of the addresses, with nothing sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(dial(address), suppress_ragged_eofs=False)


def invited_client(address: TcpAddress) -> ssl.SSLSocket:
    """The same, with the token sent."""
    client = strange_client(address)
    client.sendall(bytes.fromhex(told(address)[TOKEN]))
    return client


@contextmanager
def joined() -> Iterator[tuple[Listener, ssl.SSLSocket]]:
    """A listener of ours, in TLS with a client of the standard library."""
    with Listener(REQUIRE) as near, invited_client(near.addresses[0]) as far:
        assert near.done() == TcpAddress(*far.getsockname())
        yield near, far


def all_of(near: DataConnection) -> bytes:
    """Everything up to the orderly end."""
    taken, buffer = bytearray(), memoryview(bytearray(1 << 20))
    while count := near.receive(buffer):
        taken += buffer[:count]
    assert count == 0
    return bytes(taken)


CUT_OFF = r"EOF|reset|cut off"


def assert_cut_off(receive: Callable[[], object]) -> None:
    """It gives something for a while, and then says that the stream broke."""

    def to_the_end() -> None:
        while receive():
            pass

    with pytest.raises(OSError, match=CUT_OFF):
        to_the_end()
