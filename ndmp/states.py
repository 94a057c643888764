"""State tables, each row with the section of the draft that it comes from. Data and nothing else."""

from __future__ import annotations

from enum import Enum
from typing import Final

from ndmp.enums import DataState, MoverState
from ndmp.machine import Transition

__all__ = [
    "CONNECTION",
    "DATA",
    "MOVER",
    "TAPE",
    "ConnectionEvent",
    "ConnectionState",
    "DataTrigger",
    "MoverTrigger",
    "TapeState",
    "TapeTrigger",
]


class ConnectionState(Enum):
    """How far a control connection has come (draft 2.11.2)."""

    GREETED = "greeted"
    OPEN = "open"
    AUTHORIZED = "authorized"
    CLOSED = "closed"


class ConnectionEvent(Enum):
    """What moves a control connection."""

    OPEN = "CONNECT_OPEN"
    REQUEST = "another request"
    AUTHORIZED = "login accepted"
    CLOSE = "CONNECT_CLOSE"


_C = ConnectionState
_CE = ConnectionEvent
CONNECTION: Final = (
    Transition(_C.GREETED, _CE.OPEN, _C.OPEN, "3.1.1"),
    Transition(_C.OPEN, _CE.OPEN, _C.OPEN, "3.1.1, repeated before login: accepted as ndmjob does"),
    Transition(_C.GREETED, _CE.REQUEST, _C.OPEN, "2.11.2: any other request accepts the greeted version"),
    Transition(_C.OPEN, _CE.REQUEST, _C.OPEN, "2.11.2"),
    Transition(_C.AUTHORIZED, _CE.REQUEST, _C.AUTHORIZED, "2.11.2"),
    Transition(_C.OPEN, _CE.AUTHORIZED, _C.AUTHORIZED, "3.1.2"),
    Transition(_C.AUTHORIZED, _CE.AUTHORIZED, _C.AUTHORIZED, "3.1.2: a second login is not forbidden"),
    Transition(_C.GREETED, _CE.CLOSE, _C.CLOSED, "3.1.3"),
    Transition(_C.OPEN, _CE.CLOSE, _C.CLOSED, "3.1.3"),
    Transition(_C.AUTHORIZED, _CE.CLOSE, _C.CLOSED, "3.1.3"),
)


class DataTrigger(Enum):
    """What moves a data service: requests, and what its data path reports. DATA_GET_STATE is always allowed."""

    LISTEN = "DATA_LISTEN"
    CONNECT = "DATA_CONNECT"
    ACCEPTED = "peer connected"
    START_BACKUP = "DATA_START_BACKUP"
    START_RECOVER = "DATA_START_RECOVER"
    START_RECOVER_FILEHIST = "DATA_START_RECOVER_FILEHIST"
    GET_ENV = "DATA_GET_ENV"
    ABORT = "DATA_ABORT"
    ENDED = "operation ended or failed"
    STOP = "DATA_STOP"


_D = DataState
_DT = DataTrigger
DATA: Final = (
    Transition(_D.IDLE, _DT.LISTEN, _D.LISTEN, "3.5.2.2"),
    Transition(_D.IDLE, _DT.CONNECT, _D.CONNECTED, "3.5.2.1"),
    Transition(_D.LISTEN, _DT.ACCEPTED, _D.CONNECTED, "2.11.5"),
    Transition(_D.LISTEN, _DT.ABORT, _D.HALTED, "2.11.5"),
    Transition(_D.LISTEN, _DT.ENDED, _D.HALTED, "2.11.5"),
    Transition(_D.CONNECTED, _DT.START_BACKUP, _D.ACTIVE, "3.5.2.3"),
    Transition(_D.CONNECTED, _DT.START_RECOVER, _D.ACTIVE, "3.5.2.4"),
    Transition(_D.CONNECTED, _DT.START_RECOVER_FILEHIST, _D.ACTIVE, "3.5.2.5"),
    Transition(_D.CONNECTED, _DT.ABORT, _D.HALTED, "2.11.5"),
    Transition(_D.CONNECTED, _DT.ENDED, _D.HALTED, "2.11.5"),
    Transition(_D.ACTIVE, _DT.GET_ENV, _D.ACTIVE, "3.5.2.7"),
    Transition(_D.ACTIVE, _DT.ABORT, _D.HALTED, "2.11.5"),
    Transition(_D.ACTIVE, _DT.ENDED, _D.HALTED, "2.11.5"),
    Transition(_D.HALTED, _DT.GET_ENV, _D.HALTED, "3.5.2.7"),
    Transition(_D.HALTED, _DT.ABORT, _D.HALTED, "3.5.2.9: any state but IDLE; changes nothing"),
    Transition(_D.HALTED, _DT.STOP, _D.IDLE, "3.5.2.8"),
)
"""Enforced by services/data.py, which answers ILLEGAL_STATE to what has no row."""


class MoverTrigger(Enum):
    """What moves a mover: requests, and what its data path reports."""

    LISTEN = "MOVER_LISTEN"
    CONNECT = "MOVER_CONNECT"
    ACCEPTED = "peer connected"
    SET_RECORD_SIZE = "MOVER_SET_RECORD_SIZE"
    SET_WINDOW = "MOVER_SET_WINDOW"
    READ = "MOVER_READ"
    PAUSED = "transfer paused"
    CONTINUE = "MOVER_CONTINUE"
    CLOSE = "MOVER_CLOSE"
    ABORT = "MOVER_ABORT"
    ENDED = "transfer ended"
    STOP = "MOVER_STOP"


