"""A broker whose sockets are none: the epoll driver's reads and writes, without a network."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from select import EPOLLIN, EPOLLOUT
from struct import Struct
from tempfile import TemporaryDirectory
from typing import Any

from kbroker.broker.epoll_driver import EpollDriver, EpollReactor
from kbroker.broker.system import Data, OsFile
from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.create_topics_request import CreatableTopic, CreateTopicsRequest
from kbroker.protocol.header import write_response_header
from kbroker.protocol.messages import response_class
from kbroker.protocol.primitives import Message
from tests.handlers.support import DeferringDisk, FakeClock
from tests.protocol.samples import encode
from tests.wire.world import OFFSETS_TOPIC, WireWorld, frame

_HEAD = Struct(">ihh")
_SETTINGS = {
    # No segment is full while something is measured.
    "log.segment.bytes": str(2**31 - 1),
    "group.initial.rebalance.delay.ms": "0",
}
# What is appended to this topic is forgotten.
NULL = "null"

OpenLog = Callable[[str, bool], OsFile]


class RunningClock(FakeClock):
    """The system's clock, which can be put forward."""

    def __init__(self) -> None:
        self.now_ms = 0

    def wall_ms(self) -> int:
        return self.now_ms + time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return self.now_ms + time.monotonic_ns() // 1_000_000


class _ForgetfulFile(OsFile):
    """Appending costs nothing and keeps nothing."""

    __slots__ = ()

    def append(self, data: Data) -> None:
        pass


class _Disk(DeferringDisk):
    """Segments of topics are the operating system's files in `folder`; all else is in memory."""

    def __init__(self, folder: str, open_log: OpenLog) -> None:
        super().__init__()
        self._files_in = folder
        self._open_log = open_log

    def open(self, path: str, *, create: bool = False) -> Any:
        file = super().open(path, create=create)
        if not path.endswith(".log") or "/__cluster_metadata-" in path:
            return file
        open_log = _ForgetfulFile if f"/{NULL}-" in path else self._open_log
        return open_log(os.path.join(self._files_in, path.strip("/").replace("/", "_")), create)


class Socket:
    """What a driver asks of a socket: prepared bytes come in, what goes out goes to a file."""

    def __init__(self) -> None:
        self.sink = os.open(os.devnull, os.O_WRONLY)
        self.unread = memoryview(b"")
        # What left as bytes, not from a file.
        self.sent_bytes = 0
        self.on_received: Callable[[memoryview], None] | None = None

    def fileno(self) -> int:
        return self.sink

    def recv_into(self, buffer: memoryview) -> int:
        if not self.unread:
            raise BlockingIOError
        count = min(len(buffer), len(self.unread))
        buffer[:count] = self.unread[:count]
        self.unread = self.unread[count:]
        if self.on_received is not None:
            self.on_received(buffer[:count])
        return count

    def send(self, data: Data, flags: int = 0) -> int:
        count = os.write(self.sink, data)
        self.sent_bytes += count
        return count

    def sendmsg(self, parts: list[Data], ancillary: object = (), flags: int = 0) -> int:
        count = os.writev(self.sink, parts)
        self.sent_bytes += count
        return count

    def close(self) -> None:
        os.close(self.sink)


class _Interests(dict[int, int]):
    """An epoll set that only remembers what it is asked to watch."""

    register = modify = dict.__setitem__
    unregister = dict.__delitem__


class Client:
    """One connection, and what its client does."""

    def __init__(self, reactor: EpollReactor, interests: _Interests, world: WireWorld) -> None:
        self.socket = Socket()
        self.number = self.socket.fileno()
        self._interests = interests
        self._reactor = reactor
        connection = world.connect()
        world.network.connections[connection] = EpollDriver(self.socket, connection, reactor)  # type: ignore[arg-type]
        self._sent: list[tuple[int, int]] | None = None

    def say(self, data: bytes) -> None:
        """Send this, all there at once; the broker handles what it can of it."""
        if self._sent is not None:
            self._sent += _requests_in(data)
        sock = self.socket
        sock.unread = memoryview(data)
        while True:
            interest = self._interests[self.number]
            if interest & EPOLLOUT:
                self._reactor.serve([(self.number, EPOLLOUT)])
            elif interest & EPOLLIN and sock.unread:
                self._reactor.serve([(self.number, EPOLLIN)])
            else:
                break
        assert not sock.unread

    @contextmanager
    def hearing(self) -> Iterator[list[tuple[Any, int]]]:
        """Collect the answers to what is said meanwhile, and their sizes."""
        answers: list[tuple[Any, int]] = []
        former, self.socket.sink = self.socket.sink, os.memfd_create("answers")
        self._sent = []
        try:
            yield answers
            data = os.pread(self.socket.sink, os.fstat(self.socket.sink).st_size, 0)
            answers += _decoded(memoryview(data), self._sent)
        finally:
            os.close(self.socket.sink)
            self.socket.sink = former
            self._sent = None

    def ask(self, request: Message, version: int) -> Any:
        """The answer to one request, free of errors."""
        with self.hearing() as answers:
            self.say(encoded(request, version))
        ((answer, _),) = answers
        return answer


