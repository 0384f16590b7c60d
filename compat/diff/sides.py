"""One broker of the pair: prepared frames in, what became of them out."""

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Final

from compat import wire
from compat.brokers import HOST, BrokerProcess

# Long enough for a loaded machine; only an answer that never comes takes it.
TIMEOUT_S: Final = 30.0
# After a request that may rightly stay without an answer: whoever answers this first, gave none.
_BARRIER_ID: Final = -7
_BARRIER: Final = wire.frame(18, 0, b"", correlation_id=_BARRIER_ID, flexible=False)

CLOSED: Final = "closed"
TIMED_OUT: Final = "timed out"
NOTHING: Final = "no answer"


@dataclass(frozen=True)
class Answered:
    """A response without its length."""

    data: bytes


# An answer, or one of CLOSED, TIMED_OUT, NOTHING.
Outcome = Answered | str


class Side:
    """One broker and the connections to it, by name."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.broker = broker
        self._connections: dict[str, socket.socket] = {}

    def send(self, connection: str, frame: bytes, *, barrier: bool = False) -> None:
        """Send without waiting. A connection the broker has closed shows at the answer."""
        with contextlib.suppress(ConnectionError):
            self._open(connection).sendall(frame + (_BARRIER if barrier else b""))

    def outcome(self, connection: str, patience_s: float = TIMEOUT_S, *, barrier: bool = False) -> Outcome:
        """What comes next on that connection; one that is of no more use is dropped."""
        try:
            self._open(connection).settimeout(patience_s)
            data = wire.receive(self._open(connection))
        except TimeoutError:
            self.drop(connection)
            return TIMED_OUT
        except ConnectionError:
            self.drop(connection)
            return CLOSED
        if barrier and _is_barrier(data):
            return NOTHING
        if barrier:
            self._pass_barrier(connection)
        return Answered(data)

    def _pass_barrier(self, connection: str) -> None:
        """Behind the barrier's answer; a broker that closes instead shows at the next request."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            wire.receive(self._open(connection))

    def _open(self, name: str) -> socket.socket:
        if name not in self._connections:
            self._connections[name] = wire.connect(HOST, self.broker.port, TIMEOUT_S)
        return self._connections[name]

    def drop(self, name: str) -> None:
        """Close a connection of ours."""
        if name in self._connections:
            self._connections.pop(name).close()

    def close(self) -> None:
        """Close them all."""
        for name in list(self._connections):
            self.drop(name)


def _is_barrier(data: bytes) -> bool:
    return len(data) >= 4 and struct.unpack_from(">i", data)[0] == _BARRIER_ID
