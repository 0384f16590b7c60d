"""Who is wired to whom; the order of start and stop.

    start   bind → lock the directory → metadata log → logs → groups → register
            → declared topics → listen → ready
    stop    stop listening → end connections → close groups and logs
            → clean-shutdown marker

Sockets are bound first and listened on last: a port in use leaves the data
directory untouched, and nobody connects to a broker that is not ready. What
goes wrong before that is one sentence: StartError.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
from functools import partial
from typing import TYPE_CHECKING

import trio

from kbroker import __version__
from kbroker.broker.admin import AdminServer
from kbroker.broker.group_coordinators import GroupCoordinators
from kbroker.broker.housekeeping import Housekeeping
from kbroker.broker.listener import Acceptor, Listener, bind
from kbroker.broker.loop_lag import LoopLag
from kbroker.broker.network import NetworkState
from kbroker.broker.offload import ThreadOffload
from kbroker.broker.pending import WaitingRoom
from kbroker.broker.producer_ids import BlockProducerIds
from kbroker.broker.progress import RecoveryProgress
from kbroker.broker.raft_driver import MetadataLog
from kbroker.broker.start_error import StartError
from kbroker.broker.system import OsDisk, SystemClock, SystemRandom
from kbroker.broker.turn import Turn
from kbroker.config.listeners import address_text
from kbroker.environment import Environment
from kbroker.handlers import table
from kbroker.handlers.context import Services
from kbroker.log.directory import LogDirectory, LogDirectoryError
from kbroker.metadata.image import BROKER, Endpoint
from kbroker.replication.fetch_session import FetchSessionCache
from kbroker.replication.replica_manager import ReplicaManager

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable

    from kbroker.broker.connection import Connection
    from kbroker.broker.metrics import MetricsPage
    from kbroker.broker.network import Driver
    from kbroker.config import Config
    from kbroker.metadata.delta import MetadataDelta
    from kbroker.metadata.image import MetadataImage

log = logging.getLogger(__name__)

_PLAINTEXT = 0
# Garbage is mostly freed by reference counts; cycles are few on the request path.
_GC_THRESHOLD = 50_000
_SETTLE_AFTER_S = 0.3


def run(config: Config, on_ready: Callable[[], object] = lambda: None) -> None:
    """Run a broker until it is told to stop. Raises StartError."""
    _allow_many_files()
    # A start makes much that stays: looking through it for garbage again and again finds nothing.
    gc.disable()
    try:
        trio.run(_run_until_signal, config, on_ready)
    except LogDirectoryError as error:
        raise StartError(str(error)) from error


def _allow_many_files() -> None:
    """Segments and clients are open files: take all that we may have, as the JVM does."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run_until_signal(config: Config, on_ready: Callable[[], object]) -> None:
    # Until there is something to stop, a signal ends the process: the directory bears it.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda number, _: os._exit(128 + number))
    broker = Broker(config)
    try:
        broker.start()
        gc.freeze()
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                await nursery.start(broker.serve)
                on_ready()
                number = await anext(signals)
                log.info("Stopping, because of %s", signal.Signals(number).name)
                nursery.start_soon(_exit_at_second, signals)
                await broker.stop()
                nursery.cancel_scope.cancel()
        log.info("Stopped")
    finally:
        broker.release()


async def _exit_at_second(signals: AsyncIterator[int]) -> None:
    number = await anext(signals)
    log.warning("Stopping at once, because of a second %s", signal.Signals(number).name)
    os._exit(128 + number)


