"""CONNECT: version, login, end (draft 3.1)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from ndmp.enums import AuthType, Error
from ndmp.wire import U16, OtherArm, Reply, Request, Tagged, Text, fixed, reply, request, struct

__all__ = [
    "AuthAttributes",
    "AuthMd5",
    "AuthMd5Attributes",
    "AuthNone",
    "AuthNoneAttributes",
    "AuthProof",
    "AuthText",
    "AuthTextAttributes",
    "ConnectClientAuth",
    "ConnectClientAuthReply",
    "ConnectClose",
    "ConnectCloseReply",
    "ConnectOpen",
    "ConnectOpenReply",
    "ConnectServerAuth",
    "ConnectServerAuthReply",
]


@struct
class AuthNone:
    """No proof."""


@struct
class AuthText:
    """Name and password as they are."""

    user: Text
    password: Text

    def __repr__(self) -> str:
        return f"AuthText(user={self.user!r}, password=...)"


@struct
class AuthMd5:
    """Name and the digest of password and challenge (draft 3.1.2)."""

    user: Text
    digest: Annotated[bytes, fixed(16)]


AuthProof: TypeAlias = Annotated[
    AuthNone | AuthText | AuthMd5 | OtherArm,
    Tagged({AuthType.NONE: AuthNone, AuthType.TEXT: AuthText, AuthType.MD5: AuthMd5}),
]


@struct
class AuthNoneAttributes:
    """Nothing is needed to log in without proof."""


@struct
class AuthTextAttributes:
    """Nothing is needed to log in by text."""


@struct
class AuthMd5Attributes:
    """The challenge for an MD5 login."""

    challenge: Annotated[bytes, fixed(64)]


AuthAttributes: TypeAlias = Annotated[
    AuthNoneAttributes | AuthTextAttributes | AuthMd5Attributes | OtherArm,
    Tagged({AuthType.NONE: AuthNoneAttributes, AuthType.TEXT: AuthTextAttributes, AuthType.MD5: AuthMd5Attributes}),
]


@request(0x900)
class ConnectOpen(Request["ConnectOpenReply"]):
    """Choose the protocol version (draft 3.1.1)."""

    protocol_version: U16


@reply(0x900)
class ConnectOpenReply(Reply):
    """The version is accepted, or ILLEGAL_ARGS."""

    error: Error


@request(0x901)
class ConnectClientAuth(Request["ConnectClientAuthReply"]):
    """Log in (draft 3.1.2)."""

    proof: AuthProof


@reply(0x901)
class ConnectClientAuthReply(Reply):
    """Logged in, or NOT_AUTHORIZED."""

    error: Error


@request(0x902)
class ConnectClose(Request["ConnectCloseReply"]):
    """The application is done; the host closes the connection (draft 3.1.3)."""


@reply(0x902)
class ConnectCloseReply(Reply):
    """Not in the draft; ndmjob sends its header without this body."""

    error: Error


@request(0x903)
class ConnectServerAuth(Request["ConnectServerAuthReply"]):
    """Ask the host to prove who it is (draft 3.1.4)."""

    attributes: AuthAttributes


@reply(0x903)
class ConnectServerAuthReply(Reply):
    """The host's proof."""

    error: Error
    proof: AuthProof
