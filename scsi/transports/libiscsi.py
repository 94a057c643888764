"""The calls of libiscsi that are needed here; it is an optional library of the system, version 1.19 (libiscsi.so.7)."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from typing import Any, Final

from scsi.errors import DeviceUrlError

__all__ = ["CALLBACK", "Task", "library"]

_NAME: Final = "libiscsi.so.7"
_INSTALL: Final = "install it (Debian: apt-get install libiscsi7)"

CALLBACK: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
"""What is called at the end of an operation: context, status, task, and a pointer that is not used here."""


class _Sense(ctypes.Structure):
    """struct scsi_sense; the compiler packs its first three bit-fields into one byte."""

    _fields_ = (
        *(("error_type", ctypes.c_ubyte), ("key", ctypes.c_int), ("ascq", ctypes.c_int)),
        *(("flags", ctypes.c_ubyte), ("bit", ctypes.c_ubyte), ("field", ctypes.c_uint16)),
    )


class Task(ctypes.Structure):
    """The beginning of struct scsi_task."""

    _fields_ = (
        *(("status", ctypes.c_int), ("cdb_bytes", ctypes.c_int), ("direction", ctypes.c_int)),
        *(("expected", ctypes.c_int), ("cdb", ctypes.c_ubyte * 16), ("residual_kind", ctypes.c_int)),
        *(("residual", ctypes.c_size_t), ("sense", _Sense), ("received", ctypes.c_int)),
        ("received_at", ctypes.c_void_p),
    )


_POINTER, _INT, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_CALLS: Final[Sequence[tuple[str, Any, Sequence[Any]]]] = (
    ("iscsi_create_context", _POINTER, (_TEXT,)),
    ("iscsi_destroy_context", _INT, (_POINTER,)),
    ("iscsi_set_targetname", _INT, (_POINTER, _TEXT)),
    ("iscsi_set_session_type", _INT, (_POINTER, _INT)),
    ("iscsi_set_initiator_username_pwd", _INT, (_POINTER, _TEXT, _TEXT)),
    ("iscsi_set_noautoreconnect", None, (_POINTER, _INT)),
    ("iscsi_set_timeout", _INT, (_POINTER, _INT)),
    ("iscsi_set_log_level", None, (_POINTER, _INT)),
    ("iscsi_connect_async", _INT, (_POINTER, _TEXT, CALLBACK, _POINTER)),
    ("iscsi_login_async", _INT, (_POINTER, CALLBACK, _POINTER)),
    ("iscsi_logout_async", _INT, (_POINTER, CALLBACK, _POINTER)),
    ("iscsi_scsi_command_async", _INT, (_POINTER, _INT, _POINTER, CALLBACK, _POINTER, _POINTER)),
    ("iscsi_get_fd", _INT, (_POINTER,)),
    ("iscsi_which_events", _INT, (_POINTER,)),
    ("iscsi_service", _INT, (_POINTER, _INT)),
    ("iscsi_get_error", _TEXT, (_POINTER,)),
    ("scsi_create_task", _POINTER, (_INT, _TEXT, _INT, _INT)),
    ("scsi_free_scsi_task", None, (_POINTER,)),
    ("scsi_task_add_data_in_buffer", _INT, (_POINTER, _INT, _POINTER)),
    ("scsi_task_add_data_out_buffer", _INT, (_POINTER, _INT, _POINTER)),
)


@functools.cache
def library() -> Any:  # noqa: ANN401 (functions of a C library)
    """The library, loaded; DeviceUrlError says what to install. Its calls let other threads run."""
    try:
        loaded = ctypes.CDLL(_NAME)
    except OSError as failure:
        raise DeviceUrlError(f"iscsi:// needs {_NAME}, which is missing: {_INSTALL}") from failure
    for name, result, arguments in _CALLS:
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded
