"""TLS from the files that users name: which peers are trusted, and who we are."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from duplicator.private_files import CredentialError, open_private

__all__ = ["ClientTls", "ServerTls"]


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How this program makes its connections secure.

    ``ca``: whom to trust, a file with authorities or with the very certificates of hosts; None for those of the system.
    ``certificate``, ``key``: who we are, to hosts that ask; without ``key`` both are in one file.
    ``required``: make no connection, and have none made between hosts, that is not secure.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    required: bool = False

    def context(self) -> ssl.SSLContext:
        """For connections to hosts, whose names must be those in their certificates; CredentialError."""
        context = _context(ssl.Purpose.SERVER_AUTH, self.ca)
        # So that a host's own certificate may be named, whoever issued it.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        if self.certificate is not None:
            _identify(context, self.certificate, self.key)
        elif self.key is not None:
            raise CredentialError(f"key file {self.key}: it is of no use without its certificate")
        return context


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Who a host of ours is; with ``client_ca``, only clients come in that have a certificate from there."""

    certificate: Path
    key: Path | None = None
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """For a listener; CredentialError."""
        context = _context(ssl.Purpose.CLIENT_AUTH, self.client_ca)
        if self.client_ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        self.renew(context)
        return context

    def renew(self, context: ssl.SSLContext) -> None:
        """Show what the certificate's file holds now, from the next connection on; CredentialError."""
        _identify(context, self.certificate, self.key)


def _context(purpose: ssl.Purpose, ca: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(purpose, cafile=str(ca) if ca is not None else None)
    except OSError as error:
        raise CredentialError(f"CA file {ca}: {_reason(error, 'has no certificate in PEM form')}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _identify(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Load who we are. The key is read from the file that was checked, whatever its name leads to by then."""
    with open_private(key or certificate, "key file") as file:
        try:
            context.load_cert_chain(certificate, f"/dev/fd/{file.fileno()}", password=_refuse_encrypted)
        except OSError as error:
            problem = _reason(error, "no certificate in PEM form with its key")
            raise CredentialError(f"certificate {certificate}, key file {key or certificate}: {problem}") from error


def _refuse_encrypted() -> NoReturn:
    """OpenSSL would ask the terminal."""
    reason = "the key is encrypted: store it without a passphrase, in a file that only you can read"
    raise CredentialError(reason)


def _reason(error: OSError, malformed: str) -> str:
    if not isinstance(error, ssl.SSLError):
        return error.strerror or "cannot be read"
    return "the key is not that of the certificate" if error.reason == "KEY_VALUES_MISMATCH" else malformed