class Broker:
    """A node with topics and clients."""

    def __init__(self, folder: str, clock: FakeClock, open_log: OpenLog) -> None:
        world = self._world = WireWorld(
            settings=_SETTINGS, disk=_Disk(folder, open_log), clock=clock, topics=(OFFSETS_TOPIC,)
        )
        self.clock = clock
        self.network = world.network
        self.services = world.services
        self.defects = world.defects
        reactor = self._reactor = EpollReactor(world.network, world.waiting, world.finish_turn)
        reactor.epoll.close()
        self._interests = _Interests()
        reactor.epoll = self._interests  # type: ignore[assignment]
        self._clients: list[Client] = []

    def connect(self) -> Client:
        """A client that has said what clients say first."""
        client = Client(self._reactor, self._interests, self._world)
        client.ask(ApiVersionsRequest("guard", "1"), 3)
        self._clients.append(client)
        return client

    def answers_to(self, steps: Iterable[Callable[[], None]]) -> int:
        """How many answers the steps bring; none of them may tell of an error."""
        with ExitStack() as stack:
            heard = [stack.enter_context(client.hearing()) for client in self._clients]
            for step in steps:
                step()
        return sum(map(len, heard))

    def say_together(self, clients: Sequence[Client], data: bytes) -> None:
        """All of them send this; one poll tells of it."""
        for client in clients:
            client.socket.unread = memoryview(data)
        self._reactor.serve([(client.number, EPOLLIN) for client in clients])

    def create_topic(self, name: str, partitions: int = 1) -> bytes:
        """Its id."""
        request = CreateTopicsRequest([CreatableTopic(name, partitions, 1)])
        topic_id: bytes = self.connect().ask(request, 7).topics[0].topic_id
        return topic_id

    def pass_time(self, duration_ms: int) -> None:
        self._world.pass_time(duration_ms)

    def close(self) -> None:
        for driver in list(self._reactor.drivers.values()):
            driver.close()
        assert not self.defects


@contextmanager
def running(clock: FakeClock, open_log: OpenLog = OsFile) -> Iterator[Broker]:
    """A broker over a temporary folder."""
    with TemporaryDirectory(prefix="guard-") as folder:
        broker = Broker(folder, clock, open_log)
        try:
            yield broker
        finally:
            broker.close()


def encoded(request: Message, version: int) -> bytes:
    """The request as a client sends it."""
    return frame(request.API_KEY, version, encode(request, version))


def _requests_in(data: bytes) -> Iterator[tuple[int, int]]:
    position = 0
    while position < len(data):
        size, api_key, version = _HEAD.unpack_from(data, position)
        yield api_key, version
        position += 4 + size


def _decoded(data: memoryview, requests: list[tuple[int, int]]) -> Iterator[tuple[Any, int]]:
    """Each answer, read to its end and found to tell of no error, and its size."""
    for api_key, version in requests:
        header: list[Any] = []
        write_response_header(header, api_key, version, 7)
        head = sum(map(len, header)) + 4
        size = 4 + int.from_bytes(data[:4], "big")
        answer, position = response_class(api_key).read(data[head:size], 0, version)
        assert head + position == size
        assert _is_fine(answer), answer
        yield answer, size
        data = data[size:]
    assert not data


def _is_fine(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_fine, value))
    if getattr(value, "error_code", 0) != 0:
        return False
    return all(_is_fine(getattr(value, field)) for field in getattr(value, "FIELDS", ()))
