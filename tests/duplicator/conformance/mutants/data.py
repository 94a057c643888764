"""Data services that are broken in one way each."""

from __future__ import annotations

from duplicator.data_path import SocketDataPath
from ndmp.backends import DataHalted
from ndmp.enums import (
    DataHaltReason,
    DataState,
    Error,
)
from ndmp.messages.data import DataGetEnvReply
from ndmp.messages.notify import (
    NotifyDataHalted,
    NotifyDataRead,
)
from ndmp.services import data as data_service
from ndmp.services.data import DataService
from ndmp.services.environment import Environment
from ndmp.states import DataTrigger
from ndmp.types import LocalAddress
from tests.duplicator.conformance.mutation import (
    Method,
    Mutant,
    allows,
    around,
    changes,
    instead,
    replaced,
    silent,
    twice,
    yes,
)

__all__ = ["DATA"]

OK = Error.NO_ERR


def _wrong_end(true: Method) -> Method:
    def outcome(path: SocketDataPath) -> DataHalted | None:
        halted: DataHalted | None = true(path)
        if halted and halted.reason == DataHaltReason.SUCCESSFUL:
            return DataHalted(DataHaltReason.INTERNAL_ERROR, "")
        return halted

    return outcome


_D, _DT = DataState, DataTrigger
DATA = (
    Mutant("does not tell that data halted", silent(NotifyDataHalted), ("data.abort",)),
    Mutant("tells twice that data halted", twice(NotifyDataHalted), ("data.abort.once",)),
    Mutant("calls success an error", around(SocketDataPath, "_outcome", _wrong_end), ("backup.whole",)),
    Mutant(
        "forgets variables that it does not know",
        replaced(
            Environment, "variables", lambda self: tuple(v for v in self._variables if v.name != "NDMPDUP_UNHEARD_OF")
        ),
        ("backup.variables",),
    ),
    Mutant(
        "has no variables", changes(DataService, "_get_env", environment=()), ("backup.variables", "backup.separator")
    ),
    Mutant(
        "tells variables while it is idle",
        yes(DataService, "_get_env", DataGetEnvReply(OK, ())),
        ("state.DATA_GET_ENV",),
    ),
    Mutant(
        "counts too much",
        changes(DataService, "_get_state", bytes_processed=lambda n: n + 512),
        ("backup.counted", "data.state"),
    ),
    Mutant(
        "names another error for a type",
        instead(DataService, "_start_backup", {Error.ILLEGAL_ARGS: Error.ILLEGAL_STATE}),
        ("start",),
    ),
    Mutant(
        "recovers nothing at all",
        instead(DataService, "_start_recover", {Error.ILLEGAL_ARGS: Error.UNDEFINED}),
        ("start.recover",),
    ),
    Mutant("does not ask for what it wants to read", silent(NotifyDataRead), ("recover.read",)),
    Mutant(
        "stops while it is connected",
        allows(data_service, "DATA", _D.CONNECTED, _DT.STOP, _D.IDLE),
        ("state.DATA_STOP",),
    ),
    Mutant(
        "listens while it is connected",
        allows(data_service, "DATA", _D.CONNECTED, _DT.LISTEN, _D.LISTEN),
        ("state.DATA_LISTEN",),
    ),
    Mutant(
        "keeps its operation",
        changes(DataService, "_get_state", operation=data_service.DataOperation.BACKUP),
        ("data.state",),
    ),
    Mutant(
        "says that its peer is LOCAL too", changes(DataService, "_get_state", address=LocalAddress()), ("data.connect",)
    ),
)
