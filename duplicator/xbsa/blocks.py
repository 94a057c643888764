"""The rules of data blocks."""

from __future__ import annotations

from duplicator.xbsa.codes import CallError, ReturnCode
from duplicator.xbsa.types import BSA_DataBlock32

__all__ = ["bytes_of", "prefer_any", "room_of"]

_UINT32 = range(1 << 32)


def prefer_any(block: BSA_DataBlock32) -> None:
    """What the library wants of buffers: any length, no header, no trailer."""
    block.bufferLen = block.numBytes = block.headerBytes = 0
    block.shareId = block.shareOffset = 0


def bytes_of(block: BSA_DataBlock32) -> tuple[memoryview, bool]:
    """What is to be sent, and whether it fills the buffer; CallError with INVALID_DATABLOCK."""
    if block.numBytes not in _UINT32 or block.headerBytes + block.numBytes > block.bufferLen:
        _refuse(f"{block.headerBytes} + {block.numBytes} bytes in a buffer of {block.bufferLen}")
    used = block.headerBytes + block.numBytes
    return _view(block)[block.headerBytes : used], used == block.bufferLen


def room_of(block: BSA_DataBlock32) -> memoryview:
    """Where data may be put; CallError with INVALID_DATABLOCK."""
    view = _view(block)
    if view.readonly:
        _refuse("the buffer cannot be written to")
    if block.headerBytes >= block.bufferLen:
        _refuse(f"no room behind a header of {block.headerBytes} bytes in a buffer of {block.bufferLen}")
    return view[block.headerBytes : block.bufferLen]


def _view(block: BSA_DataBlock32) -> memoryview:
    """The buffer, as bytes."""
    if block.bufferLen not in _UINT32 or block.headerBytes not in _UINT32:
        _refuse("lengths are numbers of 32 bits")
    try:
        view = memoryview(block.bufferPtr if block.bufferPtr is not None else b"").cast("B")
    except TypeError as error:
        raise CallError(ReturnCode.INVALID_DATABLOCK, f"bufferPtr: {error}") from error
    if len(view) < block.bufferLen:
        _refuse(f"bufferLen says {block.bufferLen}, and the buffer has {len(view)} bytes")
    return view


def _refuse(text: str) -> None:
    raise CallError(ReturnCode.INVALID_DATABLOCK, text)
