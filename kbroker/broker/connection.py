"""The synchronous core of a connection: bytes in, answers out, in order.

    receive_buffer() ─▶ the driver's recv_into ─▶ received(n)
        ─▶ frames ─▶ requests ─▶ handlers ─▶ answers (parts or Pending)
        ─▶ output, a queue of parts ─▶ the driver's send and sendfile

invariants
    - Answers leave in the order of their requests.
    - A Produce behind waiting Produces is handled at once; nothing else
      overtakes or runs beside a waiting answer.
    - What waits is bounded: answers by `max_answers`, output by
      `max_output_bytes`, unhandled input by one receive buffer. A full
      queue sets `paused`: the driver stops reading (back-pressure).
    - What one turn takes is bounded: after `SLICE_MS` (network) the rest of the input
      is held back (`yielded`, and paused) until others have had the loop.
    - A frame is copied at most once in user space, and only its head: when
      it straddles reads, it goes into a buffer of its own size. What a pause
      or a length cut in two holds back is the rare exception: copied whole.

Kafka: `Selector`, `Processor` and `RequestChannel`, for one connection.
"""

from __future__ import annotations

import mmap
from collections import deque
from struct import Struct
from typing import TYPE_CHECKING, Any

from kbroker.handlers import table
from kbroker.handlers.context import CloseConnection, Pending, RequestContext
from kbroker.protocol import header as headers
from kbroker.protocol.primitives import DecodeError, FileRegion

if TYPE_CHECKING:
    from collections.abc import Callable

    from kbroker.broker.network import NetworkState
    from kbroker.broker.reply_cache import Key
    from kbroker.handlers.context import ConnectionFacts, Services
    from kbroker.protocol.primitives import Part

_SIZE = Struct(">i")
# A close reason that nobody needs to hear of.
LOST = "connection lost"

_FROM_IMAGE = table.FROM_IMAGE
_PRODUCE = 0
_API_VERSIONS = 18
# Above this a frame's memory comes from mmap, so that a declared but unsent frame costs no pages.
_LAZY_FRAME_BYTES = 4 << 20


class _Answer:
    """The place of one request in the order of answers."""

    __slots__ = ("api_key", "api_version", "correlation_id", "kept_under", "pending", "ready")

    def __init__(self, api_key: int, api_version: int, correlation_id: int) -> None:
        self.api_key = api_key
        self.api_version = api_version
        self.correlation_id = correlation_id
        # Where the network's reply cache wants it, if it need not be waited for.
        self.kept_under: Key | None = None
        self.pending: Pending[Any] | None = None
        self.ready: list[Part] | None = None


