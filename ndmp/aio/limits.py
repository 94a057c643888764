"""What one host grants, as values."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one host grants to those who connect. Times in seconds."""

    sessions: int = 512
    sessions_per_address: int = 256
    """Sessions that one peer address may hold."""
    half_open_sessions: int = 32
    """Connections of all peers together that have not logged in: strangers do not fill the house."""
    held_bytes: int = 256 * 1024
    """Requests of one session that wait for their turn before its socket is read no further, in bytes."""
    early_record_bytes: int = 64 * 1024
    """Size of a record at most before login; after it, that of the protocol."""
    send_deadline: float = 60.0
    """How long an application may leave its replies unread."""
    handshake_deadline: float = 10.0
    """How long a TLS handshake may take."""
    login_deadline: float = 60.0
    """How long an application may stay without having logged in."""
    failed_logins: int = 5
    """Failed logins after which a session is closed."""
    first_delay: float = 0.5
    """How long the answer to an address's first failed login is held back; each further one twice as long."""
    longest_delay: float = 30.0
    failures_remembered: float = 15 * 60.0
    """How long an address is known for its failed logins after the last one."""
    addresses_remembered: int = 4096
    """Addresses that are known for failed logins at a time."""
