"""Who may come in, and how fast one may guess a password. Time is an argument: seconds of any steady clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address

from ndmp.aio.limits import Limits

__all__ = ["Admission", "LoginGate", "neighbourhood"]


def neighbourhood(host: str) -> str:
    """What counts as one peer address: an IPv4 address, or the 64 bits of an IPv6 address that a site is given."""
    address = ip_address(host)
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address.packed[:8] + bytes(8), 64)))


class Admission:
    """Counts who is in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_address: Counter[str] = Counter()
        self._half_open = 0

    def enter(self, address: str) -> str | None:
        """Let a connection in; or why not, in words for its other end."""
        limits = self._limits
        if self._by_address.total() >= limits.sessions:
            return "too many sessions"
        if self._by_address[address] >= limits.sessions_per_address:
            return "too many sessions of one address"
        if self._half_open >= limits.half_open_sessions:
            return "too many sessions without login"
        self._by_address[address] += 1
        self._half_open += 1
        return None

    def log_in(self) -> None:
        """One of those who are in has logged in."""
        self._half_open -= 1

    def leave(self, address: str, *, logged_in: bool) -> None:
        """A connection is over."""
        self._half_open -= not logged_in
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


@dataclass(slots=True)
class _Record:
    failures: int
    shut_until: float
    last: float


class LoginGate:
    """Makes guessing slow: after a failed login, the gate is shut for its address, longer each time.

    One login of an address is tried at a time, so that several connections guess no faster than one. Who hangs up
    instead of waiting for the answer finds the gate shut all the same.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._records: dict[str, _Record] = {}
        """By address, the one that failed longest ago first."""

    def wait(self, address: str, now: float) -> float:
        """Seconds until a login of this address may be tried; then ask again."""
        record = self._records.get(address)
        return max(0.0, record.shut_until - now) if record else 0.0

    def fail(self, address: str, now: float) -> float:
        """A login failed: seconds until its answer may go out, and the next one of this address be tried."""
        record = self._records.pop(address, None)
        if record is None or now - record.last > self._limits.failures_remembered:
            record = _Record(0, now, now)
        delay = min(self._limits.first_delay * 2.0 ** min(record.failures, 32), self._limits.longest_delay)
        record.failures += 1
        record.shut_until, record.last = now + delay, now
        if len(self._records) >= self._limits.addresses_remembered:
            del self._records[next(iter(self._records))]
        self._records[address] = record
        return delay
