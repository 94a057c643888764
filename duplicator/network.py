"""How a host makes its data connections: addresses, ports, who may come, how long to wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from duplicator.data_tls import DataTls, TlsPolicy

__all__ = ["NetworkSettings", "Offer"]


@dataclass(frozen=True, slots=True)
class Offer:
    """An address that a listener tells its peer, and the one that it binds: behind NAT they differ."""

    address: IPv4Address
    bind: IPv4Address | None = None
    """None: the address itself."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How data connections are made. Times in seconds."""

    accept_deadline: float = 120.0
    connect_deadline: float = 20.0
    handshake_deadline: float = 10.0
    """For TLS and its token, of one peer; others are heard meanwhile."""
    silence_limit: float = 60.0
    """How long a peer may leave the network's questions unanswered before it counts as gone; rounded to whole ones."""
    ports: range | None = None
    """Where to listen, in a random order; None: where the system likes."""
    offers: Sequence[Offer] = ()
    """Addresses to offer, the best one first; none: the one on which the control connection arrived."""
    peers: Sequence[IPv4Network] = ()
    """Who may connect, and be connected to; none: anybody."""
    tls: DataTls | None = None

    @property
    def tls_policy(self) -> TlsPolicy:
        """What is to be done about TLS."""
        return self.tls.policy if self.tls else TlsPolicy.OFF

    def allows(self, host: str) -> bool:
        """Whether data may come from, or go to, this IPv4 address."""
        return not self.peers or any(IPv4Address(host) in network for network in self.peers)