_M = MoverState
_MT = MoverTrigger
MOVER: Final = (
    Transition(_M.IDLE, _MT.SET_RECORD_SIZE, _M.IDLE, "3.6.2.1"),
    Transition(_M.IDLE, _MT.SET_WINDOW, _M.IDLE, "3.6.2.2"),
    Transition(_M.IDLE, _MT.LISTEN, _M.LISTEN, "3.6.2.4"),
    Transition(_M.IDLE, _MT.CONNECT, _M.ACTIVE, "3.6.2.3"),
    Transition(_M.LISTEN, _MT.ACCEPTED, _M.ACTIVE, "2.11.6"),
    Transition(_M.LISTEN, _MT.ABORT, _M.HALTED, "2.11.6"),
    Transition(_M.LISTEN, _MT.ENDED, _M.HALTED, "2.11.6"),
    Transition(_M.ACTIVE, _MT.READ, _M.ACTIVE, "3.6.2.5"),
    Transition(_M.ACTIVE, _MT.PAUSED, _M.PAUSED, "2.11.6"),
    Transition(_M.ACTIVE, _MT.ABORT, _M.HALTED, "2.11.6"),
    Transition(_M.ACTIVE, _MT.ENDED, _M.HALTED, "2.11.6"),
    Transition(_M.PAUSED, _MT.SET_WINDOW, _M.PAUSED, "3.6.2.2"),
    Transition(_M.PAUSED, _MT.CONTINUE, _M.ACTIVE, "3.6.2.7"),
    Transition(_M.PAUSED, _MT.CLOSE, _M.HALTED, "3.6.2.8"),
    Transition(_M.PAUSED, _MT.ABORT, _M.HALTED, "2.11.6"),
    Transition(_M.PAUSED, _MT.ENDED, _M.HALTED, "2.11.6"),
    Transition(_M.HALTED, _MT.ABORT, _M.HALTED, "3.6.2.9: any state but IDLE; changes nothing"),
    Transition(_M.HALTED, _MT.STOP, _M.IDLE, "3.6.2.10"),
)


class TapeState(Enum):
    """What a session may do with its drive (draft 2.11.4)."""

    CLOSED = "no tape is open"
    OPEN = "open, and no transfer uses it"
    AWAITED = "open, and the mover listens"
    MOVING = "open, and a transfer uses it"


class TapeTrigger(Enum):
    """What a drive is asked, and what its mover does."""

    OPEN = "TAPE_OPEN"
    CLOSE = "TAPE_CLOSE"
    CLOSE_FAILED = "implicit filemark failed"
    GET_STATE = "TAPE_GET_STATE"
    MTIO = "TAPE_MTIO"
    WRITE = "TAPE_WRITE"
    READ = "TAPE_READ"
    EXECUTE_CDB = "TAPE_EXECUTE_CDB"
    AWAITED = "mover listens"
    MOVED = "mover is active"
    RELEASED = "mover leaves LISTEN or ACTIVE"
    SESSION_ENDED = "control connection ended"


_T = TapeState
_TT = TapeTrigger
TAPE: Final = (
    Transition(_T.CLOSED, _TT.OPEN, _T.OPEN, "3.4.2"),
    Transition(_T.CLOSED, _TT.SESSION_ENDED, _T.CLOSED, "3.4.1"),
    Transition(_T.OPEN, _TT.CLOSE, _T.CLOSED, "3.4.3"),
    Transition(_T.OPEN, _TT.CLOSE_FAILED, _T.OPEN, "3.4.3: the drive stays open; the next close does no I/O"),
    Transition(_T.OPEN, _TT.GET_STATE, _T.OPEN, "3.4.4"),
    Transition(_T.OPEN, _TT.MTIO, _T.OPEN, "3.4.5"),
    Transition(_T.OPEN, _TT.WRITE, _T.OPEN, "3.4.6"),
    Transition(_T.OPEN, _TT.READ, _T.OPEN, "3.4.7"),
    Transition(_T.OPEN, _TT.EXECUTE_CDB, _T.OPEN, "3.4.8"),
    Transition(_T.OPEN, _TT.AWAITED, _T.AWAITED, "3.6.2.4"),
    Transition(_T.OPEN, _TT.MOVED, _T.MOVING, "3.6.2.3, 3.6.2.7"),
    Transition(_T.OPEN, _TT.SESSION_ENDED, _T.CLOSED, "3.4.1"),
    Transition(_T.AWAITED, _TT.GET_STATE, _T.AWAITED, "3.4.4"),
    Transition(_T.AWAITED, _TT.MTIO, _T.AWAITED, "2.11.4: only an active mover forbids it"),
    Transition(_T.AWAITED, _TT.EXECUTE_CDB, _T.AWAITED, "2.11.4: only an active mover forbids it"),
    Transition(_T.AWAITED, _TT.MOVED, _T.MOVING, "2.11.6"),
    Transition(_T.AWAITED, _TT.RELEASED, _T.OPEN, "2.11.6"),
    Transition(_T.AWAITED, _TT.SESSION_ENDED, _T.CLOSED, "3.4.1"),
    Transition(_T.MOVING, _TT.GET_STATE, _T.MOVING, "2.11.4"),
    Transition(_T.MOVING, _TT.RELEASED, _T.OPEN, "2.11.4, 2.11.6"),
    Transition(_T.MOVING, _TT.SESSION_ENDED, _T.CLOSED, "3.4.1"),
)
"""Enforced by services/tape.py and services/slot.py, which refuse with DEV_NOT_OPEN, DEVICE_OPENED or DEVICE_BUSY."""
