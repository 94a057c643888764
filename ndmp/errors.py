"""What can go wrong, sorted by who is at fault."""

from __future__ import annotations

from ndmp.enums import Error

__all__ = [
    "ConnectionLost",
    "LocalProtocolError",
    "NdmpError",
    "RemoteProtocolError",
    "ReplyError",
    "TlsError",
    "XdrError",
]


class NdmpError(Exception):
    """Any failure that this package reports."""


class ReplyError(NdmpError):
    """The answer is no: a request was understood and refused.

    ``error`` is the NDMP error number (draft section 2.8.1); ``text`` says in words what was refused.
    """

    def __init__(self, error: Error, text: str = "") -> None:
        self.error = Error(error)
        self.text = text
        super().__init__(f"{self.error.name}: {text}" if text else self.error.name)


class RemoteProtocolError(NdmpError):
    """The peer broke the protocol; the connection cannot be used further."""


class LocalProtocolError(NdmpError):
    """This side misused the protocol layer: a bug in the caller."""


class ConnectionLost(NdmpError):
    """The peer or the network ended the connection before the work was done."""


class TlsError(ConnectionLost):
    """The connection is not secure: a certificate was refused, or the two ends found no TLS in common."""


class XdrError(NdmpError):
    """Bytes that are not the message they should be, or a value that does not fit its wire type."""
