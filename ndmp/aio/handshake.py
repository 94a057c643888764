"""Why a connection under TLS came to nothing, in words."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from ndmp.errors import ConnectionLost, TlsError

__all__ = ["left_early", "lost"]

_WRONG_NAME: Final = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_UNKNOWN_ISSUER: Final = (2, 18, 19, 20, 21)
"""X509_V_ERR_*: an issuer is missing, or self-signed and not among the trusted ones."""
_NO_TLS: Final = "the host answers without TLS"
_NO_CERTIFICATE: Final = "the host demands a client certificate"
_REFUSED: Final = "the host refuses our certificate"
_NOTHING_COMMON: Final = "the host and we have no version of TLS in common"
_REASONS: Final[Mapping[str, str]] = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "UNKNOWN_PROTOCOL": _NO_TLS,
    "PACKET_LENGTH_TOO_LONG": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _NO_CERTIFICATE,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": f"{_NOTHING_COMMON}, or it demands a client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": f"{_REFUSED}: it does not trust who issued it",
    "SSLV3_ALERT_BAD_CERTIFICATE": _REFUSED,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _REFUSED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": f"{_REFUSED}: it has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": f"{_REFUSED}: it was revoked",
    "TLSV1_ALERT_PROTOCOL_VERSION": _NOTHING_COMMON,
    "UNSUPPORTED_PROTOCOL": _NOTHING_COMMON,
    "UNEXPECTED_EOF_WHILE_READING": "the host ended the connection while TLS was agreed on",
}
"""OpenSSL's reasons, as they mean to an application."""


def lost(error: OSError, what: str, *, host: str) -> ConnectionLost:
    """The failure of a connection to ``host`` as ours: TlsError where TLS is the reason."""
    if not isinstance(error, ssl.SSLError):
        return ConnectionLost(f"{what}: {error or type(error).__name__}")
    return TlsError(f"{what}: {_in_words(error, host)}")


def left_early(what: str) -> TlsError:
    """The host hung up during the handshake, or right after it: many do not tell why."""
    return TlsError(f"{what}: the host hangs up; it may demand another client certificate, or not speak TLS here")


def _in_words(error: ssl.SSLError, host: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrusted(error, host)
    return _REASONS.get(error.reason or "", f"TLS failed: {error.reason or error}")


def _distrusted(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in _WRONG_NAME:
        return f"the host's certificate is for another name than {host}"
    if error.verify_code in _UNKNOWN_ISSUER:
        return f"nobody we trust vouches for the host's certificate ({error.verify_message})"
    return f"the host's certificate is not valid ({error.verify_message})"
