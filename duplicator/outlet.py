"""The sending end of a data connection, in this process."""

from __future__ import annotations

from duplicator.data_tls import invitation_of
from duplicator.dataconn import DataConnection
from duplicator.own_thread import in_own_thread
from duplicator.plan import Deadlines, Step
from duplicator.status import Status
from duplicator.tls import ClientTls
from duplicator.transfer import StreamBroken, settings_here
from ndmp.messages.mover import TcpAddresses, plain_address

__all__ = ["Outlet"]


class Outlet:
    """One stream to a mover that listens. :meth:`stop` ends every other call, from any thread."""

    def __init__(self, deadlines: Deadlines, *, tls: ClientTls) -> None:
        self._connection = DataConnection(settings_here(deadlines, tls))

    async def connect(self, address: TcpAddresses) -> bool:
        """Connect to one of these endpoints; whether that is under TLS. ReplyError(CONNECT) if none answers."""
        peers = [plain_address(endpoint) for endpoint in address.endpoints]
        used = await in_own_thread(lambda: self._connection.connect(peers), "outlet")
        return invitation_of(used) is not None

    def send(self, chunk: memoryview) -> None:
        """Send all of it, however long the peer takes; in a thread. StreamBroken, Stopped."""
        try:
            self._connection.send(chunk)
        except OSError as error:
            reason = f"the data connection from this machine broke: {error.strerror or error}"
            raise StreamBroken(Status.CONNECTION_BROKEN, step=Step.MOVE.value, reason=reason) from error

    def end(self) -> None:
        """Tell the peer that this was all; in a thread."""
        self._connection.close()

    def stop(self) -> None:
        """Break off; after :meth:`end` that does no harm."""
        self._connection.stop()

    def close(self) -> None:
        """Release the socket of a stream that nobody sends any more; it was not all unless :meth:`end` said so."""
        self._connection.close(complete=False)