class Broker:
    """All rooms of one broker."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.state = "starting"
        self.listeners: list[Listener] = []
        self._admin_listener: Listener | None = None
        self._offload = ThreadOffload()
        self._environment = Environment(SystemClock(), SystemRandom(), OsDisk(self._offload))
        self._waiting = WaitingRoom(self._environment.clock)
        self._lag = LoopLag()
        self._metrics: MetricsPage | None = None
        self._directory: LogDirectory | None = None
        self._has_image = False
        self._stopping = trio.Event()
        self._served = trio.Event()

    # --- start ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything up to listening. Blocks. Raises StartError, LogDirectoryError."""
        config = self.config
        for listener in config.listeners:
            self.listeners.append(bind(listener.name, listener.host, listener.port, listener.advertised))
        if config.admin_address is not None:
            self._admin_listener = bind("the admin port", *config.admin_address, None)

        path = os.path.abspath(config.log_directory)
        self._directory = directory = LogDirectory.open(
            self._environment,
            path,
            node_id=config.node_id,
            cluster_id=config.str("kbroker.cluster.id") or None,
        )
        self._services = services = Services()
        services.node_id = config.node_id
        services.cluster_id = directory.cluster_id
        services.config = config
        services.environment = self._environment
        services.log_directory_path = path
        services.waiting = self._waiting
        services.replicas = ReplicaManager(config.node_id, directory, config)
        services.fetch_sessions = FetchSessionCache(
            config.int("max.incremental.fetch.session.cache.slots"), self._environment.random
        )
        services.groups = self._groups = GroupCoordinators(services)
        metadata = MetadataLog(self._environment, config, directory, self._waiting)
        services.metadata = services.controller = self._metadata = metadata
        services.producer_ids = BlockProducerIds(metadata, config.node_id)
        self._network = NetworkState(config, self._environment.clock)
        self._turn = Turn(self._network, self._waiting, services.replicas, self._environment)

        metadata.add_listener(self._on_image)
        metadata.start(self._endpoints())
        if config.declared_topics:
            from kbroker.broker.declared_topics import create_declared_topics

            create_declared_topics(services)
        self._turn.finish()

    def _endpoints(self) -> dict[str, Endpoint]:
        """What is registered for other nodes; clients of an "auto" listener are told their own view."""
        endpoints = {}
        for listener in self.listeners:
            host, port = listener.advertised or listener.bound
            endpoints[listener.name] = Endpoint(_reachable(host), port, _PLAINTEXT)
        return endpoints

    def _on_image(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """Hand a committed image down, in the order in which the rooms rest on each other."""
        services = self._services
        if any(kind == BROKER for kind, _ in delta.changed_configs):
            services.config = self.config.with_dynamic(
                image.default_broker_configs, image.broker_configs(services.node_id)
            )
            services.replicas.update_broker_config(services.config)
        if not self._has_image:
            self._has_image = True
            progress = RecoveryProgress()
            services.replicas.start(image, progress)
            progress.close()
            self._groups.start(image)
        else:
            services.replicas.apply(image, delta)
            self._groups.apply(image, delta)

    # --- serving -------------------------------------------------------------------------------

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen and serve until `stop`."""
        async with trio.open_nursery() as nursery:
            self._offload.begin(nursery, self._turn.finish)
            Housekeeping(self._services, self._network, self._directory_in_use()).start()
            nursery.start_soon(self._waiting.run_timers, self._turn.finish)
            nursery.start_soon(self._lag.run)
            nursery.start_soon(self._serve_clients)
            for listener in self.listeners:
                self._size_buffers(listener)
                self._listen(listener)
            if self._admin_listener is not None:
                self._listen(self._admin_listener)
                admin = AdminServer(self._render_metrics, self._health)
                nursery.start_soon(admin.serve, self._admin_listener.sockets)
            self.state = "ready"
            self._announce()
            nursery.start_soon(_settle)
            task_status.started()
            await self._stopping.wait()
            nursery.cancel_scope.cancel()
        self._served.set()

    async def _serve_clients(self) -> None:
        async with trio.open_nursery() as nursery:
            drive = self._driver(nursery)
            for listener in self.listeners:
                acceptor = Acceptor(listener, self._network, self._services, drive)
                for sock in listener.sockets:
                    nursery.start_soon(acceptor.run, sock)

    def _driver(self, nursery: trio.Nursery) -> Callable[[socket.socket, Connection], Driver]:
        """What takes new connections in hand: one task for all of them where the system has epoll."""
        wanted = self.config.str("kbroker.driver")
        if wanted == "epoll" or (wanted == "auto" and hasattr(select, "epoll")):
            from kbroker.broker.epoll_driver import EpollReactor

            reactor = EpollReactor(self._network, self._waiting, self._turn.finish, self._offload.is_idle)
            nursery.start_soon(reactor.run)
            return reactor.add
        from kbroker.broker.task_driver import TaskDriver

        return partial(TaskDriver, network=self._network, nursery=nursery, finish_turn=self._turn.finish)

    def _size_buffers(self, listener: Listener) -> None:
        """The system's buffers of a listener's connections, which inherit them."""
        import socket

        for option, key in (
            (socket.SO_SNDBUF, "socket.send.buffer.bytes"),
            (socket.SO_RCVBUF, "socket.receive.buffer.bytes"),
        ):
            size = self.config.int(key)
            for sock in listener.sockets if size >= 0 else ():
                sock.setsockopt(socket.SOL_SOCKET, option, size)

    def _listen(self, listener: Listener) -> None:
        for sock in listener.sockets:
            sock.listen(self.config.int("socket.listen.backlog.size"))

    def _announce(self) -> None:
        log.info(
            "kbroker %s, node %d of cluster %s, data in %s",
            __version__,
            self.config.node_id,
            self._services.cluster_id,
            self._services.log_directory_path,
        )
        for listener in self.listeners:
            bound = address_text(*listener.bound)
            told = "the address they reached us by"
            if listener.advertised is not None:
                told = address_text(*listener.advertised)
            log.info("Listening on %s://%s; clients are told %s", listener.name, bound, told)
        if self._admin_listener is not None:
            log.info("Admin port on http://%s", address_text(*self._admin_listener.bound))

    def _render_metrics(self) -> tuple[bytes, str]:
        if self._metrics is None:
            # Not before somebody asks: it would cost a third of the start-up time.
            from kbroker.broker.metrics import MetricsPage

            self._metrics = MetricsPage(self._services, self._network, self._lag)
        return self._metrics.render()

    def _health(self) -> dict[str, object]:
        directory = self._directory_in_use()
        if directory.offline_because is not None:
            return {
                "status": "failed",
                "reason": f"the log directory is offline: {directory.offline_because}",
            }
        return {"status": self.state, "node": self.config.node_id, "cluster": self._services.cluster_id}

    def _directory_in_use(self) -> LogDirectory:
        assert self._directory is not None
        return self._directory

    # --- stop ----------------------------------------------------------------------------------

    async def stop(self) -> None:
        """A clean stop: nobody is served any more, everything is on disk, the marker says so."""
        self.state = "stopping"
        for listener in self.listeners:
            listener.close()
        # Work on threads cannot be cancelled: it is waited for, so that nobody else touches the files.
        self._stopping.set()
        await self._served.wait()
        self._offload.end()
        self._groups.close()
        self._metadata.stop()
        directory = self._directory_in_use()
        close = partial(directory.close, clean=True, broker_epoch=self._metadata.broker_epoch)
        # Flushing may take a while: a second signal must still be heard.
        await trio.to_thread.run_sync(close)
        self._directory = None

    def release(self) -> None:
        """Give back what `start` took, if `stop` has not."""
        for listener in (*self.listeners, *filter(None, [self._admin_listener])):
            listener.close()
        if self._directory is not None:
            self._directory.close(clean=False)


async def _settle() -> None:
    """Once the first clients have been answered: what makes later requests cheaper, but not the start."""
    while True:
        await trio.sleep(_SETTLE_AFTER_S)
        # Importing opens files: without a descriptor left it is tried again, until clients have gone.
        if _preloaded():
            break
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    gc.enable()


def _preloaded() -> bool:
    try:
        table.preload()
    except (OSError, ImportError):
        return False
    return True


def _reachable(host: str) -> str:
    """A name for other nodes; this machine's, where the listener takes every address."""
    if host in ("", "0.0.0.0", "::"):
        import socket

        return socket.gethostname()
    return host
