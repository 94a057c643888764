"""State tables, each row with the section of the draft that it comes from. Data and nothing else."""

from __future__ import annotations

from enum import Enum
from typing import Final

from ndmp.enums import MoverState
from ndmp.machine import Transition

__all__ = ["CONNECTION", "MOVER", "ConnectionEvent", "ConnectionState", "MoverTrigger"]


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
