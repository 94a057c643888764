"""Who waits for drives and volumes, so that processes let each other go first."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from duplicator.catalog.leases import clock_of, is_void
from duplicator.catalog.processes import identity
from duplicator.catalog.records import InLine
from duplicator.catalog.tables import LineRow
from duplicator.catalog.transactions import Transactions

__all__ = ["Line"]


class Line(Transactions):
    """The line of all processes. An entry is believed while its process renews it."""

    def join_line(
        self, owner: str, *, priority: int, since: datetime, need: str, seconds: float, time: datetime | None = None
    ) -> None:
        """Stand in line; ``need`` says in JSON what for. ``owner``: a text that no other one in line has."""
        pid = os.getpid()
        values = {"pid": pid, "host": socket.gethostname(), "process": identity(pid) or ""}
        with self._transaction(writes=True) as session:
            until = clock_of(session, time) + timedelta(seconds=seconds)
            session.add(LineRow(owner=owner, priority=priority, since=since, need=need, until=until, **values))

    def stay_in_line(self, *, seconds: float, time: datetime | None = None) -> None:
        """All of this process still stand in line."""
        pid = os.getpid()
        mine = LineRow.host == socket.gethostname(), LineRow.process == (identity(pid) or "")
        with self._transaction(writes=True) as session:
            until = clock_of(session, time) + timedelta(seconds=seconds)
            session.execute(update(LineRow).where(*mine).values(until=until))

    def leave_line(self, owner: str) -> None:
        """Stand in line no more; and who died in it does neither."""
        with self._transaction(writes=True) as session:
            session.execute(delete(LineRow).where(LineRow.owner == owner))
            for row in session.scalars(select(LineRow)):
                if is_void(row, clock_of(session, None)):
                    session.delete(row)

    def line(self, *, time: datetime | None = None) -> list[InLine]:
        """All who stand in line and say so, in their turn."""
        turn = LineRow.priority.desc(), LineRow.since, LineRow.owner
        with self._transaction(writes=False) as session:
            clock = clock_of(session, time)
            rows = session.scalars(select(LineRow).order_by(*turn))
            return [row.record() for row in rows if row.until >= clock and not is_void(row, clock)]