class Connection:
    """One client's bytes. Knows no socket; whoever owns one drives it."""

    __slots__ = (
        "_answers",
        "_backlog",
        "_charged",
        "_filled",
        "_frame",
        "_frame_view",
        "_network",
        "_prefix",
        "_ready_listed",
        "_services",
        "_trusted",
        "close_reason",
        "facts",
        "frame_started_ms",
        "last_active_ms",
        "on_ready",
        "output",
        "output_bytes",
        "paused",
        "yielded",
    )

    def __init__(self, facts: ConnectionFacts, services: Services, network: NetworkState) -> None:
        self.facts = facts
        self._services = services
        self._network = network
        self._answers: deque[_Answer] = deque()
        self._backlog: bytes = b""  # complete and partial frames not handled yet, while paused
        self._prefix = b""  # less than four bytes of a length
        self._frame: bytearray | mmap.mmap | None = None  # a frame that straddles reads
        self._frame_view: memoryview | None = None
        self._filled = 0
        self._charged = 0  # bytes of the network's budget held by `_frame`
        self._trusted = False  # has sent one valid request: larger frames are allowed
        self.close_reason: str | None = None  # set: send what is in `output`, then close
        self.output: deque[Part] = deque()
        self.output_bytes = 0
        self.paused = False
        # Paused only to let others go on: the driver clears it when they have.
        self.yielded = False
        self.frame_started_ms = 0
        self.last_active_ms = services.environment.clock.monotonic_ms()
        # Called when output appears, or reading may go on, outside of `received`.
        self.on_ready: Callable[[Connection], None] | None = None
        self._ready_listed = False

    # --- input ---------------------------------------------------------------------------------

    def receive_buffer(self) -> memoryview:
        """Where the next bytes go: the rest of a straddling frame, else the shared buffer."""
        if self._frame_view is not None:
            return self._frame_view[self._filled :]
        return self._network.receive_buffer

    def received(self, count: int) -> None:
        """`count` bytes stand in `receive_buffer()`. Handle every complete frame among them."""
        self.last_active_ms = self._network.now_ms
        if self._frame_view is not None:
            self._filled += count
            if self._filled == len(self._frame_view):
                self._finish_frame()
            return
        view = self._network.receive_buffer[:count]
        if self._prefix:
            view = memoryview(self._prefix + bytes(view))
            self._prefix = b""
        self._consume(view)

    def resume(self) -> None:
        """Go on after `paused`: handle the backlog. Clears `paused` when reading may go on."""
        if not self.paused or self.yielded or self._must_pause():
            return
        self.paused = False
        backlog, self._backlog = self._backlog, b""
        if self._frame_view is not None and self._filled == len(self._frame_view):
            self._finish_frame()
        elif backlog:
            self._consume(memoryview(backlog))

    def _consume(self, view: memoryview) -> None:
        position = 0
        end = len(view)
        self.frame_started_ms = 0
        while self.close_reason is None:
            remaining = end - position
            if remaining < 4:
                if remaining:
                    self._prefix = bytes(view[position:])
                    self.frame_started_ms = self._network.now_ms
                return
            (size,) = _SIZE.unpack_from(view, position)
            if not self._size_ok(size, view[position : position + 4]):
                return
            if remaining < 4 + size:
                self._begin_frame(size, view[position + 4 :])
                return
            if (self._answers or self.output_bytes) and not self._may_handle(view, position + 4):
                self._pause(view[position:])
                return
            self._handle(view[position + 4 : position + 4 + size])
            position += 4 + size
            if position < end and self._network.slice_is_over():
                self.yielded = True
                self._pause(view[position:])
                return

    def _size_ok(self, size: int, prefix: memoryview) -> bool:
        limit = self._network.max_frame_bytes if self._trusted else self._network.max_first_frame_bytes
        if 0 < size <= limit:
            return True
        self.close(_describe_bad_size(size, bytes(prefix), limit))
        return False

    def _begin_frame(self, size: int, head: memoryview) -> None:
        """A frame whose rest has not arrived: give it a buffer of its own."""
        if not self._network.charge(size):
            # Over the broker's budget of request bytes: leave it in the socket for now.
            self._pause(memoryview(_SIZE.pack(size) + bytes(head)))
            self._network.wait_for_memory(self)
            return
        self._charged = size
        self._frame = mmap.mmap(-1, size) if size > _LAZY_FRAME_BYTES else bytearray(size)
        self._frame_view = memoryview(self._frame)
        self._frame_view[: len(head)] = head
        self._filled = len(head)
        self.frame_started_ms = self._network.now_ms

    def _finish_frame(self) -> None:
        view = self._frame_view
        assert view is not None
        if (self._answers or self.output_bytes) and not self._may_handle(view, 0):
            self.paused = True
            return
        self._frame = self._frame_view = None
        self.frame_started_ms = 0
        try:
            self._handle(view)
        finally:
            self._release_charge()

    def _release_charge(self) -> None:
        if self._charged:
            self._network.release(self._charged)
            self._charged = 0

    def _may_handle(self, view: memoryview, position: int) -> bool:
        """Whether the request at `position` may be handled while earlier answers wait or are unsent."""
        if self._must_pause():
            return False
        if not self._answers:
            return True
        # Only Produces overlap, and only with Produces: so the first waiting answer tells of all.
        return self._answers[0].api_key == _PRODUCE and bytes(view[position : position + 2]) == b"\x00\x00"

    def _must_pause(self) -> bool:
        if self.output_bytes > self._network.max_output_bytes:
            return True
        return len(self._answers) >= self._network.max_answers

    def _pause(self, rest: memoryview) -> None:
        self.paused = True
        self._backlog = bytes(rest)

    # --- requests ------------------------------------------------------------------------------

    def _handle(self, frame: memoryview) -> None:
        kept_under = None
        try:
            if len(frame) > 8 and frame[1] in _FROM_IMAGE and not self._answers:
                kept_under = self._network.replies.key(frame, self.facts)
                if kept_under is not None and self._answer_again(kept_under, frame):
                    return
            header, position = headers.read_request_header(frame)
            answer = _Answer(header.api_key, header.api_version, header.correlation_id)
            route = self._network.routes.get(header.api_key) or self._network.add_route(header.api_key)
            if not route.min_version <= header.api_version <= route.max_version:
                self._answer_unsupported(answer)
                return
            request = route.read(frame, position, header.api_version)[0]
            route.requests += 1
            self._trusted = True
            context = RequestContext(
                header.api_key,
                header.api_version,
                header.correlation_id,
                header.client_id or "",
                self.facts,
                self._services,
            )
            answer.kept_under = kept_under
            response = route.handle(request, context)
            if response is not None:
                self._take_answer(answer, response)
        except Exception as error:
            self._fail(error)

    def _answer_again(self, key: Key, frame: memoryview) -> bool:
        """Send the kept answer, if there is one; only after a request of that kind has been handled."""
        kept = self._network.replies.find(key, frame, self._services.metadata.image)
        if kept is None:
            return False
        self._network.routes[frame[1]].requests += 1
        self._trusted = True
        self._send([kept])
        return True

    def _fail(self, error: Exception) -> None:
        """What an exception costs: this client its connection, and nobody else anything."""
        if isinstance(error, DecodeError):
            self.close(f"malformed request: {error}")
        elif isinstance(error, CloseConnection):
            self.close(str(error))
        else:
            self._network.report_defect(error)
            self.close("internal error")

    def _answer_unsupported(self, answer: _Answer) -> None:
        if answer.api_key != _API_VERSIONS:
            raise CloseConnection(f"API {answer.api_key} version {answer.api_version} is not supported")
        answer.api_version = 0
        self._take_answer(answer, table.unsupported_api_versions())

    def _take_answer(self, answer: _Answer, response: Any) -> None:
        if type(response) is Pending:
            if not response.done:
                answer.pending = response
                self._answers.append(answer)
                response.on_done(lambda value: self._complete(answer, value))
                return
            response = response.value
            answer.kept_under = None
        parts = _encode(answer, response)
        if answer.kept_under is not None:
            self._network.replies.keep(answer.kept_under, parts)
        if self._answers:
            answer.ready = parts
            self._answers.append(answer)
        else:
            self._send(parts)

    def _complete(self, answer: _Answer, response: Any) -> None:
        """A waiting answer has come; it may be the order to close."""
        if not self._answers:
            return
        answer.pending = None
        answer.ready = []
        try:
            if isinstance(response, Exception):
                raise response
            if response is not None:
                answer.ready = _encode(answer, response)
        except Exception as error:
            self._fail(error)
        answers = self._answers
        while answers and answers[0].ready is not None:
            self._send(answers.popleft().ready or [])
        self.list_as_ready()

    def list_as_ready(self) -> None:
        """Have the driver look at this connection at the end of the turn."""
        if not self._ready_listed:
            self._ready_listed = True
            self._network.ready.append(self)

    def run_ready(self) -> None:
        """The turn ends: let the driver flush, and go on with what was held back."""
        self._ready_listed = False
        if self.on_ready is not None:
            self.on_ready(self)

    def _send(self, parts: list[Part]) -> None:
        self.output.extend(parts)
        for part in parts:
            # A file region costs no memory while it waits.
            if not isinstance(part, FileRegion):
                self.output_bytes += len(part)

    # --- end -----------------------------------------------------------------------------------

    @property
    def is_waiting(self) -> bool:
        """Whether answers are still to come."""
        return bool(self._answers)

    def close(self, reason: str) -> None:
        """Handle nothing more; what stands in `output` may still be sent."""
        if self.close_reason is None:
            self.close_reason = reason

    def abandon(self) -> None:
        """The client is gone: forget what waits and give back what is held."""
        self.close(LOST)
        for answer in self._answers:
            if answer.pending is not None:
                answer.pending.abandoned = True
        self._answers.clear()
        self.output.clear()
        self.output_bytes = 0
        self.on_ready = None
        self._backlog = b""
        self._frame = self._frame_view = None
        self._release_charge()
        self._network.forget(self)


def _encode(answer: _Answer, response: Any) -> list[Part]:
    """Size, header and body; neighbouring byte strings joined, file regions left as they are."""
    body: list[Part] = []
    headers.write_response_header(body, answer.api_key, answer.api_version, answer.correlation_id)
    response.write(body, answer.api_version)
    size = sum(map(len, body))
    parts: list[Part] = []
    run: list[Any] = [_SIZE.pack(size)]
    for part in body:
        if type(part) is FileRegion:
            if run:
                parts.append(b"".join(run))
                run = []
            parts.append(part)
        else:
            run.append(part)
    if run:
        parts.append(b"".join(run))
    return parts


def _describe_bad_size(size: int, prefix: bytes, limit: int) -> str:
    if prefix in (b"GET ", b"POST", b"HEAD", b"PUT "):
        return "this is the Kafka port and the client speaks HTTP"
    if prefix[:2] == b"\x16\x03":
        return "the client speaks TLS to a plaintext listener"
    return f"invalid frame size {size}, the limit is {limit} bytes"
