"""Which call may follow which: a table of state and call, and nothing else. What is absent is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from duplicator.xbsa.codes import ReturnCode

__all__ = ["REFUSALS", "TABLE", "Event", "State"]


class State(Enum):
    """Where a session is."""

    __hash__ = object.__hash__  # that of Enum is Python code, and each BSAGetData looks twice into the table

    NO_SESSION = auto()
    SESSION = auto()
    TRANSACTION = auto()
    """Nothing was done in it: the next call says what kind it is."""
    BACKUP = auto()
    """Between two objects."""
    SENDING = auto()
    SENDING_NOTHING = auto()
    """The object was announced with 0 bytes."""
    BROKEN = auto()
    """The backup cannot be completed any more."""
    QUERY = auto()
    RESTORE = auto()
    """Between two objects."""
    RECEIVING = auto()
    DELETE = auto()


class Event(Enum):
    """A call that succeeds, or what happens in one."""

    __hash__ = object.__hash__  # as above

    INIT = auto()
    BEGIN_TXN = auto()
    CREATE_OBJECT = auto()
    CREATE_EMPTY_OBJECT = auto()
    SEND_DATA = auto()
    END_DATA = auto()
    COMMIT = auto()
    ABORT = auto()
    GET_OBJECT = auto()
    GET_DATA = auto()
    QUERY_OBJECT = auto()
    GET_NEXT_QUERY_OBJECT = auto()
    DELETE_OBJECT = auto()
    GET_ENVIRONMENT = auto()
    TERMINATE = auto()
    BREAK = auto()
    """The stream of a backup failed."""


TABLE: Final[Mapping[State, Mapping[Event, State]]] = {
    State.NO_SESSION: {Event.INIT: State.SESSION},
    State.SESSION: {
        Event.BEGIN_TXN: State.TRANSACTION,
        Event.GET_ENVIRONMENT: State.SESSION,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.TRANSACTION: {
        Event.CREATE_OBJECT: State.SENDING,
        Event.CREATE_EMPTY_OBJECT: State.SENDING_NOTHING,
        Event.GET_OBJECT: State.RECEIVING,
        Event.QUERY_OBJECT: State.QUERY,
        Event.DELETE_OBJECT: State.DELETE,
        Event.BREAK: State.BROKEN,
        Event.COMMIT: State.SESSION,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.TRANSACTION,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.BACKUP: {
        Event.CREATE_OBJECT: State.SENDING,
        Event.CREATE_EMPTY_OBJECT: State.SENDING_NOTHING,
        Event.BREAK: State.BROKEN,
        Event.COMMIT: State.SESSION,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.BACKUP,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.SENDING: {
        Event.SEND_DATA: State.SENDING,
        Event.END_DATA: State.BACKUP,
        Event.BREAK: State.BROKEN,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.SENDING,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.SENDING_NOTHING: {
        Event.END_DATA: State.BACKUP,
        Event.BREAK: State.BROKEN,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.SENDING_NOTHING,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.BROKEN: {
        Event.COMMIT: State.SESSION,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.BROKEN,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.QUERY: {
        Event.QUERY_OBJECT: State.QUERY,
        Event.GET_NEXT_QUERY_OBJECT: State.QUERY,
        Event.GET_OBJECT: State.RECEIVING,
        Event.DELETE_OBJECT: State.DELETE,
        Event.COMMIT: State.SESSION,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.QUERY,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.RESTORE: {
        Event.GET_OBJECT: State.RECEIVING,
        Event.QUERY_OBJECT: State.RESTORE,
        Event.GET_NEXT_QUERY_OBJECT: State.RESTORE,
        Event.COMMIT: State.SESSION,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.RESTORE,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.RECEIVING: {
        Event.GET_DATA: State.RECEIVING,
        Event.END_DATA: State.RESTORE,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.RECEIVING,
        Event.TERMINATE: State.NO_SESSION,
    },
    State.DELETE: {
        Event.DELETE_OBJECT: State.DELETE,
        Event.QUERY_OBJECT: State.DELETE,
        Event.GET_NEXT_QUERY_OBJECT: State.DELETE,
        Event.COMMIT: State.SESSION,
        Event.ABORT: State.SESSION,
        Event.GET_ENVIRONMENT: State.DELETE,
        Event.TERMINATE: State.NO_SESSION,
    },
}

REFUSALS: Final[Mapping[tuple[State, Event], ReturnCode]] = {
    **{(State.NO_SESSION, event): ReturnCode.INVALID_HANDLE for event in Event},
    (State.BROKEN, Event.CREATE_OBJECT): ReturnCode.ABORT_SYSTEM_ERROR,
    (State.BROKEN, Event.SEND_DATA): ReturnCode.ABORT_SYSTEM_ERROR,
    (State.BROKEN, Event.END_DATA): ReturnCode.ABORT_SYSTEM_ERROR,
}
"""The code of a call that is absent from a state's row, if it is not INVALID_CALL_SEQUENCE."""
