"""DATA: between a file system and a data connection (draft 3.5). Sizes and offsets in bytes."""

from __future__ import annotations

from ndmp.enums import AddressType, DataHaltReason, DataOperation, DataState, DataUnsupported, Error
from ndmp.types import Address, Pval
from ndmp.wire import U32, U64, Reply, Request, Text, reply, request, struct

__all__ = [
    "DataAbort",
    "DataAbortReply",
    "DataConnect",
    "DataConnectReply",
    "DataGetEnv",
    "DataGetEnvReply",
    "DataGetState",
    "DataGetStateReply",
    "DataListen",
    "DataListenReply",
    "DataStartBackup",
    "DataStartBackupReply",
    "DataStartRecover",
    "DataStartRecoverFilehist",
    "DataStartRecoverFilehistReply",
    "DataStartRecoverReply",
    "DataStop",
    "DataStopReply",
    "RecoverName",
]


@request(0x400)
class DataGetState(Request["DataGetStateReply"]):
    """Ask for the data service's state and progress; always allowed (draft 3.5.2.6)."""


@reply(0x400)
class DataGetStateReply(Reply):
    """State and progress; ``unsupported`` comes before ``error`` on the wire. ``est_time_remain`` in seconds."""

    unsupported: DataUnsupported
    error: Error
    operation: DataOperation
    state: DataState
    halt_reason: DataHaltReason
    bytes_processed: U64
    est_bytes_remain: U64
    est_time_remain: U32
    address: Address
    read_offset: U64
    read_length: U64


@request(0x401)
class DataStartBackup(Request["DataStartBackupReply"]):
    """Back up into the data connection; unknown variables are kept, not refused (draft 3.5.2.3)."""

    butype: Text
    environment: tuple[Pval, ...]


@reply(0x401)
class DataStartBackupReply(Reply):
    """The backup runs."""

    error: Error


@struct
class RecoverName:
    """A path to recover and where to; ``node`` and ``fh_info`` from its file history, all ones if unknown.

    An empty ``original_path`` means everything (draft 3.5.2.4; ``destination_path`` is destination_dir in its 2.12).
    """

    original_path: Text
    destination_path: Text
    name: Text
    other_name: Text
    node: U64
    fh_info: U64


@request(0x402)
class DataStartRecover(Request["DataStartRecoverReply"]):
    """Recover from the data connection (draft 3.5.2.4). ``names``: one at least."""

    environment: tuple[Pval, ...]
    names: tuple[RecoverName, ...]
    butype: Text


@reply(0x402)
class DataStartRecoverReply(Reply):
    """The recovery runs."""

    error: Error


@request(0x403)
class DataAbort(Request["DataAbortReply"]):
    """End the operation at once; in any state but IDLE (draft 3.5.2.9)."""


@reply(0x403)
class DataAbortReply(Reply):
    """Halted; the notification follows."""

    error: Error


@request(0x404)
class DataGetEnv(Request["DataGetEnvReply"]):
    """Ask for the environment of the operation, to be kept for the recovery (draft 3.5.2.7)."""


@reply(0x404)
class DataGetEnvReply(Reply):
    """All variables that the start request had, and those the host added."""

    error: Error
    environment: tuple[Pval, ...]


@request(0x407)
class DataStop(Request["DataStopReply"]):
    """From HALTED to IDLE; everything is reset (draft 3.5.2.8)."""


@reply(0x407)
class DataStopReply(Reply):
    """Idle."""

    error: Error


@request(0x409)
class DataListen(Request["DataListenReply"]):
    """Offer a data connection (draft 3.5.2.2)."""

    address_type: AddressType


@reply(0x409)
class DataListenReply(Reply):
    """Where to connect."""

    error: Error
    address: Address


@request(0x40A)
class DataConnect(Request["DataConnectReply"]):
    """Connect to a peer that listens (draft 3.5.2.1)."""

    address: Address


@reply(0x40A)
class DataConnectReply(Reply):
    """Connected, or CONNECT."""

    error: Error


@request(0x40B)
class DataStartRecoverFilehist(Request["DataStartRecoverFilehistReply"]):
    """Read the data connection for its file history only; optional (draft 3.5.2.5)."""

    environment: tuple[Pval, ...]
    names: tuple[RecoverName, ...]
    butype: Text


@reply(0x40B)
class DataStartRecoverFilehistReply(Reply):
    """The recovery of file history runs."""

    error: Error
