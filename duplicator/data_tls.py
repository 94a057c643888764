"""TLS for data connections between two hosts of ours, agreed upon in the address environment (docs/data-tls.md)."""

from __future__ import annotations

import secrets
import ssl
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Final

from ndmp.types import TcpAddress

__all__ = [
    "TOKEN_BYTES",
    "CertificateError",
    "DataTls",
    "Identity",
    "Invitation",
    "TlsPolicy",
    "calling_context",
    "invitation_of",
]

TOKEN_BYTES: Final = 32
"""What a connecting side sends first inside TLS."""
_PREFIX: Final = "NDMPDUP_TLS_"
_FINGERPRINT: Final = _PREFIX + "SHA256"
_TOKEN: Final = _PREFIX + "TOKEN"
_SHA256_BYTES: Final = 32


class CertificateError(Exception):
    """A certificate or its key cannot be used; the text names the file."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate in use."""

    context: ssl.SSLContext
    fingerprint: bytes
    """SHA-256 of the certificate, 32 bytes."""


class TlsPolicy(Enum):
    """OFFER: with every peer that can. REQUIRE: or not at all."""

    OFF = "off"
    OFFER = "offer"
    REQUIRE = "require"


@dataclass(frozen=True)
class DataTls:
    """TLS on data connections. Without ``certificate`` (PEM) a listener shows one made for the purpose."""

    policy: TlsPolicy = TlsPolicy.OFFER
    certificate: Path | None = None
    key: Path | None = None
    """PEM; None: in the same file as the certificate."""

    @cached_property
    def identity(self) -> Identity:
        """What a listener shows, from the first use on; CertificateError if the files cannot be used."""
        from duplicator import certificates  # here, as few commands need it and it takes long

        if self.certificate is None:
            return certificates.ephemeral_identity()
        return certificates.identity_of(self.certificate, self.key)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a listener tells of its TLS endpoint: whom to expect there, and what to show."""

    fingerprint: bytes
    token: bytes

    @classmethod
    def by(cls, identity: Identity) -> Invitation:
        """A new one, for one connection."""
        return cls(identity.fingerprint, secrets.token_bytes(TOKEN_BYTES))

    @property
    def environment(self) -> tuple[tuple[str, str], ...]:
        """For the endpoint's address."""
        return ((_FINGERPRINT, self.fingerprint.hex()), (_TOKEN, self.token.hex()))


def invitation_of(address: TcpAddress) -> Invitation | None:
    """The invitation to TLS of this endpoint, None for a plain one; ValueError if it cannot be understood."""
    told = {name: value for name, value in address.environment if name.startswith(_PREFIX)}
    if not told:
        return None
    try:
        invitation = Invitation(bytes.fromhex(told[_FINGERPRINT]), bytes.fromhex(told[_TOKEN]))
    except KeyError as error:
        raise ValueError(f"an endpoint for TLS without {error.args[0]}") from None
    if (len(invitation.fingerprint), len(invitation.token)) != (_SHA256_BYTES, TOKEN_BYTES):
        raise ValueError("an endpoint for TLS with a fingerprint or token of another length")
    return invitation


def calling_context() -> ssl.SSLContext:
    """For the connecting side: no authority is asked, the fingerprint is compared after the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
