"""Listening sockets: bind early, listen when ready, accept within limits."""

from __future__ import annotations

import errno
import logging
import socket
from typing import TYPE_CHECKING

import trio

from kbroker.broker.connection import Connection
from kbroker.broker.start_error import StartError
from kbroker.handlers.context import ConnectionFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from kbroker.broker.network import Driver, NetworkState
    from kbroker.handlers.context import Services

log = logging.getLogger(__name__)

# Accepts taken in one go before the connections already there get their turn.
_ACCEPTS_PER_TURN = 64
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """One named listener: where it is bound, and what it tells clients to connect to."""

    __slots__ = ("advertised", "name", "sockets")

    def __init__(self, name: str, sockets: list[socket.socket], advertised: tuple[str, int] | None) -> None:
        self.name = name
        self.sockets = sockets
        # None: each client is told the address it reached us by.
        self.advertised = advertised

    @property
    def bound(self) -> tuple[str, int]:
        """Host and port of the first socket."""
        return address_of(self.sockets[0].getsockname())

    def close(self) -> None:
        for sock in self.sockets:
            trio.lowlevel.notify_closing(sock)
            sock.close()


def bind(name: str, host: str, port: int, advertised: tuple[str, int] | None) -> Listener:
    """Bind, without listening yet, so that a port in use is known before the data directory is touched.

    An empty host means every address, of both families. Raises StartError.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"cannot resolve the host {host!r} of listener {name}: {error.strerror}") from error
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    if not host and socket.has_dualstack_ipv6():
        # One dual-stack socket takes both families.
        addresses = [entry for entry in addresses if entry[0] == socket.AF_INET6][:1] or addresses
    sockets: list[socket.socket] = []
    try:
        for family, address in addresses:
            # "localhost" with port 0 must not become two different ports.
            bound_port = sockets[0].getsockname()[1] if sockets else port
            chosen = (address[0], bound_port, *address[2:])
            sockets.append(_bound_socket(family, chosen, dual_stack=not host))
    except OSError as error:
        for sock in sockets:
            sock.close()
        why = "the port is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise StartError(f"cannot listen on {host or '*'}:{port} ({name}): {why}") from error
    return Listener(name, sockets, advertised)


def _bound_socket(family: int, address: tuple[str | int | bytes, ...], *, dual_stack: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual_stack else 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def address_of(name: tuple[str, int] | tuple[str, int, int, int]) -> tuple[str, int]:
    """Host and port of a socket name; an IPv4 client of a dual-stack socket is shown as IPv4."""
    return name[0].removeprefix("::ffff:"), name[1]


class Acceptor:
    """Takes connections of one listener and gives each a driver."""

    def __init__(
        self,
        listener: Listener,
        network: NetworkState,
        services: Services,
        drive: Callable[[socket.socket, Connection], Driver],
    ) -> None:
        self._listener = listener
        self._network = network
        self._services = services
        # Takes a new connection and its socket in hand.
        self._drive = drive

    async def run(self, sock: socket.socket) -> None:
        """Accept until the socket is closed."""
        # A stop may have closed it before this task's first turn: trio must not be asked to wait for it.
        while sock.fileno() >= 0:
            try:
                await trio.lowlevel.wait_readable(sock)
                for _ in range(_ACCEPTS_PER_TURN):
                    self._accept(sock)
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in _OUT_OF_RESOURCES:
                    # The backlog keeps the clients; try again when somebody has gone.
                    self._network.report_refusal("a client", f"out of resources: {error.strerror}")
                    await trio.sleep(0.1)
            except trio.ClosedResourceError:
                return

    def _accept(self, sock: socket.socket) -> None:
        accepted, name = sock.accept()
        try:
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            local = address_of(accepted.getsockname())
        except OSError:  # gone before we looked at it
            accepted.close()
            return
        remote = address_of(name)
        refusal = self._network.admit(remote[0])
        if refusal is not None:
            self._network.report_refusal(remote[0], refusal)
            accepted.close()
            return
        facts = ConnectionFacts(self._listener.name, local, remote, self._listener.advertised)
        connection = Connection(facts, self._services, self._network)
        self._network.connections[connection] = self._drive(accepted, connection)
