"""The certificate that a listener for TLS data connections shows: the host's own, or one made for the purpose."""

from __future__ import annotations

import datetime
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from duplicator.data_tls import CertificateError, Identity

__all__ = ["ephemeral_identity", "identity_of"]

_LIFETIME: Final = datetime.timedelta(days=3650)
"""Of a certificate that lives as long as its process: nobody looks at its dates, only at its fingerprint."""


def _listening_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    def no_password() -> str:
        raise CertificateError(f"{key or certificate}: the key is encrypted")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # nobody resumes, and a sender that never reads would close with tickets unread: a reset
    context.load_cert_chain(certificate, key, no_password)
    return context


def identity_of(certificate: Path, key: Path | None) -> Identity:
    """From PEM files; without ``key``, it is in the same one. CertificateError if they cannot be used."""
    try:
        first = x509.load_pem_x509_certificate(certificate.read_bytes())
        return Identity(_listening_context(certificate, key), first.fingerprint(hashes.SHA256()))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CertificateError(f"{certificate}{f', {key}' if key else ''}: {error}") from error


def ephemeral_identity() -> Identity:
    """One made now, which never touches a disk."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ndmpdup data connection")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with _nowhere_on_disk(certificate.public_bytes(serialization.Encoding.PEM) + secret) as path:
        return identity_of(path, None)


@contextmanager
def _nowhere_on_disk(content: bytes) -> Iterator[Path]:
    """A file in memory, since ssl takes certificates from files only."""
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, content)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
